/** Subscribes and unsubscribes all the time, and notes what was acknowledged. */
import { type ReadPacket, valuesOf } from '../support/packet-reader.ts';
import { property, puback, subscribe, unsubscribe } from '../support/raw-packets.ts';
import { Peer } from './peer.ts';

export const churnedTopicCount = 12;
const identifierProperty = 0x0b;

interface Operation {
  readonly index: number;
  /** The Subscription Identifier (5.0); 0 unsubscribes. */
  readonly identifier: number;
}

export class Churner extends Peer {
  isChurning = true;
  /** By topic: the identifier it was last subscribed with; 0 if it is not subscribed. */
  readonly subscribed: number[] = Array.from({ length: churnedTopicCount }, () => 0);
  /** Topics of probes received, with their Subscription Identifiers. */
  readonly probes = new Map<string, readonly unknown[]>();
  #pending: Operation | undefined;
  #packetIdentifier = 0;
  #lastIdentifier = 0;

  get isSettled(): boolean {
    return this.#pending === undefined;
  }

  protected onConnected(): void {
    if (this.#pending === undefined) this.#next();
    else this.#ask(this.#pending);
  }

  protected onPacket(packet: ReadPacket): void {
    if (packet.name === 'PUBLISH') {
      this.probes.set(packet.topic ?? '', valuesOf(packet, identifierProperty));
      if (packet.qos === 1) this.send(puback(packet.id ?? 0));
      return;
    }
    const pending = this.#pending;
    const expected = pending?.identifier === 0 ? 'UNSUBACK' : 'SUBACK';
    if (pending === undefined || packet.name !== expected || packet.id !== this.#packetIdentifier) {
      this.complain(`got a ${packet.name} ${packet.id}`);
      return;
    }
    this.subscribed[pending.index] = pending.identifier;
    this.#pending = undefined;
    this.#next();
  }

  #next(): void {
    if (!this.isChurning) return;
    const index = this.random.below(churnedTopicCount);
    const isSubscribing = this.subscribed[index] === 0 || this.random.oneIn(3);
    this.#pending = { index, identifier: isSubscribing ? ++this.#lastIdentifier : 0 };
    this.#ask(this.#pending);
  }

  #ask({ index, identifier }: Operation): void {
    this.#packetIdentifier = (this.#packetIdentifier % 65_535) + 1;
    const filter = churnedTopic(this.name, index);
    const five = this.version === 5;
    this.send(
      identifier === 0
        ? unsubscribe(this.#packetIdentifier, [filter], five ? [] : undefined)
        : subscribe(
            this.#packetIdentifier,
            [[filter, 1]],
            five ? [property.subscriptionIdentifier(identifier)] : undefined,
          ),
    );
  }
}

export function churnedTopic(name: string, index: number): string {
  return `x/${name}/${index}`;
}
