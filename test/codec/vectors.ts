/** The packets of test/vectors/*.json, as the codec's own types. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Packet } from '../../src/codec/packets.ts';
import type { ErrorCode } from '../../src/protocol/errors.ts';
import { PacketType, type PacketTypeName } from '../../src/protocol/packet-types.ts';
import { ReasonCode, type ReasonCodeKey } from '../../src/protocol/reason-codes.ts';
import type { ProtocolVersion } from '../../src/protocol/version.ts';

/**
 * One packet on the wire: what it means, or how it is refused. In the files `hex` has blanks between fields, `type` and the reason codes
 * are names, bytes are `{"hex": …}`, and what is undefined is left out.
 */
export interface Vector {
  readonly file: string;
  readonly name: string;
  readonly version: ProtocolVersion;
  readonly bytes: Uint8Array;
  readonly packet: Packet | undefined;
  /** How the packet is written, if there is a shorter or cleaner form than the one given. */
  readonly encodes: Uint8Array;
  readonly error: VectorError | undefined;
}

export interface VectorError {
  readonly code: ErrorCode;
  readonly reasonCode: ReasonCode;
  readonly rule: string | undefined;
  /** Refused by its fixed header, before the body has come. */
  readonly isFraming: boolean;
}

interface VectorRow {
  name: string;
  version: ProtocolVersion;
  hex: string;
  packet?: unknown;
  encodes?: string;
  error?: { code: ErrorCode; reasonCode: ReasonCodeKey; rule?: string; at?: 'framer' };
}

export function bytesOf(hex: string): Uint8Array {
  const digits = hex.replaceAll(' ', '');
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16),
  );
}

function revive(key: string, value: unknown): unknown {
  if (key === 'type') return PacketType[value as PacketTypeName];
  if (key === 'reasonCode') return ReasonCode[value as ReasonCodeKey];
  if (key === 'reasonCodes') return (value as ReasonCodeKey[]).map((name) => ReasonCode[name]);
  if (typeof value === 'object' && value !== null && Object.keys(value).join() === 'hex') {
    return bytesOf((value as { hex: string }).hex);
  }
  return value;
}

const folder = new URL('../vectors/', import.meta.url);

export const vectors: readonly Vector[] = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .sort()
  .flatMap((file) =>
    (JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as VectorRow[]).map((row): Vector => {
      const packet = row.packet === undefined ? undefined : (JSON.parse(JSON.stringify(row.packet), revive) as Packet);
      const error = row.error && {
        code: row.error.code,
        reasonCode: ReasonCode[row.error.reasonCode],
        rule: row.error.rule,
        isFraming: row.error.at === 'framer',
      };
      if ((packet === undefined) === (error === undefined)) throw new Error(`${file}: ${row.name}: packet or error`);
      const bytes = bytesOf(row.hex);
      const encodes = row.encodes === undefined ? bytes : bytesOf(row.encodes);
      return { file: file.slice(0, -5), name: row.name, version: row.version, bytes, packet, encodes, error };
    }),
  );

export const validVectors = vectors.filter(
  (vector): vector is Vector & { packet: Packet } => vector.packet !== undefined,
);
export const invalidVectors = vectors.filter(
  (vector): vector is Vector & { error: VectorError } => vector.error !== undefined,
);

/** How a vector's test begins: with its rule, if it has one. */
export function titleOf(vector: Vector): string {
  const version = { 3: '3.1', 4: '3.1.1', 5: '5.0' }[vector.version];
  const rule = vector.error?.rule === undefined ? '' : `[${vector.error.rule}] `;
  return `${rule}${vector.error === undefined ? 'understands' : 'refuses'} ${vector.name} (${version})`;
}
