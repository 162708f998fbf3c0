/** Names of addresses, from answers to DNS queries that the capture has: A, AAAA and PTR records over UDP. [RFC 1035 §4, RFC 3596, RFC 6762] */
import type { DissectedFrame } from '../dissected-frame.ts';
import { formatIpv4, formatIpv6 } from '../format-address.ts';

const ports: readonly number[] = [53, 5353];
/** Addresses whose names are remembered, and names of each. */
const addressesMax = 65_536;
const namesMax = 8;
/** Records that are looked at in one message, and jumps in one name. */
const recordsMax = 1000;
const jumpsMax = 32;
const headerBytes = 12;

const typeAddress = 1;
const typeCanonicalName = 5;
const typePointer = 12;
const typeAddress6 = 28;

const noNames: readonly string[] = [];

export class DomainNames {
  readonly #names = new Map<string, string[]>();

  /** Names of an address as text, in the order in which answers gave them. */
  of(address: string): readonly string[] {
    return this.#names.get(address) ?? noNames;
  }

  next({ headers }: DissectedFrame): void {
    if (headers.udpOffset < 0) return;
    if (!ports.includes(headers.sourcePort)) return;
    const { bytes } = headers.source;
    const start = headers.payloadOffset;
    this.#read(bytes.subarray(start, start + headers.payloadLength));
  }

  #read(message: Uint8Array): void {
    if (message.length < headerBytes || (message[2]! & 0x80) === 0) return;
    const reader = new MessageReader(message);
    const questions = reader.uint16(4);
    let records = 0;
    for (const at of [6, 8, 10]) records += reader.uint16(at);
    reader.at = headerBytes;
    for (let index = 0; index < Math.min(questions, recordsMax); index++) {
      if (reader.name() === undefined) return;
      reader.at += 4;
    }
    const aliases = new Map<string, string>();
    for (let index = 0; index < Math.min(records, recordsMax); index++) {
      if (!this.#record(reader, aliases)) return;
    }
  }

  /** Takes a resource record; false if there is none. */
  #record(reader: MessageReader, aliases: Map<string, string>): boolean {
    const owner = reader.name();
    if (owner === undefined || reader.at + 10 > reader.bytes.length) return false;
    const type = reader.uint16(reader.at);
    const length = reader.uint16(reader.at + 8);
    const start = reader.at + 10;
    const end = start + length;
    if (end > reader.bytes.length) return false;
    reader.at = start;
    switch (type) {
      case typeAddress:
      case typeAddress6:
        // The name that was asked for says more than the one behind its aliases.
        if (length === (type === typeAddress ? 4 : 16))
          this.#add(addressText(reader.bytes, start, end), aliases.get(owner) ?? owner);
        break;
      case typeCanonicalName: {
        const target = reader.name();
        if (target !== undefined) aliases.set(target, aliases.get(owner) ?? owner);
        break;
      }
      case typePointer: {
        const address = reversedAddress(owner);
        const name = address === undefined ? undefined : reader.name();
        if (address !== undefined && name !== undefined) this.#add(address, name);
        break;
      }
      default:
        break;
    }
    reader.at = end;
    return true;
  }

  #add(address: string, name: string): void {
    const names = this.#names.get(address);
    if (names === undefined) {
      if (this.#names.size < addressesMax) this.#names.set(address, [name]);
    } else if (!names.includes(name) && names.length < namesMax) names.push(name);
  }
}

class MessageReader {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  uint16(at: number): number {
    return (this.bytes[at] ?? 0) * 256 + (this.bytes[at + 1] ?? 0);
  }

  /** A domain name, also a compressed one [RFC 1035 §4.1.4]; undefined if it is none. */
  name(): string | undefined {
    const labels: string[] = [];
    const { bytes } = this;
    let at = this.at;
    let jumps = 0;
    let length = 0;
    while (true) {
      const size = bytes[at];
      if (size === undefined) return undefined;
      if (size >= 0xc0) {
        if (jumps === 0) this.at = at + 2;
        if (++jumps > jumpsMax || at + 1 >= bytes.length) return undefined;
        at = (size & 0x3f) * 256 + bytes[at + 1]!;
        continue;
      }
      at++;
      if (size === 0) break;
      length += size + 1;
      if (size > 63 || length > 255 || at + size > bytes.length) return undefined;
      let label = '';
      for (let index = at; index < at + size; index++) label += printable(bytes[index]!);
      labels.push(label);
      at += size;
    }
    if (jumps === 0) this.at = at;
    return labels.join('.');
  }
}

function printable(byte: number): string {
  return byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, '0')}`;
}

function addressText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start === 16) return formatIpv6(bytes.subarray(start, end));
  const [a, b, c, d] = bytes.subarray(start, end) as unknown as [number, number, number, number];
  return formatIpv4(((a << 24) | (b << 16) | (c << 8) | d) >>> 0);
}

/** `1.0.0.127.in-addr.arpa`, or 32 digits and `ip6.arpa`; undefined if it is neither. */
function reversedAddress(name: string): string | undefined {
  const lower = name.toLowerCase();
  if (lower.endsWith('.in-addr.arpa')) {
    const parts = lower.slice(0, -'.in-addr.arpa'.length).split('.').reverse();
    const isAddress = parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
    return isAddress ? parts.map(Number).join('.') : undefined;
  }
  if (!lower.endsWith('.ip6.arpa')) return undefined;
  const digits = lower.slice(0, -'.ip6.arpa'.length).split('.').reverse();
  if (digits.length !== 32 || !digits.every((digit) => /^[0-9a-f]$/.test(digit))) return undefined;
  const bytes = new Uint8Array(16);
  for (let index = 0; index < 16; index++)
    bytes[index] = Number.parseInt(digits[2 * index]! + digits[2 * index + 1]!, 16);
  return formatIpv6(bytes);
}
