/**
 * The receiving end of QoS 1 and QoS 2, without I/O. [MQTT 5.0 §4.3.2, §4.3.3]
 *
 *     PUBLISH QoS 2, new identifier ─begin→ 'deliver'    (kept until PUBREL)
 *     PUBLISH QoS 2, same identifier ─begin→ 'duplicate' (PUBREC again, nothing else) [MQTT-4.3.3-10]
 *     PUBREL ─release→ what was kept at the first, undefined if nothing was
 *
 * The broker keeps the message itself and routes it on release; the client keeps a mark and delivers at once.
 */
import { packetIdentifierMax } from '../protocol/version.ts';
import { PeerIdentifiers } from './peer-identifiers.ts';

export class InboundExchange<T> {
  /** Receive Maximum granted to the peer: how many QoS 1 and 2 messages may be open. */
  receiveMaximum: number;
  #open: PeerIdentifiers<T> | undefined;
  /** QoS 1 messages whose PUBACK has not been sent yet. */
  #unacknowledged = 0;

  constructor(receiveMaximum: number = packetIdentifierMax) {
    this.receiveMaximum = receiveMaximum;
  }

  /** Messages open at this moment, QoS 1 and 2 together. */
  get count(): number {
    return this.#unacknowledged + (this.#open?.count ?? 0);
  }

  /** True if one more would be more than was granted. [MQTT-3.3.4-7] */
  get isFull(): boolean {
    return this.count >= this.receiveMaximum;
  }

  /** A QoS 1 PUBLISH is being worked on. */
  beginQos1(): void {
    this.#unacknowledged++;
  }

  /** Its PUBACK goes out. */
  endQos1(): void {
    this.#unacknowledged--;
  }

  /** Whether this identifier is open at QoS 2. */
  has(packetIdentifier: number): boolean {
    return this.#open?.get(packetIdentifier) !== undefined;
  }

  /** What is kept for an identifier that is open at QoS 2. */
  get(packetIdentifier: number): T | undefined {
    return this.#open?.get(packetIdentifier);
  }

  /** A QoS 2 PUBLISH came: keeps `value` under its identifier unless it is open already. */
  begin(packetIdentifier: number, value: T): 'deliver' | 'duplicate' {
    this.#open ??= new PeerIdentifiers();
    return this.#open.add(packetIdentifier, value) ? 'deliver' : 'duplicate';
  }

  /** A PUBREL came: forgets the identifier and returns what was kept. */
  release(packetIdentifier: number): T | undefined {
    return this.#open?.take(packetIdentifier);
  }

  /** The connection is gone: QoS 1 work in progress is the peer's to repeat, QoS 2 stays. */
  connectionLost(): void {
    this.#unacknowledged = 0;
  }

  /** Open QoS 2 messages, in no order. */
  entries(): [number, T][] {
    return this.#open?.entries() ?? [];
  }
}
