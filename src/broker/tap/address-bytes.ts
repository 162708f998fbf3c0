/** IP addresses as bytes. */
import { isIP, SocketAddress } from 'node:net';

const loopback = Uint8Array.of(127, 0, 0, 1);

/** 4 or 16 bytes; 127.0.0.1 for what is no IP address, as the path of a Unix socket. A zone (`%eth0`) is left off, an IPv4 address in IPv6 is IPv4. */
export function addressBytes(address: string): Uint8Array {
  const bare = address.replace(/%.*$/, '').replace(/^::ffff:(?=[\d.]+$)/i, '');
  const family = isIP(bare);
  if (family === 4) return Uint8Array.from(bare.split('.'), Number);
  if (family !== 6) return loopback;
  return ipv6Bytes(new SocketAddress({ address: bare, family: 'ipv6' }).address);
}

/** @param address in the form that the system writes: lower case, `::` at most once, the last 32 bits perhaps as IPv4 */
function ipv6Bytes(address: string): Uint8Array {
  const hexadecimal = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = '', tail] = hexadecimal.split('::');
  const groupsOf = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const first = groupsOf(head);
  const last = tail === undefined ? [] : groupsOf(tail);
  const groups = [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
  return Uint8Array.from(groups.flatMap((group) => [group >>> 8, group & 0xff]));
}
