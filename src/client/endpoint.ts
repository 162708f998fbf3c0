/** Where to connect to: from a URL, or as given. */
import { OptionError } from '../protocol/errors.ts';
import type { Endpoint } from './types.ts';

/** An Endpoint with what else a URL can say. */
export interface ParsedUrl {
  readonly endpoint: Endpoint;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

const protocolOfScheme = new Map<string, Endpoint['protocol']>([
  ['mqtt', 'mqtt'],
  ['tcp', 'mqtt'],
  ['mqtts', 'mqtts'],
  ['ssl', 'mqtts'],
  ['tls', 'mqtts'],
  ['ws', 'ws'],
  ['wss', 'wss'],
  ['unix', 'unix'],
]);

const defaultPorts: Readonly<Record<Endpoint['protocol'], number>> = {
  mqtt: 1883,
  mqtts: 8883,
  ws: 80,
  wss: 443,
  unix: 0,
};

/**
 * Reads `scheme://[username[:password]@]host[:port][/path]` or `unix:///path`. Schemes: mqtt, tcp (TCP, port 1883), mqtts, ssl, tls
 * (TLS, 8883), ws (80), wss (443), unix.
 * @throws {OptionError} naming the part that is wrong
 */
export function parseUrl(text: string): ParsedUrl {
  const parts = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^#]*)/.exec(text);
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1]?.toLowerCase();
  if (parts === null || scheme === undefined) {
    throw new OptionError(`url ${JSON.stringify(text)}; expected scheme://host[:port]`);
  }
  const protocol = protocolOfScheme.get(scheme);
  if (protocol === undefined) {
    throw new OptionError(`url scheme ${scheme}; expected one of ${[...protocolOfScheme.keys()].join(', ')}`);
  }
  const [, , authority = '', rest = ''] = parts;
  if (protocol === 'unix') {
    const path = decode('path', authority + rest);
    return { endpoint: checkEndpoint({ protocol, host: '', port: 0, path }), username: undefined, password: undefined };
  }
  const at = authority.lastIndexOf('@');
  const [username, password] = at < 0 ? [] : splitOnce(authority.slice(0, at), ':');
  const [host, port] = splitHost(authority.slice(at + 1));
  const endpoint = checkEndpoint({
    protocol,
    host,
    port: port === undefined ? defaultPorts[protocol] : Number(port),
    path: protocol === 'mqtt' || protocol === 'mqtts' ? '' : rest.startsWith('/') ? rest : `/${rest}`,
  });
  return {
    endpoint,
    username: username === undefined ? undefined : decode('username', username),
    password: password === undefined ? undefined : decode('password', password),
  };
}

/**
 * Checks an Endpoint as a program gives it.
 * @throws {OptionError} naming the field that is wrong
 */
export function checkEndpoint(endpoint: Endpoint): Endpoint {
  const { protocol, host, port, path } = endpoint;
  if (!(protocol in defaultPorts)) {
    throw new OptionError(
      `protocol ${JSON.stringify(protocol)}; expected one of ${Object.keys(defaultPorts).join(', ')}`,
    );
  }
  if (protocol === 'unix') {
    if (typeof path !== 'string' || path === '') throw new OptionError('path of the Unix socket is empty');
    return endpoint;
  }
  if (typeof host !== 'string' || host === '') throw new OptionError('host is empty');
  if (/[\s/?#@[\]]/.test(host)) throw new OptionError(`host ${JSON.stringify(host)}; expected a name or an address`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new OptionError(`port ${port}; expected 1–65535`, 'MQTT_ERR_OPTION_RANGE');
  }
  return endpoint;
}

/** The URL of a WebSocket endpoint. */
export function webSocketUrl(endpoint: Endpoint): string {
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `${endpoint.protocol}://${host}:${endpoint.port}${endpoint.path}`;
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** `host`, `host:port`, `[IPv6]` or `[IPv6]:port`. */
function splitHost(text: string): [string, string | undefined] {
  const found = /^(?:\[([^\]]*)\]|([^:]*))(?::([^:]*))?$/.exec(text);
  if (found === null) throw new OptionError(`host ${JSON.stringify(text)}; an IPv6 address must stand in brackets`);
  const port = found[3];
  if (port !== undefined && !/^\d+$/.test(port))
    throw new OptionError(`port ${JSON.stringify(port)}; expected 1–65535`);
  return [decode('host', found[1] ?? found[2] ?? ''), port];
}

function decode(part: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new OptionError(`${part} ${JSON.stringify(text)} in url; a % must be followed by two hexadecimal digits`);
  }
}
