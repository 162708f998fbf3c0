/** Capture files byte by byte, in both byte orders, as a test wants them: also wrong. Written apart from the writers under src/. */

export class FileBytes {
  private readonly bytes: number[] = [];
  readonly isLittleEndian: boolean;

  constructor(isLittleEndian = true) {
    this.isLittleEndian = isLittleEndian;
  }

  uint(value: number | bigint, size: number): this {
    for (let index = 0; index < size; index++) {
      const shift = BigInt(8 * (this.isLittleEndian ? index : size - 1 - index));
      this.bytes.push(Number((BigInt(value) >> shift) & 0xffn));
    }
    return this;
  }

  raw(bytes: Iterable<number>): this {
    this.bytes.push(...bytes);
    return this;
  }

  text(text: string): this {
    return this.raw(new TextEncoder().encode(text));
  }

  pad(): this {
    while (this.bytes.length % 4 !== 0) this.bytes.push(0);
    return this;
  }

  get length(): number {
    return this.bytes.length;
  }

  take(): Uint8Array {
    return Uint8Array.from(this.bytes);
  }
}

export interface PcapOptions {
  readonly isLittleEndian?: boolean;
  readonly magic?: number;
  readonly linkType?: number;
  readonly extraBytes?: number;
}

/** Records as [seconds, fraction, frame, length on the wire, length captured]. */
export type PcapRecord = readonly [
  seconds: number,
  fraction: number,
  frame: Uint8Array,
  length?: number,
  captured?: number,
];

export function pcapFile(records: readonly PcapRecord[], options: PcapOptions = {}): Uint8Array {
  const { isLittleEndian = true, magic = 0xa1b2c3d4, linkType = 1, extraBytes = 0 } = options;
  const file = new FileBytes(isLittleEndian).uint(magic, 4).uint(2, 2).uint(4, 2).uint(0, 4).uint(0, 4);
  file.uint(65_535, 4).uint(linkType, 4);
  for (const [seconds, fraction, frame, length = frame.length, captured = frame.length] of records) {
    file
      .uint(seconds, 4)
      .uint(fraction, 4)
      .uint(captured, 4)
      .uint(length, 4)
      .raw(new Uint8Array(extraBytes))
      .raw(frame);
  }
  return file.take();
}

/** Options of a block as [code, value]. */
export type BlockOptions = readonly (readonly [code: number, value: string | Uint8Array])[];

export class PcapngBytes {
  readonly isLittleEndian: boolean;

  constructor(isLittleEndian = true) {
    this.isLittleEndian = isLittleEndian;
  }

  fields(...values: readonly (readonly [value: number | bigint, size: number])[]): Uint8Array {
    const bytes = new FileBytes(this.isLittleEndian);
    for (const [value, size] of values) bytes.uint(value, size);
    return bytes.take();
  }

  block(type: number, body: Uint8Array, options: BlockOptions = [], lengthAgain?: number): Uint8Array {
    const padded = new FileBytes(this.isLittleEndian).raw(body).pad();
    for (const [code, value] of options) {
      const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
      padded.uint(code, 2).uint(bytes.length, 2).raw(bytes).pad();
    }
    if (options.length > 0) padded.uint(0, 4);
    const length = padded.length + 12;
    return new FileBytes(this.isLittleEndian)
      .uint(type, 4)
      .uint(length, 4)
      .raw(padded.take())
      .uint(lengthAgain ?? length, 4)
      .take();
  }

  section(options: BlockOptions = [], major = 1): Uint8Array {
    return this.block(0x0a0d0d0a, this.fields([0x1a2b3c4d, 4], [major, 2], [0, 2], [2n ** 64n - 1n, 8]), options);
  }

  interface(linkType = 1, snapLength = 0, options: BlockOptions = []): Uint8Array {
    return this.block(1, this.fields([linkType, 2], [0, 2], [snapLength, 4]), options);
  }

  packet(
    index: number,
    ticks: bigint,
    frame: Uint8Array,
    length = frame.length,
    options: BlockOptions = [],
  ): Uint8Array {
    const head = this.fields([index, 4], [ticks >> 32n, 4], [ticks & 0xffff_ffffn, 4], [frame.length, 4], [length, 4]);
    return this.block(6, joined(head, frame), options);
  }
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
