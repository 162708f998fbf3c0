/** The brokers that can be measured: how each is started, and what it is told. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPeer } from '../scripts/peers.mjs';
import type { Protocol } from '../src/bench/wire.ts';

export interface BrokerDefinition {
  readonly name: string;
  /** Program and arguments. `{port}`, `{config}` and `{directory}` are replaced: where to listen, a file with `config`, its directory. */
  readonly command: readonly string[];
  /** Configuration file; `{port}` and `{directory}` are replaced. */
  readonly config: string | undefined;
  readonly protocols: readonly Protocol[];
  /** What it is, for the report. Called only if it is measured. */
  readonly describe: () => string;
  /** Why it cannot be measured here; undefined if it can. */
  readonly missing: string | undefined;
}

/**
 * Both Mosquitto and Clearwing get this. Nothing writes a log, no statistics interrupt, and at QoS 1 and 2
 * nothing may be dropped: queues have no limit (0). 20 messages in flight per client is the default of both. Each gets its own
 * default of `set_tcp_nodelay`, which for Mosquitto is the faster one, too (bench/README.md, "The brokers").
 * @param store what there is to say about persistence besides that there is some; undefined for none: nothing waits on a disk
 * @param maxInflight messages that a subscriber may leave unacknowledged; 0 any number
 */
function sharedConfig(noDelay: boolean, store: readonly string[] | undefined, maxInflight: number): string {
  // Started by root, a broker becomes somebody who cannot write to a directory made for root.
  const mayWrite = process.getuid?.() === 0 ? ['user root'] : [];
  return [
    ...(store === undefined ? [] : mayWrite),
    'listener {port} 127.0.0.1',
    'allow_anonymous true',
    ...(store === undefined
      ? ['persistence false']
      : ['persistence true', 'persistence_location {directory}/', ...store]),
    'sys_interval 0',
    'log_type none',
    'connection_messages false',
    `max_inflight_messages ${maxInflight}`,
    'max_queued_messages 0',
    `set_tcp_nodelay ${noDelay}`,
    '',
  ].join('\n');
}

/** What both brokers have by default. */
const usualInflight = 20;

const allProtocols: readonly Protocol[] = ['3.1.1', '5'];

/** The brokers known by name. @param repositoryDirectory where Clearwing is built and the small servers lie */
export function knownBrokers(repositoryDirectory: string): BrokerDefinition[] {
  const inBench = (name: string) => join(repositoryDirectory, 'bench', name);
  const mosquitto = findPeer('mosquitto');
  const mosquittoDefinition = (
    name: string,
    noDelay: boolean,
    store?: readonly string[],
    maxInflight = usualInflight,
  ): BrokerDefinition => ({
    name,
    command: [mosquitto ?? 'mosquitto', '-c', '{config}'],
    config: sharedConfig(noDelay, store, maxInflight),
    protocols: allProtocols,
    describe: () =>
      [
        mosquittoVersion(mosquitto),
        ...(noDelay ? ['set_tcp_nodelay true'] : []),
        ...saidOfInflight(maxInflight),
        ...said(store),
      ].join(', '),
    missing: mosquitto === undefined ? 'mosquitto is not installed (Debian package mosquitto)' : undefined,
  });
  const clearwingDefinition = (
    name: string,
    store?: readonly string[],
    maxInflight = usualInflight,
  ): BrokerDefinition => ({
    name,
    command: [process.execPath, join(repositoryDirectory, 'dist', 'cli', 'main.js'), 'broker', '-c', '{config}'],
    config: sharedConfig(true, store, maxInflight),
    protocols: allProtocols,
    describe: () =>
      [`clearwing ${packageVersion(repositoryDirectory)}`, ...saidOfInflight(maxInflight), ...said(store)].join(', '),
    missing: undefined,
  });
  return [
    clearwingDefinition('clearwing'),
    clearwingDefinition('clearwing-unlimited', undefined, 0),
    clearwingDefinition('clearwing-strict', ['durability strict']),
    clearwingDefinition('clearwing-relaxed', ['durability relaxed']),
    clearwingDefinition('clearwing-none', ['durability none']),
    mosquittoDefinition('mosquitto', false),
    mosquittoDefinition('mosquitto-unlimited', false, undefined, 0),
    mosquittoDefinition('mosquitto-nodelay', true),
    mosquittoDefinition('mosquitto-persistent', false, []),
    mosquittoDefinition('mosquitto-autosave', false, ['autosave_on_changes true', 'autosave_interval 1']),
    {
      name: 'aedes',
      command: [process.execPath, inBench('aedes-server.mjs'), '{port}'],
      config: undefined,
      protocols: ['3.1.1'],
      describe: () => `aedes ${packageVersion(join(repositoryDirectory, 'node_modules', 'aedes'))}`,
      missing: undefined,
    },
    {
      name: 'probe',
      command: [process.execPath, inBench('probe-broker.mjs'), '{port}'],
      config: undefined,
      protocols: ['3.1.1'],
      describe: () => 'bench/probe-broker.mjs, which shows what the generator carries',
      missing: undefined,
    },
  ];
}

/** Those measured when nobody says which. */
export const defaultBrokerNames = {
  /** Where Sessions end with their connections. */
  clean: ['clearwing', 'mosquitto', 'aedes'],
  connections: ['clearwing', 'mosquitto', 'aedes'],
  /** Very many of something else, large payloads and paced messages. */
  storms: ['clearwing', 'mosquitto'],
  /** Where they do not, beside the others. */
  durable: ['clearwing', 'clearwing-strict', 'mosquitto-persistent', 'mosquitto-autosave'],
  /** Where they do not, with `--durable`. */
  onlyDurable: [
    ...['clearwing', 'clearwing-strict', 'clearwing-relaxed', 'clearwing-none'],
    ...['mosquitto-persistent', 'mosquitto-autosave'],
  ],
} as const;

/** What a report says of a broker with a store. */
function said(store: readonly string[] | undefined): readonly string[] {
  return store === undefined ? [] : ['persistence true', ...store];
}

function saidOfInflight(maxInflight: number): readonly string[] {
  return maxInflight === usualInflight ? [] : [`max_inflight_messages ${maxInflight}`];
}

/** A broker of the user's: it must listen on `{port}` of 127.0.0.1 and let anybody in. */
export function commandBroker(name: string, command: readonly string[]): BrokerDefinition {
  return {
    name,
    command,
    config: undefined,
    protocols: allProtocols,
    describe: () => command.join(' '),
    missing: undefined,
  };
}

function packageVersion(directory: string): string {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')).version;
}

function mosquittoVersion(program: string | undefined): string {
  if (program === undefined) return 'mosquitto';
  const { stdout } = spawnSync(program, ['-h'], { encoding: 'utf8' });
  return /^mosquitto version \S+/m.exec(stdout ?? '')?.[0] ?? 'mosquitto';
}
