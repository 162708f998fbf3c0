export interface TestNumbers {
  passed: number;
  failed: number;
  skipped: number;
}
export declare function countResults(report: object): TestNumbers;
export declare function describeResults(numbers: TestNumbers): string;
