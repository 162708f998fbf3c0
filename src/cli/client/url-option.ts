/** `-L`: user, password, host, port and topic in one URL. */
import { Argument } from './argument.ts';
import { wholeNumber } from './numbers.ts';
import type { ClientCommand, ClientSettings } from './settings.ts';
import { topicFilterFault, topicNameFault } from './topic-option.ts';

interface Scheme {
  readonly prefix: string;
  readonly port: number;
  readonly isWebSocket: boolean;
  readonly isTls: boolean;
}

const schemes: readonly Scheme[] = [
  { prefix: 'mqtt://', port: 1883, isWebSocket: false, isTls: false },
  { prefix: 'mqtts://', port: 8883, isWebSocket: false, isTls: true },
  { prefix: 'ws://', port: 80, isWebSocket: true, isTls: false },
  { prefix: 'wss://', port: 443, isWebSocket: true, isTls: true },
];

/**
 * Takes `mqtt(s)://` or `ws(s)://` `[username[:password]@]host[:port]/topic` apart. Everything after the first slash is the topic as it
 * stands, query and all; a `%` in user or password means itself.
 * @returns what is wrong with it, ready to be printed
 */
export function applyUrl(settings: ClientSettings, url: Argument, command: ClientCommand): string | undefined {
  const scheme = schemes.find(({ prefix }) => url.text.toLowerCase().startsWith(prefix));
  if (scheme === undefined) return 'Error: unsupported URL scheme.\n\n';
  const slash = url.bytes.indexOf(0x2f, scheme.prefix.length);
  if (slash < 0) return 'Error: Invalid URL for -L argument specified - topic missing.\n';
  const topic = new Argument(url.bytes.subarray(slash + 1));
  const isSubscriber = command === 'sub';
  const fault = isSubscriber
    ? topicFilterFault(topic, '-L topic', 'subscription')
    : topicNameFault(topic, '-L topic', 'publish');
  if (fault !== undefined) return fault;

  let authority = Buffer.from(url.bytes.subarray(scheme.prefix.length, slash)).toString();
  const at = authority.indexOf('@');
  let username: string | undefined;
  let password: string | undefined;
  if (at >= 0) {
    const credentials = authority.slice(0, at);
    const colon = credentials.indexOf(':');
    username = colon < 0 ? credentials : credentials.slice(0, colon);
    if (colon >= 0) password = credentials.slice(colon + 1);
    authority = authority.slice(at + 1);
  }
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/s.exec(authority);
  const host = match?.[1] ?? match?.[2] ?? '';
  if (match === null || host === '') return `Error: Invalid URL for -L argument specified - host missing.\n`;
  const port = match[3] === undefined ? scheme.port : wholeNumber(match[3]);
  if (port === undefined || port < 1 || port > 65_535) return `Error: Invalid port given: ${match[3]}\n`;

  if (isSubscriber) settings.topicFilters.push(topic.text);
  else settings.topicName = topic.text;
  settings.host = host;
  settings.unixPath = undefined;
  settings.port = port;
  if (scheme.isTls) settings.useSystemCertificates = true;
  if (scheme.isWebSocket) settings.useWebSocket = true;
  if (username !== undefined) settings.username = username;
  if (password !== undefined) settings.password = password;
  return undefined;
}
