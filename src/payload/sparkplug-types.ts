/** Data types of Sparkplug B, and the arrays among them. [Sparkplug 3.0 §6.4.16] */

export const sparkplugTypes = [
  'Unknown',
  'Int8',
  'Int16',
  'Int32',
  'Int64',
  'UInt8',
  'UInt16',
  'UInt32',
  'UInt64',
  'Float',
  'Double',
  'Boolean',
  'String',
  'DateTime',
  'Text',
  'UUID',
  'DataSet',
  'Bytes',
  'File',
  'Template',
  'PropertySet',
  'PropertySetList',
  'Int8Array',
  'Int16Array',
  'Int32Array',
  'Int64Array',
  'UInt8Array',
  'UInt16Array',
  'UInt32Array',
  'UInt64Array',
  'FloatArray',
  'DoubleArray',
  'BooleanArray',
  'StringArray',
  'DateTimeArray',
] as const;
export type SparkplugType = (typeof sparkplugTypes)[number];

const signedBits: Partial<Record<SparkplugType, number>> = { Int8: 8, Int16: 16, Int32: 32, Int64: 64 };

/** A whole number as its type means it: negative ones are sent as two's complement. */
export function wholeNumber(value: number | bigint, type: SparkplugType | undefined): number | bigint {
  const bits = type === undefined ? undefined : signedBits[type];
  if (bits === undefined) return value;
  return shortest(BigInt.asIntN(bits, BigInt(value)));
}

function shortest(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

const elementReaders: Partial<
  Record<SparkplugType, readonly [size: number, read: (view: DataView, at: number) => unknown]>
> = {
  Int8Array: [1, (view, at) => view.getInt8(at)],
  Int16Array: [2, (view, at) => view.getInt16(at, true)],
  Int32Array: [4, (view, at) => view.getInt32(at, true)],
  Int64Array: [8, (view, at) => shortest(view.getBigInt64(at, true))],
  UInt8Array: [1, (view, at) => view.getUint8(at)],
  UInt16Array: [2, (view, at) => view.getUint16(at, true)],
  UInt32Array: [4, (view, at) => view.getUint32(at, true)],
  UInt64Array: [8, (view, at) => shortest(view.getBigUint64(at, true))],
  FloatArray: [4, (view, at) => view.getFloat32(at, true)],
  DoubleArray: [8, (view, at) => view.getFloat64(at, true)],
  DateTimeArray: [8, (view, at) => shortest(view.getBigUint64(at, true))],
};

/** Longer ones are left as the bytes they are. */
const arrayBytesMax = 65_536;

/** The elements of an array that was sent as bytes; undefined if the type is no array, or the bytes are none of that type. */
export function arrayElements(bytes: Uint8Array, type: SparkplugType | undefined): unknown[] | undefined {
  if (bytes.length > arrayBytesMax) return undefined;
  if (type === 'BooleanArray') return booleans(bytes);
  if (type === 'StringArray') return strings(bytes);
  const reader = type === undefined ? undefined : elementReaders[type];
  if (reader === undefined || bytes.length % reader[0] !== 0) return undefined;
  const [size, read] = reader;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / size }, (_, index) => read(view, index * size));
}

/** A count in four bytes, then a bit each, the highest of a byte first. */
function booleans(bytes: Uint8Array): boolean[] | undefined {
  if (bytes.length < 4) return undefined;
  const count = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  if (Math.ceil(count / 8) !== bytes.length - 4) return undefined;
  return Array.from({ length: count }, (_, index) => ((bytes[4 + (index >> 3)]! << (index & 7)) & 0x80) !== 0);
}

/** Each with a zero behind it. */
function strings(bytes: Uint8Array): string[] | undefined {
  if (bytes.length === 0) return [];
  if (bytes[bytes.length - 1] !== 0) return undefined;
  return new TextDecoder().decode(bytes.subarray(0, -1)).split('\0');
}
