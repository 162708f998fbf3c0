/**
 * What a connection is going to send, gathered for one turn of the event loop: one write per connection and turn carries
 * many packets. Buffers come from a pool and go back once the system has taken their bytes.
 */
import { ByteWriter } from '../base/byte-writer.ts';

const initialBytes = 4096;
/** Larger buffers are left to the garbage collector. */
const pooledBytesMax = 256 * 1024;
const pooledBuffersMax = 512;

export class OutputBuffer extends ByteWriter {
  /** Gives the buffer back to its pool; made once, so that a write allocates no closure. */
  readonly release: () => void;

  constructor(pool: OutputPool) {
    super(initialBytes);
    this.release = () => pool.put(this);
  }

  /** Appends `source[start..end)`: small ranges byte by byte, because a view of the range costs more than the copy. */
  appendRange(source: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.ensure(size);
    const { bytes } = this;
    let position = this.length;
    if (size <= 128) {
      for (let index = start; index < end; index++) bytes[position++] = source[index] as number;
    } else {
      bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), position);
    }
    this.length += size;
  }
}

export class OutputPool {
  readonly #free: OutputBuffer[] = [];

  take(): OutputBuffer {
    return this.#free.pop() ?? new OutputBuffer(this);
  }

  put(buffer: OutputBuffer): void {
    if (buffer.bytes.length > pooledBytesMax || this.#free.length >= pooledBuffersMax) return;
    buffer.length = 0;
    this.#free.push(buffer);
  }
}
