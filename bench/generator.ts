/**
 * The generator as a process of its own: takes one job as a message from its parent, answers with the result, and ends. It ends
 * too when the parent is gone.
 */
import { type LoadOptions, type LoadResult, runLoad } from '../src/bench/load.ts';
import type { Target } from '../src/bench/target.ts';
import { runStorm, type StormJob, type StormResult } from './storms.ts';

/** What the parent sends. */
export type GeneratorJob =
  | { readonly load: LoadOptions }
  | { readonly storm: StormJob; readonly target: Target; readonly brokerProcessId: number | undefined };

/** What the parent gets. */
export type GeneratorAnswer = { readonly result: LoadResult | StormResult } | { readonly error: string };

process.once('disconnect', () => process.exit(1));
process.once('message', (job: GeneratorJob) => {
  const running = 'load' in job ? runLoad(job.load) : runStorm(job.storm, job.target, job.brokerProcessId);
  running.then(
    (result) => answer({ result }),
    (error: Error) => answer({ error: error.message }),
  );
});

function answer(message: GeneratorAnswer): void {
  process.send!(message, () => process.exit(0));
}
