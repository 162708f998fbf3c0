/** What a value without a field of its own means: that depends on what it stands beside. */
import type { FieldDescriptor, FieldValue } from '../field.ts';
import { Network, parseBytes, parseIpv4, parseIpv6 } from './address-literal.ts';
import type { Operand, QuotedText } from './expression.ts';
import { syntaxError } from './point-at.ts';
import { parseAbsoluteTime, parseRelativeTime } from './time-literal.ts';
import { integerLimits, kindOf, typeName, type ValueShape } from './value-kind.ts';

export type LiteralOperand = Operand & { kind: 'word' | 'literal' | 'string' | 'character' };
export type LiteralValue = Exclude<FieldValue, undefined> | Network;

export function isLiteral(operand: Operand): operand is LiteralOperand {
  return (
    operand.kind === 'word' || operand.kind === 'literal' || operand.kind === 'string' || operand.kind === 'character'
  );
}

/** As messages show it: what has no quotes of its own gets some. */
export function quoteLiteral(literal: LiteralOperand): string {
  return literal.kind === 'string' || literal.kind === 'character' ? literal.source : `"${literal.text}"`;
}

const encoder = new TextEncoder();

/**
 * @param shape - of what it is compared with
 * @throws {FilterSyntaxError} if it cannot be a value of that type
 */
export function resolveLiteral(literal: LiteralOperand, shape: ValueShape): LiteralValue {
  switch (kindOf(shape.type)) {
    case 'integer':
      return resolveInteger(literal, shape);
    case 'float':
      return resolveFloat(literal, shape);
    case 'string':
      return resolveString(literal);
    case 'bytes':
    case 'protocol':
      return resolveBytes(literal, shape);
    case 'ipv4':
    case 'ipv6':
      return resolveAddress(literal, shape);
    case 'absolute-time':
      return resolveAbsoluteTime(literal, shape);
    case 'relative-time': {
      const time = parseRelativeTime(bareText(literal, shape));
      if (time === undefined) fail(literal, 'is not a valid time; expected seconds, as in 1.5');
      return time;
    }
    case 'none':
      throw syntaxError(`What is of type ${typeName(shape.type)} has no value to compare with.`, literal);
  }
}

/** What `contains` looks for: some bytes of an address are enough. */
export function resolvePart(literal: LiteralOperand, shape: ValueShape): LiteralValue {
  return resolveLiteral(
    literal,
    shape.type === 'ethernet' && literal.kind !== 'string' ? { type: 'bytes', field: undefined } : shape,
  );
}

function fail(literal: LiteralOperand, problem: string): never {
  throw syntaxError(`${quoteLiteral(literal)} ${problem}.`, literal);
}

/** The text of a literal without quotes, where nothing else will do. */
function bareText(literal: LiteralOperand, { type }: ValueShape): string {
  if (literal.kind === 'string') {
    throw syntaxError(`${typeName(type)} cannot be converted from a string (${literal.source}).`, literal);
  }
  if (literal.kind === 'character') {
    throw syntaxError(`Character constant ${literal.source} cannot be converted to ${typeName(type)}.`, literal);
  }
  return literal.text;
}

function resolveInteger(literal: LiteralOperand, shape: ValueShape): number {
  const { type, field } = shape;
  if (literal.kind === 'character') return type === 'boolean' ? Math.sign(literal.code) : literal.code;
  const number = literal.kind === 'string' ? undefined : parseInteger(literal.text);
  const { least, most } = integerLimits(type);
  if (number !== undefined && number >= least && number <= most) return type === 'boolean' ? Math.sign(number) : number;
  if (type === 'boolean') {
    // Both of these hold whatever a field calls its two values.
    if (literal.kind === 'word' && /^(?:True|TRUE|true)$/.test(literal.text)) return 1;
    if (literal.kind === 'word' && /^(?:False|FALSE|false)$/.test(literal.text)) return 0;
  }
  const names = field === undefined ? undefined : valueNames(field);
  if (names !== undefined) {
    const value = findName(names, literal.text);
    if (value !== undefined) return value;
    fail(literal, `cannot be found among the possible values for ${field!.name}${suggestNames(names)}`);
  }
  if (number !== undefined) fail(literal, `too big for this field, maximum ${most}`);
  const text = bareText(literal, shape);
  fail(literal, /^0\d*[89]/.test(text) ? 'is not a valid number; a leading 0 makes it octal' : 'is not a valid number');
}

/** The names of a field's values, if it has any; a boolean always does. */
export function valueNames(field: FieldDescriptor): Readonly<Record<number, string>> | undefined {
  return field.values ?? (field.type === 'boolean' ? { 1: 'True', 0: 'False' } : undefined);
}

function findName(names: Readonly<Record<number, string>>, text: string): number | undefined {
  const wanted = text.toLowerCase();
  for (const [value, name] of Object.entries(names)) if (name.toLowerCase() === wanted) return Number(value);
  return undefined;
}

/** Names that a message can show without becoming a page. */
const namesShownMax = 6;

function suggestNames(names: Readonly<Record<number, string>>): string {
  const shown = Object.values(names).slice(0, namesShownMax);
  const rest = Object.keys(names).length > namesShownMax ? ', …' : '';
  return `; expected a number or one of ${shown.map((name) => `"${name}"`).join(', ')}${rest}`;
}

/** Decimal, hexadecimal with 0x, binary with 0b, octal with 0; undefined if it is none or has more than 64 bits. */
function parseInteger(text: string): number | undefined {
  const isOctal = /^0[0-7]+$/.test(text);
  if (!isOctal && !/^(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0|[1-9]\d*)$/.test(text)) return undefined;
  if (text.length > 66) return undefined;
  const exact = BigInt(isOctal ? `0o${text}` : text);
  return exact > 0xffff_ffff_ffff_ffffn ? undefined : Number(exact);
}

function resolveFloat(literal: LiteralOperand, shape: ValueShape): number {
  const text = bareText(literal, shape);
  if (!/^\d+(?:\.\d+)?(?:[eE]-?\d{1,3})?$/.test(text)) fail(literal, 'is not a valid floating-point number');
  return Number(text);
}

function resolveString(literal: LiteralOperand): string {
  return literal.kind === 'character' ? String.fromCharCode(literal.code) : literal.text;
}

function resolveBytes(literal: LiteralOperand, shape: ValueShape): Uint8Array {
  if (shape.type === 'ethernet') return resolveEthernet(literal, shape);
  if (literal.kind === 'string') return literal.bytes;
  if (literal.kind === 'character') {
    return literal.code < 0x100 ? Uint8Array.of(literal.code) : encoder.encode(String.fromCharCode(literal.code));
  }
  const bytes = parseBytes(literal.text);
  if (bytes === undefined)
    fail(literal, 'is not a valid byte string; expected hexadecimal bytes, as in 0a:1b, or a string in quotes');
  return bytes;
}

function resolveEthernet(literal: LiteralOperand, shape: ValueShape): Uint8Array {
  const bytes = parseBytes(bareText(literal, shape));
  if (bytes === undefined)
    fail(literal, 'is not a valid Ethernet address; expected six bytes, as in 00:11:22:33:44:55');
  if (bytes.length !== 6) {
    fail(literal, `contains too ${bytes.length < 6 ? 'few' : 'many'} bytes to be a valid Ethernet address`);
  }
  return bytes;
}

function resolveAddress(literal: LiteralOperand, shape: ValueShape): number | Uint8Array | Network {
  const isOld = shape.type === 'ipv4';
  const [host, length, ...more] = bareText(literal, shape).split('/');
  const address = isOld ? parseIpv4(host!) : parseIpv6(host!);
  if (address === undefined || more.length > 0) {
    fail(
      literal,
      `is not a valid ${typeName(shape.type)}; expected one as in ${isOld ? '127.0.0.1 or 10.0.0.0/8' : '::1 or fe80::/10'}`,
    );
  }
  if (length === undefined) return address;
  const bitsMax = isOld ? 32 : 128;
  const bits = Number(length);
  if (bits > bitsMax) fail(literal, `has too long a prefix: ${bits} bits, ${bitsMax} are possible`);
  return bits === bitsMax ? address : new Network(address, bits);
}

function resolveAbsoluteTime(literal: LiteralOperand, shape: ValueShape) {
  const text = literal.kind === 'character' ? bareText(literal, shape) : literal.text;
  const time = parseAbsoluteTime(text);
  if (time === undefined) {
    fail(
      literal,
      'is not a valid absolute time; expected one as in "2011-07-04 12:34:56" or "Nov 12, 1999 08:55:44.123"',
    );
  }
  return time;
}

/** What may stand to the right of `matches`. */
export function isPattern(operand: Operand): operand is QuotedText {
  return operand.kind === 'string';
}
