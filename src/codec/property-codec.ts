/**
 * Reads and writes the properties of a packet by the table in protocol/properties.ts: a slot for each of the 256 identifiers, filled
 * once. Measured against hand-written reading the table costs nothing.
 */
import type { ByteWriter } from '../base/byte-writer.ts';
import { utf8Length } from '../base/bytes.ts';
import { TextCache } from '../base/text-cache.ts';
import { OptionError } from '../protocol/errors.ts';
import {
  type PropertiesOf,
  type PropertyRow,
  type PropertyScope,
  propertyRows,
  type UserProperty,
} from '../protocol/properties.ts';
import { variableByteIntegerSize } from './fixed-header.ts';
import type { PacketReader } from './packet-reader.ts';

/** Any packet's properties, when it does not matter which packet's. */
export type AnyProperties = { readonly [key: string]: unknown };

const scopeNames: readonly PropertyScope[] = [
  'CONNECT',
  'CONNACK',
  'PUBLISH',
  'WILL',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBSCRIBE',
  'SUBACK',
  'UNSUBSCRIBE',
  'UNSUBACK',
  'DISCONNECT',
  'AUTH',
];

/** A scope as one bit, to test a row's scopes with one operation. */
export const scopeBit = Object.fromEntries(scopeNames.map((scope, index) => [scope, 1 << index])) as {
  readonly [S in PropertyScope]: number;
};

type Kind = PropertyRow['wireType'];

/** A row as the reader wants it. */
interface Slot {
  readonly key: string;
  readonly identifier: number;
  readonly name: string;
  readonly kind: Kind;
  readonly scopes: number;
  /** This row's bit among those seen; there are fewer than 32 rows. */
  readonly seenBit: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly isRepeatable: boolean;
  readonly isTopicName: boolean;
}

const wireMaximum: Readonly<Record<Kind, number>> = {
  flag: 1,
  byte: 0xff,
  uint16: 0xffff,
  uint32: 0xffff_ffff,
  varint: 268_435_455,
  utf8: 0,
  binary: 0,
  pair: 0,
};

const slots: readonly Slot[] = Object.entries(propertyRows).map(([key, row], index) => ({
  key,
  identifier: row.identifier,
  name: row.name,
  kind: row.wireType,
  scopes: row.scopes.reduce((bits, scope) => bits | scopeBit[scope], 0),
  seenBit: 1 << index,
  minimum: row.range?.[0] ?? 0,
  maximum: row.range?.[1] ?? wireMaximum[row.wireType],
  isRepeatable: row.repeatable === true,
  isTopicName: row.topicName === true,
}));

const slotByIdentifier: readonly (Slot | undefined)[] = Array.from({ length: 256 }, (_, identifier) =>
  slots.find((slot) => slot.identifier === identifier),
);
const slotByKey = new Map<string, Slot>(slots.map((slot) => [slot.key, slot]));

/**
 * Reads a Property Length and that many bytes of properties; `undefined` if there are none. An identifier that is unknown or does not
 * belong here is malformed [MQTT 5.0 §2.2.2.2]; one that comes twice, or a value out of range, is a Protocol Error.
 */
export function readProperties<S extends PropertyScope>(reader: PacketReader, scope: S): PropertiesOf<S> | undefined {
  const length = reader.readVariableByteInteger();
  if (length === 0) return undefined;
  const outerEnd = reader.end;
  const end = reader.position + length;
  if (end > outerEnd) {
    throw reader.malformed(`Property Length ${length} where ${outerEnd - reader.position} bytes are left`);
  }
  const bit = scopeBit[scope];
  const properties: Record<string, unknown> = {};
  let seen = 0;
  reader.end = end;
  while (reader.position < end) {
    const start = reader.position;
    const identifier = reader.readVariableByteInteger();
    const slot = slotByIdentifier[identifier];
    if (slot === undefined) {
      throw reader.malformed(`Unknown property identifier ${identifier}`, undefined, undefined, start);
    }
    if ((slot.scopes & bit) === 0) {
      throw reader.malformed(`${slot.name} does not belong in ${scope} properties`, undefined, undefined, start);
    }
    const value = readValue(reader, slot);
    if ((seen & slot.seenBit) === 0) {
      seen |= slot.seenBit;
      properties[slot.key] = slot.isRepeatable ? [value] : value;
    } else if (slot.isRepeatable && (slot.kind !== 'varint' || bit !== scopeBit.SUBSCRIBE)) {
      (properties[slot.key] as unknown[]).push(value);
    } else {
      throw reader.violation(`${slot.name} comes twice in ${scope} properties`);
    }
  }
  reader.end = outerEnd;
  return properties as PropertiesOf<S>;
}

/** Content types, response topics and user properties are mostly the same ones. */
const knownTexts = new TextCache();

function readValue(reader: PacketReader, slot: Slot): unknown {
  let value: number;
  switch (slot.kind) {
    case 'utf8':
      return slot.isTopicName
        ? reader.readTopicName(slot.name, '3.3.2-14', undefined, knownTexts)
        : reader.readUtf8(knownTexts);
    case 'pair':
      return [reader.readUtf8(knownTexts), reader.readUtf8(knownTexts)];
    case 'binary':
      return reader.readBinary();
    case 'flag':
    case 'byte':
      value = reader.readUint8();
      break;
    case 'uint16':
      value = reader.readUint16();
      break;
    case 'uint32':
      value = reader.readUint32();
      break;
    case 'varint':
      value = reader.readVariableByteInteger();
      break;
  }
  if (value < slot.minimum || value > slot.maximum) {
    throw reader.violation(`${slot.name} ${value}; expected ${slot.minimum}–${slot.maximum}`);
  }
  return slot.kind === 'flag' ? value === 1 : value;
}

/** The bytes that properties take with their Property Length in front. */
export function propertiesFieldSize(properties: object | undefined, scope: PropertyScope): number {
  const size = propertiesSize(properties, scope);
  return variableByteIntegerSize(size) + size;
}

/**
 * The bytes that properties take, without the Property Length. Every writer asks this first, so it is here that values are checked.
 * @throws {OptionError} if a key or value cannot be sent in this packet
 */
export function propertiesSize(properties: object | undefined, scope: PropertyScope): number {
  if (properties === undefined) return 0;
  const bit = scopeBit[scope];
  let size = 0;
  for (const key in properties) {
    const value = (properties as AnyProperties)[key];
    if (value === undefined) continue;
    const slot = slotByKey.get(key);
    if (slot === undefined || (slot.scopes & bit) === 0) {
      throw new OptionError(`${key} is no property of ${scope}`);
    }
    if (!slot.isRepeatable) {
      size += 1 + valueSize(slot, value);
      continue;
    }
    const values = value as readonly unknown[];
    if (slot.kind === 'varint' && bit === scopeBit.SUBSCRIBE && values.length > 1) {
      throw new OptionError(`${slot.name} may stand once in ${scope}`);
    }
    for (const one of values) size += 1 + valueSize(slot, one);
  }
  return size;
}

function valueSize(slot: Slot, value: unknown): number {
  switch (slot.kind) {
    case 'utf8':
      return 2 + utf8Length(value as string);
    case 'binary':
      return 2 + (value as Uint8Array).length;
    case 'pair': {
      const [name, text] = value as UserProperty;
      return 4 + utf8Length(name) + utf8Length(text);
    }
    case 'flag':
      return 1;
    case 'byte':
      checkRange(slot, value as number);
      return 1;
    case 'uint16':
      checkRange(slot, value as number);
      return 2;
    case 'uint32':
      checkRange(slot, value as number);
      return 4;
    case 'varint':
      checkRange(slot, value as number);
      return variableByteIntegerSize(value as number);
  }
}

function checkRange(slot: Slot, value: number): void {
  if (value >= slot.minimum && value <= slot.maximum && Number.isInteger(value)) return;
  throw new OptionError(`${slot.name} ${value}; expected ${slot.minimum}–${slot.maximum}`, 'MQTT_ERR_OPTION_RANGE');
}

/** Writes a Property Length and properties in the order of their keys. `size` is what `propertiesSize` said. */
export function writeProperties(writer: ByteWriter, properties: object | undefined, size: number): void {
  writer.writeVariableByteInteger(size);
  if (size === 0) return;
  for (const key in properties) {
    const value = (properties as AnyProperties)[key];
    if (value === undefined) continue;
    const slot = slotByKey.get(key)!;
    if (!slot.isRepeatable) writeProperty(writer, slot, value);
    else for (const one of value as readonly unknown[]) writeProperty(writer, slot, one);
  }
}

function writeProperty(writer: ByteWriter, slot: Slot, value: unknown): void {
  writer.writeUint8(slot.identifier);
  switch (slot.kind) {
    case 'utf8':
      writer.writeUtf8(value as string);
      return;
    case 'binary':
      writer.writeBinary(value as Uint8Array);
      return;
    case 'pair':
      writer.writeUtf8((value as UserProperty)[0]);
      writer.writeUtf8((value as UserProperty)[1]);
      return;
    case 'flag':
      writer.writeUint8(value === true ? 1 : 0);
      return;
    case 'byte':
      writer.writeUint8(value as number);
      return;
    case 'uint16':
      writer.writeUint16(value as number);
      return;
    case 'uint32':
      writer.writeUint32(value as number);
      return;
    case 'varint':
      writer.writeVariableByteInteger(value as number);
      return;
  }
}
