/** Options about the connection and the Session. */
import { wholeNumber, wholeNumberOfAnyBase } from './numbers.ts';
import type { OptionRow } from './option-rows.ts';
import { applyProperty } from './property-option.ts';
import { readProxy } from './proxy-option.ts';
import { applyUrl } from './url-option.ts';

const all = ['pub', 'sub', 'rr'] as const;

/** A Session that never expires. [MQTT 5.0 §3.1.2.11.2] */
const forever = 0xffff_ffff;

const protocolVersions = new Map([
  ['mqttv31', 3],
  ['31', 3],
  ['mqttv311', 4],
  ['311', 4],
  ['mqttv5', 5],
  ['5', 5],
] as const);

const idConflict = 'Error: -i and -I argument cannot be used together.\n\n';

export const connectionRows: readonly OptionRow[] = [
  {
    flag: '-h',
    alias: '--host',
    commands: all,
    argument: { name: 'host', missing: 'no host specified' },
    section: 'Connection',
    help: 'Host name or address of the server. Default localhost.',
    set: (settings, { text }) => {
      settings.host = text;
      settings.unixPath = undefined;
    },
  },
  {
    flag: '-p',
    alias: '--port',
    commands: all,
    argument: { name: 'port', missing: 'no port specified' },
    section: 'Connection',
    help: 'Port of the server. Default 1883, with TLS 8883.',
    apply: (settings, { text }) => {
      const port = wholeNumber(text);
      if (port === undefined || port < 1 || port > 65_535) return `Error: Invalid port given: ${text}\n`;
      settings.port = port;
      return undefined;
    },
  },
  {
    flag: '--unix',
    commands: all,
    argument: { name: 'path', missing: 'no socket path specified' },
    section: 'Connection',
    help: 'Connects through a Unix socket instead of TCP.',
    set: (settings, { text }) => {
      settings.unixPath = text;
    },
  },
  {
    flag: '--ws',
    commands: all,
    since: '2.1',
    section: 'Connection',
    help: 'Speaks MQTT over WebSocket.',
    set: (settings) => {
      settings.useWebSocket = true;
    },
  },
  {
    flag: '-L',
    alias: '--url',
    commands: all,
    argument: { name: 'url', missing: 'no URL specified' },
    section: 'Connection',
    help:
      'User, password, host, port and topic at once: mqtt[s]://[user[:password]@]host[:port]/topic or ws[s]://…. ' +
      'The port is 1883 for mqtt, 8883 for mqtts, 80 for ws and 443 for wss if none is given; mqtts and wss trust the ' +
      "system's certificates.",
    apply: (settings, argument, command) => applyUrl(settings, argument, command),
  },
  {
    flag: '-A',
    commands: all,
    argument: { name: 'address', missing: 'no address specified' },
    section: 'Connection',
    help: 'Local address or host name to connect from.',
    set: (settings, { text }) => {
      settings.bindAddress = text;
    },
  },
  {
    flag: '-S',
    commands: all,
    section: 'Connection',
    help:
      'Looks the server up as an SRV record: _mqtt._tcp (with TLS _secure-mqtt._tcp) of the host, or of the domain of this ' +
      'computer if no host is given.',
    set: (settings) => {
      settings.useServiceRecords = true;
    },
  },
  {
    flag: '--proxy',
    commands: all,
    argument: { name: 'url', missing: 'no proxy url specified' },
    section: 'Connection',
    help:
      'Connects through a SOCKS5 proxy: socks5h://[user[:password]@]host[:port], port 1080 if none is given. In user and ' +
      'password write %25, %3A and %40 for %, : and @.',
    apply: (settings, { text }) => {
      const proxy = readProxy(text);
      if (typeof proxy === 'string') return proxy;
      settings.proxy = proxy;
      return undefined;
    },
  },
  {
    flag: '--nodelay',
    commands: all,
    section: 'Connection',
    help: "Switches Nagle's algorithm off. Here it always is: writes are gathered before they are sent.",
    set: (settings) => {
      settings.noDelay = true;
    },
  },
  {
    flag: '-k',
    alias: '--keepalive',
    commands: all,
    argument: { name: 'seconds', missing: 'no keepalive specified' },
    section: 'Connection',
    help: 'Keep alive, 5-65535 seconds. Default 60.',
    apply: (settings, { text }) => {
      const seconds = wholeNumber(text);
      if (seconds === undefined || seconds < 5 || seconds > 65_535) {
        return 'Error: Invalid keepalive given, it must be between 5 and 65535 inclusive.\n\n';
      }
      settings.keepAlive = seconds;
      return undefined;
    },
  },
  {
    flag: '-V',
    alias: '--protocol-version',
    commands: all,
    argument: { name: 'version', missing: 'no version specified' },
    nameInErrors: '--protocol-version',
    section: 'Connection',
    help: 'MQTT version: 31, 311 or 5; mqttv31, mqttv311 and mqttv5 mean the same. Default 311, for rr 5.',
    apply: (settings, { text }) => {
      const version = (protocolVersions as ReadonlyMap<string, 3 | 4 | 5>).get(text);
      if (version === undefined) return 'Error: Invalid protocol version argument given.\n\n';
      settings.protocolVersion = version;
      return undefined;
    },
  },
  {
    flag: '-u',
    alias: '--username',
    commands: all,
    argument: { name: 'name', missing: 'no username specified' },
    section: 'Session and identity',
    help: 'User name.',
    set: (settings, { text }) => {
      settings.username = text;
    },
  },
  {
    flag: '-P',
    alias: '--pw',
    commands: all,
    argument: { name: 'password', missing: 'no password specified' },
    section: 'Session and identity',
    help: 'Password. Before MQTT 5 it needs a user name with it.',
    set: (settings, { text }) => {
      settings.password = text;
    },
  },
  {
    flag: '-i',
    alias: '--id',
    commands: all,
    argument: { name: 'id', missing: 'no id specified' },
    section: 'Session and identity',
    help: 'Client Identifier. Default: the server assigns one; with MQTT 3.1 mosq- and 18 random characters.',
    precondition: (settings) => (settings.clientIdentifierPrefix === undefined ? undefined : idConflict),
    set: (settings, { text }) => {
      settings.clientIdentifier = text;
    },
  },
  {
    flag: '-I',
    alias: '--id-prefix',
    commands: all,
    argument: { name: 'prefix', missing: 'no id prefix specified' },
    section: 'Session and identity',
    help: 'Client Identifier of this prefix and the process id.',
    precondition: (settings) => (settings.clientIdentifier === undefined ? undefined : idConflict),
    set: (settings, { text }) => {
      settings.clientIdentifierPrefix = text;
    },
  },
  {
    flag: '-c',
    alias: '--disable-clean-session',
    commands: all,
    section: 'Session and identity',
    help:
      'Takes up the Session that the server has kept under this Client Identifier, and lets it be kept after this ' +
      'connection: for ever unless -x says otherwise. Needs -i.',
    set: (settings) => {
      settings.cleanStart = false;
    },
  },
  {
    flag: '-x',
    commands: all,
    argument: { name: 'seconds', missing: 'no session expiry interval specified' },
    section: 'Session and identity',
    help:
      'Session Expiry Interval of MQTT 5, 0-4294967294 seconds; -1, 4294967295 or ∞ for ever, which needs -i. Default 0, ' +
      'with -c for ever.',
    apply: (settings, { text }) => {
      const seconds = text === '∞' ? forever : wholeNumberOfAnyBase(text);
      if (seconds === undefined) return 'Error: session-expiry-interval not a number.\n\n';
      if (seconds < -1 || seconds > forever) return 'Error: session-expiry-interval out of range.\n\n';
      settings.sessionExpiryInterval = seconds === -1 ? forever : seconds;
      return undefined;
    },
  },
  {
    flag: '-D',
    alias: '--property',
    commands: all,
    argument: { name: 'packet property value', missing: 'not enough arguments specified' },
    nameInErrors: '--property',
    section: 'Session and identity',
    help:
      'Puts a property on a packet: connect, publish, subscribe, unsubscribe, disconnect or will. A user-property takes a name and a ' +
      'value. May be repeated. Means -V 5.',
    apply: (settings, packet, _command, next) => {
      const fault = applyProperty(settings, packet, next);
      if (fault === undefined) settings.protocolVersion = 5;
      return fault;
    },
  },
];
