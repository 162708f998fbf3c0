/** Why a capture file cannot be read, or not further. What came before is good. */

/**
 * `empty`: no bytes at all. `unknown-format`: no capture file, or one of a kind that is not read. `cut-short`: it ends in the middle of something.
 * `damaged`: what it says of itself cannot be so.
 */
export type CaptureFault = 'empty' | 'unknown-format' | 'cut-short' | 'damaged';

export class CaptureFileError extends Error {
  readonly fault: CaptureFault;
  /** Where in the file, in bytes after decompression. */
  readonly offset: number;

  /** @param message without the file's name, which nobody here knows */
  constructor(fault: CaptureFault, offset: number, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'CaptureFileError';
    this.fault = fault;
    this.offset = offset;
  }
}
