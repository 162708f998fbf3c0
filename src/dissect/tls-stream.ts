/** TLS in the bytes of a connection: records, and what is in them if somebody can decrypt it. RFC 8446 §5, RFC 5246 §6. */
import type { Direction } from '../capture/flow.ts';
import type { DataSource, Frame } from '../capture/frame.ts';
import { StreamChunk } from '../capture/stream-chunk.ts';
import { uint16At, uint24At } from './layers/bytes.ts';
import { contentType, recordHeaderLength, TlsLayer, TlsRecord } from './layers/tls-layer.ts';
import { SegmentBuffer } from './segment-buffer.ts';
import type { StreamDissector, UpperLayer } from './stream-dissector.ts';
import type { DecryptedRecord, TlsDecryptor } from './tls-decryption.ts';

/** Largest record: 2^14 bytes, and what ciphers add. [RFC 5246 §6.2.3] */
const fragmentBytesMax = 16_384 + 2048;

/** What a record decrypted to. */
class DecryptedSource implements DataSource {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get name(): string {
    return `Decrypted TLS (${this.bytes.length} bytes)`;
  }
}

/** One direction. */
class Half {
  readonly partial = new SegmentBuffer();
  /** Bytes were lost: nothing is known of where the next record begins. */
  isLost = false;
  /** Change Cipher Spec was seen: what follows is encrypted. */
  isEncrypted = false;
  /** Decrypted bytes that are missing before the next ones. */
  missing = 0;
}

/** Whether bytes may begin a record: type, major version, length. */
export function isRecordHeader(bytes: Uint8Array, at: number, end: number): boolean {
  if (at + recordHeaderLength > end) return false;
  const type = bytes[at]!;
  const length = uint16At(bytes, at + 3);
  return (
    type >= 20 && type <= 24 && bytes[at + 1] === 3 && bytes[at + 2]! <= 4 && length > 0 && length <= fragmentBytesMax
  );
}

export class TlsStream implements StreamDissector {
  readonly #decryptor: TlsDecryptor | undefined;
  readonly #application: string | undefined;
  readonly #makeInner: () => StreamDissector;
  readonly #halves: readonly [Half, Half] = [new Half(), new Half()];
  #inner: StreamDissector | undefined = undefined;
  /** Of the session: what the ServerHello chose; 0 before it. */
  #version = 0;

  /**
   * @param application - what is said to be within, by the port: `MQ Telemetry Transport Protocol`
   * @param makeInner - makes what dissects decrypted bytes; called once at most
   */
  constructor(decryptor: TlsDecryptor | undefined, application: string | undefined, makeInner: () => StreamDissector) {
    this.#decryptor = decryptor;
    this.#application = application;
    this.#makeInner = makeInner;
  }

  receive(direction: Direction, chunk: StreamChunk, frame: Frame, layers: UpperLayer[]): void {
    const half = this.#halves[direction];
    let at = chunk.start;
    const { source, end } = chunk;
    if (chunk.missing > 0) this.#lose(direction, half);
    if (half.isLost) {
      if (!isRecordHeader(source.bytes, at, end)) return;
      half.isLost = false;
    }
    if (half.partial.length > 0) {
      at = this.#complete(direction, half, chunk, at, frame, layers);
      if (half.isLost) return;
    }
    let layer: TlsLayer | undefined;
    while (at + recordHeaderLength <= end) {
      if (!isRecordHeader(source.bytes, at, end)) {
        this.#lose(direction, half);
        return;
      }
      const next = at + recordHeaderLength + uint16At(source.bytes, at + 3);
      if (next > end) break;
      layer ??= this.#openLayer(source, at, layers);
      this.#take(direction, half, layer, at, next, frame, layers);
      at = next;
    }
    if (at < end && !half.isLost) half.partial.append(source.bytes, at, end, chunk.frame.number);
  }

  end(direction: Direction, frame: Frame, layers: UpperLayer[]): void {
    this.#halves[direction].partial.clear();
    this.#inner?.end(direction, frame, layers);
  }

  pending(direction: Direction): number {
    return this.#halves[direction].partial.length;
  }

  #lose(direction: Direction, half: Half): void {
    half.partial.clear();
    half.isLost = true;
    half.missing = 1;
    this.#decryptor?.lose(direction);
  }

  /** Goes on with a record whose beginning came before. */
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
    if (partial.length < recordHeaderLength) {
      const taken = Math.min(recordHeaderLength - partial.length, chunk.end - at);
      partial.append(bytes, at, at + taken, chunk.frame.number);
      at += taken;
      if (partial.length < recordHeaderLength) return at;
      if (!isRecordHeader(partial.bytes, 0, partial.length)) {
        this.#lose(direction, half);
        return at;
      }
    }
    const size = recordHeaderLength + uint16At(partial.bytes, 3);
    const taken = Math.min(size - partial.length, chunk.end - at);
    partial.append(bytes, at, at + taken, chunk.frame.number);
    at += taken;
    if (partial.length < size) return at;
    const source = partial.finish('TCP');
    const layer = this.#openLayer(source, 0, layers);
    this.#take(direction, half, layer, 0, size, frame, layers);
    return at;
  }

  #openLayer(source: DataSource, at: number, layers: UpperLayer[]): TlsLayer {
    const layer = new TlsLayer(source, at, this.#version === 0 ? uint16At(source.bytes, at + 1) : this.#version);
    layers.push(layer);
    return layer;
  }

  #take(
    direction: Direction,
    half: Half,
    layer: TlsLayer,
    start: number,
    end: number,
    frame: Frame,
    layers: UpperLayer[],
  ): void {
    const { bytes } = layer.source;
    const type = bytes[start]!;
    const fragment = start + recordHeaderLength;
    const decrypted = this.#decryptor?.receive(
      direction,
      type,
      uint16At(bytes, start + 1),
      bytes.subarray(fragment, end),
    );
    const record = this.#makeRecord(half, layer.source, start, end, type, decrypted);
    if (type === contentType.changeCipherSpec) half.isEncrypted = true;
    if (record.contentType === contentType.handshake && !record.isEncrypted)
      this.#readServerHello(bytes, fragment, end);
    if (this.#version !== 0) layer.version = this.#version;
    layer.records.push(record);
    layer.end = end;
    if (decrypted === undefined || decrypted.contentType !== contentType.applicationData) return;
    this.#inner ??= this.#makeInner();
    layer.hasInnerStage = true;
    const before = layers.length;
    const content = record.content!;
    const chunk = new StreamChunk(content, 0, content.bytes.length, frame, half.missing, 0);
    half.missing = 0;
    this.#inner.receive(direction, chunk, frame, layers);
    layer.lastRecordLayers = layers.length - before;
    record.isSegment = this.#inner.pending(direction) > 0 || isGathered(layers, before, frame);
  }

  #makeRecord(
    half: Half,
    source: DataSource,
    start: number,
    end: number,
    type: number,
    decrypted: DecryptedRecord | undefined,
  ): TlsRecord {
    const application = type === contentType.applicationData ? this.#application : undefined;
    if (decrypted !== undefined) {
      const content = new DecryptedSource(decrypted.bytes);
      const isApplication = decrypted.contentType === contentType.applicationData;
      return new TlsRecord(
        start,
        end,
        true,
        content,
        0,
        decrypted.contentType,
        isApplication ? application : undefined,
      );
    }
    // An alert has two bytes: what has more is encrypted, even if the capture begins behind the change of ciphers.
    const isLongAlert = type === contentType.alert && end - start !== recordHeaderLength + 2;
    const isHidden = isLongAlert || (half.isEncrypted && type !== contentType.changeCipherSpec);
    const content = isHidden || type === contentType.applicationData ? undefined : source;
    return new TlsRecord(start, end, false, content, start + recordHeaderLength, type, application);
  }

  /** The version that was chosen: the one of the ServerHello, or of its extension supported_versions. [RFC 8446 §4.2.1] */
  #readServerHello(bytes: Uint8Array, start: number, end: number): void {
    if (bytes[start] !== 2 || start + 38 > end) return;
    const messageEnd = Math.min(end, start + 4 + uint24At(bytes, start + 1));
    this.#version = uint16At(bytes, start + 4);
    let at = start + 38;
    at += 1 + (bytes[at] ?? 0);
    at += 3 + 2;
    while (at + 4 <= messageEnd) {
      const length = uint16At(bytes, at + 2);
      if (uint16At(bytes, at) === 43 && length === 2 && at + 6 <= messageEnd) this.#version = uint16At(bytes, at + 4);
      at += 4 + length;
    }
  }
}

/** Whether what a record completed was begun in records before it. */
function isGathered(layers: readonly UpperLayer[], from: number, frame: Frame): boolean {
  for (let index = from; index < layers.length; index++) {
    if (layers[index]!.source.segments?.at(-1)?.frame === frame.number) return true;
  }
  return false;
}
