/** A walk over the bytes of a packet that reads values and says nothing; what does not fit ends it, and reads as 0 or nothing. */
import { decodeText } from '../format-text.ts';
import type { MqttPacket } from '../mqtt/packet.ts';
import { nextProperty, variableByteIntegerAt, variableByteIntegerSize } from '../mqtt/property-walk.ts';

export class PacketCursor {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;
  /** Something did not fit. */
  isCut = false;

  constructor(packet: MqttPacket) {
    this.bytes = packet.source.bytes;
    this.at = packet.bodyStart;
    this.end = packet.end;
  }

  get rest(): number {
    return this.end - this.at;
  }

  #take(count: number): boolean {
    if (this.at + count <= this.end) return true;
    this.isCut = true;
    this.at = this.end;
    return false;
  }

  uint8(): number {
    return this.#take(1) ? this.bytes[this.at++]! : 0;
  }

  uint16(): number {
    if (!this.#take(2)) return 0;
    this.at += 2;
    return this.bytes[this.at - 2]! * 256 + this.bytes[this.at - 1]!;
  }

  text(): string {
    const bytes = this.binary();
    return bytes.length === 0 ? '' : decodeText(bytes);
  }

  /** Binary Data; a view. */
  binary(): Uint8Array {
    const length = this.uint16();
    if (!this.#take(length)) return this.bytes.subarray(this.end, this.end);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** The properties of MQTT 5.0, which begin here with their length; the cursor comes to rest behind them. */
  properties(): Properties {
    const length = variableByteIntegerAt(this.bytes, this.at, this.end);
    if (length < 0) {
      // An empty rest is no fault: many packets may end before their properties.
      if (this.at < this.end) this.isCut = true;
      this.at = this.end;
      return new Properties(this.bytes, this.end, this.end);
    }
    const start = this.at + variableByteIntegerSize(this.bytes, this.at);
    const end = Math.min(this.end, start + length);
    if (start + length > this.end) this.isCut = true;
    this.at = end;
    return new Properties(this.bytes, start, end);
  }
}

/** Values by their identifiers. [MQTT 5.0 §2.2.2.2] */
export class Properties {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  /** Where the first value begins; -1 if there is none. */
  #find(identifier: number): number {
    let at = this.#start;
    while (at >= 0 && at < this.#end) {
      const next = nextProperty(this.#bytes, at, this.#end);
      if (next < 0) return -1;
      if (this.#bytes[at] === identifier) return at + 1;
      at = next;
    }
    return -1;
  }

  /** A number of `size` bytes; undefined if there is none. */
  number(identifier: number, size: 1 | 2 | 4): number | undefined {
    const at = this.#find(identifier);
    if (at < 0) return undefined;
    let value = 0;
    for (let index = 0; index < size; index++) value = value * 256 + this.#bytes[at + index]!;
    return value;
  }

  text(identifier: number): string | undefined {
    const at = this.#find(identifier);
    if (at < 0) return undefined;
    const length = this.#bytes[at]! * 256 + this.#bytes[at + 1]!;
    return decodeText(this.#bytes.subarray(at + 2, at + 2 + length));
  }

  /** All Variable Byte Integers with this identifier. */
  integers(identifier: number): readonly number[] {
    let found: number[] | undefined;
    let at = this.#start;
    while (at >= 0 && at < this.#end) {
      const next = nextProperty(this.#bytes, at, this.#end);
      if (next >= 0 && this.#bytes[at] === identifier) {
        found ??= [];
        found.push(variableByteIntegerAt(this.#bytes, at + 1, next));
      }
      at = next;
    }
    return found ?? noIntegers;
  }
}

const noIntegers: readonly number[] = [];

/** By the specification's names. */
export const propertyIdentifiers = {
  contentType: 0x03,
  payloadFormat: 0x01,
  subscriptionIdentifier: 0x0b,
  sessionExpiryInterval: 0x11,
  assignedClientIdentifier: 0x12,
  serverKeepAlive: 0x13,
  willDelayInterval: 0x18,
  reasonString: 0x1f,
} as const;
