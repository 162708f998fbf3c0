/**
 * The classic capture file: a header, then records.
 *
 *     0           4        8      12     16           20         24
 *     +-----------+--------+------+------+------------+----------+
 *     | magic     | version| zone | 0    | snap length| link type|     all numbers in the byte order of the magic
 *     +-----------+--------+------+------+------------+----------+
 *     0           4        8          12            16
 *     +-----------+--------+----------+-------------+---------
 *     | seconds   | µs, ns | captured | on the wire | frame …          modified pcap has 8 more bytes before the frame
 *     +-----------+--------+----------+-------------+---------
 */
import { CaptureFileError } from './capture-file-error.ts';
import { type CaptureInterface, Frame } from './frame.ts';
import { frameBytesMax, type RecordReader, readUint32 } from './record-reader.ts';

const fileHeaderBytes = 24;
const recordHeaderBytes = 16;

interface Variant {
  readonly isLittleEndian: boolean;
  readonly isNanosecond: boolean;
  /** Between a record's header and its frame. */
  readonly extraBytes: number;
}

/** By the first four bytes of the file, read as a big-endian number. */
const variants = new Map<number, Variant>([
  [0xa1b2c3d4, { isLittleEndian: false, isNanosecond: false, extraBytes: 0 }],
  [0xd4c3b2a1, { isLittleEndian: true, isNanosecond: false, extraBytes: 0 }],
  [0xa1b23c4d, { isLittleEndian: false, isNanosecond: true, extraBytes: 0 }],
  [0x4d3cb2a1, { isLittleEndian: true, isNanosecond: true, extraBytes: 0 }],
  [0xa1b2cd34, { isLittleEndian: false, isNanosecond: false, extraBytes: 8 }],
  [0x34cdb2a1, { isLittleEndian: true, isNanosecond: false, extraBytes: 8 }],
]);

/** @param magic the first four bytes of the file, as a big-endian number */
export function isPcapMagic(magic: number): boolean {
  return variants.has(magic);
}

export class PcapReader implements RecordReader {
  needed = fileHeaderBytes;
  /** As the header describes it; undefined before the header was read. */
  captureInterface: CaptureInterface | undefined = undefined;
  private readonly isLittleEndian: boolean;
  private readonly fractionsPerSecond: number;
  private readonly nanosecondsPerFraction: number;
  private readonly headerBytes: number;
  private frameCount = 0;

  /** @param magic one that `isPcapMagic` */
  constructor(magic: number) {
    const { isLittleEndian, isNanosecond, extraBytes } = variants.get(magic)!;
    this.isLittleEndian = isLittleEndian;
    this.fractionsPerSecond = isNanosecond ? 1e9 : 1e6;
    this.nanosecondsPerFraction = isNanosecond ? 1 : 1000;
    this.headerBytes = recordHeaderBytes + extraBytes;
  }

  read(bytes: Uint8Array, start: number, end: number, frames: Frame[], fileOffset: number): number {
    let position = start;
    let captureInterface = this.captureInterface;
    if (captureInterface === undefined) {
      if (end - position < fileHeaderBytes) return position;
      captureInterface = this.readFileHeader(bytes, position, fileOffset + position);
      position += fileHeaderBytes;
    }
    const { isLittleEndian, headerBytes, fractionsPerSecond, nanosecondsPerFraction } = this;
    const { buffer, byteOffset } = bytes;
    while (end - position >= headerBytes) {
      const captured = readUint32(bytes, position + 8, isLittleEndian);
      if (captured > frameBytesMax) throw this.tooLong(captured, fileOffset + position);
      if (captured > end - position - headerBytes) {
        this.needed = headerBytes + captured;
        return position;
      }
      let seconds = readUint32(bytes, position, isLittleEndian);
      let fraction = readUint32(bytes, position + 4, isLittleEndian);
      if (fraction >= fractionsPerSecond) {
        const whole = Math.floor(fraction / fractionsPerSecond);
        seconds += whole;
        fraction -= whole * fractionsPerSecond;
      }
      const length = readUint32(bytes, position + 12, isLittleEndian);
      const frameStart = position + headerBytes;
      frames.push(
        new Frame(
          ++this.frameCount,
          seconds,
          fraction * nanosecondsPerFraction,
          length,
          new Uint8Array(buffer, byteOffset + frameStart, captured),
          captureInterface,
          undefined,
        ),
      );
      position = frameStart + captured;
    }
    this.needed = headerBytes;
    return position;
  }

  private readFileHeader(bytes: Uint8Array, position: number, offset: number): CaptureInterface {
    const version = readUint32(bytes, position + 4, this.isLittleEndian);
    const major = this.isLittleEndian ? version & 0xffff : version >>> 16;
    if (major !== 2) {
      throw new CaptureFileError(
        'damaged',
        offset + 4,
        `its header has version ${major} of the format; there is only 2`,
      );
    }
    const link = readUint32(bytes, position + 20, this.isLittleEndian);
    if ((link & 0x03ff_0000) !== 0) {
      const digits = link.toString(16).padStart(8, '0');
      throw new CaptureFileError('damaged', offset + 20, `its header has bits set beside the link type: 0x${digits}`);
    }
    // Bit 26 says that the topmost four bits count the 16-bit words of a frame check sequence.
    const checkSequenceLength = (link & 0x0400_0000) === 0 ? undefined : (link >>> 28) * 2;
    this.captureInterface = {
      index: 0,
      linkType: link & 0xffff,
      snapLength: readUint32(bytes, position + 16, this.isLittleEndian),
      name: undefined,
      description: undefined,
      timeDigits: this.nanosecondsPerFraction === 1 ? 9 : 6,
      checkSequenceLength,
    };
    return this.captureInterface;
  }

  private tooLong(captured: number, offset: number): CaptureFileError {
    const what = `frame ${this.frameCount + 1}, at byte ${offset}, has ${captured} bytes; at most ${frameBytesMax} can be`;
    return new CaptureFileError('damaged', offset, what);
  }
}
