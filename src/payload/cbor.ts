/** CBOR, complete, as nodes with diagnostic notation. [RFC 8949] */

import { quoteJson } from './json-string.ts';
import { NodeBudget, PayloadFault, PayloadNode, plainMap, printNode, spacedStyle } from './payload-node.ts';
import { bytesText, decodeExactly, floatText, utf8FaultAt } from './payload-text.ts';

/** A tag whose meaning is not one of those that `readCbor` puts into the value itself. */
export class TaggedValue {
  readonly tag: number | bigint;
  readonly value: unknown;
  constructor(tag: number | bigint, value: unknown) {
    this.tag = tag;
    this.value = value;
  }
}

/** A simple value that has no meaning yet: 0–19, 32–255. */
export class SimpleValue {
  readonly number: number;
  constructor(number: number) {
    this.number = number;
  }
}

const majorTypes = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, other: 7 } as const;
const indefinite = 31;
const breakByte = 0xff;

const tags = {
  dateText: 0,
  dateNumber: 1,
  bignum: 2,
  negativeBignum: 3,
  decimalFraction: 4,
  bigfloat: 5,
  embedded: 24,
} as const;
/** Tags that say what text or bytes are good for, and leave the value as it is: base64, URI, MIME, self-described CBOR … */
const transparentTags: ReadonlySet<unknown> = new Set([21, 22, 23, 32, 33, 34, 35, 36, 55_799]);

/** Bignums are written out in decimal up to so many bytes. */
const bignumBytesMax = 128;
/** Keys are texts as a rule; of others this much is shown. */
const keyCharactersMax = 1_000;

/**
 * The one data item that all of `bytes` are; with `isSequence` as many as there are, as an array. [RFC 8742]
 * @throws {PayloadFault}
 */
export function readCbor(bytes: Uint8Array, isSequence = false): PayloadNode {
  const reader = new CborReader(bytes, 0, bytes.length);
  return isSequence ? reader.sequence() : reader.whole();
}

class CborReader {
  private readonly bytes: Uint8Array;
  private readonly end: number;
  private position: number;
  private readonly budget: NodeBudget;
  /** Of the initial byte in hand: a count, a length or a value. */
  private argument: number | bigint = 0;

  constructor(bytes: Uint8Array, start: number, end: number, budget = new NodeBudget()) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
    this.budget = budget;
  }

  whole(depth = 1): PayloadNode {
    const node = this.item(undefined, depth);
    if (this.position < this.end) throw this.fault('more bytes after the data item', this.position);
    return node;
  }

  sequence(): PayloadNode {
    const start = this.position;
    const items: PayloadNode[] = [];
    while (this.position < this.end) items.push(this.item(undefined, 1));
    const values = items.map(({ value }) => value);
    return new PayloadNode(undefined, start, this.end, values, '', '', items, true);
  }

  private item(name: string | undefined, depth: number): PayloadNode {
    const start = this.position;
    this.budget.take(depth, start);
    const initial = this.byte();
    const major = initial >> 5;
    const info = initial & 31;
    if (major === majorTypes.other) return this.simpleOrFloat(name, start, info);
    const isIndefinite = info === indefinite;
    if (isIndefinite ? major < majorTypes.bytes || major === majorTypes.tag : info > 27) {
      throw this.fault(`initial byte 0x${initial.toString(16)}, which has no meaning`, start);
    }
    if (!isIndefinite) this.readArgument(info);
    switch (major) {
      case majorTypes.unsigned:
        return this.leaf(name, start, this.argument, String(this.argument));
      case majorTypes.negative: {
        const value = negative(this.argument);
        return this.leaf(name, start, value, String(value));
      }
      case majorTypes.bytes:
      case majorTypes.text:
        return isIndefinite ? this.chunks(name, start, major, depth) : this.string(name, start, major);
      case majorTypes.array:
        return this.array(name, start, isIndefinite, depth);
      case majorTypes.map:
        return this.map(name, start, isIndefinite, depth);
      default:
        return this.tagged(name, start, this.argument, depth);
    }
  }

  private leaf(name: string | undefined, start: number, value: unknown, text: string): PayloadNode {
    return new PayloadNode(name, start, this.position, value, text);
  }

  private string(name: string | undefined, start: number, major: number): PayloadNode {
    const length = this.length(major === majorTypes.text ? 'text' : 'byte string', start);
    const from = this.position;
    this.position += length;
    if (major === majorTypes.bytes) {
      const value = this.bytes.subarray(from, this.position);
      return this.leaf(name, start, value, bytesText(value));
    }
    const text = decodeExactly(this.bytes, from, this.position);
    if (text === undefined) throw this.fault('a text that is not UTF-8', utf8FaultAt(this.bytes, from, this.position));
    return this.leaf(name, start, text, quoteJson(text));
  }

  /** Strings of the same kind, of known lengths, up to a break. [RFC 8949 §3.2.3] */
  private chunks(name: string | undefined, start: number, major: number, depth: number): PayloadNode {
    const chunks: PayloadNode[] = [];
    while (!this.atBreak()) {
      const chunkStart = this.position;
      this.budget.take(depth + 1, chunkStart);
      const initial = this.byte();
      if (initial >> 5 !== major || (initial & 31) > 27) {
        throw this.fault(`initial byte 0x${initial.toString(16)} between the parts of a string`, chunkStart);
      }
      this.readArgument(initial & 31);
      chunks.push(this.string(undefined, chunkStart, major));
    }
    const values = chunks.map(({ value }) => value);
    const value = major === majorTypes.text ? values.join('') : joined(values as Uint8Array[]);
    if (chunks.length === 0) return this.leaf(name, start, value, major === majorTypes.text ? '""_' : "''_");
    return new PayloadNode(name, start, this.position, value, '(_ ', ')', chunks);
  }

  private array(name: string | undefined, start: number, isIndefinite: boolean, depth: number): PayloadNode {
    const count = isIndefinite ? -1 : this.length('array', start);
    const elements: PayloadNode[] = [];
    while (isIndefinite ? !this.atBreak() : elements.length < count) elements.push(this.item(undefined, depth + 1));
    const values = elements.map(({ value }) => value);
    return new PayloadNode(name, start, this.position, values, isIndefinite ? '[_ ' : '[', ']', elements);
  }

  private map(name: string | undefined, start: number, isIndefinite: boolean, depth: number): PayloadNode {
    const count = isIndefinite ? -1 : this.length('map', start);
    const members: PayloadNode[] = [];
    const entries: [unknown, unknown][] = [];
    while (isIndefinite ? !this.atBreak() : entries.length < count) {
      const key = this.item(undefined, depth + 1);
      const member = this.item(printNode(key, spacedStyle, keyCharactersMax), depth + 1);
      members.push(member);
      entries.push([key.value, member.value]);
    }
    return new PayloadNode(name, start, this.position, plainMap(entries), isIndefinite ? '{_ ' : '{', '}', members);
  }

  private tagged(name: string | undefined, start: number, tag: number | bigint, depth: number): PayloadNode {
    const content = this.item(undefined, depth + 1);
    const { value } = content;
    if (
      (tag === tags.bignum || tag === tags.negativeBignum) &&
      value instanceof Uint8Array &&
      value.length <= bignumBytesMax
    ) {
      const magnitude = bigInteger(value);
      const number = tag === tags.bignum ? magnitude : -1n - magnitude;
      return this.leaf(name, start, number, String(number));
    }
    const plain = tagMeaning(tag, value);
    if (tag === tags.embedded && value instanceof Uint8Array) {
      const inner = this.embedded(content.end - value.length, content.end, depth + 1);
      const text = `${tag}(${content.opening})`;
      if (inner !== undefined)
        return new PayloadNode(name, start, this.position, inner.value, text, '', [inner], false);
    }
    return new PayloadNode(name, start, this.position, plain, `${tag}(`, ')', [content]);
  }

  /** CBOR in a byte string, where it is some. */
  private embedded(start: number, end: number, depth: number): PayloadNode | undefined {
    try {
      return new CborReader(this.bytes, start, end, this.budget).whole(depth);
    } catch (error) {
      if (error instanceof PayloadFault) return undefined;
      throw error;
    }
  }

  private simpleOrFloat(name: string | undefined, start: number, info: number): PayloadNode {
    if (info === 20 || info === 21) return this.leaf(name, start, info === 21, String(info === 21));
    if (info === 22) return this.leaf(name, start, null, 'null');
    if (info === 23) return this.leaf(name, start, undefined, 'undefined');
    if (info < 24) return this.leaf(name, start, new SimpleValue(info), `simple(${info})`);
    if (info === 24) {
      const number = this.byte();
      if (number < 32) throw this.fault(`simple value ${number} in two bytes`, start);
      return this.leaf(name, start, new SimpleValue(number), `simple(${number})`);
    }
    if (info > 27) {
      const what =
        info === indefinite
          ? 'a break without anything to end'
          : `initial byte 0x${(0xe0 | info).toString(16)}, which has no meaning`;
      throw this.fault(what, start);
    }
    const size = 2 ** (info - 24);
    if (this.end - this.position < size) throw this.pastEnd('float', size, start);
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.position, size);
    this.position += size;
    const value = size === 2 ? halfFloat(view.getUint16(0)) : size === 4 ? view.getFloat32(0) : view.getFloat64(0);
    return this.leaf(name, start, value, floatText(value));
  }

  private byte(): number {
    if (this.position >= this.end) throw this.fault('it ends where a data item should be', this.position);
    return this.bytes[this.position++]!;
  }

  private atBreak(): boolean {
    if (this.bytes[this.position] !== breakByte || this.position >= this.end) return false;
    this.position++;
    return true;
  }

  private readArgument(info: number): void {
    if (info < 24) {
      this.argument = info;
      return;
    }
    const size = 2 ** (info - 24);
    if (this.end - this.position < size) throw this.pastEnd('number', size, this.position);
    let number = 0;
    for (let index = 0; index < Math.min(size, 4); index++) number = number * 256 + this.bytes[this.position++]!;
    if (size < 8) {
      this.argument = number;
      return;
    }
    let low = 0;
    for (let index = 0; index < 4; index++) low = low * 256 + this.bytes[this.position++]!;
    this.argument = number < 0x20_0000 ? number * 0x1_0000_0000 + low : (BigInt(number) << 32n) | BigInt(low);
  }

  /** The argument as a length or count: each item has a byte at least, so there cannot be more than bytes. */
  private length(what: string, start: number): number {
    const left = this.end - this.position;
    if (this.argument > left) throw this.pastEnd(what, this.argument, start);
    return Number(this.argument);
  }

  private pastEnd(what: string, size: number | bigint, offset: number): PayloadFault {
    return this.fault(`${what} of ${size}, but ${this.end - this.position} bytes left`, offset);
  }

  private fault(what: string, offset: number): PayloadFault {
    return new PayloadFault(`no CBOR: ${what}, at byte ${offset}`, offset);
  }
}

function negative(argument: number | bigint): number | bigint {
  if (typeof argument === 'number' && argument < Number.MAX_SAFE_INTEGER) return -1 - argument;
  return -1n - BigInt(argument);
}

function tagMeaning(tag: number | bigint, value: unknown): unknown {
  if (tag === tags.dateText && typeof value === 'string') return dateOr(Date.parse(value), tag, value);
  if (tag === tags.dateNumber && typeof value === 'number') return dateOr(value * 1000, tag, value);
  if ((tag === tags.decimalFraction || tag === tags.bigfloat) && Array.isArray(value) && value.length === 2) {
    const [exponent, mantissa] = value as [unknown, unknown];
    if (isNumber(exponent) && isNumber(mantissa)) {
      if (tag === tags.decimalFraction) return Number(`${mantissa}e${exponent}`);
      return Number(mantissa) * 2 ** Number(exponent);
    }
  }
  return transparentTags.has(tag) ? value : new TaggedValue(tag, value);
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

function dateOr(milliseconds: number, tag: number, value: unknown): Date | TaggedValue {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? new TaggedValue(tag, value) : date;
}

function bigInteger(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let position = 0;
  for (const part of parts) {
    whole.set(part, position);
    position += part.length;
  }
  return whole;
}

/** [RFC 8949 appendix D] */
function halfFloat(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  const sign = bits > 0x7fff ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}
