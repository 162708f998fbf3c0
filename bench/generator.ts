/**
 * The generator as a process of its own: takes one load as a message from its parent, answers with the result, and ends. It ends
 * too when the parent is gone.
 */
import { type LoadOptions, type LoadResult, runLoad } from '../src/bench/load.ts';

/** What the parent gets. */
export type GeneratorAnswer = { readonly result: LoadResult } | { readonly error: string };

process.once('disconnect', () => process.exit(1));
process.once('message', (options: LoadOptions) => {
  runLoad(options).then(
    (result) => answer({ result }),
    (error: Error) => answer({ error: error.message }),
  );
});

function answer(message: GeneratorAnswer): void {
  process.send!(message, () => process.exit(0));
}
