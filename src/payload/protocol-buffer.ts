/** Messages of Protocol Buffers, without knowing what their fields mean. [protobuf.dev/programming-guides/encoding] */
import { PayloadFault } from './payload-node.ts';

export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

export class ProtocolField {
  readonly number: number;
  /** One of `wireTypes`. */
  readonly wireType: number;
  /** Of the field, with its tag. */
  readonly start: number;
  readonly end: number;
  /** Where its content begins, for `bytes`, without the length. */
  readonly contentStart: number;
  /** Of a varint; a bigint from 2^53 on. */
  readonly varint: number | bigint;

  constructor(
    number: number,
    wireType: number,
    start: number,
    contentStart: number,
    end: number,
    varint: number | bigint,
  ) {
    this.number = number;
    this.wireType = wireType;
    this.start = start;
    this.contentStart = contentStart;
    this.end = end;
    this.varint = varint;
  }
}

const fieldNumberMax = 2 ** 29 - 1;

/**
 * The fields of `bytes[start..end)`, one by one.
 *
 *     const reader = new ProtocolReader(bytes, start, end);
 *     for (let field = reader.next(); field !== undefined; field = reader.next()) …
 */
export class ProtocolReader {
  private readonly bytes: Uint8Array;
  private readonly end: number;
  private position: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  /** @throws {PayloadFault} */
  next(): ProtocolField | undefined {
    const start = this.position;
    if (start >= this.end) return undefined;
    const tag = this.varint();
    const number = typeof tag === 'number' ? Math.floor(tag / 8) : 0;
    if (number < 1 || number > fieldNumberMax) throw this.fault(`a field with the tag ${tag}`, start);
    const wireType = Number(tag) & 7;
    const contentStart = this.position;
    switch (wireType) {
      case wireTypes.varint: {
        const value = this.varint();
        return new ProtocolField(number, wireType, start, contentStart, this.position, value);
      }
      case wireTypes.fixed64:
      case wireTypes.fixed32:
        return this.skip(number, wireType, start, wireType === wireTypes.fixed64 ? 8 : 4);
      case wireTypes.bytes:
        return this.skip(number, wireType, start, this.varint());
    }
    throw this.fault(`field ${number} of the wire type ${wireType}`, start);
  }

  private skip(number: number, wireType: number, start: number, length: number | bigint): ProtocolField {
    const contentStart = this.position;
    const left = this.end - contentStart;
    if (length > left) throw this.fault(`field ${number} of ${length}, but ${left} bytes left`, start);
    this.position += Number(length);
    return new ProtocolField(number, wireType, start, contentStart, this.position, 0);
  }

  private varint(): number | bigint {
    const start = this.position;
    let value = 0;
    for (let index = 0; index < 10; index++) {
      if (this.position >= this.end) throw this.fault('it ends in the middle of a number', start);
      const byte = this.bytes[this.position++]!;
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : this.longVarint(start);
    }
    throw this.fault('a number of more than ten bytes', start);
  }

  private longVarint(start: number): bigint {
    let value = 0n;
    for (let position = this.position - 1; position >= start; position--) {
      value = (value << 7n) | BigInt(this.bytes[position]! & 0x7f);
    }
    return BigInt.asUintN(64, value);
  }

  private fault(what: string, offset: number): PayloadFault {
    return new PayloadFault(`no Protocol Buffers message: ${what}, at byte ${offset}`, offset);
  }
}
