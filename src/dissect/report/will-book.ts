/** Which wills were announced, and what became of each. [MQTT 5.0 §3.1.2.5] */
import { PacketType } from '../../protocol/packet-types.ts';
import type { MqttPacket } from '../mqtt/packet.ts';
import type { ConnectionRecord } from './connection-record.ts';
import type { ConnectionListener } from './connection-tracker.ts';
import type { Moment } from './moment.ts';
import { WillRecord } from './will-record.ts';

/** Wills that wait at the same time; of more, none is recognised when it is sent. */
const waitingMax = 100_000;

export class WillBook implements ConnectionListener {
  /** Every will, in the order of the capture. */
  onWill: ((will: WillRecord) => void) | undefined = undefined;
  /** A will that the broker has to send now, or after its delay. */
  onDue: ((will: WillRecord, moment: Moment) => void) | undefined = undefined;
  onCancelled: ((will: WillRecord) => void) | undefined = undefined;
  readonly #byConnection = new WeakMap<ConnectionRecord, WillRecord>();
  /** Announced ones by broker and topic. */
  readonly #announced = new Map<string, Set<WillRecord>>();
  /** Those that wait for their delay, by broker and client. */
  readonly #delayed = new Map<string, WillRecord>();
  #waiting = 0;

  /** An announced will of these bytes; the broker may send it before its connection is seen to end. */
  findAnnounced(brokerKey: string, topic: string, print: number): WillRecord | undefined {
    const wills = this.#announced.get(`${brokerKey} ${topic}`);
    if (wills === undefined) return undefined;
    for (const will of wills) if (will.print === print) return will;
    return undefined;
  }

  packet(packet: MqttPacket, connection: ConnectionRecord, moment: Moment, isCounted: boolean): void {
    if (packet.packetType === PacketType.CONNECT) this.#connect(connection, moment, isCounted);
    else if (packet.packetType === PacketType.CONNACK) this.#connack(connection, moment);
  }

  #connect(connection: ConnectionRecord, moment: Moment, isCounted: boolean): void {
    const content = connection.connect?.will;
    if (content === undefined) return;
    const will = new WillRecord(connection, content, moment, isCounted);
    this.#byConnection.set(connection, will);
    this.onWill?.(will);
    if (this.#waiting >= waitingMax) return;
    this.#waiting++;
    const key = topicKey(will);
    const wills = this.#announced.get(key);
    if (wills === undefined) this.#announced.set(key, new Set([will]));
    else wills.add(will);
  }

  #connack(connection: ConnectionRecord, moment: Moment): void {
    if (connection.isRefused) {
      const will = this.#byConnection.get(connection);
      if (will?.state !== 'announced') return;
      will.state = 'refused';
      this.#forget(will);
      return;
    }
    const key = clientKey(connection);
    const former = this.#delayed.get(key);
    if (former === undefined) return;
    this.#delayed.delete(key);
    const isOver = moment.ns - former.dueAt!.ns >= former.delaySeconds * 1e9;
    // A Session that ends sends its will at once.
    if (isOver || connection.connect?.cleanStart === true) former.state = 'due';
    else if (former.deliveryCount === 0) {
      former.state = 'cancelled';
      this.onCancelled?.(former);
    }
  }

  ended(connection: ConnectionRecord): void {
    const will = this.#byConnection.get(connection);
    if (will?.state !== 'announced') return;
    this.#forget(will);
    if (connection.isWillDropped) will.state = 'dropped';
    else this.due(will, connection.endedAt!);
  }

  /** The connection has ended, or the will was seen. */
  due(will: WillRecord, moment: Moment): void {
    this.#forget(will);
    will.dueAt = moment;
    const { connection } = will;
    const expiry = connection.connack?.sessionExpirySeconds ?? connection.connect?.sessionExpirySeconds ?? 0;
    const isDelayed = Math.min(will.delaySeconds, expiry) > 0 && connection.endedAt !== undefined;
    will.state = isDelayed ? 'delayed' : 'due';
    if (isDelayed && this.#delayed.size < waitingMax) this.#delayed.set(clientKey(connection), will);
    this.onDue?.(will, moment);
  }

  #forget(will: WillRecord): void {
    const key = topicKey(will);
    const wills = this.#announced.get(key);
    if (wills === undefined || !wills.delete(will)) return;
    this.#waiting--;
    if (wills.size === 0) this.#announced.delete(key);
  }
}

function topicKey({ connection, topic }: WillRecord): string {
  return `${connection.ends.brokerKey} ${topic}`;
}

function clientKey({ ends, clientIdentifier }: ConnectionRecord): string {
  return `${ends.brokerKey} ${clientIdentifier}`;
}
