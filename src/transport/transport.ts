/**
 * A byte stream with back-pressure, and what makes them on the listening side. Implementations: `memory` (tests, simulation),
 * `node/tcp` (TCP, TLS and Unix sockets), `node/websocket` and `web` (the browser's WebSocket).
 */

/** Who is at the other end; the port is 0 and the address a path for Unix sockets. */
export interface PeerAddress {
  readonly address: string;
  readonly port: number;
  readonly family: 'IPv4' | 'IPv6' | 'unix' | 'memory';
}

export interface TransportHandlers {
  /** Bytes arrived. They stay unchanged for as long as anyone holds them. */
  data(chunk: Uint8Array): void;
  /** A `write` that had returned false is done: more may be written. */
  drain(): void;
  /** The peer will send nothing more, though it may still read. Transports that cannot tell call `close` only. */
  end?(): void;
  /** Called once, last: the stream ended, with the error if there was one. */
  close(error: Error | undefined): void;
}

export interface Transport {
  /** Need not be known any more when the stream is closed, unless it was asked for before. */
  readonly peer: PeerAddress;
  /** This end, where the stream has addresses. */
  readonly local?: PeerAddress | undefined;
  /** Whether the network sees the bytes encrypted. Default false. */
  readonly isEncrypted?: boolean;
  /** Bytes given to `write` that the system has not taken yet. */
  readonly bufferedBytes: number;
  /** Sets who is told; nothing is delivered before. */
  start(handlers: TransportHandlers): void;
  /**
   * Sends bytes, which must not change until `released` is called (if they are to be used again). Returns false when
   * more should wait for `drain`; the bytes are accepted all the same.
   */
  write(bytes: Uint8Array, released?: () => void): boolean;
  /** Stops `data` until `resume`, so that the peer is slowed down. */
  pause(): void;
  resume(): void;
  /** Sends what was written, then ends the stream. */
  end(): void;
  /** Ends the stream now, whatever was not sent. */
  destroy(): void;
}

/** Accepts connections and hands each on as a Transport. */
export interface Listener {
  /** What it listens on, for logs and for tests that asked for port 0. */
  readonly address: PeerAddress;
  /** Stops accepting; connections already made live on. */
  close(): Promise<void>;
}
