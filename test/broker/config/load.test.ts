import { mkdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { BrokerConfiguration } from '../../../src/broker/config/configuration.ts';
import { ConfigurationError } from '../../../src/broker/config/lines.ts';
import { loadConfiguration } from '../../../src/broker/config/load.ts';
import { defaultBrokerSettings, defaultListenerSettings } from '../../../src/broker/options.ts';
import { temporaryFiles } from './temporary.ts';

function load(text: string, ports: number[] = []): BrokerConfiguration {
  return loadConfiguration(temporaryFiles().write('broker.conf', text), { ports });
}

/** The message of the error, with the directory of the file taken out. */
function errorOf(text: string | Uint8Array): string {
  const files = temporaryFiles();
  try {
    loadConfiguration(files.write('broker.conf', text));
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as Error).message.replaceAll(`${files.directory}/`, '');
  }
  throw new Error('no error');
}

function warningsOf(text: string): string[] {
  const files = temporaryFiles();
  const { warnings } = loadConfiguration(files.write('broker.conf', text));
  return warnings.map((warning) => warning.replaceAll(`${files.directory}/`, ''));
}

describe('a configuration without listeners', () => {
  it('has the defaults, local only, and admits anonymous clients', () => {
    const configuration = loadConfiguration(undefined);
    expect(configuration.settings).toEqual(defaultBrokerSettings);
    expect(configuration.isLocalOnly).toBe(true);
    expect(configuration.security).toEqual({ allowAnonymous: true, passwordFile: undefined, aclFile: undefined });
    expect(configuration.listeners).toEqual([
      { ...defaultListenerSettings, port: 1883, host: 'local', security: configuration.security },
    ]);
    expect(configuration.user).toBe('mosquitto');
    expect(configuration.warnings).toEqual([]);
  });

  it('listens locally on each port of the command line', () => {
    const { listeners, isLocalOnly } = loadConfiguration(undefined, { ports: [2883, 2884, 2883] });
    expect(listeners.map(({ port, host }) => `${port} ${host}`)).toEqual(['2883 local', '2884 local']);
    expect(isLocalOnly).toBe(true);
  });

  it('stays local only with listener keys of its own', () => {
    const { listeners, isLocalOnly } = load(
      'max_connections 5\nmax_qos 1\nper_listener_settings true\nallow_anonymous false\n',
    );
    expect(isLocalOnly).toBe(true);
    expect(listeners).toHaveLength(1);
    expect(listeners[0]).toMatchObject({ host: 'local', maxConnections: 5, maxQos: 1 });
    expect(listeners[0]?.security.allowAnonymous).toBe(false);
  });

  it('heeds allow_anonymous false', () => {
    expect(load('allow_anonymous false\n').listeners[0]?.security.allowAnonymous).toBe(false);
  });
});

describe('listener', () => {
  it('takes a port, an address, a Unix socket, and the keys below it', () => {
    const { listeners, isLocalOnly, security } = load(
      [
        'allow_anonymous true',
        'listener 1883',
        'max_connections 10',
        'listener 1884 ::1',
        'protocol websockets',
        'http_dir /srv/www root',
        'max_qos 1',
        'max_topic_alias 3',
        'listener 0 /run/mqtt.sock',
        'mount_point devices/',
        'socket_domain ipv4',
        'use_username_as_clientid true',
        'listener 1885 127.0.0.1 # comment',
      ].join('\n'),
    );
    expect(isLocalOnly).toBe(false);
    const expected = { ...defaultListenerSettings, security };
    expect(listeners).toEqual([
      { ...expected, port: 1883, maxConnections: 10 },
      {
        ...expected,
        port: 1884,
        host: '::1',
        protocol: 'websockets',
        httpDir: '/srv/www root',
        maxQos: 1,
        maxTopicAlias: 3,
      },
      {
        ...expected,
        port: 0,
        unixPath: '/run/mqtt.sock',
        mountPoint: 'devices/',
        socketDomain: 'ipv4',
        useUsernameAsClientIdentifier: true,
      },
      { ...expected, port: 1885, host: '127.0.0.1' },
    ]);
  });

  it('admits nobody until it is told whom, and a warning says so', () => {
    expect(load('listener 1883\n').listeners[0]?.security.allowAnonymous).toBe(false);
    expect(warningsOf('listener 1883\nlistener 1884 ::1\n')).toEqual([
      'Nobody can connect to listener 1883, 1884 ::1: broker.conf has neither allow_anonymous true nor a password_file for it.',
    ]);
    expect(warningsOf('listener 1883\npassword_file /p\n')).toEqual([]);
  });

  it('makes -p void', () => {
    const configuration = load('listener 2883\nallow_anonymous true\n', [3883]);
    expect(configuration.listeners.map(({ port }) => port)).toEqual([2883]);
    expect(configuration.warnings[0]).toContain('-p 3883 is ignored');
  });

  it('is defined by port and bind_address, too, and then open to others', () => {
    expect(load('port 2883\n')).toMatchObject({ isLocalOnly: false, listeners: [{ port: 2883, host: undefined }] });
    expect(load('bind_address ::1\n')).toMatchObject({ isLocalOnly: false, listeners: [{ port: 1883, host: '::1' }] });
    expect(load('bind_interface lo\n')).toMatchObject({
      isLocalOnly: false,
      listeners: [{ port: 1883, host: undefined, bindInterface: 'lo' }],
    });
    expect(load('listener 2884\nport 2883\nallow_anonymous true\n').listeners.map(({ port }) => port)).toEqual([
      2884, 2883,
    ]);
  });

  it('is preceded by keys of the default listener, which is then opened as well and named', () => {
    const text = 'max_connections 5\nlistener 2883\nallow_anonymous true\n';
    expect(load(text).listeners).toMatchObject([
      { port: 2883, maxConnections: -1 },
      { port: 1883, maxConnections: 5 },
    ]);
    expect(warningsOf(text)).toEqual([
      'The default listener on port 1883 is opened, too: max_connections at broker.conf:1 before the first listener belongs to it.',
    ]);
  });

  it('does not open the default listener for keys that have their default value', () => {
    const text = 'max_connections -1\nauto_id_prefix x\nlistener 2883\nallow_anonymous true\n';
    expect(load(text).listeners.map(({ port }) => port)).toEqual([2883]);
    expect(warningsOf(text)).toEqual([
      'broker.conf:1: max_connections has no effect: it stands before the first listener, and the default listener is not open.',
    ]);
  });

  it.each([
    ['listener\n', 'Empty listener value at broker.conf:1; expected port [address|host] | 0 unix-socket-path.'],
    [
      'listener 70000\n',
      'Invalid port value "70000" at broker.conf:1; expected a port from 1 to 65535, or 0 and the path of a Unix socket.',
    ],
    [
      'listener 1883x\n',
      'Invalid port value "1883x" at broker.conf:1; expected a port from 1 to 65535, or 0 and the path of a Unix socket.',
    ],
    [
      'listener 0\n',
      'A listener with port 0 must provide a Unix socket path at broker.conf:1; expected listener 0 path.',
    ],
    [
      'listener 1883\nlistener 1883\n',
      'Duplicate listener 1883 at broker.conf:2; expected another port or address than at broker.conf:1.',
    ],
    ['port 0\n', 'Invalid port value "0" at broker.conf:1; expected a whole number from 1 to 65535.'],
    ['mount_point x\n', 'mount_point needs a listener at broker.conf:1; expected a listener line before it.'],
    [
      'listener 1\nmount_point x/+\n',
      'Invalid mount_point "x/+" at broker.conf:2; expected a topic prefix without + and #.',
    ],
    ['protocol http\n', 'Invalid protocol value "http" at broker.conf:1; expected mqtt or websockets.'],
  ])('refuses %j', (text, message) => {
    expect(errorOf(text)).toBe(message);
  });
});

describe('access settings', () => {
  it('hold for all listeners by default, as one object', () => {
    const { listeners, security } = load(
      'listener 1\npassword_file /p w\nlistener 2\nacl_file /a\nauto_id_prefix x-\n',
    );
    expect(security).toEqual({ allowAnonymous: false, passwordFile: '/p w', aclFile: '/a' });
    expect(listeners.map((listener) => listener.security === security)).toEqual([true, true]);
    expect(listeners.map(({ autoIdPrefix }) => autoIdPrefix)).toEqual(['x-', 'x-']);
  });

  it('belong to the listener above with per_listener_settings', () => {
    const { listeners } = load(
      [
        'per_listener_settings true',
        'listener 1',
        'allow_anonymous true',
        'allow_zero_length_clientid false',
        'auto_id_prefix one-',
        'listener 2',
        'password_file /p',
        'acl_file /a',
      ].join('\n'),
    );
    expect(listeners).toMatchObject([
      {
        autoIdPrefix: 'one-',
        allowZeroLengthClientIdentifier: false,
        security: { allowAnonymous: true, passwordFile: undefined, aclFile: undefined },
      },
      {
        autoIdPrefix: 'auto-',
        allowZeroLengthClientIdentifier: true,
        security: { allowAnonymous: false, passwordFile: '/p', aclFile: '/a' },
      },
    ]);
  });

  it('can be set for one listener with the keys of Mosquitto 2.1', () => {
    const { listeners } = load(
      'allow_anonymous false\npassword_file /p\nlistener 1\nlistener_allow_anonymous true\nlistener_auto_id_prefix l-\nlistener 2\n',
    );
    expect(listeners).toMatchObject([
      { autoIdPrefix: 'l-', security: { allowAnonymous: true, passwordFile: '/p' } },
      { autoIdPrefix: 'auto-', security: { allowAnonymous: false, passwordFile: '/p' } },
    ]);
  });

  it('must not come before per_listener_settings', () => {
    expect(errorOf('allow_anonymous true\nper_listener_settings true\n')).toBe(
      'per_listener_settings must be set before any other security settings at broker.conf:2; expected it before allow_anonymous at broker.conf:1.',
    );
    expect(load('allow_anonymous true\nper_listener_settings false\n').perListenerSettings).toBe(false);
    expect(
      load('per_listener_settings true\nallow_anonymous true\nper_listener_settings false\n').perListenerSettings,
    ).toBe(true);
  });
});

describe('values', () => {
  it('reads every form', () => {
    const { settings, pidFile, user } = load(
      [
        'allow_duplicate_messages 1',
        'retain_available 0',
        '  sys_interval\t 30  # seconds',
        'clientid_prefixes a- b-',
        'max_inflight_messages +5',
        'max_queued_messages -1',
        'persistent_client_expiration 14d',
        'max_packet_size 20',
        'memory_limit 8000000000',
        'connect_timeout 3',
        'max_connections_total 7',
        'pid_file /run/a b.pid ',
        'user nobody',
      ].join('\r\n'),
    );
    expect(settings).toEqual({
      ...defaultBrokerSettings,
      allowDuplicateMessages: true,
      retainAvailable: false,
      sysInterval: 30,
      clientIdentifierPrefixes: ['a-', 'b-'],
      maxInflightMessages: 5,
      maxQueuedMessages: 0,
      persistentClientExpiration: 14 * 86_400,
      maxPacketSize: 20,
      memoryLimit: 8e9,
      connectTimeout: 3,
      maxConnections: 7,
    });
    expect([pidFile, user]).toEqual(['/run/a b.pid', 'nobody']);
  });

  it.each([
    ['1h', 3600],
    ['2w', 14 * 86_400],
    ['2m', 60 * 86_400],
    ['1y', 365 * 86_400],
    ['90s', 90],
  ])('reads the duration %s', (text, seconds) => {
    expect(load(`persistent_client_expiration ${text}\n`).settings.persistentClientExpiration).toBe(seconds);
  });

  it.each([
    ['foo 1\n', 'Unknown configuration variable "foo" at broker.conf:1.'],
    [
      '\n# x\nalow_anonymous true\n',
      'Unknown configuration variable "alow_anonymous" at broker.conf:3; did you mean "allow_anonymous"?',
    ],
    [
      'pasword_flie x\n',
      'Unknown configuration variable "pasword_flie" at broker.conf:1; did you mean "password_file"?',
    ],
    ['constructor 1\n', 'Unknown configuration variable "constructor" at broker.conf:1.'],
    ['auth_opt_* x\n', 'Unknown configuration variable "auth_opt_*" at broker.conf:1.'],
    ['allow_anonymous\n', 'Empty allow_anonymous value at broker.conf:1; expected true or false.'],
    ['password_file   \n', 'Empty password_file value at broker.conf:1; expected path.'],
    ['allow_anonymous TRUE\n', 'Invalid allow_anonymous value "TRUE" at broker.conf:1; expected true or false.'],
    [
      'max_keepalive 99999\n',
      'Invalid max_keepalive value "99999" at broker.conf:1; expected a whole number of seconds from 0 to 65535.',
    ],
    [
      'max_packet_size 19\n',
      'Invalid max_packet_size value "19" at broker.conf:1; expected a whole number of bytes from 20 to 268435460.',
    ],
    [
      'sys_interval 10s\n',
      'Invalid sys_interval value "10s" at broker.conf:1; expected a whole number of seconds from 0 to 65535.',
    ],
    [
      'sys_interval 1e3\n',
      'Invalid sys_interval value "1e3" at broker.conf:1; expected a whole number of seconds from 0 to 65535.',
    ],
    ['max_qos 3\n', 'Invalid max_qos value "3" at broker.conf:1; expected a whole number from 0 to 2.'],
    [
      'persistent_client_expiration 0d\n',
      'Invalid persistent_client_expiration value "0d" at broker.conf:1; expected a whole number and a unit from 1s to 100y: s, h, d, w, m or y, such as 14d.',
    ],
    [
      'persistent_client_expiration 9999y\n',
      'Invalid persistent_client_expiration value "9999y" at broker.conf:1; expected a whole number and a unit from 1s to 100y: s, h, d, w, m or y, such as 14d.',
    ],
    [
      'acl_file a\nacl_file b\n',
      'Duplicate acl_file value at broker.conf:2; expected one; the first is at broker.conf:1.',
    ],
    [
      'log_type verbose\n',
      'Invalid log_type value "verbose" at broker.conf:1; expected one of error, warning, notice, information, debug, subscribe, unsubscribe, websockets, all, none.',
    ],
    [
      'log_dest disk\n',
      'Invalid log_dest value "disk" at broker.conf:1; expected one of stdout, stderr, syslog, topic, file, dlt, none.',
    ],
    ['log_dest file\n', 'Empty "log_dest file" value at broker.conf:1; expected log_dest file path.'],
    [
      'log_dest file a\nlog_dest file b\n',
      'Duplicate log_dest file value at broker.conf:2; expected one; the first is at broker.conf:1.',
    ],
    ['log_facility 8\n', 'Invalid log_facility value "8" at broker.conf:1; expected a whole number from 0 to 7.'],
    ['persistence maybe\n', 'Invalid persistence value "maybe" at broker.conf:1; expected true or false.'],
  ])('refuses %j', (text, message) => {
    expect(errorOf(text)).toBe(message);
  });

  it('refuses bytes that are no UTF-8, but not in comments', () => {
    expect(errorOf(Buffer.from('# f\xfcr\nuser J\xfcrgen\n', 'latin1'))).toBe('Malformed UTF-8 at broker.conf:2.');
    expect(errorOf('user a\0b\n')).toBe('Malformed UTF-8 at broker.conf:1.');
  });

  it('warns of text behind a value', () => {
    expect(warningsOf('sys_interval 10 20\nlistener 1 a b\nallow_anonymous true # yes\n')).toEqual([
      'broker.conf:1: "20" after the value of sys_interval is ignored.',
      'broker.conf:2: "b" after the address of the listener is ignored.',
    ]);
  });
});

describe('keys without effect', () => {
  it('are accepted with a warning that names key, file and line', () => {
    expect(
      warningsOf(
        [
          'autosave_interval 10',
          'listener 8883',
          'allow_anonymous true',
          'cafile /etc/ca.crt',
          'require_certificate true',
          'plugin_opt_config_file x',
          'connection bridge',
          'topic # both 2 local/ remote/',
          'topic a',
          'retry_interval 20',
          'websockets_headers_size 2048',
          'bridge_cafile /etc/ca.crt',
        ].join('\n'),
      ),
    ).toEqual([
      'broker.conf:1: autosave_interval has no effect in this release: every change is written as it happens.',
      'broker.conf:4: cafile has no effect in this release: the listener is not encrypted.',
      'broker.conf:5: require_certificate has no effect in this release: no certificate is asked for.',
      'broker.conf:6: plugin_opt_config_file has no effect in this release: option of a plugin.',
      'broker.conf:7: connection has no effect in this release: begins a bridge: it is not connected.',
      'broker.conf:8: topic has no effect in this release: what the bridge shares.',
      'broker.conf:9: topic has no effect in this release: what the bridge shares.',
      'broker.conf:10: retry_interval is obsolete and has no effect: messages are sent again only when a client reconnects.',
      'broker.conf:11: websockets_headers_size has no effect in this release: buffer for HTTP headers; ours is that of Node, 16 KiB.',
      'broker.conf:12: bridge_cafile has no effect in this release: TLS of the bridge.',
    ]);
  });
});

describe('the store', () => {
  it('is off unless it is asked for, in the file or on the command line', () => {
    expect(load('').persistence).toEqual({ isEnabled: false, location: '.', durability: 'strict' });
    expect(load('persistence true\npersistence_location /var/lib/x\ndurability relaxed\n').persistence).toEqual({
      isEnabled: true,
      location: '/var/lib/x',
      durability: 'relaxed',
    });
  });
});

describe('logging keys', () => {
  it('have Mosquitto’s defaults', () => {
    expect(load('').logging).toEqual({
      types: new Set(['error', 'warning', 'notice', 'information']),
      toStdout: false,
      toStderr: true,
      toTopic: false,
      toSyslog: false,
      file: undefined,
      hasTimestamp: true,
      timestampFormat: undefined,
      facility: undefined,
    });
  });

  it('add up', () => {
    const { logging } = load(
      [
        'log_dest stdout',
        'log_dest topic',
        'log_dest file /var/log/a b.log',
        'log_type error',
        'log_type subscribe debug',
        'log_timestamp false',
        'log_timestamp_format %H:%M # x',
        'log_facility 3',
      ].join('\n'),
    );
    expect(logging).toEqual({
      types: new Set(['error', 'subscribe', 'debug']),
      toStdout: true,
      toStderr: false,
      toTopic: true,
      toSyslog: false,
      file: '/var/log/a b.log',
      hasTimestamp: false,
      timestampFormat: '%H:%M # x',
      facility: 3,
    });
  });

  it('none takes back what stands before it', () => {
    const { logging } = load(
      'log_dest stdout\nlog_dest none\nlog_dest topic\nlog_type all\nlog_type none\nlog_type error\n',
    );
    expect(logging).toMatchObject({ toStdout: false, toStderr: false, toTopic: true });
    expect([...logging.types]).toEqual(['error']);
  });
});

describe('include_dir', () => {
  it('reads .conf files in order, each beginning with the default listener', () => {
    const names = ['00.conf', '01.conf', 'A.conf', 'a.conf', 'B.conf', 'b.conf'];
    const files = temporaryFiles({ 'one.d/notes.txt': 'no key\n', 'one.d/.conf': 'no key\n' });
    for (const name of [...names].reverse()) files.write(`one.d/${name}`, 'max_queued_messages 1\n');
    files.write('one.d/A.conf', 'listener 2000\nmax_connections 3\nallow_anonymous true\n');
    files.write('one.d/a.conf', 'max_qos 2\n');
    files.write('two.d/z.conf', 'sys_interval 7\n');
    const main = files.write(
      'broker.conf',
      `listener 1000\ninclude_dir ${files.path('one.d')}\ninclude_dir ${files.path('two.d')}\nmax_connections 9\n`,
    );
    const configuration = loadConfiguration(main);
    expect(configuration.files).toEqual([
      main,
      ...names.map((name) => files.path(`one.d/${name}`)),
      files.path('two.d/z.conf'),
    ]);
    expect(configuration.listeners).toMatchObject([
      { port: 1000, maxConnections: 9 },
      { port: 2000, maxConnections: 3 },
    ]);
    expect(configuration.settings.sysInterval).toBe(7);
  });

  it('names the included file in errors', () => {
    const files = temporaryFiles({ 'x.d/a.conf': '\nnonsense 1\n' });
    const main = files.write('broker.conf', `include_dir ${files.path('x.d')}\n`);
    expect(() => loadConfiguration(main)).toThrow(
      `Unknown configuration variable "nonsense" at ${files.path('x.d/a.conf')}:2.`,
    );
  });

  it('is ignored in included files, and refused if it would include the main file', () => {
    const files = temporaryFiles({ 'x.d/a.conf': 'include_dir /nowhere\n' });
    expect(loadConfiguration(files.write('broker.conf', `include_dir ${files.path('x.d')}\n`)).warnings).toEqual([
      `${files.path('x.d/a.conf')}:1: include_dir has an effect only in the main configuration file.`,
    ]);
    const inside = files.write('y.d/main.conf', `include_dir ${files.path('y.d')}\n`);
    expect(() => loadConfiguration(inside)).toThrow('contains the main configuration file');
  });

  it('names a directory that cannot be read', () => {
    expect(errorOf('sys_interval 1\ninclude_dir /nowhere\n')).toBe(
      'Unable to open include_dir "/nowhere" at broker.conf:2: no such file or directory.',
    );
  });
});

describe('a main file that cannot be read', () => {
  it('is named with the reason', () => {
    const files = temporaryFiles();
    mkdirSync(files.path('d'));
    expect(() => loadConfiguration(files.path('none.conf'))).toThrow(
      `Unable to open config file ${files.path('none.conf')}: no such file or directory.`,
    );
    expect(() => loadConfiguration(files.path('d'))).toThrow(`The config file ${files.path('d')} is a directory.`);
    expect(() => loadConfiguration('/dev/zero')).toThrow('is larger than');
  });
});
