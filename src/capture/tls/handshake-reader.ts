/** Handshake messages of one direction, out of records that they do not keep to. RFC 8446 §4, RFC 5246 §7.4. */
import { uint24At } from './tls-bytes.ts';

export const handshakeTypes = {
  clientHello: 1,
  serverHello: 2,
  newSessionTicket: 4,
  endOfEarlyData: 5,
  clientKeyExchange: 16,
  finished: 20,
  keyUpdate: 24,
} as const;

/** The largest type that is in use, message_hash (254) aside, which is never sent. */
const typeMax = 25;
const headerLength = 4;
/** Longer messages are passed over: only chains of certificates come near. */
const messageBytesMax = 128 * 1024;

/**
 * @param message - whole, its header of four bytes included; to be copied if it is kept. undefined if it was too long.
 */
export type HandshakeHandler = (type: number, message: Uint8Array | undefined) => void;

export class HandshakeReader {
  /** The beginning of a message: `#partial[0..#partialLength)`. */
  #partial = new Uint8Array(0);
  #partialLength = 0;
  /** Bytes to come of a message that is passed over, and its type. */
  #remaining = 0;
  #passedType = 0;

  /** Bytes were lost: the next record is taken to begin with a message. */
  reset(): void {
    this.#partial = new Uint8Array(0);
    this.#partialLength = 0;
    this.#remaining = 0;
  }

  push(bytes: Uint8Array, handle: HandshakeHandler): void {
    let at = 0;
    if (this.#remaining > 0) {
      at = Math.min(this.#remaining, bytes.length);
      this.#remaining -= at;
      if (this.#remaining > 0) return;
      handle(this.#passedType, undefined);
    }
    if (this.#partialLength > 0) at = this.#complete(bytes, at, handle);
    while (at + headerLength <= bytes.length && this.#remaining === 0) {
      if (bytes[at]! > typeMax) return;
      const end = at + headerLength + uint24At(bytes, at + 1);
      if (end > bytes.length) break;
      handle(bytes[at]!, bytes.subarray(at, end));
      at = end;
    }
    if (at < bytes.length && this.#remaining === 0) this.#begin(bytes, at);
  }

  /** Keeps the beginning of a message. */
  #begin(bytes: Uint8Array, at: number): void {
    const there = bytes.length - at;
    if (there >= headerLength) {
      const size = headerLength + uint24At(bytes, at + 1);
      if (size > messageBytesMax) {
        this.#passedType = bytes[at]!;
        this.#remaining = size - there;
        return;
      }
    }
    this.#append(bytes, at, bytes.length);
  }

  /** Goes on with a message that was begun; where the bytes go on after it. */
  #complete(bytes: Uint8Array, start: number, handle: HandshakeHandler): number {
    let at = start;
    if (this.#partialLength < headerLength) {
      const end = Math.min(bytes.length, at + headerLength - this.#partialLength);
      this.#append(bytes, at, end);
      at = end;
      if (this.#partialLength < headerLength) return at;
    }
    const type = this.#partial[0]!;
    const size = headerLength + uint24At(this.#partial, 1);
    if (type > typeMax) {
      this.reset();
      return bytes.length;
    }
    if (size > messageBytesMax) {
      this.#passedType = type;
      this.#remaining = size - this.#partialLength;
      this.#partialLength = 0;
      const passed = Math.min(this.#remaining, bytes.length - at);
      this.#remaining -= passed;
      return at + passed;
    }
    const end = Math.min(bytes.length, at + size - this.#partialLength);
    this.#append(bytes, at, end);
    if (this.#partialLength === size) {
      const message = this.#partial.subarray(0, size);
      this.reset();
      handle(type, message);
    }
    return end;
  }

  #append(bytes: Uint8Array, start: number, end: number): void {
    const length = this.#partialLength + end - start;
    if (length > this.#partial.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#partial.length));
      grown.set(this.#partial.subarray(0, this.#partialLength));
      this.#partial = grown;
    }
    this.#partial.set(bytes.subarray(start, end), this.#partialLength);
    this.#partialLength = length;
  }
}
