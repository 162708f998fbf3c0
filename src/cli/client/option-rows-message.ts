/** Options about what is published, subscribed to and left as a will. */

import { variableByteIntegerMax } from '../../protocol/version.ts';
import { decimalNumber, wholeNumber } from './numbers.ts';
import type { OptionRow } from './option-rows.ts';
import type { ClientSettings, MessageSource } from './settings.ts';
import { topicFilterFault, topicNameFault } from './topic-option.ts';

const all = ['pub', 'sub', 'rr'] as const;
const publishers = ['pub', 'rr'] as const;
const subscribers = ['sub', 'rr'] as const;

/** Milliseconds that a timer can wait. */
const delayMaxMs = 2 ** 31 - 1;

function oneSourceOnly(settings: ClientSettings): string | undefined {
  return settings.source === undefined ? undefined : 'Error: Only one type of message can be sent at once.\n\n';
}

function sourceRow(
  row: Pick<OptionRow, 'flag' | 'alias' | 'help'> & { commands?: OptionRow['commands'] },
  source: MessageSource,
): OptionRow {
  return {
    commands: publishers,
    ...row,
    section: 'Message',
    precondition: oneSourceOnly,
    set: (settings) => {
      settings.source = source;
    },
  };
}

function qosOf(text: string): 0 | 1 | 2 | undefined {
  const qos = wholeNumber(text);
  return qos === 0 || qos === 1 || qos === 2 ? qos : undefined;
}

export const messageRows: readonly OptionRow[] = [
  {
    flag: '-t',
    alias: '--topic',
    commands: all,
    argument: { name: 'topic', missing: 'no topic specified' },
    section: 'Message',
    help: 'Topic to publish to (pub, rr), Topic Filter to subscribe to (sub; may be repeated).',
    apply: (settings, argument, command) => {
      const fault =
        command === 'sub'
          ? topicFilterFault(argument, '-t', 'subscription')
          : topicNameFault(argument, '-t', 'publish');
      if (fault !== undefined) return fault;
      if (command === 'sub') settings.topicFilters.push(argument.text);
      else settings.topicName = argument.text;
      return undefined;
    },
  },
  {
    flag: '-e',
    commands: ['rr'],
    argument: { name: 'topic', missing: 'no response topic specified' },
    section: 'Message',
    help: 'Response Topic: where the answer is expected.',
    apply: (settings, argument) => {
      const fault = topicNameFault(argument, '-e', 'response');
      if (fault === undefined) settings.responseTopic = argument.text;
      return fault;
    },
  },
  {
    flag: '-q',
    alias: '--qos',
    commands: all,
    argument: { name: 'qos', missing: 'no QoS specified' },
    section: 'Message',
    help: 'QoS 0, 1 or 2 of what is published and of all subscriptions. Default 0.',
    apply: (settings, { text }) => {
      const qos = qosOf(text);
      if (qos === undefined) return `Error: Invalid QoS given: ${text}\n`;
      settings.qos = qos;
      return undefined;
    },
  },
  {
    flag: '-m',
    alias: '--message',
    commands: publishers,
    argument: { name: 'message', missing: 'no message specified' },
    section: 'Message',
    help: 'Payload, as it stands.',
    precondition: oneSourceOnly,
    apply: (settings, { bytes }) => {
      if (bytes.length > variableByteIntegerMax) {
        return `Error: Message length must be less than ${variableByteIntegerMax} bytes.\n\n`;
      }
      settings.source = { kind: 'text', payload: bytes };
      return undefined;
    },
  },
  {
    flag: '-f',
    alias: '--file',
    commands: publishers,
    argument: { name: 'file', missing: 'no file specified' },
    section: 'Message',
    help: 'Payload from a file.',
    precondition: oneSourceOnly,
    set: (settings, { text }) => {
      settings.source = { kind: 'file', path: text };
    },
  },
  sourceRow({ flag: '-n', alias: '--null-message', help: 'Empty payload.' }, { kind: 'nothing' }),
  sourceRow(
    { flag: '-s', alias: '--stdin-file', help: 'Payload from standard input, all of it.' },
    { kind: 'standard input' },
  ),
  sourceRow(
    {
      flag: '-l',
      alias: '--stdin-line',
      commands: ['pub'],
      help: 'Every line of standard input is a message. Lines are read as fast as the server takes them, whatever their number.',
    },
    { kind: 'lines' },
  ),
  {
    flag: '-r',
    alias: '--retain',
    commands: ['pub'],
    section: 'Message',
    help: 'Publishes with RETAIN.',
    set: (settings) => {
      settings.retain = true;
    },
  },
  {
    flag: '--repeat',
    commands: ['pub'],
    argument: { name: 'count', missing: 'no count specified' },
    section: 'Message',
    help: 'With -m, -n, -f and -s: publishes so many times, each time when the one before was delivered.',
    apply: (settings, { text }) => {
      const count = wholeNumber(text);
      if (count === undefined || count < 1) return 'Error: --repeat argument must be >0.\n\n';
      settings.repeatCount = count;
      return undefined;
    },
  },
  {
    flag: '--repeat-delay',
    commands: ['pub'],
    argument: { name: 'seconds', missing: 'no time specified' },
    section: 'Message',
    help: 'With --repeat: waits at least so long after each delivery; fractions are possible.',
    apply: (settings, { text }) => {
      const seconds = decimalNumber(text);
      if (seconds === undefined || seconds < 0) return 'Error: --repeat-delay argument must be >=0.0.\n\n';
      settings.repeatDelayMs = Math.min(seconds * 1000, delayMaxMs);
      return undefined;
    },
  },
  {
    flag: '-M',
    commands: all,
    argument: { name: 'count', missing: 'max_inflight not specified' },
    section: 'Message',
    help: 'At QoS 1 and 2: messages that may be on their way to the server at once. Default 20.',
    apply: (settings, { text }) => {
      const count = wholeNumber(text);
      if (count === undefined || count < 1) return 'Error: Maximum inflight messages must be greater than 0.\n\n';
      settings.inflightMax = Math.min(count, 65_535);
      return undefined;
    },
  },
  {
    flag: '-T',
    alias: '--filter-out',
    commands: ['sub'],
    argument: { name: 'filter', missing: 'no topic filter specified' },
    section: 'Subscription',
    help: 'Leaves out messages on topics that match. May be repeated.',
    apply: (settings, argument) => {
      const fault = topicFilterFault(argument, '-T', 'filter');
      if (fault === undefined) settings.filterOuts.push(argument.text);
      return fault;
    },
  },
  {
    flag: '-U',
    alias: '--unsubscribe',
    commands: ['sub'],
    argument: { name: 'filter', missing: 'no unsubscribe topic specified' },
    section: 'Subscription',
    help: 'Unsubscribes, after subscribing if there is a -t. May be repeated.',
    apply: (settings, argument) => {
      const fault = topicFilterFault(argument, '-U', 'unsubscribe');
      if (fault === undefined) settings.unsubscribeFilters.push(argument.text);
      return fault;
    },
  },
  {
    flag: '-E',
    commands: ['sub'],
    section: 'Subscription',
    help: 'Ends as soon as the server has acknowledged the subscriptions. With -c a Session is set up that way.',
    set: (settings) => {
      settings.exitAfterSubscribe = true;
    },
  },
  {
    flag: '-R',
    commands: subscribers,
    section: 'Subscription',
    help: 'Leaves out retained messages; with MQTT 5 asks the server not to send them.',
    set: (settings) => {
      settings.skipRetained = true;
      settings.retainHandling = 2;
    },
  },
  {
    flag: '--retained-only',
    commands: ['sub'],
    section: 'Subscription',
    help: 'Prints retained messages only and ends with the first that is not.',
    set: (settings) => {
      settings.retainedOnly = true;
    },
  },
  {
    flag: '--remove-retained',
    commands: ['sub'],
    section: 'Subscription',
    help: 'Removes from the server each retained message that comes in, but those that -T leaves out.',
    set: (settings) => {
      settings.removeRetained = true;
    },
  },
  {
    flag: '--retain-as-published',
    commands: subscribers,
    section: 'Subscription',
    help: 'RETAIN comes as it was published (MQTT 5).',
    set: (settings) => {
      settings.retainAsPublished = true;
    },
  },
  {
    flag: '--retain-handling',
    commands: subscribers,
    since: '2.1',
    argument: { name: 'always|new|never', missing: 'no option specified' },
    section: 'Subscription',
    help: 'When the server sends retained messages: with every subscription, with a new one, or never (MQTT 5).',
    apply: (settings, { text }) => {
      const handling = ['always', 'new', 'never'].indexOf(text);
      if (handling < 0) return `Error: Unknown value '${text}' for --retain-handling.\n\n`;
      settings.retainHandling = handling as 0 | 1 | 2;
      return undefined;
    },
  },
  {
    flag: '-C',
    commands: ['sub'],
    argument: { name: 'count', missing: 'no count specified' },
    section: 'Subscription',
    help: 'Ends after so many messages.',
    apply: (settings, { text }) => {
      const count = wholeNumber(text);
      if (count === undefined || count < 1) return `Error: Invalid message count "${text}".\n\n`;
      settings.messageCount = count;
      return undefined;
    },
  },
  {
    flag: '-W',
    commands: subscribers,
    argument: { name: 'seconds', missing: 'no timeout specified' },
    section: 'Subscription',
    help: 'Ends after so many seconds, with status 27.',
    apply: (settings, { text }) => {
      const seconds = wholeNumber(text);
      if (seconds === undefined || seconds < 1) return `Error: Invalid timeout "${text}".\n\n`;
      settings.timeout = Math.min(seconds, Math.floor(delayMaxMs / 1000));
      return undefined;
    },
  },
  {
    flag: '--will-topic',
    commands: all,
    argument: { name: 'topic', missing: 'no will topic specified' },
    section: 'Will',
    help: 'Topic of the will, which the server publishes if this client goes away without saying so.',
    apply: (settings, argument) => {
      const fault = topicNameFault(argument, '--will-topic', 'will');
      if (fault === undefined) settings.willTopic = argument.text;
      return fault;
    },
  },
  {
    flag: '--will-payload',
    commands: all,
    argument: { name: 'message', missing: 'no will payload specified' },
    section: 'Will',
    help: 'Payload of the will. Default empty.',
    set: (settings, { bytes }) => {
      settings.willPayload = bytes;
    },
  },
  {
    flag: '--will-qos',
    commands: all,
    argument: { name: 'qos', missing: 'no will QoS specified' },
    section: 'Will',
    help: 'QoS of the will. Default 0.',
    apply: (settings, { text }) => {
      const qos = qosOf(text);
      if (qos === undefined) return `Error: Invalid will QoS ${text}.\n\n`;
      settings.willQos = qos;
      return undefined;
    },
  },
  {
    flag: '--will-retain',
    commands: all,
    section: 'Will',
    help: 'The will is published with RETAIN.',
    set: (settings) => {
      settings.willRetain = true;
    },
  },
];
