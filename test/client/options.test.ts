import { describe, expect, it } from 'vitest';
import { parseUrl } from '../../src/client/endpoint.ts';
import { connect } from '../../src/client/node.ts';
import type { ConnectOptions, Endpoint } from '../../src/client/types.ts';
import { connect as connectInBrowser } from '../../src/client/web.ts';
import { OptionError } from '../../src/protocol/errors.ts';

describe('parseUrl', () => {
  it('reads each scheme with its default port', () => {
    const endpoints: [string, Endpoint['protocol'], string, number, string][] = [
      ['mqtt://broker', 'mqtt', 'broker', 1883, ''],
      ['tcp://broker:1234', 'mqtt', 'broker', 1234, ''],
      ['MQTTS://broker', 'mqtts', 'broker', 8883, ''],
      ['ssl://broker', 'mqtts', 'broker', 8883, ''],
      ['tls://broker', 'mqtts', 'broker', 8883, ''],
      ['ws://broker', 'ws', 'broker', 80, '/'],
      ['ws://broker:8080/mqtt?token=1', 'ws', 'broker', 8080, '/mqtt?token=1'],
      ['wss://broker/mqtt', 'wss', 'broker', 443, '/mqtt'],
      ['mqtt://[::1]:1884', 'mqtt', '::1', 1884, ''],
      ['mqtt://127.0.0.1/', 'mqtt', '127.0.0.1', 1883, ''],
      ['unix:///run/mqtt.sock', 'unix', '', 0, '/run/mqtt.sock'],
      ['unix://relative%20path', 'unix', '', 0, 'relative path'],
    ];
    for (const [url, protocol, host, port, path] of endpoints) {
      expect(parseUrl(url), url).toEqual({
        endpoint: { protocol, host, port, path },
        username: undefined,
        password: undefined,
      });
    }
  });

  it('takes user name and password out, decoded', () => {
    expect(parseUrl('mqtt://ada:p%40ss:word@broker')).toMatchObject({ username: 'ada', password: 'p@ss:word' });
    expect(parseUrl('mqtt://a%20b@broker')).toMatchObject({ username: 'a b', password: undefined });
    expect(parseUrl('mqtt://us@er:x@broker').endpoint.host).toBe('broker');
  });

  it('says which part is wrong', () => {
    const wrong: [string, string][] = [
      ['', 'url ""; expected scheme://host[:port]'],
      ['broker:1883', 'url "broker:1883"; expected scheme://host[:port]'],
      ['http://broker', 'url scheme http; expected one of mqtt, tcp, mqtts, ssl, tls, ws, wss, unix'],
      ['mqtt://', 'host is empty'],
      ['mqtt://:1883', 'host is empty'],
      ['mqtt://broker:0', 'port 0; expected 1–65535'],
      ['mqtt://broker:65536', 'port 65536; expected 1–65535'],
      ['mqtt://broker:12x', 'port "12x"; expected 1–65535'],
      ['mqtt://broker:-1', 'port "-1"; expected 1–65535'],
      ['mqtt://::1', 'host "::1"; an IPv6 address must stand in brackets'],
      ['mqtt://bro ker', 'host "bro ker"; expected a name or an address'],
      ['mqtt://%zz@broker', 'username "%zz" in url; a % must be followed by two hexadecimal digits'],
      ['unix://', 'path of the Unix socket is empty'],
    ];
    for (const [url, message] of wrong) {
      expect(() => parseUrl(url), url).toThrow(OptionError);
      expect(() => parseUrl(url), url).toThrow(message);
    }
  });
});

describe('connect', () => {
  const url = 'mqtt://127.0.0.1:1';
  const reject = async (options: unknown, message: string, code = 'MQTT_ERR_OPTION_RANGE', to: unknown = url) => {
    const error = await connect(to as string, options as ConnectOptions).catch((reason: Error) => reason);
    expect(error, message).toBeInstanceOf(OptionError);
    expect((error as Error).message).toContain(message);
    expect(error, message).toMatchObject({ code });
  };

  it('rejects options out of their range, naming option, value and range', async () => {
    await reject({ protocolVersion: 2 }, 'protocolVersion 2; expected 3, 4 or 5');
    await reject({ keepAlive: 65_536 }, 'keepAlive 65536; expected 0–65535 seconds');
    await reject({ keepAlive: -1 }, 'keepAlive -1; expected 0–65535 seconds');
    await reject({ keepAlive: 1.5 }, 'keepAlive 1.5; expected a whole number of seconds', 'MQTT_ERR_OPTION');
    await reject({ keepAlive: '60' }, 'keepAlive "60"; expected a whole number', 'MQTT_ERR_OPTION');
    await reject({ keepAlive: Number.NaN }, 'keepAlive NaN; expected a whole number', 'MQTT_ERR_OPTION');
    await reject({ sessionExpiryInterval: 2 ** 32 }, 'sessionExpiryInterval 4294967296; expected 0–4294967295 seconds');
    await reject({ connectTimeoutMs: 0 }, 'connectTimeoutMs 0; expected 1–2147483647 milliseconds');
    await reject({ offlineQueueMax: -1 }, 'offlineQueueMax -1; expected 0–');
    await reject({ receiveQueueMax: 0 }, 'receiveQueueMax 0; expected 1–');
    await reject({ reconnect: { firstDelayMs: -5 } }, 'reconnect.firstDelayMs -5; expected 0–');
    await reject({ reconnect: { firstDelayMs: 10, lastDelayMs: 5 } }, 'reconnect.lastDelayMs 5; expected 10–');
    await reject({ reconnect: { attemptsMax: 0 } }, 'reconnect.attemptsMax 0; expected 1–');
    await reject({ will: { topicName: 'a', qos: 3 } }, 'will.qos 3; expected 0, 1 or 2');
    await reject(
      { will: { topicName: 'a', payload: 'x'.repeat(65_536) } },
      'will.payload of 65536 bytes; expected at most',
    );
    await reject(
      { username: 'u', password: new Uint8Array(65_536) },
      'password of 65536 bytes; expected at most 65535',
    );
    await reject({ clientIdentifier: 'x'.repeat(65_536) }, 'clientIdentifier of 65536 bytes; expected at most 65535');
    await reject(
      { protocolVersion: 3, clientIdentifier: '' },
      'clientIdentifier is empty; MQTT 3.1 wants 1–23 characters',
    );
    await reject({}, 'port 70000; expected 1–65535', 'MQTT_ERR_OPTION_RANGE', {
      protocol: 'mqtt',
      host: 'h',
      port: 70_000,
      path: '',
    });
    await reject(
      { properties: { receiveMaximum: 0 }, transport: async () => Promise.reject(new Error('unused')) },
      'Receive Maximum',
      'MQTT_ERR_OPTION_RANGE',
    );
  });

  it('rejects options of the wrong type, or that exclude each other', async () => {
    const code = 'MQTT_ERR_OPTION';
    await reject({ cleanStart: 'yes' }, 'cleanStart "yes"; expected true or false', code);
    await reject({ username: 5 }, 'username 5; expected text', code);
    await reject({ username: 'a\0b' }, 'U+0000', code);
    await reject({ username: '\ud800' }, 'lone surrogates', code);
    await reject({ password: {} }, 'password [object Object]; expected text or a Uint8Array', code);
    await reject({ will: { topicName: 'a/#' } }, 'will.topicName "a/#"; expected a Topic Name', 'MQTT_ERR_TOPIC');
    // [MQTT311-3.1.2-22] [MQTT311-3.1.3-7]
    await reject({ protocolVersion: 4, password: 'x' }, 'password without username', code);
    await reject(
      { protocolVersion: 4, clientIdentifier: '', cleanStart: false },
      'clientIdentifier is empty with cleanStart false',
      code,
    );
    await reject({ protocolVersion: 4, properties: {} }, 'properties with protocolVersion 4; only 5 has them', code);
    await reject({ authenticate: () => undefined }, 'authenticate without properties.authenticationMethod', code);
    await reject({ proxy: 'http://x' }, 'proxy scheme http; expected socks5h', code);
    await reject({ proxy: '::' }, 'proxy "::" is no URL', code);
    await reject({}, 'protocol "ftp"; expected one of mqtt, mqtts', code, {
      protocol: 'ftp',
      host: 'h',
      port: 1,
      path: '',
    });
    await reject({}, 'url scheme gopher', code, 'gopher://x');
  });

  it('gives the errno of the system as the cause', async () => {
    const error = await connect('mqtt://127.0.0.1:1').catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: 'MQTT_ERR_CONNECTION_FAILED', cause: { code: 'ECONNREFUSED' } });
    expect((error as Error).message).toBe('no connection to 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1');
    const missing = await connect('unix:///nowhere/mqtt.sock').catch((reason: Error) => reason);
    expect(missing).toMatchObject({ code: 'MQTT_ERR_CONNECTION_FAILED', cause: { code: 'ENOENT' } });
    const localhost = await connect('mqtt://localhost:1').catch((reason: Error) => reason);
    expect(localhost).toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  });

  it('in a browser takes ws and wss only, and nothing that a browser decides itself', async () => {
    await expect(connectInBrowser('mqtt://broker')).rejects.toThrow('protocol mqtt; expected ws or wss');
    await expect(connectInBrowser('unix:///x')).rejects.toThrow('protocol unix; expected ws or wss');
    await expect(connectInBrowser('wss://broker', { tls: {} })).rejects.toThrow('tls cannot be set in a browser');
    await expect(connectInBrowser('ws://broker', { proxy: 'socks5h://x' })).rejects.toThrow(
      'proxy cannot be set in a browser',
    );
  });
});
