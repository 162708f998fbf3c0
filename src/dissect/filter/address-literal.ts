/** Addresses and bytes as filters write them. */

/** An address with a prefix length: it equals every address of its network. */
export class Network {
  /** As fields have it: a number (IPv4), or 16 bytes. */
  readonly address: number | Uint8Array;
  readonly bits: number;
  /** Of an IPv4 network: ones where bits count. */
  readonly mask: number;

  constructor(address: number | Uint8Array, bits: number) {
    this.address = address;
    this.bits = bits;
    this.mask = bits === 0 ? 0 : (0xffffffff << (32 - Math.min(bits, 32))) >>> 0;
  }
}

/** `127.0.0.1`: unsigned 32 bits; undefined if it is none. */
export function parseIpv4(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((address, part) => address * 256 + part, 0);
}

/** `::1`, `fe80::1`, `::ffff:10.0.0.1`: 16 bytes; undefined if it is none. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => parseGroups(half));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const missing = 16 - head.length - (tail?.length ?? 0);
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  if (tail !== undefined) bytes.set(tail, 16 - tail.length);
  return bytes;
}

function parseGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [index, group] of groups.entries()) {
    const ipv4 = index === groups.length - 1 ? parseIpv4(group) : undefined;
    if (ipv4 !== undefined) bytes.push(ipv4 >>> 24, (ipv4 >>> 16) & 255, (ipv4 >>> 8) & 255, ipv4 & 255);
    else if (/^[0-9a-fA-F]{1,4}$/.test(group))
      bytes.push(Number.parseInt(group, 16) >>> 8, Number.parseInt(group, 16) & 255);
    else return undefined;
  }
  return bytes.length > 16 ? undefined : bytes;
}

/**
 * `aa:bb`, `aa-bb`, `aa.bb`, `aabb`, `0.1.2`, `0xaa` (one byte only): undefined if it is none. A digit without a partner is a byte.
 */
export function parseBytes(text: string): Uint8Array | undefined {
  const single = /^0[xX]([0-9a-fA-F]{2})$/.exec(text);
  if (single !== null) return Uint8Array.of(Number.parseInt(single[1]!, 16));
  const bare = text.startsWith(':') ? text.slice(1) : text;
  const separator = /[:.-]/.exec(bare)?.[0];
  const parts = separator === undefined ? [bare] : bare.split(separator);
  const bytes: number[] = [];
  for (const part of parts) {
    if (!/^[0-9a-fA-F]+$/.test(part)) return undefined;
    for (let at = 0; at < part.length; at += 2) bytes.push(Number.parseInt(part.slice(at, at + 2), 16));
  }
  return Uint8Array.from(bytes);
}
