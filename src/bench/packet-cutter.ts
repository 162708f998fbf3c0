/** Cuts what a socket brings into packets, without decoding them and without an object per packet. */
import { LoadError } from './load-error.ts';

/** Takes packets. `bytes` is used again for what is read next; nothing may keep it. */
export interface PacketReceiver {
  /** Takes as many whole packets as it likes from `offset` on, and returns where it stopped; `offset` if it took none. */
  takeRun(bytes: Uint8Array, offset: number, end: number): number;
  /** Takes one whole packet, `offset` up to `end`, whose body begins at `body`. */
  takePacket(bytes: Uint8Array, offset: number, body: number, end: number): void;
  /** Everything up to now has been handed on. */
  endChunk(): void;
}

/** Bytes of a packet that the generator did not send itself, such as an acknowledgement with a reason in words. */
const foreignPacketBytesMax = 65_536;

const carryBytesMin = 64;
const noBytes = new Uint8Array(0);

export class PacketCutter {
  receiver: PacketReceiver;
  /** Bytes of the largest packet that is expected. */
  readonly #packetBytesMax: number;
  /** The beginning of a packet whose rest is still to come: the first `#carriedBytes` bytes. */
  #carry = noBytes;
  #carriedBytes = 0;
  /** Set by `#measure`. */
  #bodyOffset = 0;

  constructor(receiver: PacketReceiver, publishBytes: number) {
    this.receiver = receiver;
    this.#packetBytesMax = Math.max(publishBytes, foreignPacketBytesMax);
  }

  /**
   * Takes the first `length` bytes of `bytes`.
   * @throws {LoadError} if they are not MQTT; and whatever the receiver throws
   */
  push(bytes: Uint8Array, length: number): void {
    let offset = this.#carriedBytes === 0 ? 0 : this.#completeCarried(bytes, length);
    while (offset < length) {
      offset = this.receiver.takeRun(bytes, offset, length);
      if (offset >= length) break;
      const total = this.#measure(bytes, offset, length);
      if (total === 0 || offset + total > length) {
        this.#hold(bytes, offset, length, Math.max(total, length - offset));
        break;
      }
      this.receiver.takePacket(bytes, offset, this.#bodyOffset, offset + total);
      offset += total;
    }
    this.receiver.endChunk();
  }

  /** Adds bytes to the packet that was begun until it is whole, hands it on, and returns how many were used. */
  #completeCarried(bytes: Uint8Array, length: number): number {
    let offset = 0;
    let total = this.#measure(this.#carry, 0, this.#carriedBytes);
    // The header is at most five bytes, for which `#hold` has made room, so this ends soon.
    while (total === 0 && offset < length) {
      this.#carry[this.#carriedBytes] = bytes[offset]!;
      this.#carriedBytes++;
      offset++;
      total = this.#measure(this.#carry, 0, this.#carriedBytes);
    }
    if (total === 0) return offset;
    const missing = Math.min(total - this.#carriedBytes, length - offset);
    this.#hold(bytes, offset, offset + missing, total);
    if (this.#carriedBytes < total) return length;
    this.#carriedBytes = 0;
    if (this.receiver.takeRun(this.#carry, 0, total) === 0) {
      this.#measure(this.#carry, 0, total);
      this.receiver.takePacket(this.#carry, 0, this.#bodyOffset, total);
    }
    return offset + missing;
  }

  #hold(bytes: Uint8Array, offset: number, end: number, total: number): void {
    if (this.#carry.length < total) {
      const larger = new Uint8Array(Math.max(total, carryBytesMin));
      larger.set(this.#carry.subarray(0, this.#carriedBytes));
      this.#carry = larger;
    }
    this.#carry.set(bytes.subarray(offset, end), this.#carriedBytes);
    this.#carriedBytes += end - offset;
  }

  /** Bytes of the packet at `offset`, or 0 while its header is incomplete. */
  #measure(bytes: Uint8Array, offset: number, end: number): number {
    let remainingLength = 0;
    for (let digits = 0; digits < 4; digits++) {
      const at = offset + 1 + digits;
      if (at >= end) return 0;
      const digit = bytes[at]!;
      remainingLength += (digit & 0x7f) * 128 ** digits;
      if ((digit & 0x80) === 0) {
        this.#bodyOffset = at + 1;
        const total = at + 1 - offset + remainingLength;
        if (total > this.#packetBytesMax) throw new LoadError(`the broker announces a packet of ${total} bytes`);
        return total;
      }
    }
    throw new LoadError('the broker sends a Remaining Length of more than four bytes');
  }
}
