/**
 * The order of test files: those that take long come first, so that no worker is left with one while the others have nothing to do.
 * Those that share processes come last and one after the other, as a process ends when it cannot have the next file.
 */
import type { TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';

/** Paths below test/ without their ending, the longest first. What is not listed comes behind, in Vitest's own order. */
export const slowest: readonly string[] = [
  'bench/bench',
  'cli/dissect/tshark',
  'cli/client/runs',
  'cli/sub',
  'interop/command-line-clients',
  'exchanges/course-library',
  'cli/pub',
  'cli/sub-delivery',
  'cli/bench',
  'dissect/tshark',
  'cli/client/transports',
  'client/servers',
  'interop/paho-python',
  'crash/crash',
  'capture/tls/openssl-connections',
  'cli/broker/slow-disk',
  'dissect/filter/tshark-agreement',
  'broker/persistence/lmdb',
  'cli/broker',
  'cli/store/transfer',
  'conformance/slow-subscriber',
  'broker/sys-topics',
  'capture/tls/node-connections',
  'cli/store',
  'conformance/sessions',
  'bench/load',
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
