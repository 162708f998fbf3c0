/**
 * HTTP in the bytes of a connection, as far as it leads to a WebSocket: heads are shown, and when a request to upgrade was accepted, both directions
 * go on as WebSocket. What follows any other response stays bytes.
 */
import type { Direction } from '../capture/flow.ts';
import type { DataSource, Frame } from '../capture/frame.ts';
import { StreamChunk } from '../capture/stream-chunk.ts';
import { HttpHead, HttpLayer } from './layers/http-layer.ts';
import { SegmentBuffer } from './segment-buffer.ts';
import type { StreamDissector, UpperLayer } from './stream-dissector.ts';

/** Longer heads are given up: no server takes more. */
const headBytesMax = 65_536;

/** One direction: heads, then bytes of a body that are passed over, then the WebSocket; or bytes that mean nothing to us. */
class Half {
  state: 'head' | 'body' | 'upgraded' | 'opaque' = 'head';
  readonly head = new SegmentBuffer();
  /** Bytes of the body still to come. */
  rest = 0;
}

export class HttpStream implements StreamDissector {
  readonly #carrier: string;
  readonly #makeWebSocket: (subprotocol: string | undefined) => StreamDissector;
  readonly #halves: readonly [Half, Half] = [new Half(), new Half()];
  #webSocket: StreamDissector | undefined = undefined;
  /** What the last request asked for: whether it was an upgrade, and its subprotocols. */
  #asksForUpgrade = false;
  #subprotocols: string | undefined = undefined;

  /**
   * @param carrier - what the bytes lie in, for the name of what is put together: `TCP` or `TLS`
   * @param makeWebSocket - makes what dissects an upgraded connection, given the subprotocols that were agreed or asked for
   */
  constructor(carrier: string, makeWebSocket: (subprotocol: string | undefined) => StreamDissector) {
    this.#carrier = carrier;
    this.#makeWebSocket = makeWebSocket;
  }

  receive(direction: Direction, chunk: StreamChunk, frame: Frame, layers: UpperLayer[]): void {
    const half = this.#halves[direction];
    if (chunk.missing > 0 && half.state !== 'upgraded') {
      half.head.clear();
      half.state = 'opaque';
    }
    let at = chunk.start;
    while (at < chunk.end) {
      switch (half.state) {
        case 'head':
          at = this.#readHead(half, chunk, at, layers);
          break;
        case 'body': {
          const passed = Math.min(half.rest, chunk.end - at);
          half.rest -= passed;
          at += passed;
          if (half.rest === 0) half.state = 'head';
          break;
        }
        case 'upgraded': {
          const missing = at === chunk.start ? chunk.missing : 0;
          const rest =
            at === chunk.start ? chunk : new StreamChunk(chunk.source, at, chunk.end, chunk.frame, missing, chunk.cut);
          this.#webSocket!.receive(direction, rest, frame, layers);
          return;
        }
        case 'opaque':
          return;
      }
    }
  }

  end(direction: Direction, frame: Frame, layers: UpperLayer[]): void {
    this.#halves[direction].head.clear();
    this.#webSocket?.end(direction, frame, layers);
  }

  pending(direction: Direction): number {
    const half = this.#halves[direction];
    return half.state === 'upgraded' ? this.#webSocket!.pending(direction) : half.head.length;
  }

  /** @returns where the rest begins */
  #readHead(half: Half, chunk: StreamChunk, start: number, layers: UpperLayer[]): number {
    const { bytes } = chunk.source;
    if (half.head.length === 0) {
      if (!mayBeginHead(bytes[start]!)) {
        half.state = 'opaque';
        return chunk.end;
      }
      const end = endOfHead(bytes, start, chunk.end);
      if (end > 0) {
        this.#takeHead(half, chunk.source, start, end, layers);
        return end;
      }
    }
    // The end of the head may lie across the seam.
    const before = half.head.length;
    half.head.append(bytes, start, chunk.end, chunk.frame.number);
    const end = endOfHead(half.head.bytes, Math.max(0, before - 3), half.head.length);
    if (end > 0) {
      const rest = half.head.length - end;
      half.head.trim(end);
      const source = half.head.finish(this.#carrier);
      this.#takeHead(half, source, 0, end, layers);
      return chunk.end - rest;
    }
    if (half.head.length > headBytesMax) {
      half.head.clear();
      half.state = 'opaque';
    }
    return chunk.end;
  }

  #takeHead(half: Half, source: DataSource, start: number, end: number, layers: UpperLayer[]): void {
    const head = new HttpHead(source.bytes, start, end);
    layers.push(new HttpLayer(source, start, end, head));
    if (!head.isResponse) {
      this.#asksForUpgrade = head.header('upgrade')?.toLowerCase() === 'websocket';
      this.#subprotocols = head.header('sec-websocket-protocol');
    } else if (head.parts[1] === '101' && this.#asksForUpgrade) {
      this.#webSocket = this.#makeWebSocket(head.header('sec-websocket-protocol') ?? this.#subprotocols);
      this.#halves[0].state = 'upgraded';
      this.#halves[1].state = 'upgraded';
      return;
    }
    const length = head.header('content-length');
    if (head.header('transfer-encoding') !== undefined) half.state = 'opaque';
    else if (length !== undefined && /^\d{1,15}$/.test(length) && length !== '0') {
      half.rest = Number(length);
      half.state = 'body';
    } else if (head.isResponse && length === undefined && !isWithoutBody(head.parts[1])) half.state = 'opaque';
  }
}

/** Responses that have no body whatever their head says. [RFC 9110 §6.4.1] */
function isWithoutBody(code: string): boolean {
  return code.startsWith('1') || code === '204' || code === '304';
}

/** An upper-case letter: a method, or `HTTP/`. */
function mayBeginHead(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}

/** @returns the offset behind the empty line; 0 if there is none */
function endOfHead(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at + 3 < end; at++) {
    if (bytes[at] === 0x0d && bytes[at + 1] === 0x0a && bytes[at + 2] === 0x0d && bytes[at + 3] === 0x0a) return at + 4;
  }
  return 0;
}
