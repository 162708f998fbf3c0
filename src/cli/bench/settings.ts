/** What `clearwing bench` was told, with its defaults. */
import type { FilterShares, Flow } from '../../bench/flow.ts';
import { parseFlow } from '../../bench/flow.ts';
import type { Protocol, QoS } from '../../bench/wire.ts';

/** What can be measured, each with a line about it. */
export const benchCommands = {
  flow: 'what a broker carries: messages as fast as they go, by flow, QoS and size',
  latency: 'how long messages take that are due at fixed times',
  connect: 'how fast connections are made',
  idle: 'connections that stay and do nothing, and their memory',
  retained: 'how fast retained messages are handed to a new subscriber, and their memory',
  subscribe: 'how fast subscriptions are granted, and their memory',
  churn: 'clients that connect, subscribe, publish, receive and disconnect, again and again',
} as const;

export type BenchCommand = keyof typeof benchCommands;
export const benchCommandNames = Object.keys(benchCommands) as readonly BenchCommand[];

export interface BenchSettings {
  host: string;
  /** Undefined for the usual one of the transport. */
  port: number | undefined;
  usesWebSocket: boolean;
  webSocketPath: string;
  protocol: Protocol;
  username: string | undefined;
  password: string | undefined;
  localAddresses: readonly string[];
  clientPrefix: string;
  topicPrefix: string;
  brokerProcessId: number | undefined;
  isJson: boolean;
  isQuiet: boolean;
  flowTexts: readonly string[];
  /** Filled in when all arguments are read: a mix changes what a flow may be. */
  flows: readonly Flow[];
  mix: FilterShares | undefined;
  qos: readonly QoS[];
  sizes: readonly number[];
  topics: number;
  isRetained: boolean;
  isPersistent: boolean;
  publishWindow: number;
  /** Undefined for 16,384 at QoS 0 and 2,000 at QoS 1 and 2. */
  deliveryWindow: number | undefined;
  receiveMaximum: number | undefined;
  seconds: number;
  warmUpSeconds: number;
  /** Per second; undefined for as fast as it goes. */
  rate: number | undefined;
  count: number;
  atOnce: number;
  keepAlive: number;
  holdSeconds: number;
  replays: number;
  isKept: boolean;
  connections: number;
  filtersPerPacket: number;
  subscribeWindow: number;
  publishSeconds: number;
  clients: number;
}

/** What differs from command to command. */
const defaultsOf: Readonly<Record<BenchCommand, Partial<BenchSettings>>> = {
  flow: {},
  latency: { rate: 1000 },
  connect: { count: 1000 },
  idle: { count: 1000, keepAlive: 60 },
  retained: { count: 10_000, publishWindow: 100 },
  subscribe: { count: 10_000, mix: { exact: 1, plus: 0, hash: 0 } },
  churn: {},
};

export function defaultSettings(command: BenchCommand): BenchSettings {
  return {
    host: 'localhost',
    port: undefined,
    usesWebSocket: false,
    webSocketPath: '/mqtt',
    protocol: '3.1.1',
    username: undefined,
    password: undefined,
    localAddresses: [],
    clientPrefix: `bench-${process.pid}`,
    topicPrefix: 'bench',
    brokerProcessId: undefined,
    isJson: false,
    isQuiet: false,
    flowTexts: ['1-1'],
    flows: [parseFlow('1-1')],
    mix: undefined,
    qos: [0],
    sizes: [64],
    topics: 1,
    isRetained: false,
    isPersistent: false,
    publishWindow: 20,
    deliveryWindow: undefined,
    receiveMaximum: undefined,
    seconds: 5,
    warmUpSeconds: 1,
    rate: undefined,
    count: 0,
    atOnce: 100,
    keepAlive: 0,
    holdSeconds: 10,
    replays: 3,
    isKept: false,
    connections: 10,
    filtersPerPacket: 10,
    subscribeWindow: 10,
    publishSeconds: 0,
    clients: 10,
    ...defaultsOf[command],
  };
}
