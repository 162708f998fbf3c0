/** Where and with what a benchmark ran. */
import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGibibytes: number;
  readonly system: string;
  readonly node: string;
  /** Of the checkout, with `+` if files differ from it; `unknown` outside of one. */
  readonly commit: string;
  /** Day on which the benchmark began, in UTC. */
  readonly date: string;
}

export function describeMachine(repositoryDirectory: string): Machine {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGibibytes: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    commit: commitOf(repositoryDirectory),
    date: new Date().toISOString().slice(0, 10),
  };
}

function commitOf(directory: string): string {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: directory, encoding: 'utf8' });
  const head = git('rev-parse', '--short=12', 'HEAD');
  if (head.status !== 0) return 'unknown';
  // Only what is measured and what measures.
  const changes = git('status', '--porcelain', '--', 'src', 'bench', 'package-lock.json');
  return `${head.stdout.trim()}${changes.stdout === '' ? '' : '+'}`;
}
