/** What the readers of the file formats have in common. */
import type { Frame } from './frame.ts';

/** Bytes that a capture keeps of a frame at most; more is damage. The limit of tcpdump and tshark for all links with IP on them. */
export const frameBytesMax = 262_144;

export interface RecordReader {
  /** Bytes that what begins where `read` stopped has at least: asking again with fewer is of no use. */
  needed: number;
  /**
   * Reads what lies whole in `bytes[start..end)` and appends its frames, which are views of `bytes`.
   * @param fileOffset of `bytes[0]`, for errors
   * @returns where the first record begins that is not whole
   * @throws {CaptureFileError} `damaged`; frames before it have been appended
   */
  read(bytes: Uint8Array, start: number, end: number, frames: Frame[], fileOffset: number): number;
}

export function readUint16(bytes: Uint8Array, position: number, isLittleEndian: boolean): number {
  const first = bytes[position]!;
  const second = bytes[position + 1]!;
  return isLittleEndian ? first | (second << 8) : (first << 8) | second;
}

export function readUint32(bytes: Uint8Array, position: number, isLittleEndian: boolean): number {
  const first = bytes[position]!;
  const second = bytes[position + 1]!;
  const third = bytes[position + 2]!;
  const fourth = bytes[position + 3]!;
  return isLittleEndian
    ? (first | (second << 8) | (third << 16) | (fourth << 24)) >>> 0
    : ((first << 24) | (second << 16) | (third << 8) | fourth) >>> 0;
}
