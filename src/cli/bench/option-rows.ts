/** Every option of `clearwing bench`, as one table: reading, `--help` and docs/reference/bench.md follow from it. */
import { parseShares, topicsMax } from '../../bench/flow.ts';
import { numberedTopicsMax } from '../../bench/numbered-topics.ts';
import { payloadBytesMax, payloadHeadBytes, type QoS } from '../../bench/wire.ts';
import { connectionRows } from './option-rows-connection.ts';
import { integer, integers, number } from './option-values.ts';
import { type BenchCommand, type BenchSettings, benchCommandNames } from './settings.ts';

export interface BenchOptionRow {
  /** As it is written on a command line, short form first. */
  readonly flags: readonly string[];
  /** Name of its value; undefined if it takes none. */
  readonly argument: string | undefined;
  readonly commands: readonly BenchCommand[];
  readonly section: 'Broker' | 'Load' | 'Output';
  readonly help: string;
  /** Its default as it is shown; empty for none. */
  readonly default: (settings: BenchSettings) => string;
  /** @throws {RangeError} that says what was expected */
  readonly apply: (settings: BenchSettings, text: string) => void;
}

const flows = ['flow', 'latency'] as const;
const storms = ['connect', 'idle'] as const;

const loadRows: readonly BenchOptionRow[] = [
  {
    flags: ['--flow'],
    argument: 'LIST',
    commands: flows,
    section: 'Load',
    help:
      'Publishers-subscribers, such as 1-1, 1-100 (fan-out), 50-1 (fan-in) or 50-50 (pairs), with commas between them. With ' +
      '--mix any two numbers.',
    default: ({ flowTexts }) => flowTexts.join(','),
    apply: (settings, text) => {
      settings.flowTexts = text.split(',');
    },
  },
  {
    flags: ['--mix'],
    argument: 'SHARES',
    commands: [...flows, 'subscribe'],
    section: 'Load',
    help:
      'Kinds of subscribers, in parts: exact=80,plus=15,hash=5. exact hears one publisher by the names of its topics, plus ' +
      'the same through +, hash all publishers through #. With subscribe, kinds of Topic Filters.',
    default: ({ mix }) => (mix === undefined ? '' : 'exact=1'),
    apply: (settings, text) => {
      settings.mix = parseShares(text);
    },
  },
  {
    flags: ['-q', '--qos'],
    argument: 'LIST',
    commands: flows,
    section: 'Load',
    help: 'QoS of messages and subscriptions: 0, 1, 2 or several of them.',
    default: ({ qos }) => qos.join(','),
    apply: (settings, text) => {
      settings.qos = integers(text, 0, 2) as QoS[];
    },
  },
  {
    flags: ['-q', '--qos'],
    argument: 'QOS',
    commands: ['retained'],
    section: 'Load',
    help: 'QoS of the messages and of the subscription, 0 or 1.',
    default: ({ qos }) => qos.join(),
    apply: (settings, text) => {
      settings.qos = [integer(text, 0, 1) as QoS];
    },
  },
  {
    flags: ['-q', '--qos'],
    argument: 'QOS',
    commands: ['subscribe', 'churn'],
    section: 'Load',
    help: 'QoS of messages and subscriptions: 0, 1 or 2.',
    default: ({ qos }) => qos.join(),
    apply: (settings, text) => {
      settings.qos = [integer(text, 0, 2) as QoS];
    },
  },
  {
    flags: ['-s', '--size'],
    argument: 'LIST',
    commands: flows,
    section: 'Load',
    help: `Bytes of a payload, ${payloadHeadBytes} to ${payloadBytesMax}, or several of them.`,
    default: ({ sizes }) => sizes.join(','),
    apply: (settings, text) => {
      settings.sizes = integers(text, payloadHeadBytes, payloadBytesMax);
    },
  },
  {
    flags: ['-s', '--size'],
    argument: 'BYTES',
    commands: ['retained', 'churn'],
    section: 'Load',
    help: `Bytes of a payload, ${payloadHeadBytes} to ${payloadBytesMax}.`,
    default: ({ sizes }) => sizes.join(),
    apply: (settings, text) => {
      settings.sizes = [integer(text, payloadHeadBytes, payloadBytesMax)];
    },
  },
  {
    flags: ['-n', '--count'],
    argument: 'COUNT',
    commands: ['connect', 'idle', 'retained', 'subscribe'],
    section: 'Load',
    help: `Connections, retained messages or subscriptions, 1 to ${numberedTopicsMax}.`,
    default: ({ count }) => String(count),
    apply: (settings, text) => {
      settings.count = integer(text, 1, numberedTopicsMax);
    },
  },
  {
    flags: ['--rate'],
    argument: 'RATE',
    commands: ['latency', ...storms],
    section: 'Load',
    help:
      'Per second: messages of all publishers together, or connections. Each is due at a time of its own, and latency ' +
      'counts from then.',
    default: ({ rate }) => (rate === undefined ? 'as fast as the broker answers' : String(rate)),
    apply: (settings, text) => {
      settings.rate = number(text, 0.1, 10_000_000);
    },
  },
  {
    flags: ['--seconds'],
    argument: 'SECONDS',
    commands: [...flows, 'churn'],
    section: 'Load',
    help: 'How long is counted, 0.1 to 86400.',
    default: ({ seconds }) => String(seconds),
    apply: (settings, text) => {
      settings.seconds = number(text, 0.1, 86_400);
    },
  },
  {
    flags: ['--warm-up'],
    argument: 'SECONDS',
    commands: flows,
    section: 'Load',
    help: 'How long messages flow before that, 0 to 3600.',
    default: ({ warmUpSeconds }) => String(warmUpSeconds),
    apply: (settings, text) => {
      settings.warmUpSeconds = number(text, 0, 3600);
    },
  },
  {
    flags: ['--topics'],
    argument: 'COUNT',
    commands: flows,
    section: 'Load',
    help: `Topics of each publisher, which take turns, 1 to ${topicsMax}.`,
    default: ({ topics }) => String(topics),
    apply: (settings, text) => {
      settings.topics = integer(text, 1, topicsMax);
    },
  },
  {
    flags: ['--publish-window'],
    argument: 'COUNT',
    commands: [...flows, 'retained'],
    section: 'Load',
    help: 'QoS 1 and 2: unacknowledged messages of each publisher, 1 to 65535. The Receive Maximum of the broker may lower it.',
    default: ({ publishWindow }) => String(publishWindow),
    apply: (settings, text) => {
      settings.publishWindow = integer(text, 1, 65_535);
    },
  },
  {
    flags: ['--window'],
    argument: 'COUNT',
    commands: flows,
    section: 'Load',
    help: 'Deliveries under way at once over all connections, 1 to 10000000.',
    default: () => '16384 at QoS 0, 2000 at QoS 1 and 2, and no more than 16 MiB of payloads',
    apply: (settings, text) => {
      settings.deliveryWindow = integer(text, 1, 10_000_000);
    },
  },
  {
    flags: ['--receive-maximum'],
    argument: 'COUNT',
    commands: flows,
    section: 'Load',
    help: 'MQTT 5: QoS 1 and 2 messages that a subscriber lets the broker send unacknowledged, 1 to 65535.',
    default: () => '65535, as the protocol has it',
    apply: (settings, text) => {
      settings.receiveMaximum = integer(text, 1, 65_535);
    },
  },
  {
    flags: ['-r', '--retain'],
    argument: undefined,
    commands: flows,
    section: 'Load',
    help: 'Publishes with RETAIN. The retained messages are removed before and after.',
    default: () => '',
    apply: (settings) => {
      settings.isRetained = true;
    },
  },
  {
    flags: ['-c', '--disable-clean-session'],
    argument: undefined,
    commands: [...flows, ...storms],
    section: 'Load',
    help: 'Sessions of subscribers (or of all connections) outlive their connections. They are removed afterwards.',
    default: () => '',
    apply: (settings) => {
      settings.isPersistent = true;
    },
  },
  {
    flags: ['--at-once'],
    argument: 'COUNT',
    commands: storms,
    section: 'Load',
    help: 'Connections that are being made at once, 1 to 10000.',
    default: ({ atOnce }) => String(atOnce),
    apply: (settings, text) => {
      settings.atOnce = integer(text, 1, 10_000);
    },
  },
  {
    flags: ['--hold'],
    argument: 'SECONDS',
    commands: ['idle'],
    section: 'Load',
    help: 'How long the connections stay once they are made, 0 to 86400.',
    default: ({ holdSeconds }) => String(holdSeconds),
    apply: (settings, text) => {
      settings.holdSeconds = number(text, 0, 86_400);
    },
  },
  {
    flags: ['-k', '--keepalive'],
    argument: 'SECONDS',
    commands: storms,
    section: 'Load',
    help: 'Keep alive, 1 to 65535, or 0 for none. Each connection sends a PINGREQ in half of that time.',
    default: ({ keepAlive }) => String(keepAlive),
    apply: (settings, text) => {
      settings.keepAlive = integer(text, 0, 65_535);
    },
  },
  {
    flags: ['--replays'],
    argument: 'COUNT',
    commands: ['retained'],
    section: 'Load',
    help: 'New subscribers, one after the other, 1 to 1000.',
    default: ({ replays }) => String(replays),
    apply: (settings, text) => {
      settings.replays = integer(text, 1, 1000);
    },
  },
  {
    flags: ['--keep'],
    argument: undefined,
    commands: ['retained'],
    section: 'Load',
    help: 'Leaves the messages in the broker.',
    default: () => '',
    apply: (settings) => {
      settings.isKept = true;
    },
  },
  {
    flags: ['--connections'],
    argument: 'COUNT',
    commands: ['subscribe'],
    section: 'Load',
    help: 'Connections that share the subscriptions, 1 to 10000.',
    default: ({ connections }) => String(connections),
    apply: (settings, text) => {
      settings.connections = integer(text, 1, 10_000);
    },
  },
  {
    flags: ['--per-packet'],
    argument: 'COUNT',
    commands: ['subscribe'],
    section: 'Load',
    help: 'Topic Filters in a SUBSCRIBE, 1 to 1000.',
    default: ({ filtersPerPacket }) => String(filtersPerPacket),
    apply: (settings, text) => {
      settings.filtersPerPacket = integer(text, 1, 1000);
    },
  },
  {
    flags: ['--window'],
    argument: 'COUNT',
    commands: ['subscribe'],
    section: 'Load',
    help: 'SUBSCRIBE packets without an answer on each connection, 1 to 10000.',
    default: ({ subscribeWindow }) => String(subscribeWindow),
    apply: (settings, text) => {
      settings.subscribeWindow = integer(text, 1, 10_000);
    },
  },
  {
    flags: ['--publish'],
    argument: 'SECONDS',
    commands: ['subscribe'],
    section: 'Load',
    help:
      'Measures a flow 1-1 beside the subscriptions for so long, and before they are there, 0.1 to 3600. Its topic is one ' +
      'among theirs.',
    default: () => 'no flow',
    apply: (settings, text) => {
      settings.publishSeconds = number(text, 0.1, 3600);
    },
  },
  {
    flags: ['--clients'],
    argument: 'COUNT',
    commands: ['churn'],
    section: 'Load',
    help: 'Clients that are there at once, 1 to 10000.',
    default: ({ clients }) => String(clients),
    apply: (settings, text) => {
      settings.clients = integer(text, 1, 10_000);
    },
  },
];

const outputRows: readonly BenchOptionRow[] = [
  {
    flags: ['--json'],
    argument: undefined,
    commands: benchCommandNames,
    section: 'Output',
    help: 'Prints everything that was counted as one JSON object, instead of a table.',
    default: () => '',
    apply: (settings) => {
      settings.isJson = true;
    },
  },
  {
    flags: ['--quiet'],
    argument: undefined,
    commands: benchCommandNames,
    section: 'Output',
    help: 'No progress. There is none either where the standard error is no terminal.',
    default: () => '',
    apply: (settings) => {
      settings.isQuiet = true;
    },
  },
];

export const benchOptionRows: readonly BenchOptionRow[] = [...connectionRows, ...loadRows, ...outputRows];

/** Those of a command, in the order of the table. */
export function rowsOf(command: BenchCommand): BenchOptionRow[] {
  return benchOptionRows.filter((row) => row.commands.includes(command));
}
