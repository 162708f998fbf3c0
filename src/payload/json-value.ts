/**
 * JSON as it was written: members keep their order and may repeat a name, which `JSON.parse` would lose. So a payload can be put
 * into a larger document and still say what its sender said. [RFC 8259]
 *
 * The reader is a little more tolerant than the RFC, in the ways in which the classic clients' one is: control characters inside
 * strings, any control character as white space, leading zeros and a bare decimal point in numbers.
 */

/** An object with its members in the order of the text. */
export class JsonObject {
  readonly members: (readonly [name: string, value: JsonValue])[];
  constructor(members: (readonly [name: string, value: JsonValue])[] = []) {
    this.members = members;
  }
}

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** Arrays and objects may stand inside each other this often. */
export const jsonDepthMax = 1_000;

/** Reads a JSON text; `undefined` if it is none, has anything but white space after it, or nests deeper than `jsonDepthMax`. */
export function parseJson(text: string): JsonValue | undefined {
  const reader = new JsonReader(text);
  try {
    const value = reader.value(0);
    reader.skipWhiteSpace();
    return reader.isAtEnd ? value : undefined;
  } catch (error) {
    if (error instanceof NotJson) return undefined;
    throw error;
  }
}

class NotJson extends Error {}

const numberPattern = /-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const literals: readonly (readonly [text: string, value: null | boolean])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
];
const shortEscapes = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

class JsonReader {
  readonly #text: string;
  #position = 0;
  constructor(text: string) {
    this.#text = text;
    if (text.charCodeAt(0) === 0xfeff) this.#position = 1;
  }

  get isAtEnd(): boolean {
    return this.#position === this.#text.length;
  }

  skipWhiteSpace(): void {
    while (this.#text.charCodeAt(this.#position) <= 0x20) this.#position++;
  }

  value(depth: number): JsonValue {
    this.skipWhiteSpace();
    const first = this.#text[this.#position];
    if (first === '{') return this.#object(depth + 1);
    if (first === '[') return this.#array(depth + 1);
    if (first === '"') return this.#string();
    for (const [text, value] of literals) {
      if (!this.#text.startsWith(text, this.#position)) continue;
      this.#position += text.length;
      return value;
    }
    return this.#number(first);
  }

  #number(first: string | undefined): number {
    if (first === undefined || !/[-0-9]/.test(first)) throw new NotJson();
    numberPattern.lastIndex = this.#position;
    const [digits] = numberPattern.exec(this.#text) ?? [];
    if (digits === undefined) throw new NotJson();
    this.#position += digits.length;
    return Number(digits);
  }

  #array(depth: number): JsonValue[] {
    const values: JsonValue[] = [];
    this.#items(depth, ']', () => values.push(this.value(depth)));
    return values;
  }

  #object(depth: number): JsonObject {
    const members: (readonly [string, JsonValue])[] = [];
    this.#items(depth, '}', () => {
      this.skipWhiteSpace();
      const name = this.#string();
      this.skipWhiteSpace();
      this.#expect(':');
      members.push([name, this.value(depth)]);
    });
    return new JsonObject(members);
  }

  /** What stands between brackets, with commas between the items. */
  #items(depth: number, end: string, readItem: () => void): void {
    if (depth > jsonDepthMax) throw new NotJson();
    this.#position++;
    this.skipWhiteSpace();
    if (this.#text[this.#position] === end) {
      this.#position++;
      return;
    }
    while (true) {
      readItem();
      this.skipWhiteSpace();
      if (this.#text[this.#position] !== ',') break;
      this.#position++;
    }
    this.#expect(end);
  }

  #expect(character: string): void {
    if (this.#text[this.#position] !== character) throw new NotJson();
    this.#position++;
  }

  #string(): string {
    this.#expect('"');
    let value = '';
    let copied = this.#position;
    while (true) {
      const character = this.#text[this.#position];
      if (character === undefined) throw new NotJson();
      if (character !== '"' && character !== '\\') {
        this.#position++;
        continue;
      }
      value += this.#text.slice(copied, this.#position);
      this.#position++;
      if (character === '"') return value;
      value += this.#escape();
      copied = this.#position;
    }
  }

  #escape(): string {
    const character = this.#text[this.#position++];
    if (character !== 'u') {
      const meant = character === undefined ? undefined : shortEscapes.get(character);
      if (meant === undefined) throw new NotJson();
      return meant;
    }
    const unit = this.#hexUnit();
    if (unit < 0xd800 || unit > 0xdfff) return String.fromCharCode(unit);
    // Half of a pair alone has no meaning in UTF-8.
    if (unit > 0xdbff || !this.#text.startsWith('\\u', this.#position)) throw new NotJson();
    this.#position += 2;
    const low = this.#hexUnit();
    if (low < 0xdc00 || low > 0xdfff) throw new NotJson();
    return String.fromCharCode(unit, low);
  }

  #hexUnit(): number {
    const digits = this.#text.slice(this.#position, this.#position + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw new NotJson();
    this.#position += 4;
    return Number.parseInt(digits, 16);
  }
}
