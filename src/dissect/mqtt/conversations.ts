/**
 * What is remembered over all connections of a capture, with bounds: Sessions by client and server, handshakes that are under way, and memory for
 * packets that are not whole yet.
 */

import type { GatheredPacket } from './gathered-packet.ts';
import { HandshakeList, HandshakeTable } from './handshake.ts';

export interface ConversationOptions {
  /** Sessions that are remembered for when their client connects again. Default 65,536. */
  readonly sessionsMax?: number;
  /** Handshakes under way, over all connections. Default 262,144. */
  readonly handshakesMax?: number;
  /** Bytes of packets that wait for the rest of them, over all connections. Default 536,870,912, twice the largest packet. */
  readonly gatheredBytesMax?: number;
  /** Whether payloads are shown as text instead of bytes: Wireshark's `mqtt.show_msg_as_text`. Default false. */
  readonly showsMessagesAsText?: boolean;
}

/** State that may outlive a connection. [MQTT 5.0 §4.1] */
export class SessionState {
  /** What the client and the server have sent, by its Packet Identifier. */
  readonly byClient = new HandshakeTable();
  readonly byServer = new HandshakeTable();
}

export class Conversations {
  readonly handshakes: HandshakeList;
  readonly showsMessagesAsText: boolean;
  readonly #sessionsMax: number;
  readonly #gatheredBytesMax: number;
  /** Least recently connected first. */
  readonly #sessions = new Map<string, SessionState>();
  readonly #gathered = new Set<GatheredPacket>();
  #gatheredBytes = 0;
  #connections = 0;

  constructor(options: ConversationOptions = {}) {
    this.handshakes = new HandshakeList(options.handshakesMax ?? 262_144);
    this.showsMessagesAsText = options.showsMessagesAsText ?? false;
    this.#sessionsMax = options.sessionsMax ?? 65_536;
    this.#gatheredBytesMax = options.gatheredBytesMax ?? 536_870_912;
  }

  /** A number for a connection, no two the same. */
  numberConnection(): number {
    return ++this.#connections;
  }

  /** The Session of a client with a server; `isNew` forgets what was there. */
  session(key: string, isNew: boolean): SessionState {
    const known = this.#sessions.get(key);
    const session = known === undefined || isNew ? new SessionState() : known;
    this.adopt(key, session);
    return session;
  }

  /** Makes this the Session of that client, instead of the one that was. */
  adopt(key: string, session: SessionState): void {
    const known = this.#sessions.get(key);
    if (known !== undefined) {
      this.#sessions.delete(key);
      if (known !== session) this.#forget(known);
    }
    this.#sessions.set(key, session);
    if (this.#sessions.size <= this.#sessionsMax) return;
    for (const [oldest, state] of this.#sessions) {
      this.#sessions.delete(oldest);
      this.#forget(state);
      break;
    }
  }

  /** Ends what other connections have begun in a Session. */
  forgetOthers(session: SessionState, connection: number): void {
    for (const table of [session.byClient, session.byServer]) {
      if (table.size === 0) continue;
      for (const handshake of table.all()) {
        if (handshake.connection !== connection) this.handshakes.remove(handshake);
      }
    }
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  #forget(session: SessionState): void {
    this.handshakes.removeAll(session.byClient);
    this.handshakes.removeAll(session.byServer);
  }

  /** Counts bytes that a packet has come to hold; those that hold on longest give theirs up when all together have too many. */
  hold(packet: GatheredPacket, bytes: number): void {
    this.#gathered.add(packet);
    this.#gatheredBytes += bytes;
    if (this.#gatheredBytes <= this.#gatheredBytesMax) return;
    for (const oldest of this.#gathered) {
      if (oldest === packet) continue;
      this.release(oldest);
      oldest.giveUp();
      if (this.#gatheredBytes <= this.#gatheredBytesMax) return;
    }
    this.release(packet);
    packet.giveUp();
  }

  /** The packet is whole, or lost. */
  release(packet: GatheredPacket): void {
    if (this.#gathered.delete(packet)) this.#gatheredBytes -= packet.capacity;
  }
}
