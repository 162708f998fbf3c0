/** Rules of the kind `tcp.port==11883,mqtt`: what a port carries, whatever it looks like. */

/** What connections may be dissected as. */
export type ApplicationName = 'mqtt' | 'http' | 'websocket' | 'tls' | 'data';

export interface DecodeAsRule {
  /** Either end of the connection may have one of these ports, from and to included. */
  readonly firstPort: number;
  readonly lastPort: number;
  readonly application: ApplicationName;
}

/** Other names that the same things go by. */
const applicationNames: ReadonlyMap<string, ApplicationName> = new Map([
  ['mqtt', 'mqtt'],
  ['http', 'http'],
  ['websocket', 'websocket'],
  ['ws', 'websocket'],
  ['tls', 'tls'],
  ['ssl', 'tls'],
  ['data', 'data'],
]);

/** Why a rule is none. */
export class DecodeAsError extends Error {
  override name = 'DecodeAsError';
}

/**
 * Reads `tcp.port==N,PROTOCOL`, where N is a port, a range `N-M`, or `N:COUNT` as tshark has it.
 * @throws {DecodeAsError} saying what was expected
 */
export function parseDecodeAs(text: string): DecodeAsRule {
  const match = /^\s*([\w.]+)\s*==\s*(\d+)\s*(?:([-:])\s*(\d+))?\s*,\s*([\w.]+)\s*$/.exec(text);
  if (match === null) throw new DecodeAsError(`"${text}": expected tcp.port==PORT,PROTOCOL`);
  const [, selector, first, separator, second, name] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  if (selector !== 'tcp.port') throw new DecodeAsError(`"${text}": expected tcp.port instead of ${selector}`);
  const application = applicationNames.get(name.toLowerCase());
  if (application === undefined) {
    throw new DecodeAsError(`"${text}": ${name} is not known; expected mqtt, websocket, http, tls or data`);
  }
  const firstPort = Number(first);
  const lastPort =
    separator === undefined ? firstPort : separator === '-' ? Number(second) : firstPort + Number(second) - 1;
  if (firstPort > 65_535 || lastPort > 65_535 || lastPort < firstPort) {
    throw new DecodeAsError(`"${text}": expected ports from 0 to 65535`);
  }
  return { firstPort, lastPort, application };
}

/** What the rules say of a connection; the last one that fits is the one that counts. */
export function applicationByRule(
  rules: readonly DecodeAsRule[],
  clientPort: number,
  serverPort: number,
): ApplicationName | undefined {
  for (let index = rules.length - 1; index >= 0; index--) {
    const { firstPort, lastPort, application } = rules[index]!;
    if (serverPort >= firstPort && serverPort <= lastPort) return application;
    if (clientPort >= firstPort && clientPort <= lastPort) return application;
  }
  return undefined;
}
