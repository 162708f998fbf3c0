/** Small encoders of CBOR and MessagePack, written apart from the decoders, and values for both. */
import fc from 'fast-check';

/** null, booleans, numbers, bigints, text, bytes, arrays, and objects of them. */
export const plainValues: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.bigInt({ min: BigInt(Number.MAX_SAFE_INTEGER) + 1n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: -(2n ** 63n), max: -BigInt(Number.MAX_SAFE_INTEGER) - 1n }),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(fc.string({ unit: 'grapheme' }), tie('value'), { noNullPrototype: true }),
  ),
})).value as fc.Arbitrary<unknown>;

function bigEndian(value: bigint, size: number): number[] {
  return Array.from({ length: size }, (_, index) => Number((value >> BigInt(8 * (size - 1 - index))) & 0xffn));
}

function float64(value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return new Uint8Array(view.buffer);
}

export function encodeCbor(value: unknown): Uint8Array {
  return Uint8Array.from(cborBytes(value));
}

function cborHead(major: number, argument: bigint): number[] {
  if (argument < 24n) return [(major << 5) | Number(argument)];
  const power = [0, 1, 2, 3].find((exponent) => argument < 1n << BigInt(8 * 2 ** exponent))!;
  return [(major << 5) | (24 + power), ...bigEndian(argument, 2 ** power)];
}

function cborBytes(value: unknown): number[] {
  if (value === null) return [0xf6];
  if (typeof value === 'boolean') return [value ? 0xf5 : 0xf4];
  if (typeof value === 'bigint' || (Number.isSafeInteger(value) && !Object.is(value, -0))) {
    const integer = BigInt(value as number | bigint);
    return integer < 0n ? cborHead(1, -1n - integer) : cborHead(0, integer);
  }
  if (typeof value === 'number') return [0xfb, ...float64(value)];
  if (typeof value === 'string') {
    const text = new TextEncoder().encode(value);
    return [...cborHead(3, BigInt(text.length)), ...text];
  }
  if (value instanceof Uint8Array) return [...cborHead(2, BigInt(value.length)), ...value];
  if (Array.isArray(value)) return [...cborHead(4, BigInt(value.length)), ...value.flatMap(cborBytes)];
  const entries = Object.entries(value as object);
  return [...cborHead(5, BigInt(entries.length)), ...entries.flatMap((entry) => entry.flatMap(cborBytes))];
}

export function encodeMessagePack(value: unknown): Uint8Array {
  return Uint8Array.from(messagePackBytes(value));
}

function sized(
  count: number,
  shortMax: number,
  shortCode: number,
  codes: readonly (readonly [code: number, size: number])[],
): number[] {
  if (count <= shortMax) return [shortCode + count];
  const [code, size] = codes.find((entry) => count < 256 ** entry[1])!;
  return [code, ...bigEndian(BigInt(count), size)];
}

function messagePackBytes(value: unknown): number[] {
  if (value === null) return [0xc0];
  if (typeof value === 'boolean') return [value ? 0xc3 : 0xc2];
  if (typeof value === 'bigint' || (Number.isSafeInteger(value) && !Object.is(value, -0))) {
    const integer = BigInt(value as number | bigint);
    if (integer >= 0n && integer < 128n) return [Number(integer)];
    if (integer < 0n && integer >= -32n) return [Number(integer) + 256];
    const power = [0, 1, 2, 3].find((exponent) => {
      const bits = BigInt(8 * 2 ** exponent);
      return integer >= 0n ? integer < 1n << bits : integer >= -(1n << (bits - 1n));
    })!;
    return [(integer >= 0n ? 0xcc : 0xd0) + power, ...bigEndian(integer, 2 ** power)];
  }
  if (typeof value === 'number') return [0xcb, ...float64(value)];
  if (typeof value === 'string') {
    const text = new TextEncoder().encode(value);
    return [
      ...sized(text.length, 31, 0xa0, [
        [0xd9, 1],
        [0xda, 2],
        [0xdb, 4],
      ]),
      ...text,
    ];
  }
  if (value instanceof Uint8Array)
    return [
      ...sized(value.length, -1, 0, [
        [0xc4, 1],
        [0xc5, 2],
        [0xc6, 4],
      ]),
      ...value,
    ];
  if (Array.isArray(value)) return [...sized(value.length, 15, 0x90, [[0xdc, 2]]), ...value.flatMap(messagePackBytes)];
  const entries = Object.entries(value as object);
  return [
    ...sized(entries.length, 15, 0x80, [[0xde, 2]]),
    ...entries.flatMap((entry) => entry.flatMap(messagePackBytes)),
  ];
}
