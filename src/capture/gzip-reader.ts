/**
 * gzip unpacked, as its bytes come: members, one behind the other, which together are one file. [RFC 1952]
 *
 * pako does it, which is zlib: the platform's own DecompressionStream withholds, of a file that was cut or damaged, bytes that it has unpacked already,
 * and cannot be asked synchronously.
 */
import { Inflate, Z_SYNC_FLUSH } from 'pako';
import { CaptureFileError } from './capture-file-error.ts';

/** Only gzip, with the largest window. */
const gzipWindowBits = 31;
const outputBytes = 65_536;

/** What pako keeps of a stream. */
interface Stream {
  readonly output: Uint8Array;
  readonly next_out: number;
  readonly next_in: number;
}

export class GzipReader {
  #inflate = newInflate();
  #stream: Stream | undefined;
  /** Of the first byte of the chunk in hand, in the packed file. */
  #offset = 0;
  /** Behind the last member: there may be zeros, or another member. */
  #isBetween = false;

  /** Whether bytes begin as a gzip file does. */
  static recognises(bytes: Uint8Array): boolean {
    return bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
  }

  /**
   * Hands everything that can be unpacked now to `take`, in pieces that nobody writes to any more.
   * @throws {CaptureFileError} `damaged`, after all that comes before the damage
   */
  push(chunk: Uint8Array, take: (bytes: Uint8Array) => void): void {
    let start = 0;
    while (start < chunk.length) {
      if (this.#isBetween) {
        while (start < chunk.length && chunk[start] === 0) start++;
        if (start === chunk.length) break;
        this.#inflate = newInflate();
        this.#isBetween = false;
      }
      start = this.#unpack(chunk, start, take);
    }
    this.#offset += chunk.length;
  }

  /** What is missing at the end of the file, if anything is. */
  end(): CaptureFileError | undefined {
    if (this.#isBetween) return undefined;
    const offset = this.#offset;
    return new CaptureFileError('cut-short', offset, `its gzip data ends too early, at byte ${offset}`);
  }

  /** Unpacks up to the end of the chunk, or of the last member in it. Returns where that is. */
  #unpack(chunk: Uint8Array, start: number, take: (bytes: Uint8Array) => void): number {
    const inflate = this.#inflate;
    inflate.onStart = (stream) => {
      this.#stream = stream as unknown as Stream;
    };
    inflate.onData = take;
    // Called at the end, when all has been handed on.
    inflate.onEnd = () => {};
    inflate.push(chunk.subarray(start), Z_SYNC_FLUSH);
    const { output, next_out: unpacked, next_in: used } = this.#stream as Stream;
    if (inflate.err !== 0) {
      if (unpacked > 0) take(output.subarray(0, unpacked));
      const offset = this.#offset + start + used;
      throw new CaptureFileError('damaged', offset, `${faultOf(inflate.msg)}, at byte ${offset}`);
    }
    this.#isBetween = inflate.ended;
    return inflate.ended ? start + used : chunk.length;
  }
}

function newInflate(): Inflate {
  return new Inflate({ windowBits: gzipWindowBits, chunkSize: outputBytes });
}

function faultOf(message: string): string {
  switch (message) {
    case 'incorrect data check':
      return 'its gzip checksum is wrong';
    case 'incorrect length check':
      return 'its gzip length is wrong';
    case 'incorrect header check':
      return 'something else follows its gzip data';
    default:
      return `its gzip data cannot be: ${message}`;
  }
}
