/** The command-line clients, the project's own and Debian's, behind one way of starting them. */
import { existsSync } from 'node:fs';
import { describe } from 'vitest';
import { type BrokerProgram, brokerUnderTest, commandLine } from './broker-process.ts';
import { clearwingMain } from './paths.ts';
import { describeWithPeer } from './peers.ts';
import { type RunningCommand, type RunOptions, type RunResult, run, start } from './run.ts';

export interface ClientPrograms {
  readonly family: BrokerProgram;
  /** Runs the publisher to its end. */
  pub(port: number, args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Runs the publisher with a URL instead of host and port. */
  pubTo(url: string, args: readonly string[]): Promise<RunResult>;
  /** Starts the publisher. */
  startPub(port: number, args: readonly string[], options?: RunOptions): RunningCommand;
  /** Starts the subscriber. */
  sub(port: number, args: readonly string[], options?: RunOptions): RunningCommand;
  rr(port: number, args: readonly string[], options?: RunOptions): Promise<RunResult>;
}

// Options of the person who runs the tests must not take part.
const environment = { HOME: '/nonexistent', XDG_CONFIG_HOME: '/nonexistent' };

export function clientPrograms(family: BrokerProgram): ClientPrograms {
  const command = (name: 'pub' | 'sub' | 'rr', args: readonly string[]): [string, string[]] => {
    // Debian's programs hold their output back while it goes into a pipe.
    const unbuffered = family === 'mosquitto' ? ['stdbuf', '-oL'] : [];
    const [program = '', ...first] = [...unbuffered, ...commandLine(family, name)];
    return [program, [...first, ...args]];
  };
  const line = (name: 'pub' | 'sub' | 'rr', port: number, args: readonly string[]) =>
    command(name, ['-h', '127.0.0.1', '-p', String(port), ...args]);
  const withEnvironment = (options: RunOptions = {}) => ({
    ...options,
    environment: { ...environment, ...options.environment },
  });
  return {
    family,
    pub: (port, args, options) => run(...line('pub', port, args), withEnvironment(options)),
    pubTo: (url, args) => run(...command('pub', ['-L', url, ...args]), withEnvironment()),
    startPub: (port, args, options) => start(...line('pub', port, args), withEnvironment(options)),
    sub: (port, args, options) => start(...line('sub', port, args), withEnvironment(options)),
    rr: (port, args, options) => run(...line('rr', port, args), withEnvironment(options)),
  };
}

/** Defines the same tests for the project's own clients and for Debian's, where those are installed. */
export function forEachClientFamily(title: string, define: (clients: ClientPrograms) => void): void {
  // Checking the suites against mosquitto needs no build of ours.
  const isBuilt = existsSync(clearwingMain) || brokerUnderTest === 'clearwing';
  (isBuilt ? describe : describe.skip)(`${title}, with clearwing pub and sub`, () =>
    define(clientPrograms('clearwing')),
  );
  describeWithPeer(['mosquitto_pub', 'mosquitto_sub'], `${title}, with mosquitto_pub and mosquitto_sub`, () =>
    define(clientPrograms('mosquitto')),
  );
}
