/**
 * Makes wrong packets of right ones, the same ones for the same seed. What it does: flips bits, puts in bytes at which things change,
 * removes, inserts, repeats and exchanges parts, mixes two packets, and more often than not mends the Remaining Length afterwards so
 * that the damage is found deep inside.
 */

/** Random numbers that are the same for the same seed (the `mulberry32` generator). */
export class SeededRandom {
  private state: number;

  /** @param seed a 32-bit number */
  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * limit);
  }

  /** True once in `times`, on average. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }
}

/** Bytes at which a field changes its meaning: limits of lengths and types, wildcards, starts of UTF-8 sequences, flags. */
const borderBytes = [
  0x00, 0x01, 0x02, 0x03, 0x04, 0x0b, 0x1f, 0x23, 0x24, 0x26, 0x2b, 0x2f, 0x7f, 0x80, 0x81, 0x82, 0xc0, 0xc2, 0xe0,
  0xed, 0xf0, 0xf4, 0xfe, 0xff,
];

/** A Remaining Length, and with `padding` one byte more than it needs. */
function remainingLength(value: number, isPadded: boolean): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  } while (rest > 0);
  if (isPadded) bytes.push(0);
  else bytes[bytes.length - 1]! &= 0x7f;
  return bytes;
}

function headerSizeOf(packet: readonly number[]): number {
  let size = 1;
  while (size < packet.length && size < 5 && packet[size]! > 0x7f) size++;
  return Math.min(packet.length, size + 1);
}

/** One change to the bytes of `packet`, from `start` on. */
function damage(random: SeededRandom, packet: number[], start: number, seeds: readonly Uint8Array[]): void {
  const length = packet.length - start;
  const at = start + random.below(length + 1);
  const inside = start + random.below(Math.max(1, length));
  const some = 1 + random.below(random.once(4) ? 40 : 4);
  switch (random.below(11)) {
    case 0:
      if (length > 0) packet[inside]! ^= 1 << random.below(8);
      return;
    case 1:
      if (length > 0) packet[inside] = random.pick(borderBytes);
      return;
    case 2:
      if (length > 0) packet[inside] = random.below(256);
      return;
    case 3:
      packet.splice(at, some);
      return;
    case 4:
      packet.splice(at, 0, ...Array.from({ length: some }, () => random.pick(borderBytes)));
      return;
    case 5:
      // Repeats a part, which makes properties and filters come twice.
      packet.splice(at, 0, ...packet.slice(inside, inside + some));
      return;
    case 6:
      packet.length = at;
      return;
    case 7: {
      const other = random.pick(seeds);
      const from = random.below(other.length);
      packet.splice(at, random.below(3), ...other.subarray(from, from + some));
      return;
    }
    case 8: {
      // The second half of another packet.
      const other = random.pick(seeds);
      packet.length = at;
      packet.push(...other.subarray(Math.min(at, random.below(other.length))));
      return;
    }
    case 9:
      // Adds to a length, or to what may be one.
      if (length > 0) packet[inside] = (packet[inside]! + random.pick([1, 255, 2, 16])) & 0xff;
      return;
    case 10: {
      if (length < 2) return;
      const last = start + random.below(length);
      [packet[inside], packet[last]] = [packet[last]!, packet[inside]!];
      return;
    }
  }
}

/**
 * A packet that was right once, or bytes that never were. Never longer than a few hundred bytes more than the longest seed.
 * @param seeds right (or wrong) packets to start from, each with a whole fixed header
 */
export function mutatedPacket(random: SeededRandom, seeds: readonly Uint8Array[]): Uint8Array {
  if (random.once(50)) return Uint8Array.from({ length: random.below(60) }, () => random.below(256));
  const seed = [...random.pick(seeds)];
  if (random.once(20)) return Uint8Array.from(seed);
  const headerSize = headerSizeOf(seed);
  let firstByte = seed[0]!;
  const body = seed.slice(headerSize);
  for (let count = random.once(3) ? 1 + random.below(4) : 1; count > 0; count--) damage(random, body, 0, seeds);
  if (random.once(6)) firstByte = random.once(2) ? firstByte ^ (1 << random.below(8)) : random.below(256);
  if (!random.once(8)) return Uint8Array.from([firstByte, ...remainingLength(body.length, random.once(60)), ...body]);
  // The length is wrong, too: the old one, one nearby, a huge one, or bytes that are none.
  const header = seed.slice(1, headerSize);
  const lengths = [
    header,
    remainingLength(Math.max(0, body.length + random.below(9) - 4), false),
    remainingLength(random.pick([127, 128, 16_383, 16_384, 2_097_151, 268_435_455]), false),
    Array.from({ length: 1 + random.below(5) }, () => random.pick(borderBytes)),
  ];
  return Uint8Array.from([firstByte, ...random.pick(lengths), ...body]);
}

/** Cuts bytes into chunks of one to a few dozen bytes, or leaves them whole. */
export function cutAnywhere(random: SeededRandom, bytes: Uint8Array): Uint8Array[] {
  if (random.once(3)) return [bytes];
  const sizeMax = random.pick([1, 2, 3, 7, 40, 400]);
  const chunks: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; ) {
    const size = 1 + random.below(sizeMax);
    chunks.push(bytes.subarray(start, start + size));
    start += size;
  }
  return chunks;
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let length = 0;
  for (const part of parts) {
    whole.set(part, length);
    length += part.length;
  }
  return whole;
}
