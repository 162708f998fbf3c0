/** A will, from the CONNECT that announces it to those who get it. */
import type { ConnectionRecord } from './connection-record.ts';
import type { DeliveryRecord } from './message-source.ts';
import type { Moment } from './moment.ts';
import type { WillContent } from './packet-contents.ts';
import { KeptPayload, payloadPrint } from './payload-print.ts';

/**
 * `announced`: its connection is open; `refused`: the CONNECT was; `dropped`: the client disconnected as it should; `delayed`: it is due, after its
 * delay; `due`: the connection ended without a DISCONNECT; `cancelled`: the client came back before its delay was over.
 *
 *     announced ──▸ refused
 *         │ ──────▸ dropped
 *         │ ──────▸ due
 *         └───────▸ delayed ──▸ due, cancelled
 */
export type WillState = 'announced' | 'refused' | 'dropped' | 'delayed' | 'due' | 'cancelled';

/** Deliveries of one will that are kept one by one. */
export const willDeliveriesMax = 10_000;

export class WillRecord {
  readonly connection: ConnectionRecord;
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly delaySeconds: number;
  readonly payload: KeptPayload;
  readonly print: number;
  readonly announcedAt: Moment;
  readonly isCounted: boolean;
  state: WillState = 'announced';
  /** When its connection ended, or it was seen before that. */
  dueAt: Moment | undefined = undefined;
  readonly deliveries: DeliveryRecord[] = [];
  deliveryCount = 0;

  constructor(connection: ConnectionRecord, content: WillContent, announcedAt: Moment, isCounted: boolean) {
    const { topic, payload, qos, retain, delaySeconds } = content;
    this.connection = connection;
    this.topic = topic;
    this.qos = qos;
    this.retain = retain;
    this.delaySeconds = delaySeconds;
    this.payload = new KeptPayload(payload, 0, payload.length, payload.length);
    this.print = payloadPrint(payload, 0, payload.length, payload.length, false);
    this.announcedAt = announcedAt;
    this.isCounted = isCounted;
  }

  addDelivery(delivery: DeliveryRecord): void {
    this.deliveryCount++;
    if (this.deliveries.length < willDeliveriesMax) this.deliveries.push(delivery);
  }
}
