export declare function setUp(options?: { clean?: boolean }): Promise<void>;
export declare function fail(error: Error): void;
