/** WebSocket in the bytes of a connection: frames, and the stream that their payloads are. RFC 6455 §5. */
import type { Direction } from '../capture/flow.ts';
import type { DataSource, Frame } from '../capture/frame.ts';
import { StreamChunk } from '../capture/stream-chunk.ts';
import { uint16At, uint32At } from './layers/bytes.ts';
import { opcodes, WebSocketLayer } from './layers/web-socket-layer.ts';
import { SegmentBuffer } from './segment-buffer.ts';
import type { StreamDissector, UpperLayer } from './stream-dissector.ts';

/** Longer frames are not shown: what waits for the end of one is in memory. */
const frameBytesMax = 16 * 1024 * 1024;
const headerLengthMax = 14;

/** A payload as it was before it was masked. */
class UnmaskedSource implements DataSource {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get name(): string {
    return `Unmasked data (${this.bytes.length} bytes)`;
  }
}

/** Makes what dissects the payloads, given the first of them; undefined: nothing does. Called once at most. */
export type MakeInner = (payload: DataSource, start: number, end: number) => StreamDissector | undefined;

/** One direction. */
class Half {
  readonly partial = new SegmentBuffer();
  /** Bytes of a frame that is too long, still to come. */
  rest = 0;
  /** Nothing is known of where the next frame begins. */
  isLost = false;
  /** Bytes of payload that are missing before the next ones: how many, nobody knows. */
  missing = 0;
  /** Of the message in hand: whether it is compressed, which is not unpacked. */
  isCompressed = false;
}

export class WebSocketStream implements StreamDissector {
  readonly #carrier: string;
  readonly #makeInner: MakeInner;
  readonly #halves: readonly [Half, Half] = [new Half(), new Half()];
  #inner: StreamDissector | undefined = undefined;
  /** Whether the first payload has been looked at. */
  #hasBegun = false;

  /** @param carrier - what the frames lie in, for the name of what is put together: `TCP` or `TLS` */
  constructor(carrier: string, makeInner: MakeInner) {
    this.#carrier = carrier;
    this.#makeInner = makeInner;
  }

  receive(direction: Direction, chunk: StreamChunk, frame: Frame, layers: UpperLayer[]): void {
    const half = this.#halves[direction];
    const { source, end } = chunk;
    const { bytes } = source;
    let at = chunk.start;
    if (chunk.missing > 0) passMissing(half, chunk.missing);
    if (half.rest > 0) {
      const passed = Math.min(half.rest, end - at);
      half.rest -= passed;
      at += passed;
    }
    if (half.isLost) {
      if (!isPlausible(bytes, at, end)) return;
      half.isLost = false;
    }
    if (half.partial.length > 0) at = this.#complete(direction, half, chunk, at, frame, layers);
    while (at < end && !half.isLost) {
      const size = frameSize(bytes, at, end);
      if (size > frameBytesMax) {
        half.missing++;
        half.rest = Math.max(0, size - (end - at));
        return;
      }
      if (size === 0 || at + size > end) {
        half.partial.append(bytes, at, end, chunk.frame.number);
        return;
      }
      this.#take(direction, half, source, at, at + size, frame, layers);
      at += size;
    }
  }

  end(direction: Direction, frame: Frame, layers: UpperLayer[]): void {
    this.#halves[direction].partial.clear();
    this.#inner?.end(direction, frame, layers);
  }

  pending(direction: Direction): number {
    return this.#halves[direction].partial.length;
  }

  /** Goes on with a frame whose beginning came before. */
  #complete(
    direction: Direction,
    half: Half,
    chunk: StreamChunk,
    start: number,
    frame: Frame,
    layers: UpperLayer[],
  ): number {
    const { partial } = half;
    const { bytes } = chunk.source;
    let at = start;
    // The header byte by byte: at most fourteen times.
    let size = frameSize(partial.bytes, 0, partial.length);
    while (size === 0 && at < chunk.end && partial.length < headerLengthMax) {
      partial.append(bytes, at, at + 1, chunk.frame.number);
      at++;
      size = frameSize(partial.bytes, 0, partial.length);
    }
    if (size > frameBytesMax) {
      half.missing++;
      half.rest = size - partial.length;
      partial.clear();
      const passed = Math.min(half.rest, chunk.end - at);
      half.rest -= passed;
      return at + passed;
    }
    const taken = Math.min(Math.max(0, size - partial.length), chunk.end - at);
    partial.append(bytes, at, at + taken, chunk.frame.number);
    at += taken;
    if (size > 0 && partial.length >= size) {
      this.#take(direction, half, partial.finish(this.#carrier), 0, size, frame, layers);
    }
    return at;
  }

  #take(
    direction: Direction,
    half: Half,
    source: DataSource,
    start: number,
    end: number,
    frame: Frame,
    layers: UpperLayer[],
  ): void {
    const layer = makeLayer(source, start, end);
    layers.push(layer);
    const { opcode } = layer;
    if (opcode > opcodes.binary) return;
    if (opcode !== opcodes.continuation) half.isCompressed = (source.bytes[start]! & 0x40) !== 0;
    if (half.isCompressed) {
      half.missing++;
      return;
    }
    const { payload, payloadFrom, payloadTo } = layer;
    if (payloadTo === payloadFrom) return;
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#inner = this.#makeInner(payload, payloadFrom, payloadTo);
    }
    if (this.#inner === undefined) return;
    layer.isClaimed = true;
    const chunk = new StreamChunk(payload, payloadFrom, payloadTo, frame, half.missing, 0);
    half.missing = 0;
    this.#inner.receive(direction, chunk, frame, layers);
  }
}

/** Takes note of lost bytes. */
function passMissing(half: Half, missing: number): void {
  half.partial.clear();
  half.missing++;
  if (half.rest >= missing) half.rest -= missing;
  else {
    half.rest = 0;
    half.isLost = true;
  }
}

/** Header and payload. @returns 0 if the header is not whole */
function frameSize(bytes: Uint8Array, at: number, end: number): number {
  const headerLength = headerLengthOf(bytes, at, end);
  return headerLength === 0 ? 0 : headerLength + payloadLengthOf(bytes, at);
}

function headerLengthOf(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 2) return 0;
  const second = bytes[at + 1]!;
  const length = second & 0x7f;
  const headerLength = 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (second >= 0x80 ? 4 : 0);
  return end - at < headerLength ? 0 : headerLength;
}

function payloadLengthOf(bytes: Uint8Array, at: number): number {
  const length = bytes[at + 1]! & 0x7f;
  if (length === 126) return uint16At(bytes, at + 2);
  return length === 127 ? uint32At(bytes, at + 2) * 0x1_0000_0000 + uint32At(bytes, at + 6) : length;
}

/** Whether a frame may begin here: no reserved bits, an opcode that there is, and an end within what is there. */
function isPlausible(bytes: Uint8Array, at: number, end: number): boolean {
  const size = frameSize(bytes, at, end);
  if (size === 0 || at + size > end) return false;
  const opcode = bytes[at]! & 15;
  return (bytes[at]! & 0x70) === 0 && (opcode <= opcodes.binary || (opcode >= opcodes.close && opcode <= opcodes.pong));
}

function makeLayer(source: DataSource, start: number, end: number): WebSocketLayer {
  const { bytes } = source;
  const payloadStart = start + headerLengthOf(bytes, start, end);
  if (bytes[start + 1]! < 0x80) {
    return new WebSocketLayer(source, start, end, payloadStart, source, payloadStart, end);
  }
  const plain = new Uint8Array(end - payloadStart);
  for (let index = 0; index < plain.length; index++) {
    plain[index] = bytes[payloadStart + index]! ^ bytes[payloadStart - 4 + (index & 3)]!;
  }
  return new WebSocketLayer(source, start, end, payloadStart, new UnmaskedSource(plain), 0, plain.length);
}
