/**
 * Secrets by what they are for. Made for key logs with a million lines: entries lie in blocks of a mebibyte, and a table of numbers with open
 * addressing finds them, so that an entry takes its bytes and twelve more.
 *
 *     entry: kind (1) │ length of the identifier (1) │ length of the secret (2) │ identifier │ secret
 */

/** What a secret is, and so what its identifier is. */
export const secretKinds = {
  /** By client random: the master secret of TLS 1.2. */
  master: 1,
  /** By client random: a premaster secret. */
  preMaster: 2,
  /** By the first eight bytes of what the client encrypted with the server's RSA key: a premaster secret. */
  rsaPreMaster: 3,
  /** By session identifier: the master secret of TLS 1.2. */
  sessionMaster: 4,
  /** By client random, as all of TLS 1.3. */
  clientEarlyTraffic: 5,
  clientHandshakeTraffic: 6,
  serverHandshakeTraffic: 7,
  /** Of key generation 0; `applicationTraffic` counts on from here. */
  clientTraffic: 16,
  serverTraffic: 17,
} as const;

/** Key generations of TLS 1.3 that can be told apart. */
export const trafficGenerations = 100;

/** Kind of the secret of a direction after that many key updates. */
export function applicationTraffic(direction: 0 | 1, generation: number): number {
  return secretKinds.clientTraffic + direction + 2 * generation;
}

const blockBytes = 1024 * 1024;
/** Beyond this no more is taken: some six million secrets. */
const bytesMax = 512 * 1024 * 1024;
const headerLength = 4;
const slotsMin = 1024;

export class SecretTable {
  /** Secrets in it. */
  count = 0;
  /** Times that something was added or replaced: who found nothing need not look again while this stays. */
  changes = 0;
  /** Those that came when it was full. */
  refused = 0;
  /** Whether there are any that a master secret has to be computed from. */
  hasPreMasters = false;
  readonly #blocks: Uint8Array[] = [];
  /** Bytes used of the last block. */
  #used = blockBytes;
  /** Where entries begin, counted over all blocks and from 1; 0 is a free slot. Its length is a power of two, half of it stays free. */
  #slots = new Uint32Array(slotsMin);
  /** Unknown to who writes files, so that nobody makes all entries collide. */
  readonly #seed = Math.floor(Math.random() * 0x1_0000_0000);

  /**
   * A secret for the same thing replaces the one before.
   * @param identifier - up to 255 bytes
   * @param secret - up to 65,535 bytes
   */
  add(kind: number, identifier: Uint8Array, secret: Uint8Array): void {
    const size = headerLength + identifier.length + secret.length;
    const slot = this.#slotOf(kind, identifier);
    const position = this.#slots[slot]! - 1;
    const isNew = position < 0;
    this.changes++;
    if (!isNew && this.#replace(position, secret)) return;
    if (this.#used + size > blockBytes) {
      if ((this.#blocks.length + 1) * blockBytes > bytesMax) {
        this.refused++;
        return;
      }
      this.#blocks.push(new Uint8Array(blockBytes));
      this.#used = 0;
    }
    const block = this.#blocks[this.#blocks.length - 1]!;
    const at = this.#used;
    block[at] = kind;
    block[at + 1] = identifier.length;
    block[at + 2] = secret.length >>> 8;
    block[at + 3] = secret.length;
    block.set(identifier, at + headerLength);
    block.set(secret, at + headerLength + identifier.length);
    this.#used += size;
    this.#slots[slot] = (this.#blocks.length - 1) * blockBytes + at + 1;
    if (kind === secretKinds.preMaster || kind === secretKinds.rsaPreMaster) this.hasPreMasters = true;
    if (!isNew) return;
    this.count++;
    if (2 * this.count > this.#slots.length) this.#grow();
  }

  /** A view; undefined if there is none. */
  find(kind: number, identifier: Uint8Array): Uint8Array | undefined {
    const position = this.#slots[this.#slotOf(kind, identifier)]! - 1;
    if (position < 0) return undefined;
    const block = this.#blocks[Math.floor(position / blockBytes)]!;
    const at = position % blockBytes;
    const start = at + headerLength + block[at + 1]!;
    return block.subarray(start, start + ((block[at + 2]! << 8) | block[at + 3]!));
  }

  /** Writes over the secret that is there; false if the new one has another length. */
  #replace(position: number, secret: Uint8Array): boolean {
    const block = this.#blocks[Math.floor(position / blockBytes)]!;
    const at = position % blockBytes;
    if (((block[at + 2]! << 8) | block[at + 3]!) !== secret.length) return false;
    block.set(secret, at + headerLength + block[at + 1]!);
    return true;
  }

  /** The slot where it is, or would be. */
  #slotOf(kind: number, identifier: Uint8Array): number {
    const mask = this.#slots.length - 1;
    let slot = this.#hash(kind, identifier, 0, identifier.length) & mask;
    for (;;) {
      const position = this.#slots[slot]! - 1;
      if (position < 0 || this.#isAt(position, kind, identifier)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #isAt(position: number, kind: number, identifier: Uint8Array): boolean {
    const block = this.#blocks[Math.floor(position / blockBytes)]!;
    const at = position % blockBytes;
    if (block[at] !== kind || block[at + 1] !== identifier.length) return false;
    for (let index = 0; index < identifier.length; index++) {
      if (block[at + headerLength + index] !== identifier[index]) return false;
    }
    return true;
  }

  /** Rounds as of MurmurHash3. */
  #hash(kind: number, bytes: Uint8Array, start: number, end: number): number {
    let hash = this.#seed ^ kind;
    for (let at = start; at < end; at++) {
      hash = Math.imul(hash ^ bytes[at]!, 0xcc9e2d51);
      hash = Math.imul((hash << 15) | (hash >>> 17), 0x1b873593);
    }
    hash ^= hash >>> 16;
    hash = Math.imul(hash, 0x85ebca6b);
    return (hash ^ (hash >>> 13)) >>> 0;
  }

  #grow(): void {
    const before = this.#slots;
    const slots = new Uint32Array(before.length * 2);
    const mask = slots.length - 1;
    for (const entry of before) {
      if (entry === 0) continue;
      const block = this.#blocks[Math.floor((entry - 1) / blockBytes)]!;
      const at = (entry - 1) % blockBytes;
      const start = at + headerLength;
      let slot = this.#hash(block[at]!, block, start, start + block[at + 1]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = entry;
    }
    this.#slots = slots;
  }
}
