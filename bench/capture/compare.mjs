/**
 * `npm run bench:dissect [-- options]`: `clearwing dissect` and tshark on the same generated capture, in turn; packets per second and peak memory for
 * summary rows, columns, and a display filter. `--help` lists the options.
 */
import { runProgram } from '../../scripts/run-program.mjs';

await runProgram('bench/capture/compare.ts');
