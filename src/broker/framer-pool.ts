/** Framers for connections that have bytes at hand: between chunks most have none, and need no framer. */
import { PacketFramer } from '../codec/index.ts';
import type { ProtocolVersion } from '../protocol/version.ts';

/** More are in use at once only while handlers are at work. */
const pooledFramersMax = 64;

export class FramerPool {
  readonly #free: PacketFramer[] = [];

  /** @param version whose fixed headers are accepted */
  take(maximumPacketSize: number, version: ProtocolVersion): PacketFramer {
    const framer = this.#free.pop() ?? new PacketFramer();
    framer.maximumPacketSize = maximumPacketSize;
    framer.version = version;
    return framer;
  }

  /** Takes back a framer that has nothing left to cut, and that found no fault. */
  put(framer: PacketFramer): void {
    if (this.#free.length < pooledFramersMax) this.#free.push(framer);
  }
}
