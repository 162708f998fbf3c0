/** Writes the classic capture file, little-endian. See pcap-reader.ts for its layout. */
import { CaptureBuffer } from './capture-buffer.ts';
import type { Frame } from './frame.ts';
import { frameBytesMax } from './record-reader.ts';

export interface PcapWriterOptions {
  /** Of all frames, one of `linkTypes` or another number that the format knows. */
  readonly linkType: number;
  /** Default microseconds: what is finer is cut off. */
  readonly resolution?: 'microseconds' | 'nanoseconds' | undefined;
  /** Largest number of bytes kept of a frame, as the header says it; default 262,144. */
  readonly snapLength?: number | undefined;
}

/**
 *     const writer = new PcapWriter({ linkType: linkTypes.ethernet });
 *     for (const frame of frames) writer.writeFrame(frame);
 *     file.write(writer.take());
 */
export class PcapWriter {
  readonly linkType: number;
  private readonly buffer = new CaptureBuffer();
  private readonly nanosecondsPerFraction: number;

  constructor(options: PcapWriterOptions) {
    const { linkType, resolution = 'microseconds', snapLength = frameBytesMax } = options;
    this.linkType = linkType;
    this.nanosecondsPerFraction = resolution === 'nanoseconds' ? 1 : 1000;
    const { buffer } = this;
    buffer.uint32(resolution === 'nanoseconds' ? 0xa1b23c4d : 0xa1b2c3d4);
    buffer.uint16(2);
    buffer.uint16(4);
    buffer.uint32(0);
    buffer.uint32(0);
    buffer.uint32(snapLength);
    buffer.uint32(linkType);
  }

  /** Bytes that `take` would give. */
  get pendingBytes(): number {
    return this.buffer.length;
  }

  /** Whether the format can say what the frame is: all must be of one link type. */
  accepts(frame: Frame): boolean {
    return frame.interface.linkType === this.linkType;
  }

  /**
   * Comments and flags have no place in this format.
   * @throws {RangeError} if it does not `accept` the frame
   */
  writeFrame(frame: Frame): void {
    if (!this.accepts(frame)) {
      throw new RangeError(
        `frame ${frame.number} has link type ${frame.interface.linkType}; the file has ${this.linkType}`,
      );
    }
    this.writePacket(frame.seconds, frame.nanoseconds, frame.length, frame.bytes);
  }

  /**
   * @param length on the wire
   * @param bytes as far as they were captured
   * @param rest follows `bytes` directly: for headers and payload that lie apart
   */
  writePacket(seconds: number, nanoseconds: number, length: number, bytes: Uint8Array, rest?: Uint8Array): void {
    const { buffer } = this;
    const captured = bytes.length + (rest === undefined ? 0 : rest.length);
    buffer.ensure(16 + captured);
    buffer.uint32(seconds);
    buffer.uint32(Math.floor(nanoseconds / this.nanosecondsPerFraction));
    buffer.uint32(captured);
    buffer.uint32(length);
    buffer.raw(bytes);
    if (rest !== undefined) buffer.raw(rest);
  }

  /** What was written since the last time, at first with the file's header. To be used up before the next time. */
  take(): Uint8Array {
    return this.buffer.take();
  }
}
