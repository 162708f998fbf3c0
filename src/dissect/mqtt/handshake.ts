/**
 * What is under way between two ends: a PUBLISH until its last acknowledgement, a SUBSCRIBE, UNSUBSCRIBE, CONNECT or PINGREQ until its answer.
 *
 *     QoS 1   published ── PUBACK ──▸ gone
 *     QoS 2   published ── PUBREC ──▸ received ── PUBREL ──▸ released ── PUBCOMP ──▸ gone
 *     others  requested ── answer ──▸ gone
 */
import type { Frame } from '../../capture/frame.ts';

/** Values of `Handshake.state` and, with those that end one, of `MqttPacket.qosState`. */
export const handshakeStates = {
  none: 0,
  published: 1,
  received: 2,
  released: 3,
  complete: 4,
  refused: 5,
  requested: 6,
  answered: 7,
  unknown: 8,
} as const;

/** By the values of `handshakeStates`. */
export const handshakeStateNames = [
  '',
  'published',
  'received',
  'released',
  'complete',
  'refused',
  'requested',
  'answered',
  'unknown',
] as const;

export class Handshake {
  readonly packetIdentifier: number;
  /** Type of the packet that began it. */
  readonly packetType: number;
  /** 1 or 2 of a PUBLISH, 0 of others. */
  readonly qos: number;
  /** Connection on which it began: only a PUBLISH outlives its connection. */
  readonly connection: number;
  /** Number and time of the frame that began it. */
  readonly beganFrame: number;
  readonly beganSeconds: number;
  readonly beganNanoseconds: number;
  /** Of the latest packet of it. */
  frame: number;
  seconds: number;
  nanoseconds: number;
  state: number;
  /** Topic Filters of a SUBSCRIBE or UNSUBSCRIBE; -1 if they could not be counted. */
  readonly filterCount: number;
  /** Where it is kept, and its neighbours in order of age among all handshakes. */
  table: HandshakeTable | undefined = undefined;
  older: Handshake | undefined = undefined;
  younger: Handshake | undefined = undefined;

  constructor(
    packetIdentifier: number,
    packetType: number,
    qos: number,
    connection: number,
    frame: Frame,
    state: number,
    filterCount: number,
  ) {
    this.packetIdentifier = packetIdentifier;
    this.packetType = packetType;
    this.qos = qos;
    this.connection = connection;
    this.beganFrame = frame.number;
    this.beganSeconds = frame.seconds;
    this.beganNanoseconds = frame.nanoseconds;
    this.frame = frame.number;
    this.seconds = frame.seconds;
    this.nanoseconds = frame.nanoseconds;
    this.state = state;
    this.filterCount = filterCount;
  }

  /** Notes the packet that takes it a step further. */
  step(frame: Frame, state: number): void {
    this.frame = frame.number;
    this.seconds = frame.seconds;
    this.nanoseconds = frame.nanoseconds;
    this.state = state;
  }
}

/**
 * The handshakes that one end has begun, by Packet Identifier. Most clients have one at a time, and for that one there is a place outside the map, whose
 * every entry costs more than the rest of the handshake.
 */
export class HandshakeTable {
  #first: Handshake | undefined = undefined;
  #others: Map<number, Handshake> | undefined = undefined;
  /** One was given up to bound memory: an acknowledgement without its packet then proves nothing. */
  isIncomplete = false;

  get size(): number {
    return (this.#first === undefined ? 0 : 1) + (this.#others?.size ?? 0);
  }

  get(packetIdentifier: number): Handshake | undefined {
    const first = this.#first;
    if (first !== undefined && first.packetIdentifier === packetIdentifier) return first;
    return this.#others?.get(packetIdentifier);
  }

  /** Its identifier must not be in use. */
  add(handshake: Handshake): void {
    if (this.#first === undefined) this.#first = handshake;
    else {
      this.#others ??= new Map();
      this.#others.set(handshake.packetIdentifier, handshake);
    }
  }

  remove(handshake: Handshake): void {
    if (this.#first === handshake) this.#first = undefined;
    else this.#others?.delete(handshake.packetIdentifier);
  }

  /** Oldest first. */
  all(): Handshake[] {
    const all = [...(this.#others?.values() ?? [])];
    if (this.#first !== undefined) all.push(this.#first);
    return all.sort((a, b) => a.beganFrame - b.beganFrame);
  }
}

/**
 * All handshakes of all connections in order of age, so that their number is bounded together: a capture of one direction only, or connections
 * that end without a word, would fill memory otherwise.
 */
export class HandshakeList {
  readonly countMax: number;
  count = 0;
  #oldest: Handshake | undefined = undefined;
  #youngest: Handshake | undefined = undefined;

  constructor(countMax: number) {
    this.countMax = countMax;
  }

  /** Takes the place of another with the same identifier. */
  add(table: HandshakeTable, handshake: Handshake): void {
    const former = table.get(handshake.packetIdentifier);
    if (former !== undefined) this.remove(former);
    table.add(handshake);
    handshake.table = table;
    handshake.older = this.#youngest;
    if (this.#youngest === undefined) this.#oldest = handshake;
    else this.#youngest.younger = handshake;
    this.#youngest = handshake;
    this.count++;
    if (this.count > this.countMax && this.#oldest !== undefined) {
      if (this.#oldest.table !== undefined) this.#oldest.table.isIncomplete = true;
      this.remove(this.#oldest);
    }
  }

  remove(handshake: Handshake): void {
    const { table, older, younger } = handshake;
    if (table === undefined) return;
    table.remove(handshake);
    if (older === undefined) this.#oldest = younger;
    else older.younger = younger;
    if (younger === undefined) this.#youngest = older;
    else younger.older = older;
    handshake.table = undefined;
    handshake.older = undefined;
    handshake.younger = undefined;
    this.count--;
  }

  removeAll(table: HandshakeTable): void {
    for (const handshake of table.all()) this.remove(handshake);
  }
}
