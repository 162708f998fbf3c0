/**
 * `node bench/capture/make-capture.mjs [options] -o FILE`: writes a capture of MQTT traffic that looks like a broker's with many clients, for
 * measuring what reads captures. `--help` lists the options.
 */
import { runProgram } from '../../scripts/run-program.mjs';

await runProgram('bench/capture/main.ts');
