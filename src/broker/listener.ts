/** One listener of the broker: its settings, and how many connections came through it. */
import type { Listener } from '../transport/transport.ts';
import type { ListenerSettings } from './options.ts';

export class BrokerListener {
  readonly settings: ListenerSettings;
  /** Its position in the configuration. */
  readonly index: number;
  /** Connections that are there. */
  connectionCount = 0;
  /** Open sockets: one for each address family. */
  readonly sockets: Listener[] = [];

  constructor(settings: ListenerSettings, index: number) {
    this.settings = settings;
    this.index = index;
  }

  /** The port in use, also when the settings said 0; 0 for a Unix socket. */
  get port(): number {
    return this.sockets[0]?.address.port ?? this.settings.port;
  }

  /** Whether one connection more would be too many. */
  get isFull(): boolean {
    const { maxConnections } = this.settings;
    return maxConnections >= 0 && this.connectionCount >= maxConnections;
  }
}
