/** Runs Debian's client and ours with the same arguments, for suites that compare what they print and how they end. */
import { existsSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { temporaryDirectories } from '../../support/broker-process.ts';
import { clearwingMain } from '../../support/paths.ts';
import { peerPath } from '../../support/peers.ts';
import { type RunningCommand, type RunOptions, type RunResult, run, start } from '../../support/run.ts';

export type ClientName = 'pub' | 'sub' | 'rr';
export type Family = 'real' | 'ours';

/** A directory with links to our program that have the classic names, so that both say the same name in their messages. */
let links: string | undefined;

function linksDirectory(): string {
  if (links !== undefined && existsSync(links)) return links;
  links = mkdtempSync(join(tmpdir(), 'clearwing-links-'));
  for (const name of ['pub', 'sub', 'rr']) symlinkSync(clearwingMain, join(links, `mosquitto_${name}`));
  temporaryDirectories.add(links);
  return links;
}

/** Options of the person who runs the tests must not take part; both print times in UTC. */
export const environment = { HOME: '/nonexistent', XDG_CONFIG_HOME: undefined, TZ: 'UTC' };

export function commandOf(family: Family, name: ClientName): [string, ...string[]] {
  // Debian's programs hold their output back while it goes into a pipe.
  if (family === 'real') return ['stdbuf', '-oL', peerPath(`mosquitto_${name}`)];
  return [process.execPath, join(linksDirectory(), `mosquitto_${name}`)];
}

export function startClient(
  family: Family,
  name: ClientName,
  args: readonly string[],
  options: RunOptions = {},
): RunningCommand {
  const [command, ...first] = commandOf(family, name);
  return start(command, [...first, ...args], { ...options, environment: { ...environment, ...options.environment } });
}

export function runClient(
  family: Family,
  name: ClientName,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const [command, ...first] = commandOf(family, name);
  return run(command, [...first, ...args], { ...options, environment: { ...environment, ...options.environment } });
}

/** What is compared of a run: identifiers made up by chance are replaced. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function outcomeOf({ status, stdout, stderr }: RunResult): Outcome {
  return { status, stdout: withoutChance(stdout), stderr: withoutChance(stderr) };
}

function withoutChance(text: string): string {
  return text.replaceAll(/auto-[0-9A-F-]{36}/g, 'auto-ID').replaceAll(/mosq-[0-9A-Za-z]{18}\b/g, 'mosq-ID');
}

/** Runs both, one after the other, as they may work on the same topics. */
export async function runBoth(
  name: ClientName,
  args: readonly string[],
  options: RunOptions = {},
): Promise<{ real: Outcome; ours: Outcome }> {
  const real = outcomeOf(await runClient('real', name, args, options));
  const ours = outcomeOf(await runClient('ours', name, args, options));
  return { real, ours };
}
