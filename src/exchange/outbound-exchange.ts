/**
 * The sending end of QoS 1 and QoS 2, without I/O: which messages are in flight, what each waits for, and how many more may go.
 * Both the broker (towards subscribers) and the client (towards the server) use it. [MQTT 5.0 §4.3, §4.4, §4.9]
 *
 *     begin ──QoS 1──▶ awaiting-puback ──puback──▶ done
 *       └────QoS 2──▶ awaiting-pubrec ──pubrec──▶ awaiting-pubcomp ──pubcomp──▶ done
 *                           └─────────pubrec ≥ 0x80──────────────────────────▶ done
 *
 * After `connectionLost` every message keeps its Packet Identifier; those that wait for PUBACK or PUBREC are handed out again by
 * `nextResend`, in order and within the new quota, before anything new. [MQTT-4.4.0-1] [MQTT-4.6.0-1]
 */
import { packetIdentifierMax } from '../protocol/version.ts';
import { PacketIdentifiers } from './packet-identifiers.ts';

export type OutboundState = 'idle' | 'awaiting-puback' | 'awaiting-pubrec' | 'awaiting-pubcomp' | 'done';

/** What a message in flight must carry; owners extend it with what they need to send it again. */
export interface OutboundEntry {
  readonly qos: 0 | 1 | 2;
  /** 0 until `begin`. */
  packetIdentifier: number;
  state: OutboundState;
}

/** What to do with a PUBREC: answer PUBREL; nothing more, the exchange ended; or nothing is known of it (PUBREL with 0x92). */
export type PubrecOutcome = 'release' | 'ended' | 'unknown';

export class OutboundExchange<E extends OutboundEntry> {
  /** Shared with whatever else needs Packet Identifiers in this direction (a client's SUBSCRIBE). */
  readonly identifiers: PacketIdentifiers<E>;
  #quota: number;
  #quotaMax: number;
  /** Entries to be sent again on this connection, the last first. */
  #resend: E[] = [];

  /** @param receiveMaximum the peer's Receive Maximum, 1–65,535 */
  constructor(receiveMaximum: number = packetIdentifierMax) {
    this.identifiers = new PacketIdentifiers<E>();
    this.#quotaMax = receiveMaximum;
    this.#quota = receiveMaximum;
  }

  /** Messages begun and not done. */
  get count(): number {
    return this.identifiers.count;
  }

  /** How many more PUBLISH the peer's Receive Maximum lets be sent now; 0 or less is none. [MQTT-3.3.4-9] */
  get quota(): number {
    return this.#quota;
  }

  /** Whether a PUBLISH may be sent now, as far as the peer's Receive Maximum goes. [MQTT-3.3.4-9] */
  get hasQuota(): boolean {
    return this.#quota > 0;
  }

  /** Whether entries of an earlier connection still wait to be sent again; nothing new may overtake them. */
  get hasResends(): boolean {
    return this.#resend.length > 0;
  }

  /** Starts the exchange: takes quota and an identifier. False if no Packet Identifier is free. */
  begin(entry: E): boolean {
    const identifier = this.identifiers.allocate(entry);
    if (identifier === 0) return false;
    entry.packetIdentifier = identifier;
    entry.state = entry.qos === 1 ? 'awaiting-puback' : 'awaiting-pubrec';
    this.#quota--;
    return true;
  }

  /** Puts an exchange back as it was stored; order of calls is order of sending. False if its identifier is taken. */
  restore(entry: E): boolean {
    return this.identifiers.reserve(entry.packetIdentifier, entry);
  }

  /** A PUBACK came. Returns the message it ends, or undefined if none waits for it. */
  puback(packetIdentifier: number): E | undefined {
    const entry = this.identifiers.get(packetIdentifier);
    if (entry === undefined || entry.state !== 'awaiting-puback') return undefined;
    return this.#end(entry);
  }

  /** A PUBREC came, with its Reason Code. After `ended` the message is gone from the exchange. [MQTT-4.3.3-4] */
  pubrec(packetIdentifier: number, reasonCode: number): PubrecOutcome {
    const entry = this.identifiers.get(packetIdentifier);
    if (entry === undefined || entry.state === 'awaiting-puback') return 'unknown';
    if (entry.state === 'awaiting-pubcomp') return 'release';
    this.#leaveResends(entry);
    if (reasonCode >= 0x80) {
      this.#end(entry);
      return 'ended';
    }
    entry.state = 'awaiting-pubcomp';
    return 'release';
  }

  /** A PUBCOMP came. Returns the message it ends, or undefined if none waits for it. */
  pubcomp(packetIdentifier: number): E | undefined {
    const entry = this.identifiers.get(packetIdentifier);
    if (entry === undefined || entry.state !== 'awaiting-pubcomp') return undefined;
    return this.#end(entry);
  }

  /** Drops a message from the exchange whatever it waits for, e.g. because it can never be sent. */
  abandon(entry: E): void {
    if (this.isHeld(entry)) this.#end(entry);
  }

  /**
   * A new connection for this Session: the quota starts afresh. [MQTT-4.9.0-1]
   * @returns the entries that wait for PUBCOMP, whose PUBREL is to be sent again now, in order
   */
  connectionMade(receiveMaximum: number): E[] {
    const pending = this.identifiers.holders();
    const released = pending.filter((entry) => entry.state === 'awaiting-pubcomp');
    this.#resend = pending.filter((entry) => entry.state !== 'awaiting-pubcomp').reverse();
    this.#quotaMax = receiveMaximum;
    // A peer may count what it has not completed yet, so that takes quota too and its PUBCOMP gives it back.
    this.#quota = Math.max(0, receiveMaximum - released.length);
    return released;
  }

  /** The next message to send again (with DUP), taking quota for it; undefined if there is none or no quota. */
  nextResend(): E | undefined {
    if (this.#quota <= 0) return undefined;
    const entry = this.#resend.pop();
    if (entry !== undefined) this.#quota--;
    return entry;
  }

  /** Whether the exchange of this very entry is still going on. */
  isHeld(entry: E): boolean {
    return this.identifiers.get(entry.packetIdentifier) === entry;
  }

  /** Everything in flight, oldest first. */
  pending(): E[] {
    return this.identifiers.holders();
  }

  #end(entry: E): E {
    this.identifiers.release(entry.packetIdentifier);
    entry.state = 'done';
    this.#leaveResends(entry);
    if (this.#quota < this.#quotaMax) this.#quota++;
    return entry;
  }

  /** Acknowledged before it was sent again: takes the quota that sending it would have taken, so that the end gives back no more. */
  #leaveResends(entry: E): void {
    if (this.#resend.length === 0) return;
    const index = this.#resend.indexOf(entry);
    if (index === -1) return;
    this.#resend.splice(index, 1);
    this.#quota--;
  }
}
