/** JSON to nodes, strictly, from its bytes: where each value is, and how it was written. [RFC 8259] */
import { decodeUtf8 } from '../base/bytes.ts';

import { NodeBudget, PayloadFault, PayloadNode } from './payload-node.ts';
import { decodeLeniently } from './payload-text.ts';

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

const whiteSpace: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d]);

const literals: readonly (readonly [text: string, value: unknown])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];

const numberPattern = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * The value that all of `bytes` are. Numbers and strings keep their spelling in the nodes' texts.
 * @param bytes well-formed UTF-8
 * @throws {PayloadFault}
 */
export function readJson(bytes: Uint8Array): PayloadNode {
  return new JsonBytes(bytes).whole();
}

class JsonBytes {
  private readonly bytes: Uint8Array;
  private position = 0;
  private readonly budget = new NodeBudget();

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    // A byte order mark may be there, and means nothing.
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) this.position = 3;
  }

  whole(): PayloadNode {
    this.skipSpace();
    const node = this.value(undefined, 1);
    this.skipSpace();
    if (this.position < this.bytes.length) throw this.unexpected('the end');
    return node;
  }

  private value(name: string | undefined, depth: number): PayloadNode {
    const start = this.position;
    this.budget.take(depth, start);
    const first = this.bytes[start];
    if (first === openBrace) return this.object(name, depth);
    if (first === openBracket) return this.array(name, depth);
    if (first === quote) {
      const text = this.string();
      return new PayloadNode(name, start, this.position, unquoted(text), text);
    }
    const word = this.word();
    const literal = literals.find(([text]) => text === word);
    if (literal !== undefined) return new PayloadNode(name, start, this.position, literal[1], word);
    if (!numberPattern.test(word)) {
      this.position = start;
      throw this.unexpected('a value');
    }
    return new PayloadNode(name, start, this.position, Number(word), word);
  }

  private object(name: string | undefined, depth: number): PayloadNode {
    const start = this.position++;
    const members: PayloadNode[] = [];
    const entries: [string, unknown][] = [];
    this.items(closeBrace, () => {
      if (this.bytes[this.position] !== quote) throw this.unexpected('a name in quotation marks');
      const memberName = this.string();
      this.skipSpace();
      this.expect(colon, 'a colon');
      this.skipSpace();
      const member = this.value(memberName, depth + 1);
      members.push(member);
      entries.push([unquoted(memberName), member.value]);
    });
    return new PayloadNode(name, start, this.position, Object.fromEntries(entries), '{', '}', members);
  }

  private array(name: string | undefined, depth: number): PayloadNode {
    const start = this.position++;
    const elements: PayloadNode[] = [];
    this.items(closeBracket, () => elements.push(this.value(undefined, depth + 1)));
    const values = elements.map(({ value }) => value);
    return new PayloadNode(name, start, this.position, values, '[', ']', elements);
  }

  private items(end: number, readItem: () => void): void {
    this.skipSpace();
    if (this.bytes[this.position] === end) {
      this.position++;
      return;
    }
    while (true) {
      readItem();
      this.skipSpace();
      if (this.bytes[this.position] !== comma) break;
      this.position++;
      this.skipSpace();
    }
    this.expect(end, `a comma or ${String.fromCharCode(end)}`);
  }

  /** From quotation mark to quotation mark, as it is written. */
  private string(): string {
    const { bytes } = this;
    const start = this.position++;
    while (true) {
      const byte = bytes[this.position];
      if (byte === undefined) throw this.unexpected('a quotation mark');
      if (byte < 0x20) throw this.unexpected('an escape instead of a control character');
      this.position++;
      if (byte === quote) return this.text(start);
      if (byte === backslash) this.escape();
    }
  }

  private escape(): void {
    const letter = String.fromCharCode(this.bytes[this.position] ?? 0);
    if (letter === 'u') {
      for (let digit = 1; digit <= 4; digit++) {
        if (!isHexDigit(this.bytes[this.position + digit])) throw this.unexpected('four hexadecimal digits');
      }
      this.position += 5;
    } else if ('"\\/bfnrt'.includes(letter)) this.position++;
    else throw this.unexpected('an escape of JSON');
  }

  /** What could be a number or a literal. */
  private word(): string {
    const start = this.position;
    while (isWordByte(this.bytes[this.position])) this.position++;
    return this.text(start);
  }

  /** From there to here; quick for what is short and ASCII. */
  private text(start: number): string {
    return decodeUtf8(this.bytes, start, this.position) ?? decodeLeniently(this.bytes, start, this.position);
  }

  private skipSpace(): void {
    while (whiteSpace.has(this.bytes[this.position])) this.position++;
  }

  private expect(byte: number, what: string): void {
    if (this.bytes[this.position] !== byte) throw this.unexpected(what);
    this.position++;
  }

  private unexpected(expected: string): PayloadFault {
    const { position } = this;
    const found = position < this.bytes.length ? byteName(this.bytes[position]!) : 'the end';
    return new PayloadFault(`no JSON: ${found} at byte ${position}; expected ${expected}`, position);
  }
}

/** What a string means, given as it is written. */
function unquoted(text: string): string {
  return text.includes('\\') ? JSON.parse(text) : text.slice(1, -1);
}

function byteName(byte: number): string {
  return byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `0x${byte.toString(16).padStart(2, '0')}`;
}

function isHexDigit(byte: number | undefined): boolean {
  return byte !== undefined && /[0-9a-fA-F]/.test(String.fromCharCode(byte));
}

/** Letters, digits, and `+ - .` */
function isWordByte(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x41 && byte <= 0x7a && byte !== openBracket && byte !== backslash && byte !== closeBracket) ||
    byte === 0x2b ||
    byte === 0x2d ||
    byte === 0x2e
  );
}
