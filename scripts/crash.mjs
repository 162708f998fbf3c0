/**
 * `npm run test:crash`: a broker is killed again and again, the long run; `-- --help` lists its options. The short run is part of
 * `npm test`.
 */
import { runProgram } from './run-program.mjs';

await runProgram('test/crash/main.ts');
