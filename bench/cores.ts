/** Which processor cores the two sides of a run get, so that neither takes time from the other. */
import { spawnSync } from 'node:child_process';

export interface Cores {
  readonly broker: number;
  readonly generator: number;
}

/**
 * Reads `--cores`: `BROKER:GENERATOR` as core numbers, `none` for no pinning, or nothing for the first two cores that this
 * process may use. Undefined means no pinning.
 * @throws {RangeError} that says what was expected
 */
export function chooseCores(text: string | undefined): Cores | undefined {
  if (text === 'none') return undefined;
  const allowed = allowedCores();
  if (text === undefined) {
    const [broker, generator] = allowed;
    return broker === undefined || generator === undefined ? undefined : { broker, generator };
  }
  const match = /^(\d{1,4}):(\d{1,4})$/.exec(text);
  if (match === null) throw new RangeError(`--cores is '${text}'; expected BROKER:GENERATOR, such as 0:1, or none`);
  const cores = { broker: Number(match[1]), generator: Number(match[2]) };
  for (const core of [cores.broker, cores.generator]) {
    if (allowed.length === 0)
      throw new RangeError('--cores needs taskset (Debian package util-linux), which is missing');
    if (!allowed.includes(core)) throw new RangeError(`--cores names core ${core}; there are ${allowed.join(', ')}`);
  }
  return cores;
}

/** A command that runs on one core only. `taskset` becomes the program, so that the process keeps its number. */
export function pinned(command: readonly string[], core: number | undefined): readonly string[] {
  return core === undefined ? command : ['taskset', '-c', String(core), ...command];
}

/** Cores that this process may use; none where they cannot be chosen. */
function allowedCores(): number[] {
  const { status, stdout } = spawnSync('taskset', ['-c', '-p', String(process.pid)], { encoding: 'utf8' });
  if (status !== 0) return [];
  const list = stdout.slice(stdout.lastIndexOf(':') + 1).trim();
  return list.split(',').flatMap((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
