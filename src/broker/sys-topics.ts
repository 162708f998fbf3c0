/**
 * The broker's state as messages under `$SYS/broker/`: the topics of Mosquitto, with its names, values and order, and ours under
 * `$SYS/broker/clearwing/`. [mosquitto(8), BROKER STATUS]
 */
import { type CounterName, type Counters, counterRows } from './counters.ts';
import { LoadAverage, loadMinutes } from './load-average.ts';

/** What is published, read at each update. */
export interface SysSources {
  /** Text of `$SYS/broker/version`, such as `clearwing version 0.1.0`. */
  readonly version: string;
  readonly counters: Counters;
  /** Sessions whose client is away. */
  readonly clientsDisconnected: number;
  /** Subscriptions in force, without the shared ones. */
  readonly subscriptions: number;
  /** Memberships in shared subscriptions. */
  readonly sharedSubscriptions: number;
  readonly retainedMessages: number;
  /** Messages held: retained and queued ones. */
  readonly storedMessages: number;
  /** Bytes of their payloads. */
  readonly storedBytes: number;
  /** QoS 1 and 2 messages sent and not yet acknowledged. */
  readonly inflightMessages: number;
  /** Bytes of memory in use by the program's objects and buffers. */
  readonly heapBytes: number;
}

/** How a value is written. */
export type SysFormat = 'version' | 'uptime' | 'count' | 'load';

export interface SysTopicRow {
  readonly topic: string;
  readonly format: SysFormat;
  /** One line, for documentation. */
  readonly description: string;
}

interface ReadableRow extends SysTopicRow {
  read(sys: SysTopics): string;
}

/** What `load/…/1min` averages. */
const loads = [
  ['messages/received', 'messagesReceived', 'MQTT Control Packets received'],
  ['messages/sent', 'messagesSent', 'MQTT Control Packets sent'],
  ['publish/dropped', 'publishMessagesDropped', 'messages dropped'],
  ['publish/received', 'publishMessagesReceived', 'PUBLISH packets received'],
  ['publish/sent', 'publishMessagesSent', 'PUBLISH packets sent'],
  ['bytes/received', 'bytesReceived', 'bytes received'],
  ['bytes/sent', 'bytesSent', 'bytes sent'],
  ['sockets', 'socketsAccepted', 'network connections opened'],
  ['connections', 'connectionsAccepted', 'clients connected'],
] as const satisfies readonly (readonly [string, CounterName, string])[];

function count(name: string, description: string, read: (sources: SysSources) => number): ReadableRow {
  return { topic: `$SYS/broker/${name}`, format: 'count', description, read: (sys) => String(read(sys.sources)) };
}

function counted(name: CounterName): ReadableRow {
  const { topic, description } = counterRows[name];
  return { topic, format: 'count', description, read: ({ sources }) => String(sources.counters[name]) };
}

function heapRow(name: string, description: string, read: (sys: SysTopics) => number): ReadableRow {
  return { topic: `$SYS/broker/${name}`, format: 'count', description, read: (sys) => String(read(sys)) };
}

const loadRows: readonly ReadableRow[] = loadMinutes.flatMap((minutes) =>
  loads.map(([name, counterName, description]) => ({
    topic: `$SYS/broker/load/${name}/${minutes}min`,
    format: 'load' as const,
    description: `Per minute, averaged over ${minutes} min: ${description}.`,
    read: (sys: SysTopics) => sys.load(counterName).over(minutes).toFixed(2),
  })),
);

const connectedRow = counted('clientsConnected');
const disconnectedDescription = 'Sessions whose client is not connected.';
const storedDescription = 'Messages held: retained ones and those queued for clients.';
const heapDescription = 'Bytes of memory in use.';
const heapMaximumDescription = 'The largest number of bytes of memory that was in use at an update.';

const mosquittoRows: readonly ReadableRow[] = [
  {
    topic: '$SYS/broker/version',
    format: 'version',
    description: 'Name and version of the broker.',
    read: ({ sources }) => sources.version,
  },
  {
    topic: '$SYS/broker/uptime',
    format: 'uptime',
    description: 'Seconds since the broker started.',
    read: ({ uptimeSeconds }) => `${uptimeSeconds} seconds`,
  },
  count(
    'clients/total',
    'Clients that are connected or whose session waits for them.',
    ({ counters, clientsDisconnected }) => counters.clientsConnected + clientsDisconnected,
  ),
  counted('clientsMaximum'),
  count('clients/inactive', `${disconnectedDescription} Deprecated.`, (sources) => sources.clientsDisconnected),
  count('clients/disconnected', disconnectedDescription, (sources) => sources.clientsDisconnected),
  { ...connectedRow, topic: '$SYS/broker/clients/active', description: `${connectedRow.description} Deprecated.` },
  connectedRow,
  counted('clientsExpired'),
  ...loadRows,
  count('messages/stored', `${storedDescription} Deprecated.`, (sources) => sources.storedMessages),
  count('messages/inflight', 'QoS 1 and 2 messages sent and not acknowledged.', (sources) => sources.inflightMessages),
  count('store/messages/count', storedDescription, (sources) => sources.storedMessages),
  count('store/messages/bytes', 'Payload bytes of the messages held.', (sources) => sources.storedBytes),
  count('subscriptions/count', 'Subscriptions, without the shared ones.', (sources) => sources.subscriptions),
  count('shared_subscriptions/count', 'Members of shared subscriptions.', (sources) => sources.sharedSubscriptions),
  count('retained messages/count', 'Topics with a retained message.', (sources) => sources.retainedMessages),
  heapRow('heap/current', heapDescription, (sys) => sys.heapBytes),
  heapRow('heap/maximum', heapMaximumDescription, (sys) => sys.heapMaximum),
  heapRow('heap/current size', `${heapDescription} The name in Mosquitto's manual.`, (sys) => sys.heapBytes),
  heapRow('heap/maximum size', `${heapMaximumDescription} The name in Mosquitto's manual.`, (sys) => sys.heapMaximum),
  counted('messagesReceived'),
  counted('messagesSent'),
  counted('publishMessagesDropped'),
  counted('publishMessagesReceived'),
  counted('publishMessagesSent'),
  counted('publishBytesReceived'),
  counted('publishBytesSent'),
  counted('bytesReceived'),
  counted('bytesSent'),
];

const mosquittoTopics = new Set(mosquittoRows.map(({ topic }) => topic));

const rows: readonly ReadableRow[] = [
  ...mosquittoRows,
  ...(Object.keys(counterRows) as CounterName[])
    .filter((name) => !mosquittoTopics.has(counterRows[name].topic))
    .map((name) => counted(name)),
];

/** Every topic, in the order in which they are published. */
export const sysTopicRows: readonly SysTopicRow[] = rows;

/** Publishes them. The owner calls `start` once and then `update` every `sys_interval` seconds. */
export class SysTopics {
  readonly sources: SysSources;
  readonly #publish: (topicName: string, text: string, retain: boolean) => void;
  readonly #loads = new Map<CounterName, LoadAverage>();
  /** What each topic's retained message says, by the row's position. */
  readonly #published: (string | undefined)[] = rows.map(() => undefined);
  #startedMs = 0;
  #updatedMs = 0;
  #heapBytes = 0;
  #heapMaximum = 0;

  /** @param publish publishes a message of the broker's own, at QoS 2 as Mosquitto does */
  constructor(sources: SysSources, publish: (topicName: string, text: string, retain: boolean) => void) {
    this.sources = sources;
    this.#publish = publish;
    for (const [, name] of loads) this.#loads.set(name, new LoadAverage(sources.counters[name]));
  }

  /** Whole seconds from `start` to the last update. */
  get uptimeSeconds(): number {
    return Math.floor((this.#updatedMs - this.#startedMs) / 1000);
  }

  /** The heap at the last update, bytes. */
  get heapBytes(): number {
    return this.#heapBytes;
  }

  /** The largest heap seen at an update, bytes. */
  get heapMaximum(): number {
    return this.#heapMaximum;
  }

  /** The moving average of one of the counters that have one. */
  load(name: CounterName): LoadAverage {
    return this.#loads.get(name) as LoadAverage;
  }

  /**
   * Publishes everything for the first time.
   * @param nowMs milliseconds of a clock that does not go back
   */
  start(nowMs: number): void {
    this.#startedMs = nowMs;
    this.#updatedMs = nowMs;
    this.publishAll();
  }

  /**
   * Moves the averages on and publishes what changed.
   * @param nowMs milliseconds of the same clock
   */
  update(nowMs: number): void {
    const elapsedSeconds = (nowMs - this.#updatedMs) / 1000;
    for (const [name, load] of this.#loads) load.update(this.sources.counters[name], elapsedSeconds);
    this.#updatedMs = nowMs;
    this.#heapBytes = this.sources.heapBytes;
    this.#heapMaximum = Math.max(this.#heapMaximum, this.#heapBytes);
    for (const [index, row] of rows.entries()) {
      const text = row.read(this);
      if (text === this.#published[index]) continue;
      this.#published[index] = text;
      this.#publish(row.topic, text, true);
    }
  }

  /** Publishes everything as it is, changed or not. */
  publishAll(): void {
    this.#published.fill(undefined);
    this.update(this.#updatedMs);
  }
}
