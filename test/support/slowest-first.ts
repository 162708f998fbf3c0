/**
 * The order of test files: those that take long come first, so that no worker is left with one while the others have nothing to do.
 * Those that share processes come last and one after the other, as a process ends when it cannot have the next file.
 */
import type { TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';

/** Paths below test/ without their ending, the longest first. What is not listed comes behind, in Vitest's own order. */
export const slowest: readonly string[] = [
  'cli/client/runs',
  'interop/command-line-clients',
  'cli/sub-delivery',
  'cli/sub',
  'bench/bench',
  'cli/dissect/tshark',
  'dissect/tshark',
  'exchanges/course-library',
  'cli/client/transports',
  'cli/pub',
  'interop/paho-python',
  'broker/persistence/lmdb',
  'cli/store/transfer',
  'client/servers',
  'dissect/filter/tshark-agreement',
  'cli/broker',
  'cli/store',
  'crash/crash',
  'broker/persistence/mosquitto-db/mosquitto-database',
];

export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = slowest.findIndex((path) => moduleId.endsWith(`/test/${path}.test.ts`));
      return found === -1 ? slowest.length : found;
    };
    const sharing = ({ project }: TestSpecification): number => (project.config.isolate ? 0 : 1);
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b) || sharing(a) - sharing(b));
  }
}
