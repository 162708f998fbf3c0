/**
 * What fields there are: one row each, as Wireshark registers them, from which filters, printers and documentation are made. A protocol's table is
 * made once by `defineFields`, `registry.ts` gathers all.
 */

export type FieldType =
  | 'protocol'
  | 'none'
  | 'boolean'
  | 'uint8'
  | 'uint16'
  | 'uint24'
  | 'uint32'
  | 'uint64'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'float'
  | 'double'
  | 'string'
  | 'bytes'
  | 'ipv4'
  | 'ipv6'
  | 'ethernet'
  | 'absolute-time'
  | 'relative-time'
  | 'frame-number';

export type NumberDisplay = 'decimal' | 'hexadecimal' | 'decimal-hexadecimal' | 'hexadecimal-decimal' | 'octal';

/** Seconds and nanoseconds: since the epoch, or of a duration (then both have its sign). */
export class TimeValue {
  readonly seconds: number;
  readonly nanoseconds: number;

  constructor(seconds: number, nanoseconds: number) {
    this.seconds = seconds;
    this.nanoseconds = nanoseconds;
  }
}

/**
 * By type: booleans as such; all integers, floats, `ipv4` (unsigned 32 bits) and `frame-number` as numbers; strings as such; `bytes`, `ipv6` and
 * `ethernet` as bytes; times as `TimeValue`; `protocol` and `none` have none.
 */
export type FieldValue = number | string | boolean | Uint8Array | TimeValue | undefined;

/** A number's name, or the pair of names of a boolean (`1` and `0`), as in `Connect Command (1)` and `Set`. */
export type ValueNames = Readonly<Record<number, string>>;

export interface FieldRow {
  /** As filters name it: `mqtt.topic`. */
  readonly name: string;
  /** As trees name it: `Topic`. */
  readonly label: string;
  readonly type: FieldType;
  /** Default `decimal`. */
  readonly display?: NumberDisplay;
  /** Bits of the byte or word that it takes; drawn as `0011 .... = …`. The value is already shifted down. */
  readonly mask?: number;
  /** Bits of the word that `mask` is of; default 8. */
  readonly width?: number;
  readonly values?: ValueNames;
  /** One line for the reference and completion. */
  readonly about?: string;
  /** Whether Wireshark 4.0 has no such field. */
  readonly isOurs?: boolean;
}

export interface FieldDescriptor extends FieldRow {
  /** Dense, over all fields of all protocols: an index into tables. */
  readonly index: number;
  /** The protocol it belongs to; a protocol's own field is its own. */
  readonly protocol: FieldDescriptor;
}

let fieldCount = 0;

/** Numbers of fields made so far: all, once every table is loaded. */
export function countFields(): number {
  return fieldCount;
}

/** A protocol's fields: `self` is the protocol, the rest go by the keys of their rows. */
export type ProtocolFields<K extends string> = Readonly<Record<K | 'self', FieldDescriptor>>;

/** Makes a protocol's table; to be called once per protocol, where a module is loaded. */
export function defineFields<const R extends Readonly<Record<string, FieldRow>>>(
  name: string,
  label: string,
  rows: R,
): ProtocolFields<keyof R & string> {
  const self = { name, label, type: 'protocol', index: fieldCount++ } as unknown as { protocol: FieldDescriptor };
  self.protocol = self as unknown as FieldDescriptor;
  const fields: Record<string, FieldDescriptor> = { self: self.protocol };
  for (const [key, row] of Object.entries(rows)) fields[key] = { ...row, index: fieldCount++, protocol: self.protocol };
  // A copy, as V8 makes a dictionary of what grows key by key, and looking a field up in that takes ten times as long.
  return { ...fields } as ProtocolFields<keyof R & string>;
}
