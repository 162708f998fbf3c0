/** Takes a JSON object apart, member by member: what is missing, of another kind or too much is told by its name. */
import { isWellFormed } from '../../base/bytes.ts';

/** What is wrong, without saying in which line. */
export class JsonFault extends Error {}

export class JsonFields {
  readonly #members: Readonly<Record<string, unknown>>;
  readonly #left: Set<string>;
  /** In front of names: `will.`. */
  readonly #prefix: string;

  constructor(value: unknown, prefix = '') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new JsonFault(`${prefix === '' ? 'the line' : prefix.slice(0, -1)} is no object`);
    }
    this.#members = value as Readonly<Record<string, unknown>>;
    this.#left = new Set(Object.keys(value));
    this.#prefix = prefix;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#members, name);
  }

  /** Undefined if it is not there. */
  take(name: string): unknown {
    this.#left.delete(name);
    return Object.hasOwn(this.#members, name) ? this.#members[name] : undefined;
  }

  text(name: string): string {
    const value = this.take(name);
    if (typeof value !== 'string') throw this.fault(name, 'a text', value);
    if (!isWellFormed(value)) throw new JsonFault(`${this.#prefix}${name} has half a surrogate pair in it`);
    return value;
  }

  optionalText(name: string): string | undefined {
    return this.has(name) ? this.text(name) : undefined;
  }

  flag(name: string): boolean {
    const value = this.take(name) ?? false;
    if (typeof value !== 'boolean') throw this.fault(name, 'true or false', value);
    return value;
  }

  /** A whole number. */
  number(name: string, minimum: number, maximum: number, missing?: number): number {
    const value = this.take(name) ?? missing;
    if (Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum) return value as number;
    throw this.fault(name, `a whole number from ${minimum} to ${maximum}`, value);
  }

  /** Milliseconds since the epoch; 0 if it is not there. */
  time(name: string): number {
    const value = this.take(name);
    if (value === undefined) return 0;
    const time = typeof value === 'string' ? Date.parse(value) : value;
    if (Number.isInteger(time) && (time as number) > 0 && (time as number) <= Number.MAX_SAFE_INTEGER) {
      return time as number;
    }
    throw this.fault(name, 'a time as in 2026-01-31T12:00:00.000Z', value);
  }

  /** An object within; undefined if it is not there. */
  object(name: string): JsonFields | undefined {
    if (!this.has(name)) return undefined;
    return new JsonFields(this.take(name), `${this.#prefix}${name}.`);
  }

  list(name: string): readonly unknown[] | undefined {
    if (!this.has(name)) return undefined;
    const value = this.take(name);
    if (!Array.isArray(value)) throw this.fault(name, 'a list', value);
    return value;
  }

  /** Names that were not asked for. */
  get left(): ReadonlySet<string> {
    return this.#left;
  }

  /** @throws {JsonFault} if there is something nobody asked for */
  end(): void {
    for (const name of this.#left) throw new JsonFault(`${this.#prefix}${name} is not known here`);
  }

  /** For `throw`. */
  fault(name: string, expected: string, value: unknown): JsonFault {
    const found = value === undefined ? 'missing' : `${JSON.stringify(value)?.slice(0, 60)}`;
    return new JsonFault(`${this.#prefix}${name} is ${found}; expected ${expected}`);
  }
}
