/** The client's side of SOCKS5 [RFC 1928] with no or with user name authentication [RFC 1929]; the proxy looks the name up. */
import { isIPv4, isIPv6, type Socket } from 'node:net';

/** A SOCKS5 proxy, from `socks5h://[username[:password]@]host[:port]`. */
export interface ProxyAddress {
  readonly host: string;
  /** Default 1080. */
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string;
}

/** Reads a proxy URL. Throws a TypeError that says what is wrong with it. */
export function proxyAddress(text: string): ProxyAddress {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new TypeError(
      `proxy ${JSON.stringify(text)} is no URL; expected socks5h://[username[:password]@]host[:port]`,
    );
  }
  if (url.protocol !== 'socks5h:' && url.protocol !== 'socks5:') {
    throw new TypeError(`proxy scheme ${url.protocol.slice(0, -1)}; expected socks5h`);
  }
  if (url.hostname === '') throw new TypeError(`proxy ${JSON.stringify(text)} names no host`);
  const username = url.username === '' ? undefined : decodeURIComponent(url.username);
  const password = decodeURIComponent(url.password);
  if (Buffer.byteLength(username ?? '') > 255 || Buffer.byteLength(password) > 255) {
    throw new TypeError('proxy username and password may have at most 255 bytes each');
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 1080 : Number(url.port),
    username,
    password,
  };
}

const noAuthentication = 0x00;
const usernameAuthentication = 0x02;
const noAcceptableMethod = 0xff;

/** What a proxy answers to a request it did not fulfil. [RFC 1928 §6] */
const replies = new Map([
  [0x01, 'general SOCKS server failure'],
  [0x02, 'connection not allowed by the rules of the proxy'],
  [0x03, 'network unreachable'],
  [0x04, 'host unreachable'],
  [0x05, 'connection refused'],
  [0x06, 'TTL expired'],
  [0x07, 'command not supported'],
  [0x08, 'address type not supported'],
]);

/** The system's code for a proxy's answer, so that a refusal looks the same with and without a proxy. */
const errorCodes = new Map([
  [0x03, 'ENETUNREACH'],
  [0x04, 'EHOSTUNREACH'],
  [0x05, 'ECONNREFUSED'],
]);

/** Asks the proxy at the other end of `socket` to connect to host and port; after that the socket speaks to these. */
export async function connectThroughSocks(
  socket: Socket,
  proxy: ProxyAddress,
  host: string,
  port: number,
): Promise<void> {
  const methods = proxy.username === undefined ? [noAuthentication] : [noAuthentication, usernameAuthentication];
  socket.write(Uint8Array.of(5, methods.length, ...methods));
  const [version, method] = await readExactly(socket, 2);
  if (version !== 5) throw new Error(`the proxy answered with SOCKS version ${version}; expected 5`);
  if (method === usernameAuthentication && proxy.username !== undefined) {
    await authenticate(socket, proxy.username, proxy.password);
  } else if (method !== noAuthentication) {
    throw new Error(
      method === noAcceptableMethod
        ? 'the proxy accepts none of the authentication methods offered'
        : `the proxy chose authentication method ${method}, which was not offered`,
    );
  }
  socket.write(Buffer.concat([Uint8Array.of(5, 1, 0), addressBytes(host), Uint8Array.of(port >> 8, port & 0xff)]));
  const [, reply, , addressType] = await readExactly(socket, 4);
  if (reply !== 0) {
    const text = replies.get(reply!) ?? `unknown reply ${reply}`;
    throw Object.assign(new Error(`the proxy could not connect to ${host}:${port}: ${text}`), {
      code: errorCodes.get(reply!),
    });
  }
  // The address the proxy connected from is of no use here, but it has to be read.
  const addressLength = addressType === 1 ? 4 : addressType === 4 ? 16 : (await readExactly(socket, 1))[0]!;
  await readExactly(socket, addressLength + 2);
}

async function authenticate(socket: Socket, username: string, password: string): Promise<void> {
  const user = Buffer.from(username);
  const secret = Buffer.from(password);
  socket.write(Buffer.concat([Uint8Array.of(1, user.length), user, Uint8Array.of(secret.length), secret]));
  const [, status] = await readExactly(socket, 2);
  if (status !== 0) throw new Error('the proxy refused the user name or password');
}

function addressBytes(host: string): Uint8Array {
  if (isIPv4(host)) return Uint8Array.of(1, ...host.split('.').map(Number));
  // The URL parser writes an IPv6 address with all its digits grouped in one way, whatever was given.
  if (isIPv6(host)) return Buffer.concat([Uint8Array.of(4), ipv6Bytes(host)]);
  const name = Buffer.from(host);
  if (name.length > 255) throw new TypeError(`host name of ${name.length} bytes; a SOCKS proxy takes at most 255`);
  return Buffer.concat([Uint8Array.of(3, name.length), name]);
}

function ipv6Bytes(host: string): Uint8Array {
  const [left = '', right] = new URL(`http://[${host.split('%')[0]}]`).hostname.slice(1, -1).split('::');
  const leftGroups = left === '' ? [] : left.split(':');
  const rightGroups = right === undefined || right === '' ? [] : right.split(':');
  const zeros = new Array<string>(8 - leftGroups.length - rightGroups.length).fill('0');
  const groups = [...leftGroups, ...zeros, ...rightGroups].map((group) => Number.parseInt(group, 16));
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** Takes the next bytes off the socket and leaves all that follow for the next reader. */
function readExactly(socket: Socket, length: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const onReadable = (): void => {
      const bytes = socket.read(length) as Buffer | null;
      if (bytes === null) return;
      stop();
      if (bytes.length < length) reject(new Error('the proxy closed the connection'));
      else resolve(bytes);
    };
    const onClose = (): void => {
      stop();
      reject(new Error('the proxy closed the connection'));
    };
    const stop = (): void => {
      socket.off('readable', onReadable);
      socket.off('end', onClose);
      socket.off('close', onClose);
    };
    socket.on('readable', onReadable);
    socket.on('end', onClose);
    socket.on('close', onClose);
    onReadable();
  });
}
