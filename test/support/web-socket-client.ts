/** A WebSocket client that sends MQTT bytes in frames of a test's choosing. */
import { WebSocket } from 'ws';
import { PacketScanner } from './packet-reader.ts';
import { type Bytes, join, toHex } from './raw-packets.ts';
import { defaultPatienceMs, until } from './until.ts';

export interface WebSocketClient {
  readonly socket: WebSocket;
  /** Sends one binary frame. */
  send(...parts: readonly (Bytes | string)[]): void;
  /** Sends the bytes in frames of this many bytes each. */
  sendInFrames(size: number, ...parts: readonly (Bytes | string)[]): void;
  /** The next packets must be these bytes, however they are cut into frames. */
  expectBytes(...parts: readonly (Bytes | string)[]): Promise<void>;
  /** The connection must end; resolves with the close code. */
  expectClosed(): Promise<number>;
  destroy(): void;
}

/** Connects and resolves once the connection is open. */
export function openWebSocket(
  port: number,
  { path = '/mqtt', protocols = ['mqtt'] }: { path?: string; protocols?: string[] } = {},
): Promise<WebSocketClient> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols);
    const scanner = new PacketScanner();
    const packets: Bytes[] = [];
    let closeCode: number | undefined;
    socket.on('message', (data, isBinary) => {
      if (isBinary) packets.push(...scanner.push(data as Buffer));
      else packets.push(Buffer.from('text frame'));
    });
    socket.on('close', (code) => {
      closeCode = code;
    });
    socket.once('error', reject);
    socket.once('open', () => {
      socket.off('error', reject);
      socket.on('error', () => {});
      resolve({
        socket,
        send: (...parts) => socket.send(join(...parts)),
        sendInFrames: (size, ...parts) => {
          const bytes = join(...parts);
          for (let at = 0; at < bytes.length; at += size) socket.send(bytes.subarray(at, at + size));
        },
        expectBytes: async (...parts) => {
          const expected = join(...parts);
          let got: Bytes = new Uint8Array();
          while (got.length < expected.length) {
            const next = await until(
              () => packets.shift(),
              `[${toHex(expected)}]`,
              defaultPatienceMs,
              () => toHex(got),
            );
            got = join(got, next);
          }
          if (toHex(got) !== toHex(expected))
            throw new Error(`expected [${toHex(expected)}]\n     got [${toHex(got)}]`);
        },
        expectClosed: () => until(() => closeCode, 'the end of the WebSocket'),
        destroy: () => socket.terminate(),
      });
    });
  });
}
