/** Options behind the fixed part of a pcapng block: code, length, value, padding to four bytes; code 0 ends them. */
import { CaptureFileError } from './capture-file-error.ts';
import { optionCodes } from './pcapng-blocks.ts';
import { readUint16 } from './record-reader.ts';

const decoder = new TextDecoder();

/** The text in `bytes[start..end)`, as far as the first NUL; what is no UTF-8 becomes U+FFFD. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  const zero = bytes.subarray(start, end).indexOf(0);
  return decoder.decode(bytes.subarray(start, zero < 0 ? end : start + zero));
}

/** Goes from option to option; a reader is reused so that none is allocated per packet. */
export class OptionsReader {
  code = 0;
  /** Of the value. */
  start = 0;
  end = 0;
  private bytes: Uint8Array = new Uint8Array(0);
  private position = 0;
  private limit = 0;
  private isLittleEndian = true;
  private fileOffset = 0;

  /** @param fileOffset of `bytes[0]`, for errors */
  begin(bytes: Uint8Array, start: number, end: number, isLittleEndian: boolean, fileOffset: number): void {
    this.bytes = bytes;
    this.position = start;
    this.limit = end;
    this.isLittleEndian = isLittleEndian;
    this.fileOffset = fileOffset;
  }

  /**
   * Goes to the next option; false at the end.
   * @throws {CaptureFileError} `damaged` if it reaches beyond its block
   */
  next(): boolean {
    const { position, limit, bytes } = this;
    if (limit - position < 4) return false;
    this.code = readUint16(bytes, position, this.isLittleEndian);
    if (this.code === optionCodes.end) return false;
    const length = readUint16(bytes, position + 2, this.isLittleEndian);
    this.start = position + 4;
    this.end = this.start + length;
    if (this.end > limit) {
      const offset = this.fileOffset + position;
      const room = limit - this.start;
      const what = `option ${this.code}, at byte ${offset}, has ${length} bytes where its block has room for ${room}`;
      throw new CaptureFileError('damaged', offset, what);
    }
    this.position = this.start + ((length + 3) & ~3);
    return true;
  }

  text(): string {
    return decodeText(this.bytes, this.start, this.end);
  }
}
