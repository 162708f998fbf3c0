/** Options about the broker and the way to it, named as in `clearwing pub`. */
import { isIP } from 'node:net';
import type { BenchOptionRow } from './option-rows.ts';
import { integer } from './option-values.ts';
import { type BenchSettings, benchCommandNames } from './settings.ts';

const common = { commands: benchCommandNames, section: 'Broker' } as const;
const none = () => '';

/** Topics have up to 65,535 bytes; a benchmark needs few of them. */
const topicPrefixMax = 200;
const clientPrefixMax = 100;

const protocols = new Map([
  ['311', '3.1.1'],
  ['3.1.1', '3.1.1'],
  ['mqttv311', '3.1.1'],
  ['5', '5'],
  ['mqttv5', '5'],
] as const);

export const connectionRows: readonly BenchOptionRow[] = [
  {
    ...common,
    flags: ['-h', '--host'],
    argument: 'HOST',
    help: 'Name or address of the broker.',
    default: ({ host }) => host,
    apply: (settings, text) => {
      if (text === '') throw new RangeError('is empty; expected a host');
      settings.host = text;
    },
  },
  {
    ...common,
    flags: ['-p', '--port'],
    argument: 'PORT',
    help: 'Port of the broker.',
    default: () => '1883',
    apply: (settings, text) => {
      settings.port = integer(text, 1, 65_535);
    },
  },
  {
    ...common,
    flags: ['-L', '--url'],
    argument: 'URL',
    help:
      'All at once: mqtt://[user[:password]@]host[:port][/topic-prefix] or ws://[user[:password]@]host[:port][/path]. The port ' +
      'is 1883 for mqtt and 80 for ws if none is given; in user and password write %3A, %40 and %2F for :, @ and /.',
    default: none,
    apply: applyUrl,
  },
  {
    ...common,
    flags: ['--ws'],
    argument: undefined,
    help: 'Speaks MQTT over WebSocket, on the path /mqtt unless --url says which.',
    default: none,
    apply: (settings) => {
      settings.usesWebSocket = true;
    },
  },
  {
    ...common,
    flags: ['-V', '--protocol-version'],
    argument: 'VERSION',
    help: 'MQTT version, 311 or 5.',
    default: () => '311',
    apply: (settings, text) => {
      const protocol = protocols.get(text as '5');
      if (protocol === undefined) throw new RangeError(`is '${text}'; expected 311 or 5`);
      settings.protocol = protocol;
    },
  },
  {
    ...common,
    flags: ['-u', '--username'],
    argument: 'NAME',
    help: 'User name of all connections.',
    default: none,
    apply: (settings, text) => {
      settings.username = text;
    },
  },
  {
    ...common,
    flags: ['-P', '--pw'],
    argument: 'PASSWORD',
    help: 'Password of all connections.',
    default: none,
    apply: (settings, text) => {
      settings.password = text;
    },
  },
  {
    ...common,
    flags: ['-i', '--id'],
    argument: 'PREFIX',
    help: 'What all Client Identifiers begin with.',
    default: () => 'bench- and the number of this process',
    apply: (settings, text) => {
      if (text === '' || text.length > clientPrefixMax) {
        throw new RangeError(`has ${text.length} characters; expected 1 to ${clientPrefixMax}`);
      }
      settings.clientPrefix = text;
    },
  },
  {
    ...common,
    flags: ['-t', '--topic'],
    argument: 'PREFIX',
    commands: benchCommandNames.filter((command) => command !== 'connect' && command !== 'idle'),
    help: 'What all topics begin with.',
    default: ({ topicPrefix }) => topicPrefix,
    apply: applyTopicPrefix,
  },
  {
    ...common,
    flags: ['-A', '--bind'],
    argument: 'LIST',
    help: 'Addresses of this machine to connect from, which take turns: one has some 28,000 ports for connections to one broker.',
    default: () => 'the system chooses',
    apply: (settings, text) => {
      const addresses = text.split(',').map((entry) => entry.trim());
      const wrong = addresses.find((address) => isIP(address) === 0);
      if (wrong !== undefined) throw new RangeError(`has '${wrong}'; expected IP addresses with commas between them`);
      settings.localAddresses = addresses;
    },
  },
  {
    ...common,
    flags: ['--broker-pid'],
    argument: 'PID',
    help: 'Process of the broker on this machine, whose processor time and memory are to be taken (from /proc).',
    default: none,
    apply: (settings, text) => {
      settings.brokerProcessId = integer(text, 1, 4_194_304);
    },
  },
];

function applyTopicPrefix(settings: BenchSettings, text: string): void {
  if (text === '' || text.length > topicPrefixMax || /[+#\0]/.test(text) || text.startsWith('$')) {
    throw new RangeError(`is '${text}'; expected 1 to ${topicPrefixMax} characters without +, # and a leading $`);
  }
  settings.topicPrefix = text;
}

const defaultPorts = new Map([
  ['mqtt:', 1883],
  ['tcp:', 1883],
  ['ws:', 80],
]);

function applyUrl(settings: BenchSettings, text: string): void {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new RangeError(`is '${text}'; expected a URL such as mqtt://localhost:1883`);
  }
  const port = defaultPorts.get(url.protocol);
  if (port === undefined) {
    const isTls = ['mqtts:', 'ssl:', 'tls:', 'wss:'].includes(url.protocol);
    throw new RangeError(
      `begins with ${url.protocol}//; expected mqtt:// or ws://${isTls ? ' (there is no TLS here)' : ''}`,
    );
  }
  if (url.hostname === '') throw new RangeError(`is '${text}', which has no host`);
  settings.host = url.hostname.replace(/^\[|\]$/g, '');
  settings.port = url.port === '' ? port : Number(url.port);
  if (url.username !== '') settings.username = decoded(url.username);
  if (url.password !== '') settings.password = decoded(url.password);
  settings.usesWebSocket = url.protocol === 'ws:';
  if (settings.usesWebSocket) {
    if (url.pathname.length > 1) settings.webSocketPath = url.pathname + url.search;
  } else if (url.pathname.length > 1) {
    applyTopicPrefix(settings, decoded(url.pathname.slice(1)));
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RangeError(`has '${text}', where a % is not followed by two hexadecimal digits`);
  }
}
