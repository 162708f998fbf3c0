/** `--proxy socks5h://[username[:password]@]host[:port]` */
import { wholeNumber } from './numbers.ts';
import type { ProxySettings } from './settings.ts';

const scheme = 'socks5h://';
const defaultPort = 1080;

/** Reads the URL. Returns the proxy, or what is wrong, ready to be printed. */
export function readProxy(url: string): ProxySettings | string {
  if (!url.startsWith(scheme)) return `Error: Unsupported proxy protocol: ${url}\n`;
  const [, credentials, address = ''] = /^(?:([^@]*)@)?(.*)$/s.exec(url.slice(scheme.length)) ?? [];
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(.*))?$/s.exec(address);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) return 'Error: Invalid proxy.\n';
  const portText = match?.[3];
  const port = portText === undefined || portText === '' ? defaultPort : wholeNumber(portText);
  if (port === undefined || port < 1 || port > 65_535) return `Error: Invalid proxy port ${portText}\n`;
  if (credentials === undefined) return { host, port, username: undefined, password: undefined };
  const [username, password, ...rest] = credentials.split(':').map(decode);
  if (rest.length > 0 || username === undefined || username === '') return 'Error: Invalid proxy.\n';
  return { host, port, username, password };
}

/** `%25`, `%3A` and `%40` stand for the characters that have a meaning in the URL; any other `%` does not belong there. */
function decode(text: string): string | undefined {
  if (/%(?!25|3a|40)/i.test(text)) return undefined;
  return text.replaceAll('%40', '@').replaceAll(/%3a/gi, ':').replaceAll('%25', '%');
}

/** The URL that the client library reads: everything percent-encoded that needs it. */
export function proxyUrl(proxy: ProxySettings): string {
  const credentials =
    proxy.username === undefined
      ? ''
      : `${encodeURIComponent(proxy.username)}${proxy.password === undefined ? '' : `:${encodeURIComponent(proxy.password)}`}@`;
  const host = proxy.host.includes(':') ? `[${proxy.host}]` : proxy.host;
  return `${scheme}${credentials}${host}:${proxy.port}`;
}
