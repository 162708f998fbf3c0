/**
 * What a broker can be told, with the defaults. `mosquitto.conf` keys map to these one to one (the key is in each comment);
 * `config/` reads the file, `resolveSettings` and `resolveListenerSettings` check what an embedding program gives.
 */
import { OptionError } from '../protocol/errors.ts';
import { isTopicName } from '../protocol/topics.ts';
import { type QoS, variableByteIntegerMax } from '../protocol/version.ts';

/** Options that hold for the whole broker. */
export interface BrokerSettings {
  /** `allow_duplicate_messages`: deliver once per overlapping subscription instead of once. MQTT 5 clients with Subscription Identifiers always get them all. Default false. */
  readonly allowDuplicateMessages: boolean;
  /** `check_retain_source`: ask again, before a retained message is sent, whether its publisher may publish there. Default true. */
  readonly checkRetainSource: boolean;
  /** `clientid_prefixes`: accept only these prefixes of the Client Identifier; empty accepts all. Default []. */
  readonly clientIdentifierPrefixes: readonly string[];
  /** `connection_messages`: log connects and disconnects. Default true. */
  readonly connectionMessages: boolean;
  /** `max_inflight_bytes`: payload bytes of unacknowledged outgoing QoS 1 and 2 messages per client; at least one message may always go. 0 no limit. Default 0. */
  readonly maxInflightBytes: number;
  /** `max_inflight_messages`: unacknowledged outgoing QoS 1 and 2 messages per client, and the Receive Maximum told to MQTT 5 clients. 0 means 65,535. Default 20. */
  readonly maxInflightMessages: number;
  /** `max_keepalive`: seconds; a longer keep alive is refused (3.1, 3.1.1) or replaced by Server Keep Alive (5.0). 0 no limit, and keep alive 0 is then allowed. Default 0. */
  readonly maxKeepAlive: number;
  /** `max_packet_size`: bytes of a whole packet from a client. 0 no limit but the protocol's. Default 0. */
  readonly maxPacketSize: number;
  /** `max_queued_bytes`: payload bytes waiting per session. 0 no limit. Default 0. */
  readonly maxQueuedBytes: number;
  /** `max_queued_messages`: messages waiting per session beyond those in flight. 0 no limit. Default 1000. */
  readonly maxQueuedMessages: number;
  /** `message_size_limit`: payload bytes; larger messages are acknowledged with 0x83 and not routed. 0 no limit. Default 0. */
  readonly messageSizeLimit: number;
  /** `memory_limit`: bytes of heap above which new work is refused. 0 no limit. Default 0. */
  readonly memoryLimit: number;
  /** `persistent_client_expiration`: seconds; upper bound on how long a session without connection lives. 0 no bound. Default 0. */
  readonly persistentClientExpiration: number;
  /** `queue_qos0_messages`: queue QoS 0 for absent clients too. Default false. */
  readonly queueQos0Messages: boolean;
  /** `retain_available`. Default true. */
  readonly retainAvailable: boolean;
  /** `set_tcp_nodelay`. Writes are gathered per turn of the event loop, so Nagle's algorithm only delays. Default true (Mosquitto: false). */
  readonly setTcpNodelay: boolean;
  /** `sys_interval`: seconds between `$SYS` updates, 0 for none. Default 10. */
  readonly sysInterval: number;
  /** `upgrade_outgoing_qos`: deliver at the subscription's QoS even if published lower. Default false. */
  readonly upgradeOutgoingQos: boolean;
  /** Ours, `max_connections_total`: connections over all listeners. 0 no limit. Default 0. */
  readonly maxConnections: number;
  /** Ours, `max_outbound_buffer`: bytes written to a connection and not yet taken by the system; over it QoS 0 messages to it are dropped and QoS 1 and 2 wait. Default 16 MiB. */
  readonly maxOutboundBufferBytes: number;
  /** Ours, `connect_timeout`: seconds a connection may take to send its CONNECT. Default 10. */
  readonly connectTimeout: number;
  /** Ours, `max_topic_levels`: levels of a Topic Name or Topic Filter. Default 201, for the 200 slashes that Mosquitto allows. */
  readonly maxTopicLevels: number;
  /** Ours, `max_subscriptions_per_client`. 0 no limit. Default 0. */
  readonly maxSubscriptionsPerClient: number;
  /** Ours, `max_retained_messages`. 0 no limit. Default 0. */
  readonly maxRetainedMessages: number;
  /** Ours, `route_cache_size`: topics whose receivers are remembered. Default 65,536. */
  readonly routeCacheSize: number;
  /** Ours, `capture_users`: who may subscribe to `$clearwing/tap`; empty: everybody, on listeners with host `local` and on Unix sockets. Default []. */
  readonly captureUsers: readonly string[];
  /** Ours, `capture_decrypted`: what TLS listeners carry is captured in the clear instead of left out. Default false. */
  readonly captureDecrypted: boolean;
  /** Ours, `busy_poll`: microseconds that the broker looks for the next chunk before it sleeps, where chunks mostly come that fast. 0 never. Default 50. */
  readonly busyPoll: number;
  /** Ours, `shutdown_timeout`: seconds a stop may take. Default 5. */
  readonly shutdownTimeout: number;
}

/** Options of one listener; access control comes from the broker unless `per_listener_settings` is set. */
export interface ListenerSettings {
  /** 0 takes a free port (or is given with `unixPath`). */
  readonly port: number;
  /** Address or host name; undefined listens on all addresses, IPv4 and IPv6. `'local'` listens on 127.0.0.1 and ::1 only. */
  readonly host: string | undefined;
  readonly unixPath: string | undefined;
  readonly protocol: 'mqtt' | 'websockets';
  /** `socket_domain`. */
  readonly socketDomain: 'ipv4' | 'ipv6' | undefined;
  /** `bind_interface`. */
  readonly bindInterface: string | undefined;
  /** `max_connections`; -1 no limit. Default -1. */
  readonly maxConnections: number;
  /** `max_qos`. Default 2. */
  readonly maxQos: QoS;
  /** `max_topic_alias`: Topic Alias Maximum told to MQTT 5 clients. Default 10. */
  readonly maxTopicAlias: number;
  /** `mount_point`: prefix put before all topics of its clients, and taken off again. */
  readonly mountPoint: string;
  /** `use_username_as_clientid`. */
  readonly useUsernameAsClientIdentifier: boolean;
  /** `allow_zero_length_clientid`. Default true. */
  readonly allowZeroLengthClientIdentifier: boolean;
  /** `auto_id_prefix`. Default `auto-`. */
  readonly autoIdPrefix: string;
  /** `http_dir`, for websockets listeners. */
  readonly httpDir: string | undefined;
}

export const defaultBrokerSettings: BrokerSettings = {
  allowDuplicateMessages: false,
  checkRetainSource: true,
  clientIdentifierPrefixes: [],
  connectionMessages: true,
  maxInflightBytes: 0,
  maxInflightMessages: 20,
  maxKeepAlive: 0,
  maxPacketSize: 0,
  maxQueuedBytes: 0,
  maxQueuedMessages: 1000,
  messageSizeLimit: 0,
  memoryLimit: 0,
  persistentClientExpiration: 0,
  queueQos0Messages: false,
  retainAvailable: true,
  setTcpNodelay: true,
  sysInterval: 10,
  upgradeOutgoingQos: false,
  maxConnections: 0,
  maxOutboundBufferBytes: 16 * 1024 * 1024,
  connectTimeout: 10,
  maxTopicLevels: 201,
  maxSubscriptionsPerClient: 0,
  maxRetainedMessages: 0,
  routeCacheSize: 65_536,
  captureUsers: [],
  captureDecrypted: false,
  busyPoll: 50,
  shutdownTimeout: 5,
};

export const defaultListenerSettings: ListenerSettings = {
  port: 1883,
  host: undefined,
  unixPath: undefined,
  protocol: 'mqtt',
  socketDomain: undefined,
  bindInterface: undefined,
  maxConnections: -1,
  maxQos: 2,
  maxTopicAlias: 10,
  mountPoint: '',
  useUsernameAsClientIdentifier: false,
  allowZeroLengthClientIdentifier: true,
  autoIdPrefix: 'auto-',
  httpDir: undefined,
};

/** Numbers that are told to clients in two bytes, or that make no sense when smaller; the others may be 0 or any whole number above. */
const numberRanges: Readonly<Record<string, readonly [min: number, max: number]>> = {
  busyPoll: [0, 1000],
  maxInflightMessages: [0, 65_535],
  maxKeepAlive: [0, 65_535],
  maxOutboundBufferBytes: [1024, Number.MAX_SAFE_INTEGER],
  maxTopicLevels: [1, 65_535],
  port: [0, 65_535],
  maxConnections: [-1, Number.MAX_SAFE_INTEGER],
  maxQos: [0, 2],
  maxTopicAlias: [0, 65_535],
};
/** Times in seconds, which need not be whole. */
const durations = new Set(['connectTimeout', 'persistentClientExpiration', 'shutdownTimeout', 'sysInterval']);

function checkNumber(key: string, value: number): void {
  const [min, max] = numberRanges[key] ?? [0, Number.MAX_SAFE_INTEGER];
  if (value >= min && value <= max && (Number.isInteger(value) || durations.has(key))) return;
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min}–${max}`;
  const kind = durations.has(key) ? 'a number' : 'a whole number';
  throw new OptionError(`${key} is ${value}; expected ${kind}, ${range}`, 'MQTT_ERR_OPTION_RANGE');
}

/**
 * Settings with the defaults filled in.
 * @throws {OptionError} naming the first that there is not, or whose value is of the wrong type (`MQTT_ERR_OPTION`) or out of range
 * (`MQTT_ERR_OPTION_RANGE`)
 */
export function resolveSettings(given: Partial<BrokerSettings>): BrokerSettings {
  for (const key of Object.keys(given)) {
    if (!(key in defaultBrokerSettings)) throw new OptionError(`${key} is no setting of the broker`);
  }
  const settings = { ...defaultBrokerSettings, ...given };
  for (const [key, fallback] of Object.entries(defaultBrokerSettings)) {
    const value: unknown = settings[key as keyof BrokerSettings];
    const isRight = Array.isArray(fallback)
      ? Array.isArray(value) && value.every((one) => typeof one === 'string')
      : typeof value === typeof fallback;
    if (!isRight) {
      const expected = Array.isArray(fallback) ? 'list of texts' : typeof fallback;
      throw new OptionError(`${key} is ${JSON.stringify(value)}; expected a ${expected}`);
    }
    if (typeof value === 'number') checkNumber(key, value);
  }
  return settings;
}

/** The same for a listener, which may carry more than its settings, such as the rules of who may use it. */
export function resolveListenerSettings(given: Partial<ListenerSettings>): ListenerSettings {
  const settings = { ...defaultListenerSettings, ...given };
  for (const [key, fallback] of Object.entries(defaultListenerSettings)) {
    const value: unknown = settings[key as keyof ListenerSettings];
    if (typeof value === 'number') checkNumber(key, value);
    const expected = typeof fallback === 'undefined' ? 'string' : typeof fallback;
    if (typeof value !== expected && value !== fallback) {
      throw new OptionError(`${key} of a listener is ${JSON.stringify(value)}; expected a ${expected}`);
    }
  }
  const choices = { protocol: ['mqtt', 'websockets'], socketDomain: ['ipv4', 'ipv6', undefined] } as const;
  for (const key of ['protocol', 'socketDomain'] as const) {
    const allowed: readonly unknown[] = choices[key];
    if (allowed.includes(settings[key])) continue;
    throw new OptionError(`${key} of a listener is '${settings[key]}'; expected ${allowed.slice(0, 2).join(' or ')}`);
  }
  if (settings.mountPoint !== '' && !isTopicName(settings.mountPoint)) {
    throw new OptionError(`mountPoint is '${settings.mountPoint}'; expected the beginning of a Topic Name`);
  }
  return settings;
}

/** Bytes of the largest packet that is read. */
export function packetSizeLimit(settings: BrokerSettings): number {
  return settings.maxPacketSize || variableByteIntegerMax + 5;
}
