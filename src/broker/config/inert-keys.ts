/**
 * Keys that Mosquitto knows and this release does not act on. They are read, checked for a value and warned about, so that an
 * existing file works as far as it can.
 */
import {
  boolean,
  choice,
  integer,
  type KeyGroup,
  type KeyRow,
  type KeyScope,
  text,
  type ValueForm,
} from './key-row.ts';

type Entry = readonly [key: string, value: ValueForm, meaning: string];

function inert(group: KeyGroup, scope: KeyScope, entries: readonly Entry[], origin?: 'Mosquitto 2.1'): KeyRow[] {
  return entries.map(([key, value, meaning]) => ({
    key,
    group,
    scope,
    value,
    default: '–',
    isReloadable: true,
    state: group === 'obsolete' ? 'obsolete' : 'no effect',
    meaning,
    ...(origin === undefined ? {} : { origin }),
  }));
}

const any = text('value');
const path = text('path');
const count = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

export const inertKeys: readonly KeyRow[] = [
  ...inert('general', 'general', [
    ['websockets_headers_size', integer(0, 65_535, 'bytes'), 'Buffer for HTTP headers; ours is that of Node, 16 KiB.'],
    ['websockets_log_level', count, 'What libwebsockets logs; there is no libwebsockets here.'],
  ]),
  ...inert(
    'general',
    'general',
    [
      ['enable_control_api', boolean, 'Topics below `$CONTROL`.'],
      ['global_max_clients', count, 'Limit on sessions.'],
      ['packet_buffer_size', count, 'Read buffer of a connection.'],
    ],
    'Mosquitto 2.1',
  ),
  ...inert(
    'listeners',
    'listener',
    [
      ['accept_protocol_versions', any, 'All protocol versions are accepted.'],
      ['enable_proxy_protocol', any, 'The PROXY protocol; without it the address of the proxy is seen.'],
      ['max_topic_alias_broker', integer(0, 65_535), 'Topic aliases that the broker uses towards a client.'],
      ['proxy_protocol_v2_require_tls', boolean, 'The PROXY protocol.'],
      ['websockets_origin', any, 'Which web pages may connect; all may.'],
    ],
    'Mosquitto 2.1',
  ),
  ...inert('store', 'general', [
    ['autosave_interval', count, 'Every change is written as it happens.'],
    ['autosave_on_changes', boolean, 'Every change is written as it happens.'],
    ['persistence_file', path, 'The store is always the directory `clearwing.db` in `persistence_location`.'],
  ]),
  ...inert('tls', 'listener', [
    ['cafile', path, 'The listener is not encrypted.'],
    ['capath', path, 'The listener is not encrypted.'],
    ['certfile', path, 'The listener is not encrypted.'],
    ['ciphers', any, 'The listener is not encrypted.'],
    ['ciphers_tls1.3', any, 'The listener is not encrypted.'],
    ['crlfile', path, 'No certificate is asked for.'],
    ['dhparamfile', path, 'The listener is not encrypted.'],
    ['keyfile', path, 'The listener is not encrypted.'],
    ['psk_hint', any, 'The listener is not encrypted.'],
    ['require_certificate', boolean, 'No certificate is asked for.'],
    ['tls_engine', any, 'The listener is not encrypted.'],
    ['tls_engine_kpass_sha1', any, 'The listener is not encrypted.'],
    ['tls_keyform', choice('pem', 'engine'), 'The listener is not encrypted.'],
    ['tls_version', any, 'The listener is not encrypted.'],
    ['use_identity_as_username', boolean, 'User names come from CONNECT only.'],
    ['use_subject_as_username', boolean, 'User names come from CONNECT only.'],
  ]),
  ...inert(
    'tls',
    'listener',
    [['disable_client_cert_date_checks', boolean, 'No certificate is asked for.']],
    'Mosquitto 2.1',
  ),
  ...inert('tls', 'security', [['psk_file', path, 'No keys are asked for.']]),
  ...inert('plugins', 'plugin', [
    ['auth_opt_*', any, 'Option of a plugin.'],
    ['auth_plugin', path, 'Plugins are not loaded: what they would allow is refused.'],
    ['auth_plugin_deny_special_chars', boolean, 'Option of a plugin.'],
    ['plugin', path, 'Plugins are not loaded: what they would allow is refused.'],
    ['plugin_opt_*', any, 'Option of a plugin.'],
  ]),
  ...inert(
    'plugins',
    'plugin',
    [
      ['global_plugin', path, 'Plugins are not loaded: what they would allow is refused.'],
      ['plugin_load', any, 'Plugins are not loaded: what they would allow is refused.'],
      ['plugin_use', any, 'Plugins are not loaded: what they would allow is refused.'],
    ],
    'Mosquitto 2.1',
  ),
  ...inert('bridges', 'bridge', [
    ['address', any, 'Brokers to connect to.'],
    ['addresses', any, 'Brokers to connect to.'],
    ['bridge_alpn', any, 'TLS of the bridge.'],
    ['bridge_attempt_unsubscribe', boolean, 'Whether to unsubscribe from `out` topics.'],
    ['bridge_bind_address', any, 'Local address.'],
    ['bridge_cafile', path, 'TLS of the bridge.'],
    ['bridge_capath', path, 'TLS of the bridge.'],
    ['bridge_certfile', path, 'TLS of the bridge.'],
    ['bridge_identity', any, 'TLS of the bridge.'],
    ['bridge_insecure', boolean, 'TLS of the bridge.'],
    ['bridge_keyfile', path, 'TLS of the bridge.'],
    ['bridge_max_packet_size', count, 'Maximum Packet Size towards the other broker.'],
    ['bridge_outgoing_retain', boolean, 'Whether messages go out retained.'],
    ['bridge_protocol_version', choice('mqttv31', 'mqttv311', 'mqttv50'), 'Protocol version.'],
    ['bridge_psk', any, 'TLS of the bridge.'],
    ['bridge_require_ocsp', boolean, 'TLS of the bridge.'],
    ['bridge_tls_version', any, 'TLS of the bridge.'],
    ['cleansession', boolean, 'Clean Session of the bridge.'],
    ['clientid', any, 'Old name of `remote_clientid`.'],
    ['connection', any, 'Begins a bridge: it is not connected.'],
    ['idle_timeout', count, 'Seconds until a lazy bridge stops.'],
    ['keepalive_interval', count, 'Keep alive of the bridge.'],
    ['local_cleansession', boolean, 'Clean Session on the local side.'],
    ['local_clientid', any, 'Client Identifier on the local side.'],
    ['local_password', any, 'Password on the local side.'],
    ['local_username', any, 'User name on the local side.'],
    ['notification_topic', any, 'Where the bridge’s state is published.'],
    ['notifications', boolean, 'Whether the bridge’s state is published.'],
    ['notifications_local_only', boolean, 'Whether only here.'],
    ['password', any, 'Old name of `remote_password`.'],
    ['remote_clientid', any, 'Client Identifier at the other broker.'],
    ['remote_password', any, 'Password at the other broker.'],
    ['remote_username', any, 'User name at the other broker.'],
    ['restart_timeout', any, 'Time until the bridge connects again.'],
    ['round_robin', boolean, 'How one of several addresses is chosen.'],
    ['start_type', choice('automatic', 'lazy', 'once'), 'When the bridge connects.'],
    ['threshold', count, 'Messages that start a lazy bridge.'],
    ['topic', any, 'What the bridge shares.'],
    ['try_private', boolean, 'Whether the bridge says that it is one.'],
    ['username', any, 'Old name of `remote_username`.'],
  ]),
  ...inert(
    'bridges',
    'bridge',
    [
      ['bridge_ciphers', any, 'TLS of the bridge.'],
      ['bridge_ciphers_tls1.3', any, 'TLS of the bridge.'],
      ['bridge_max_topic_alias', integer(0, 65_535), 'Topic aliases of the bridge.'],
      ['bridge_receive_maximum', integer(1, 65_535), 'Receive Maximum of the bridge.'],
      ['bridge_reload_type', choice('lazy', 'immediate'), 'When changes of the bridge take effect.'],
      ['bridge_session_expiry_interval', count, 'Session Expiry Interval of the bridge.'],
      ['bridge_tcp_keepalive', any, 'TCP keep alive of the bridge.'],
      ['bridge_tcp_user_timeout', count, 'TCP time-out of the bridge.'],
    ],
    'Mosquitto 2.1',
  ),
  ...inert('obsolete', 'general', [
    ['ffdc_output', any, 'An option of RSMB.'],
    ['max_log_entries', any, 'An option of RSMB.'],
    ['retained_persistence', boolean, 'Old name of `persistence`.'],
    ['retry_interval', any, 'Messages are sent again only when a client reconnects.'],
    ['store_clean_interval', any, 'Nothing is left to clean.'],
    ['trace_level', any, 'An option of RSMB.'],
    ['trace_output', any, 'An option of RSMB.'],
  ]),
];
