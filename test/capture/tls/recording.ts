/** Connections recorded on their way through a relay, and what their records open to. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Direction } from '../../../src/capture/flow.ts';
import { nodeTlsCiphers } from '../../../src/capture/node/tls-ciphers.ts';
import { KeyLogDecryption } from '../../../src/capture/tls/key-log-decryption.ts';
import { KeyLogReader } from '../../../src/capture/tls/key-log-reader.ts';
import type { SecretTable } from '../../../src/capture/tls/secret-table.ts';
import type { TlsConnection } from '../../../src/capture/tls/tls-connection.ts';
import type { SecretSource } from '../../../src/capture/tls/tls-secrets.ts';

export interface WireRecord {
  readonly direction: Direction;
  readonly contentType: number;
  readonly version: number;
  readonly fragment: Uint8Array;
}

/** Both directions of a connection, as they came. */
export class Recording {
  readonly records: WireRecord[] = [];
  readonly #partial: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.alloc(0)];

  take(direction: Direction, chunk: Uint8Array): void {
    let bytes = Buffer.concat([this.#partial[direction], chunk]);
    while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt16BE(3)) {
      const end = 5 + bytes.readUInt16BE(3);
      const fragment = Uint8Array.from(bytes.subarray(5, end));
      this.records.push({ direction, contentType: bytes[0]!, version: bytes.readUInt16BE(1), fragment });
      bytes = bytes.subarray(end);
    }
    this.#partial[direction] = bytes;
  }
}

/** Passes connections on to another port of this machine, and records them. */
export class Relay {
  readonly recordings: Recording[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: number) {
    this.#server = createServer((client) => {
      const recording = new Recording();
      this.recordings.push(recording);
      const server = connect(target, '127.0.0.1');
      this.#join(client, server, (chunk) => recording.take(0, chunk));
      this.#join(server, client, (chunk) => recording.take(1, chunk));
    });
  }

  static async open(target: number): Promise<Relay> {
    const relay = new Relay(target);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get last(): Recording {
    return this.recordings.at(-1)!;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(from: Socket, to: Socket, record: (chunk: Uint8Array) => void): void {
    this.#sockets.add(from);
    // A piece that waited for the acknowledgement of the one before would wait for 40 ms.
    from.setNoDelay(true);
    from.on('data', (chunk) => {
      record(chunk);
      to.write(chunk);
    });
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
  }
}

/** A key log that is a text, to which more can be added. */
export class KeyLogText implements SecretSource {
  text: string;
  #taken = 0;
  #reader: KeyLogReader | undefined = undefined;

  constructor(text = '') {
    this.text = text;
  }

  update(table: SecretTable): void {
    if (this.#taken === this.text.length) return;
    this.#reader ??= new KeyLogReader(table);
    this.#reader.push(Buffer.from(this.text.slice(this.#taken)));
    this.#reader.peek();
    this.#taken = this.text.length;
  }
}

export function decryptionWith(keyLog: string | KeyLogText): KeyLogDecryption {
  return new KeyLogDecryption(nodeTlsCiphers, [typeof keyLog === 'string' ? new KeyLogText(keyLog) : keyLog]);
}

/** What was said in both directions. */
export interface Plain {
  readonly said: readonly [string, string];
  /** Records of application data that did not open; in TLS 1.3 others look the same. */
  readonly closed: number;
  /** Content types of records that opened, with their directions. */
  readonly opened: readonly (readonly [Direction, number])[];
}

/**
 * @param lost - indexes of records that are missing
 * @param connection - default: one of `decryption`
 */
export function decrypt(
  recording: Recording,
  decryption: KeyLogDecryption,
  lost: ReadonlySet<number> = new Set(),
  connection: TlsConnection = decryption.begin(),
): Plain {
  const said: [string, string] = ['', ''];
  const opened: [Direction, number][] = [];
  let closed = 0;
  recording.records.forEach(({ direction, contentType, version, fragment }, index) => {
    if (lost.has(index)) {
      connection.lose(direction);
      return;
    }
    const record = connection.receive(direction, contentType, version, fragment);
    if (record === undefined) {
      if (contentType === 23) closed++;
      return;
    }
    opened.push([direction, record.contentType]);
    if (record.contentType === 23) said[direction] += Buffer.from(record.bytes).toString('latin1');
  });
  return { said, closed, opened };
}
