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

interface LoadRow {
  /** Between `load/` and the minutes. */
  readonly name: string;
  /** What happens per minute. */
  readonly events: string;
  total(counters: Counters): number;
}

const loads: readonly LoadRow[] = [
  {
    name: 'messages/received',
    events: 'MQTT Control Packets received',
    total: (counters) => counters.messagesReceived,
  },
  { name: 'messages/sent', events: 'MQTT Control Packets sent', total: (counters) => counters.messagesSent },
  { name: 'publish/dropped', events: 'messages dropped', total: (counters) => counters.publishMessagesDropped },
  {
    name: 'publish/received',
    events: 'PUBLISH packets received',
    total: (counters) => counters.publishMessagesReceived,
  },
  { name: 'publish/sent', events: 'PUBLISH packets sent', total: (counters) => counters.publishMessagesSent },
  { name: 'bytes/received', events: 'bytes received', total: (counters) => counters.bytesReceived },
  { name: 'bytes/sent', events: 'bytes sent', total: (counters) => counters.bytesSent },
  { name: 'sockets', events: 'network connections opened', total: (counters) => counters.socketsAccepted },
  {
    name: 'connections',
    events: 'CONNECT packets answered',
    total: (counters) => counters.connectionsAccepted + counters.connectRefused,
  },
];

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
  loads.map(({ name, events }, index) => ({
    topic: `$SYS/broker/load/${name}/${minutes}min`,
    format: 'load' as const,
    description: `Per minute, averaged over ${minutes} min: ${events}.`,
    read: (sys: SysTopics) => sys.loadAverages[index]!.over(minutes).toFixed(2),
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
  /** One for each of `loads`. */
  readonly loadAverages: readonly LoadAverage[];
  readonly #publish: (topicName: string, text: string, retain: boolean) => void;
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
    this.loadAverages = loads.map(({ total }) => new LoadAverage(total(sources.counters)));
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
    for (const [index, { total }] of loads.entries()) {
      this.loadAverages[index]!.update(total(this.sources.counters), elapsedSeconds);
    }
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
