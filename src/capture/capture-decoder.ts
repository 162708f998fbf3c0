/**
 * Bytes of a capture file, as they come, to frames. The kind of file is found by its first bytes. Frames that lie whole in a chunk are views
 * of it; only what straddles chunks is copied, so a chunk must not be written to afterwards.
 *
 *     const decoder = new CaptureDecoder();
 *     for (const chunk of chunks) show(decoder.push(chunk));
 *     const problem = decoder.end();
 */
import { CaptureFileError } from './capture-file-error.ts';
import type { CaptureInterface, Frame } from './frame.ts';
import { GzipReader } from './gzip-reader.ts';
import { isPcapMagic, PcapReader } from './pcap-reader.ts';
import { type CaptureSecrets, type CaptureSection, type ResolvedName, sectionHeaderType } from './pcapng-blocks.ts';
import { PcapngReader } from './pcapng-reader.ts';
import { type RecordReader, readUint32 } from './record-reader.ts';

/** The first four bytes of files that are captures for others, or packed, as a big-endian number. */
const otherFormats: readonly (readonly [magic: number, name: string])[] = [
  [0x28b52ffd, 'compressed with zstd; it has to be unpacked first'],
  [0x04224d18, 'compressed with lz4; it has to be unpacked first'],
  [0xfd377a58, 'compressed with xz; it has to be unpacked first'],
  [0x504b0304, 'a zip archive; it has to be unpacked first'],
  [0x736e6f6f, 'a capture of the snoop format, which is not read; editcap converts it'],
];

const magicBytes = 4;

export class CaptureDecoder {
  /** undefined until the first bytes were seen. */
  format: 'pcap' | 'pcapng' | undefined = undefined;
  /** What stopped the reading; nothing is read after it. */
  problem: CaptureFileError | undefined = undefined;
  /** undefined until it is known whether the file is packed. */
  isCompressed: boolean | undefined = undefined;
  private reader: RecordReader | undefined = undefined;
  private gzip: GzipReader | undefined = undefined;
  private pcap: PcapReader | undefined = undefined;
  private pcapng: PcapngReader | undefined = undefined;
  /** The beginning of what is not whole yet: `pending[0..pendingLength)`. */
  private pending = new Uint8Array(0);
  private pendingLength = 0;
  /** Where in the file `pending[0]` is. */
  private offset = 0;

  /** So far, in the order of the file; those of frames that are no packets are not among them. */
  get interfaces(): readonly CaptureInterface[] {
    if (this.pcapng !== undefined) return this.pcapng.interfaces;
    const only = this.pcap?.captureInterface;
    return only === undefined ? [] : [only];
  }

  /** Sections of a pcapng file so far. */
  get sections(): readonly CaptureSection[] {
    return this.pcapng?.sections ?? [];
  }

  /** What a pcapng file says for decryption, so far; at most 64 MiB. */
  get secrets(): readonly CaptureSecrets[] {
    return this.pcapng?.secrets ?? [];
  }

  /** Names of addresses in a pcapng file, so far; at most 262,144. */
  get names(): readonly ResolvedName[] {
    return this.pcapng?.names ?? [];
  }

  /**
   * The frames that are whole now. Never throws: see `problem`. gzip unpacks to a thousand times its size at most, so of what `isCompressed`
   * should be pushed little at once.
   */
  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    if (this.problem !== undefined) return frames;
    try {
      if (this.isCompressed === undefined) this.takeFirst(chunk, frames);
      else this.unpack(chunk, frames);
    } catch (error) {
      if (!(error instanceof CaptureFileError)) throw error;
      this.problem = error;
      this.pending = new Uint8Array(0);
      this.pendingLength = 0;
    }
    return frames;
  }

  /** To be called after the last chunk. What was wrong with the file, if anything: the frames before that were delivered. */
  end(): CaptureFileError | undefined {
    if (this.problem !== undefined) return this.problem;
    const { offset, pendingLength } = this;
    this.problem = this.gzip?.end();
    if (this.problem !== undefined) return this.problem;
    if (this.reader === undefined) {
      this.problem =
        pendingLength === 0
          ? new CaptureFileError('empty', 0, 'there are no bytes in it')
          : this.unknownFormat(this.pending.subarray(0, pendingLength));
    } else if (pendingLength > 0) {
      const what = `it ends at byte ${offset + pendingLength}, in the middle of what begins at byte ${offset}`;
      this.problem = new CaptureFileError('cut-short', offset, `${what} and has at least ${this.reader.needed} bytes`);
    }
    return this.problem;
  }

  /** Two bytes say whether it is packed. */
  private takeFirst(chunk: Uint8Array, frames: Frame[]): void {
    const count = this.fill(2, chunk, 0);
    if (this.pendingLength < 2) return;
    const start = this.pending;
    this.pending = new Uint8Array(0);
    this.pendingLength = 0;
    this.isCompressed = GzipReader.recognises(start);
    if (this.isCompressed) this.gzip = new GzipReader();
    if (count === 2) this.unpack(chunk, frames);
    else for (const part of [start, chunk.subarray(count)]) this.unpack(part, frames);
  }

  private unpack(chunk: Uint8Array, frames: Frame[]): void {
    if (this.gzip === undefined) this.take(chunk, frames);
    else this.gzip.push(chunk, (bytes) => this.take(bytes, frames));
  }

  private take(chunk: Uint8Array, frames: Frame[]): void {
    let position = 0;
    while (this.pendingLength > 0) {
      position += this.fill(this.reader?.needed ?? magicBytes, chunk, position);
      const length = this.pendingLength;
      if (length < (this.reader?.needed ?? magicBytes)) return;
      const reader = this.reader ?? this.recognise(this.pending);
      const read = reader.read(this.pending, 0, length, frames, this.offset);
      if (read === 0) continue;
      // No more was put there than what was needed, so it was read as a whole.
      this.offset += read;
      this.pendingLength = 0;
      // Its frames are views of it.
      this.pending = new Uint8Array(0);
    }
    if (this.reader === undefined && chunk.length - position >= magicBytes) this.recognise(chunk.subarray(position));
    if (this.reader !== undefined) {
      const base = this.offset - position;
      position = this.reader.read(chunk, position, chunk.length, frames, base);
      this.offset = base + position;
    }
    if (position < chunk.length)
      this.fill(Math.max(this.reader?.needed ?? magicBytes, chunk.length - position), chunk, position);
  }

  /** Appends to `pending` until there are `wanted` bytes. Returns how many it took. */
  private fill(wanted: number, chunk: Uint8Array, position: number): number {
    const count = Math.min(wanted - this.pendingLength, chunk.length - position);
    const length = this.pendingLength + count;
    if (length > this.pending.length) {
      // Doubling: a length that promises much takes no more memory than twice what has come.
      const grown = new Uint8Array(Math.min(Math.max(wanted, length), Math.max(length, 2 * this.pending.length, 4096)));
      grown.set(this.pending.subarray(0, this.pendingLength));
      this.pending = grown;
    }
    this.pending.set(chunk.subarray(position, position + count), this.pendingLength);
    this.pendingLength = length;
    return count;
  }

  private recognise(bytes: Uint8Array): RecordReader {
    const magic = readUint32(bytes, 0, false);
    if (isPcapMagic(magic)) {
      this.format = 'pcap';
      this.reader = this.pcap = new PcapReader(magic);
    } else if (magic === sectionHeaderType) {
      this.format = 'pcapng';
      this.reader = this.pcapng = new PcapngReader();
    } else throw this.unknownFormat(bytes);
    return this.reader;
  }

  private unknownFormat(bytes: Uint8Array): CaptureFileError {
    const start = bytes.subarray(0, magicBytes);
    const digits = Array.from(start, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const magic = start.length < magicBytes ? 0 : readUint32(start, 0, false);
    const known = otherFormats.find(([other]) => other === magic);
    const what = known === undefined ? `it begins with ${digits}; expected pcap, pcapng or gzip` : `it is ${known[1]}`;
    return new CaptureFileError('unknown-format', 0, what);
  }
}
