/** Addresses as trees, columns and filters write them. Bytes that were cut off count as 0. */

const hexBytes: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Two lower-case digits per byte, `separator` between bytes. */
export function formatBytes(bytes: Uint8Array, separator: string): string {
  let text = '';
  for (let index = 0; index < bytes.length; index++) {
    if (index > 0) text += separator;
    text += hexBytes[bytes[index]!]!;
  }
  return text;
}

/** `127.0.0.1` of an unsigned 32-bit number. */
export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** `::1`, `2001:db8::2`, `::ffff:10.0.0.1`: the shortest form, as RFC 5952 has it. */
export function formatIpv6(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let index = 0; index < 16; index += 2) groups.push(((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0));
  const zeros = longestZeros(groups);
  const carriesIpv4 =
    zeros.start === 0 && (zeros.length === 6 || (zeros.length === 5 && groups[5] === 0xffff)) && bytes.length >= 16;
  const end = carriesIpv4 ? 6 : 8;
  let text = '';
  for (let index = 0; index < end; index++) {
    if (zeros.length > 1 && index >= zeros.start && index < zeros.start + zeros.length) {
      if (index === zeros.start) text += '::';
      continue;
    }
    if (text !== '' && !text.endsWith(':')) text += ':';
    text += groups[index]!.toString(16);
  }
  if (!carriesIpv4) return text;
  if (!text.endsWith(':')) text += ':';
  return `${text}${bytes[12]}.${bytes[13]}.${bytes[14]}.${bytes[15]}`;
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: -1, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (start + length < groups.length && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
