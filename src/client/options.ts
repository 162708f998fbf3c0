/** What `connect` was given, checked and with its defaults, as the client uses it. */
import { emptyBytes, isWellFormed, utf8Length, writeUtf8 } from '../base/bytes.ts';
import type { WillMessage } from '../codec/packets.ts';
import { OptionError } from '../protocol/errors.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import { isTopicName } from '../protocol/topics.ts';
import type { ProtocolVersion, QoS } from '../protocol/version.ts';
import { checkEndpoint, parseUrl } from './endpoint.ts';
import type { ConnectOptions, Endpoint, WillOptions } from './types.ts';

/** `undefined` stands for no reconnect. */
export interface ResolvedReconnect {
  readonly firstDelayMs: number;
  readonly lastDelayMs: number;
  readonly attemptsMax: number;
  readonly initially: boolean;
}

export interface ResolvedOptions {
  readonly endpoint: Endpoint;
  readonly protocolVersion: ProtocolVersion;
  readonly clientIdentifier: string;
  readonly cleanStart: boolean;
  readonly sessionExpiryInterval: number;
  readonly keepAlive: number;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly willMessage: WillMessage | undefined;
  /** CONNECT properties, the Session Expiry Interval among them; undefined for 3.1 and 3.1.1. */
  readonly properties: PropertiesOf<'CONNECT'> | undefined;
  readonly connectTimeoutMs: number;
  readonly reconnect: ResolvedReconnect | undefined;
  readonly offlineQueueMax: number;
  readonly useTopicAliases: boolean;
  readonly receiveQueueMax: number;
  /** The rest as it was given: for the transport, and callbacks. */
  readonly given: ConnectOptions;
}

/** Milliseconds a timer may wait: about 24 days, what hosts can count. */
const delayMaxMs = 2_147_483_647;

/**
 * @param random gives numbers from 0 to below 1, for the Client Identifier
 * @throws {OptionError} naming the option, its value and what is allowed
 */
export function resolveConnectOptions(
  url: string | Endpoint,
  given: ConnectOptions,
  random: () => number,
): ResolvedOptions {
  const parsed = typeof url === 'string' ? parseUrl(url) : undefined;
  const endpoint = parsed?.endpoint ?? checkEndpoint(url as Endpoint);
  const protocolVersion = given.protocolVersion ?? 5;
  if (protocolVersion !== 3 && protocolVersion !== 4 && protocolVersion !== 5) {
    throw new OptionError(`protocolVersion ${show(protocolVersion)}; expected 3, 4 or 5`, 'MQTT_ERR_OPTION_RANGE');
  }
  const cleanStart = flag('cleanStart', given.cleanStart, true);
  const sessionExpiryInterval = integer(
    'sessionExpiryInterval',
    given.sessionExpiryInterval,
    0,
    0,
    0xffff_ffff,
    'seconds',
  );
  const username = given.username ?? parsed?.username;
  if (username !== undefined) checkText('username', username);
  const password = bytesOf('password', given.password ?? parsed?.password);
  if (password !== undefined && password.length > 65_535) {
    throw new OptionError(`password of ${password.length} bytes; expected at most 65535`, 'MQTT_ERR_OPTION_RANGE');
  }
  if (password !== undefined && username === undefined && protocolVersion !== 5) {
    // [MQTT311-3.1.2-22]
    throw new OptionError('password without username; only protocolVersion 5 allows that');
  }
  if (protocolVersion !== 5 && (given.properties !== undefined || given.will?.properties !== undefined)) {
    throw new OptionError(`properties with protocolVersion ${protocolVersion}; only 5 has them`);
  }
  if (given.authenticate !== undefined && given.properties?.authenticationMethod === undefined) {
    throw new OptionError('authenticate without properties.authenticationMethod; both belong together');
  }
  return {
    endpoint,
    protocolVersion,
    clientIdentifier: clientIdentifierOf(given.clientIdentifier, protocolVersion, cleanStart, random),
    cleanStart,
    sessionExpiryInterval: protocolVersion === 5 ? sessionExpiryInterval : 0,
    keepAlive: integer('keepAlive', given.keepAlive, 60, 0, 65_535, 'seconds'),
    username,
    password,
    willMessage: given.will === undefined ? undefined : willOf(given.will),
    properties: protocolVersion === 5 ? connectProperties(given, sessionExpiryInterval) : undefined,
    connectTimeoutMs: integer('connectTimeoutMs', given.connectTimeoutMs, 30_000, 1, delayMaxMs, 'milliseconds'),
    reconnect: given.reconnect === false ? undefined : reconnectOf(given.reconnect ?? {}),
    offlineQueueMax: integer('offlineQueueMax', given.offlineQueueMax, 10_000, 0, 2 ** 31, 'messages'),
    useTopicAliases: flag('useTopicAliases', given.useTopicAliases, false),
    receiveQueueMax: integer('receiveQueueMax', given.receiveQueueMax, 1_000, 1, 2 ** 31, 'messages'),
    given,
  };
}

function reconnectOf(policy: Exclude<ConnectOptions['reconnect'], false | undefined>): ResolvedReconnect {
  const firstDelayMs = integer('reconnect.firstDelayMs', policy.firstDelayMs, 1_000, 0, delayMaxMs, 'milliseconds');
  const lastDelayMs = integer(
    'reconnect.lastDelayMs',
    policy.lastDelayMs,
    Math.max(30_000, firstDelayMs),
    firstDelayMs,
    delayMaxMs,
    'milliseconds',
  );
  const attemptsMax =
    policy.attemptsMax === undefined || policy.attemptsMax === Number.POSITIVE_INFINITY
      ? Number.POSITIVE_INFINITY
      : integer('reconnect.attemptsMax', policy.attemptsMax, 1, 1, 2 ** 31, 'attempts');
  return { firstDelayMs, lastDelayMs, attemptsMax, initially: flag('reconnect.initially', policy.initially, false) };
}

/** 23 characters of digits and letters at most, which every server must accept. [MQTT-3.1.3-5] */
function clientIdentifierOf(
  given: string | undefined,
  version: ProtocolVersion,
  cleanStart: boolean,
  random: () => number,
): string {
  if (given === undefined) return `clearwing${randomText(14, random)}`;
  checkText('clientIdentifier', given);
  if (given === '' && version === 3) {
    throw new OptionError('clientIdentifier is empty; MQTT 3.1 wants 1–23 characters', 'MQTT_ERR_OPTION_RANGE');
  }
  if (given === '' && version === 4 && !cleanStart) {
    // [MQTT311-3.1.3-7]
    throw new OptionError('clientIdentifier is empty with cleanStart false; MQTT 3.1.1 has no Session without a name');
  }
  return given;
}

const digits = '0123456789abcdefghijklmnopqrstuvwxyz';

export function randomText(length: number, random: () => number): string {
  let text = '';
  for (let index = 0; index < length; index++) text += digits[Math.floor(random() * digits.length)];
  return text;
}

function connectProperties(given: ConnectOptions, sessionExpiryInterval: number): PropertiesOf<'CONNECT'> | undefined {
  const { properties } = given;
  if (given.sessionExpiryInterval === undefined) return properties;
  // 0 is what leaving it out means. [MQTT 5.0 §3.1.2.11.2]
  if (sessionExpiryInterval === 0 && properties === undefined) return undefined;
  return { ...properties, sessionExpiryInterval };
}

function willOf(will: WillOptions): WillMessage {
  if (!isTopicName(will.topicName)) {
    throw new OptionError(
      `will.topicName ${show(will.topicName)}; expected a Topic Name without wildcards`,
      'MQTT_ERR_TOPIC',
    );
  }
  const payload = bytesOf('will.payload', will.payload) ?? emptyBytes;
  if (payload.length > 65_535) {
    throw new OptionError(`will.payload of ${payload.length} bytes; expected at most 65535`, 'MQTT_ERR_OPTION_RANGE');
  }
  return {
    topicName: will.topicName,
    payload,
    qos: qosOf('will.qos', will.qos),
    retain: flag('will.retain', will.retain, false),
    properties: will.properties,
  };
}

/** @throws {OptionError} */
export function qosOf(name: string, value: QoS | undefined): QoS {
  if (value === undefined) return 0;
  if (value !== 0 && value !== 1 && value !== 2) {
    throw new OptionError(`${name} ${show(value)}; expected 0, 1 or 2`, 'MQTT_ERR_OPTION_RANGE');
  }
  return value;
}

/** @throws {OptionError} */
export function integer(
  name: string,
  value: number | undefined,
  fallback: number,
  least: number,
  most: number,
  unit: string,
): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw new OptionError(`${name} ${show(value)}; expected a whole number of ${unit}`);
  }
  if (value < least || value > most) {
    throw new OptionError(`${name} ${value}; expected ${least}–${most} ${unit}`, 'MQTT_ERR_OPTION_RANGE');
  }
  return value;
}

function flag(name: string, value: boolean | undefined, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw new OptionError(`${name} ${show(value)}; expected true or false`);
  return value;
}

function checkText(name: string, value: string): void {
  if (typeof value !== 'string') throw new OptionError(`${name} ${show(value)}; expected text`);
  if (value.includes('\0') || !isWellFormed(value)) {
    throw new OptionError(`${name} ${show(value)}; U+0000 and lone surrogates cannot be sent`);
  }
  const length = utf8Length(value);
  if (length > 65_535)
    throw new OptionError(`${name} of ${length} bytes; expected at most 65535`, 'MQTT_ERR_OPTION_RANGE');
}

/** Text as UTF-8, bytes as they are. @throws {OptionError} if it is neither */
export function bytesOf(name: string, value: string | Uint8Array | undefined): Uint8Array | undefined {
  if (value === undefined || value instanceof Uint8Array) return value;
  if (typeof value !== 'string') throw new OptionError(`${name} ${show(value)}; expected text or a Uint8Array`);
  const bytes = new Uint8Array(utf8Length(value));
  writeUtf8(value, bytes, 0);
  return bytes;
}

/** A value for an error message, cut to a length that can be read. */
export function show(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
