/** Where the broker is and how it is spoken to. */
import type { Protocol } from './wire.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
  /** Path of the WebSocket; undefined for TCP. */
  readonly webSocketPath: string | undefined;
  readonly protocol: Protocol;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Addresses of this machine to connect from, which take turns; none for the system's choice. */
  readonly localAddresses: readonly string[];
}

/** A broker that is reached over TCP and lets anybody in. */
export function plainTarget(host: string, port: number, protocol: Protocol): Target {
  const rest = { webSocketPath: undefined, username: undefined, password: undefined, localAddresses: [] };
  return { host, port, protocol, ...rest };
}

/** `ws://localhost:9001/mqtt`: for messages, without the password. */
export function describeTarget({ host, port, webSocketPath }: Target): string {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return webSocketPath === undefined ? `mqtt://${authority}` : `ws://${authority}${webSocketPath}`;
}
