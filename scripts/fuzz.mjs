/**
 * `npm run fuzz`: mutated packets against the codec and a broker, the long run; `-- --help` lists its options. The short run with a
 * fixed seed is part of `npm test`.
 */
import { runProgram } from './run-program.mjs';

await runProgram('test/fuzz/main.ts');
