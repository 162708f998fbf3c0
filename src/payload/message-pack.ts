/** MessagePack, complete, as nodes in the diagnostic notation of CBOR. [github.com/msgpack/msgpack/blob/master/spec.md] */
import { quoteJson } from './json-string.ts';
import { NodeBudget, PayloadFault, PayloadNode, plainMap, printNode, spacedStyle } from './payload-node.ts';
import { bytesText, decodeExactly, floatText } from './payload-text.ts';

/** A value of a type that the application defines (0–127), or that is not defined yet (below 0). */
export class ExtensionValue {
  readonly type: number;
  readonly bytes: Uint8Array;
  constructor(type: number, bytes: Uint8Array) {
    this.type = type;
    this.bytes = bytes;
  }
}

const timestampType = -1;
/** Keys are texts as a rule; of others this much is shown. */
const keyCharactersMax = 1_000;

/**
 * The one value that all of `bytes` are.
 * @throws {PayloadFault}
 */
export function readMessagePack(bytes: Uint8Array): PayloadNode {
  return new MessagePackReader(bytes).whole();
}

class MessagePackReader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private position = 0;
  private readonly budget = new NodeBudget();

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  whole(): PayloadNode {
    const node = this.item(undefined, 1);
    if (this.position < this.bytes.length) throw this.fault('more bytes after the value', this.position);
    return node;
  }

  private item(name: string | undefined, depth: number): PayloadNode {
    const start = this.position;
    this.budget.take(depth, start);
    const first = this.unsigned(1, start);
    if (first < 0x80) return this.leaf(name, start, first, String(first));
    if (first < 0x90) return this.map(name, start, first & 15, depth);
    if (first < 0xa0) return this.array(name, start, first & 15, depth);
    if (first < 0xc0) return this.text(name, start, first & 31);
    if (first >= 0xe0) return this.leaf(name, start, first - 256, String(first - 256));
    switch (first) {
      case 0xc0:
        return this.leaf(name, start, null, 'null');
      case 0xc2:
      case 0xc3:
        return this.leaf(name, start, first === 0xc3, String(first === 0xc3));
      case 0xc4:
      case 0xc5:
      case 0xc6: {
        const value = this.take(this.unsigned(2 ** (first - 0xc4), start), 'byte string', start);
        return this.leaf(name, start, value, bytesText(value));
      }
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.extension(name, start, this.unsigned(2 ** (first - 0xc7), start));
      case 0xca:
        this.need(4, 'float', start);
        return this.float(name, start, this.view.getFloat32(this.position), 4);
      case 0xcb:
        this.need(8, 'float', start);
        return this.float(name, start, this.view.getFloat64(this.position), 8);
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.number(name, start, this.unsigned(2 ** (first - 0xcc), start));
      case 0xcf:
        this.need(8, 'number', start);
        return this.longNumber(name, start, this.view.getBigUint64(this.position));
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const size = 2 ** (first - 0xd0);
        const value = this.unsigned(size, start);
        return this.number(name, start, value >= 2 ** (8 * size - 1) ? value - 2 ** (8 * size) : value);
      }
      case 0xd3:
        this.need(8, 'number', start);
        return this.longNumber(name, start, this.view.getBigInt64(this.position));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.extension(name, start, 2 ** (first - 0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.text(name, start, this.unsigned(2 ** (first - 0xd9), start));
      case 0xdc:
      case 0xdd:
        return this.array(name, start, this.unsigned(2 ** (first - 0xdb), start), depth);
      case 0xde:
      case 0xdf:
        return this.map(name, start, this.unsigned(2 ** (first - 0xdd), start), depth);
    }
    throw this.fault(`0x${first.toString(16)}, which is never used`, start);
  }

  private leaf(name: string | undefined, start: number, value: unknown, text: string): PayloadNode {
    return new PayloadNode(name, start, this.position, value, text);
  }

  private number(name: string | undefined, start: number, value: number): PayloadNode {
    return this.leaf(name, start, value, String(value));
  }

  private longNumber(name: string | undefined, start: number, value: bigint): PayloadNode {
    this.position += 8;
    const short = Number(value);
    return this.leaf(name, start, Number.isSafeInteger(short) ? short : value, String(value));
  }

  private float(name: string | undefined, start: number, value: number, size: number): PayloadNode {
    this.position += size;
    return this.leaf(name, start, value, floatText(value));
  }

  /** Text may be no UTF-8: then it is shown as the bytes it is. */
  private text(name: string | undefined, start: number, length: number): PayloadNode {
    const value = this.take(length, 'text', start);
    const text = decodeExactly(value, 0, length);
    return text === undefined
      ? this.leaf(name, start, value, bytesText(value))
      : this.leaf(name, start, text, quoteJson(text));
  }

  private array(name: string | undefined, start: number, count: number, depth: number): PayloadNode {
    this.need(count, 'array', start);
    const elements: PayloadNode[] = [];
    while (elements.length < count) elements.push(this.item(undefined, depth + 1));
    const values = elements.map(({ value }) => value);
    return new PayloadNode(name, start, this.position, values, '[', ']', elements);
  }

  private map(name: string | undefined, start: number, count: number, depth: number): PayloadNode {
    this.need(2 * count, 'map', start);
    const members: PayloadNode[] = [];
    const entries: [unknown, unknown][] = [];
    while (members.length < count) {
      const key = this.item(undefined, depth + 1);
      const member = this.item(printNode(key, spacedStyle, keyCharactersMax), depth + 1);
      members.push(member);
      entries.push([key.value, member.value]);
    }
    return new PayloadNode(name, start, this.position, plainMap(entries), '{', '}', members);
  }

  private extension(name: string | undefined, start: number, length: number): PayloadNode {
    const unsignedType = this.unsigned(1, start);
    const type = unsignedType > 127 ? unsignedType - 256 : unsignedType;
    const bytes = this.take(length, 'extension', start);
    const time = type === timestampType ? timestampOf(bytes) : undefined;
    if (time !== undefined) return this.leaf(name, start, time.date, `timestamp(${time.text})`);
    return this.leaf(name, start, new ExtensionValue(type, bytes), `ext(${type}, ${bytesText(bytes)})`);
  }

  /** A number of 1, 2 or 4 bytes. */
  private unsigned(size: number, start: number): number {
    this.need(size, 'number', start);
    let value = 0;
    for (let index = 0; index < size; index++) value = value * 256 + this.bytes[this.position++]!;
    return value;
  }

  private take(length: number, what: string, start: number): Uint8Array {
    this.need(length, what, start);
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }

  private need(size: number, what: string, start: number): void {
    const left = this.bytes.length - this.position;
    if (left === 0 && size > 0) throw this.fault('it ends where more should follow', this.position);
    if (size > left) throw this.fault(`${what} of ${size}, but ${left} bytes left`, start);
  }

  private fault(what: string, offset: number): PayloadFault {
    return new PayloadFault(`no MessagePack: ${what}, at byte ${offset}`, offset);
  }
}

/** The three forms of the timestamp extension; undefined if it is none of them, or no date. */
function timestampOf(bytes: Uint8Array): { date: Date; text: string } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let seconds: number;
  let nanoseconds = 0;
  if (bytes.length === 4) seconds = view.getUint32(0);
  else if (bytes.length === 8) {
    nanoseconds = view.getUint32(0) >>> 2;
    seconds = (view.getUint32(0) & 3) * 0x1_0000_0000 + view.getUint32(4);
  } else if (bytes.length === 12) {
    nanoseconds = view.getUint32(0);
    seconds = Number(view.getBigInt64(4));
  } else return undefined;
  const whole = new Date(seconds * 1000);
  if (nanoseconds > 999_999_999 || Number.isNaN(whole.getTime())) return undefined;
  const fraction = nanoseconds === 0 ? '' : `.${String(nanoseconds).padStart(9, '0').replace(/0+$/, '')}`;
  const date = new Date(seconds * 1000 + Math.floor(nanoseconds / 1e6));
  return { date, text: `"${whole.toISOString().replace('.000Z', `${fraction}Z`)}"` };
}
