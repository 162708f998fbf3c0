/** The keys that belong to a listener. */
import type { ListenerSettings } from '../options.ts';
import {
  boolean,
  choice,
  clampedInteger,
  countMax,
  integer,
  type KeyRow,
  special,
  text,
  type ValueForm,
} from './key-row.ts';

function listenerKey(
  key: string,
  field: keyof ListenerSettings,
  value: ValueForm,
  meaning: string,
  more: Partial<KeyRow> = {},
): KeyRow {
  const target = { in: 'listener', field } as const;
  return {
    key,
    group: 'listeners',
    scope: 'listener',
    value,
    isReloadable: false,
    state: 'works',
    meaning,
    target,
    ...more,
  };
}

export const listenerKeys: readonly KeyRow[] = [
  {
    key: 'listener',
    group: 'listeners',
    scope: 'general',
    value: special('port [address|host] | 0 unix-socket-path'),
    default: 'none',
    isReloadable: false,
    state: 'works',
    meaning:
      'Listen on this port, on all addresses or only on the given one; or on a Unix socket. The listener keys below it, up to the next `listener` or the end of the file, belong to it.',
  },
  listenerKey(
    'bind_address',
    'host',
    text('address|host'),
    'Address of the default listener. Deprecated: use `listener`.',
    {
      scope: 'general',
      default: 'all addresses',
    },
  ),
  listenerKey('port', 'port', integer(1, 65_535), 'Port of the default listener. Deprecated: use `listener`.', {
    scope: 'general',
  }),
  listenerKey(
    'bind_interface',
    'bindInterface',
    text('interface'),
    'Listen on the addresses of this network interface only; goes before the address.',
    { default: 'all interfaces' },
  ),
  listenerKey(
    'protocol',
    'protocol',
    choice('mqtt', 'websockets'),
    'MQTT directly over the stream, or over WebSocket.',
  ),
  listenerKey('socket_domain', 'socketDomain', choice('ipv4', 'ipv6'), 'Listen only on IPv4 or only on IPv6.', {
    default: 'both',
  }),
  listenerKey(
    'max_connections',
    'maxConnections',
    clampedInteger(-1, countMax),
    'Connections at once; -1 for no limit.',
  ),
  listenerKey(
    'max_qos',
    'maxQos',
    integer(0, 2),
    'Highest QoS. MQTT 5.0 clients are told; a client that publishes above it is disconnected.',
  ),
  listenerKey('maximum_qos', 'maxQos', integer(0, 2), 'The same as `max_qos`.', { aliasOf: 'max_qos' }),
  listenerKey(
    'max_topic_alias',
    'maxTopicAlias',
    integer(0, 65_535),
    'Topic aliases that an MQTT 5.0 client may use; 0 for none.',
  ),
  listenerKey(
    'mount_point',
    'mountPoint',
    text('prefix'),
    'Put before every topic that its clients use and taken off again, so that they see only that part of the topic tree. No wildcards. ACL files see the topic with it. Needs a `listener` above it.',
    { default: 'none' },
  ),
  listenerKey(
    'use_username_as_clientid',
    'useUsernameAsClientIdentifier',
    boolean,
    'The user name replaces the Client Identifier; clients without user name are refused.',
  ),
  listenerKey(
    'http_dir',
    'httpDir',
    text('directory'),
    'Serve the files of this directory to browsers, on a websockets listener.',
    { default: 'none' },
  ),
  listenerKey(
    'allow_zero_length_clientid',
    'allowZeroLengthClientIdentifier',
    boolean,
    'Let MQTT 3.1.1 and 5.0 clients leave the Client Identifier to the broker.',
    { group: 'access', scope: 'security' },
  ),
  listenerKey(
    'auto_id_prefix',
    'autoIdPrefix',
    text('prefix'),
    'What Client Identifiers begin with that the broker assigns.',
    { group: 'access', scope: 'security' },
  ),
  listenerKey(
    'listener_auto_id_prefix',
    'autoIdPrefix',
    text('prefix'),
    'The same for the listener above, whatever `per_listener_settings` says.',
    { group: 'access', origin: 'Mosquitto 2.1', default: 'as `auto_id_prefix`' },
  ),
];
