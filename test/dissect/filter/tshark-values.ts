/** Fields and their values as tshark finds them: filters can be held against tshark's own without a dissector of ours in between. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type FieldDescriptor, type FieldType, type FieldValue, TimeValue } from '../../../src/dissect/field.ts';
import { parseBytes, parseIpv4, parseIpv6 } from '../../../src/dissect/filter/address-literal.ts';
import type { FieldRegistry, FieldValues } from '../../../src/dissect/filter/field-values.ts';
import { parseAbsoluteTime } from '../../../src/dissect/filter/time-literal.ts';

const protocols = new Set(['frame', 'eth', 'ip', 'ipv6', 'tcp', 'udp', 'mqtt', 'data']);
const types: Readonly<Record<string, FieldType>> = {
  FT_PROTOCOL: 'protocol',
  FT_NONE: 'none',
  FT_BOOLEAN: 'boolean',
  FT_UINT8: 'uint8',
  FT_UINT16: 'uint16',
  FT_UINT24: 'uint24',
  FT_UINT32: 'uint32',
  FT_UINT64: 'uint64',
  FT_INT32: 'int32',
  FT_STRING: 'string',
  FT_STRINGZ: 'string',
  FT_UINT_STRING: 'string',
  FT_BYTES: 'bytes',
  FT_IPv4: 'ipv4',
  FT_IPv6: 'ipv6',
  FT_ETHER: 'ethernet',
  FT_ABSOLUTE_TIME: 'absolute-time',
  FT_RELATIVE_TIME: 'relative-time',
  FT_FRAMENUM: 'frame-number',
};

function protocolOf(name: string): string {
  return name.split('.')[0]!;
}

function tshark(...args: string[]): string {
  return execFileSync('tshark', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, TZ: 'UTC' },
    maxBuffer: 1 << 28,
  });
}

/** The fields of a few protocols, with types and value names, as `tshark -G` lists them. */
export class TsharkRegistry implements FieldRegistry {
  readonly #fields = new Map<string, FieldDescriptor[]>();

  constructor() {
    const names = new Map<string, Record<number, string>>();
    for (const line of tshark('-G', 'values').split('\n')) {
      const [kind, field, value, name, other] = line.split('\t');
      if (field === undefined || !protocols.has(protocolOf(field))) continue;
      const known = names.get(field) ?? {};
      names.set(field, known);
      if (kind === 'V') known[Number(value)] ??= name!;
      else if (kind === 'T') Object.assign(known, { 1: value, 0: name ?? other });
    }
    let index = 0;
    for (const line of tshark('-G', 'fields').split('\n')) {
      const [kind, label, name, typeName] = line.split('\t');
      if (name === undefined || !protocols.has(protocolOf(name))) continue;
      const type = kind === 'P' ? 'protocol' : types[typeName!];
      if (type === undefined) continue;
      const values = names.get(name);
      const row = { name, label: label!, type, index: index++, ...(values === undefined ? {} : { values }) };
      const field = row as unknown as FieldDescriptor;
      (field as { protocol: FieldDescriptor }).protocol = this.#fields.get(protocolOf(name))?.[0] ?? field;
      const list = this.#fields.get(name);
      if (list === undefined) this.#fields.set(name, [field]);
      else list.push(field);
    }
  }

  find(name: string): readonly FieldDescriptor[] | undefined {
    return this.#fields.get(name);
  }

  names(): Iterable<string> {
    return this.#fields.keys();
  }
}

/** The values of one frame. */
class TsharkFrame implements FieldValues {
  readonly #registry: FieldRegistry;
  readonly #values = new Map<FieldDescriptor, FieldValue[]>();
  readonly #bytes = new Map<FieldDescriptor, Uint8Array[]>();
  readonly #reaches = new Map<FieldDescriptor, Uint8Array[]>();

  constructor(registry: FieldRegistry) {
    this.#registry = registry;
  }

  /** @param reach - `bytes`, and what follows them in the frame: what is searched of a protocol that others lie in */
  add(name: string, show: string, hex: string | undefined, bytes: Uint8Array, reach: Uint8Array): void {
    const field = this.#registry.find(name)?.[0];
    if (field === undefined) return;
    const values = this.#values.get(field);
    const value = readValue(field.type, show, hex);
    if (values === undefined) this.#values.set(field, [value]);
    else values.push(value);
    if (field.type !== 'protocol') return;
    const layers = this.#bytes.get(field);
    const searched = name === 'mqtt' ? bytes : reach;
    if (layers === undefined) {
      this.#bytes.set(field, [bytes]);
      this.#reaches.set(field, [searched]);
    } else {
      layers.push(bytes);
      this.#reaches.get(field)!.push(searched);
    }
  }

  valuesOf(field: FieldDescriptor): readonly FieldValue[] | undefined {
    return this.#values.get(field);
  }

  bytesOf(field: FieldDescriptor): readonly Uint8Array[] | undefined {
    return this.#bytes.get(field);
  }

  reachesOf(field: FieldDescriptor): readonly Uint8Array[] | undefined {
    return this.#reaches.get(field);
  }

  /** tshark counts all MQTT packets of a segment as one layer, and these captures have no tunnels. */
  layersOf(field: FieldDescriptor): readonly number[] | undefined {
    return this.#values.get(field)?.map(() => 1);
  }
}

function readValue(type: FieldType, show: string, hex: string | undefined): FieldValue {
  switch (type) {
    case 'protocol':
    case 'none':
      return undefined;
    case 'boolean':
      return show === '1' || show === 'True';
    case 'string':
      // What is shown is escaped, the bytes are not.
      return hex === undefined || hex.length < 2 * show.length ? show : Buffer.from(hex, 'hex').toString('utf8');
    case 'bytes':
    case 'ethernet':
      return show === '' ? new Uint8Array(0) : parseBytes(show);
    case 'ipv4':
      return parseIpv4(show);
    case 'ipv6':
      return parseIpv6(show);
    case 'absolute-time':
      return parseAbsoluteTime(show);
    case 'relative-time': {
      const [seconds, fraction = ''] = show.split('.');
      const sign = show.startsWith('-') ? -1 : 1;
      return new TimeValue(Number(seconds), sign * Number(fraction.padEnd(9, '0')));
    }
    default:
      return Number(show);
  }
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replaceAll(/&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));/g, (whole, hex, decimal, name) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    return decimal === undefined ? (entities[name] ?? whole) : String.fromCodePoint(Number(decimal));
  });
}

function attribute(line: string, name: string): string | undefined {
  const match = new RegExp(` ${name}="([^"]*)"`).exec(line);
  return match === null ? undefined : unescapeXml(match[1]!);
}

/** @param path - a little-endian pcap in which no packet is put together of several segments, so that every protocol lies in its frame */
export function readTsharkFrames(path: string, registry: FieldRegistry): TsharkFrame[] {
  const packets = readPcap(readFileSync(path));
  const frames: TsharkFrame[] = [];
  for (const line of tshark('-n', '-r', path, '-T', 'pdml').split('\n')) {
    if (line.startsWith('<packet>')) {
      frames.push(new TsharkFrame(registry));
      continue;
    }
    const name = attribute(line, 'name');
    if (name === undefined || name === 'geninfo') continue;
    const start = Number(attribute(line, 'pos'));
    // The bytes of TCP are those of the whole segment, though its line in the tree is about the header.
    const end = name === 'tcp' ? undefined : start + Number(attribute(line, 'size'));
    const packet = packets[frames.length - 1]!;
    const bytes = packet.subarray(start, end);
    frames.at(-1)!.add(name, attribute(line, 'show') ?? '', attribute(line, 'value'), bytes, packet.subarray(start));
  }
  return frames;
}

function readPcap(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const packets: Uint8Array[] = [];
  for (let at = 24; at + 16 <= file.length; ) {
    const length = view.getUint32(at + 8, true);
    packets.push(file.subarray(at + 16, at + 16 + length));
    at += 16 + length;
  }
  return packets;
}
