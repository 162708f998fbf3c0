/**
 * gzip unpacked, as its bytes come: members, one behind the other, which together are one file. [RFC 1952]
 *
 *     header ──▶ data ──▶ trailer ──▶ header …      after a trailer there may be zeros, and nothing else
 */
import { CaptureFileError } from './capture-file-error.ts';
import { crc32 } from './crc32.ts';
import { Inflater } from './inflater.ts';
import { readUint16, readUint32 } from './record-reader.ts';

const headerBytesMin = 10;
const trailerBytes = 8;
/** Longest header that is read; names and comments in it end somewhere. */
const headerBytesMax = 65_536 * 2;

const flags = { headerChecksum: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;

type GzipState = 'header' | 'data' | 'trailer';

export class GzipReader {
  private state: GzipState = 'header';
  private inflater = new Inflater();
  private members = 0;
  private checksum = 0;
  /** Unpacked bytes of the member, modulo 2^32. */
  private size = 0;
  /** What was left of the chunk before. */
  private rest: Uint8Array = new Uint8Array(0);
  /** Of the first byte that is not used up, in the packed file. */
  private offset = 0;

  /** Whether bytes begin as a gzip file does. */
  static recognises(bytes: Uint8Array): boolean {
    return bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
  }

  /**
   * Hands everything that can be unpacked now to `take`, in pieces that nobody writes to any more.
   * @throws {CaptureFileError} `damaged`, after all that comes before the damage
   */
  push(chunk: Uint8Array, take: (bytes: Uint8Array) => void): void {
    const bytes = this.rest.length === 0 ? chunk : joined(this.rest, chunk);
    let position = 0;
    while (true) {
      const before = position;
      const { state } = this;
      if (state === 'header') position = this.readHeader(bytes, position);
      else if (state === 'data') position = this.readData(bytes, position, take);
      else position = this.readTrailer(bytes, position);
      if (position === before && this.state === state) break;
    }
    this.rest = bytes.slice(position);
    this.offset += position;
  }

  /** What is missing at the end of the file, if anything is. */
  end(): CaptureFileError | undefined {
    if (this.state === 'header' && this.members > 0 && this.rest.length === 0) return undefined;
    const offset = this.offset + this.rest.length;
    return new CaptureFileError('cut-short', offset, `its gzip data ends too early, at byte ${offset}`);
  }

  /** Behind what it read: nothing, if the header is not whole. */
  private readHeader(bytes: Uint8Array, start: number): number {
    let position = start;
    if (this.members > 0) {
      while (position < bytes.length && bytes[position] === 0) position++;
      if (position === bytes.length || position > start) return position;
    }
    if (bytes.length - position < 2) return start;
    if (!GzipReader.recognises(bytes.subarray(position, position + 2))) {
      throw this.damaged(position, 'something else follows its gzip data');
    }
    if (bytes.length - position < headerBytesMin) return start;
    if (bytes[position + 2] !== 8) throw this.damaged(position, `gzip method ${bytes[position + 2]}; expected 8`);
    const present = bytes[position + 3]!;
    if ((present & flags.reserved) !== 0) throw this.damaged(position, `gzip flags 0x${present.toString(16)}`);
    position += headerBytesMin;
    if ((present & flags.extra) !== 0) {
      if (bytes.length - position < 2) return start;
      position += 2 + readUint16(bytes, position, true);
    }
    for (const text of [flags.name, flags.comment]) {
      if ((present & text) === 0) continue;
      const end = bytes.indexOf(0, position);
      if (end < 0) {
        if (bytes.length - start > headerBytesMax) throw this.damaged(start, 'a gzip header without an end');
        return start;
      }
      position = end + 1;
    }
    if ((present & flags.headerChecksum) !== 0) position += 2;
    if (position > bytes.length) return start;
    this.members++;
    this.checksum = 0;
    this.size = 0;
    this.inflater = new Inflater();
    this.state = 'data';
    return position;
  }

  private readData(bytes: Uint8Array, start: number, take: (bytes: Uint8Array) => void): number {
    const { inflater } = this;
    let position = start;
    while (true) {
      let problem: unknown;
      try {
        inflater.take(bytes, position, this.offset);
      } catch (error) {
        problem = error;
      }
      const unpacked = inflater.fetch();
      if (unpacked.length > 0) {
        this.checksum = crc32(unpacked, this.checksum);
        this.size = (this.size + unpacked.length) >>> 0;
        take(unpacked);
      }
      if (problem !== undefined) throw problem;
      const isStill = unpacked.length === 0 && inflater.position === position;
      position = inflater.position;
      if (inflater.state === 'done') this.state = 'trailer';
      if (isStill || inflater.state === 'done') return position;
    }
  }

  private readTrailer(bytes: Uint8Array, start: number): number {
    if (bytes.length - start < trailerBytes) return start;
    if (readUint32(bytes, start, true) !== this.checksum) throw this.damaged(start, 'its gzip checksum is wrong');
    if (readUint32(bytes, start + 4, true) !== this.size) throw this.damaged(start + 4, 'its gzip length is wrong');
    this.state = 'header';
    return start + trailerBytes;
  }

  private damaged(position: number, what: string): CaptureFileError {
    const offset = this.offset + position;
    return new CaptureFileError('damaged', offset, `${what}, at byte ${offset}`);
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
