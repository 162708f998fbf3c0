/**
 * One thing that a store holds, on its way from one place to another: an export, an import, the database of another broker.
 *
 * A sequence of items has an order: a Session comes before what hangs on it, a message before what refers to it, the deliveries of a Session
 * in their order.
 */
import type { OutboundState } from '../../exchange/outbound-exchange.ts';
import type { QoS } from '../../protocol/version.ts';
import type { Message } from '../message.ts';
import type { SessionRecord, SubscriptionRecord } from './store.ts';

/** What names a message within one sequence of items. */
export type MessageNumber = number | bigint;

export interface SessionItem {
  readonly kind: 'session';
  readonly session: SessionRecord;
}

export interface SubscriptionItem {
  readonly kind: 'subscription';
  readonly clientIdentifier: string;
  readonly subscription: SubscriptionRecord;
}

export interface MessageItem {
  readonly kind: 'message';
  readonly number: MessageNumber;
  /** How many deliveries and unreleased QoS 2 messages will refer to it; at least 1. Whoever has seen them all may forget it. */
  readonly references: number;
  readonly message: Message;
}

export interface DeliveryItem {
  readonly kind: 'delivery';
  readonly clientIdentifier: string;
  /** Its place in the Session's order; rises. */
  readonly position: number;
  readonly number: MessageNumber;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly subscriptionIdentifiers: readonly number[] | undefined;
  /** 0 while it is queued. */
  readonly packetIdentifier: number;
  readonly state: OutboundState;
}

/** A QoS 2 message that waits for its PUBREL. */
export interface InboundItem {
  readonly kind: 'inbound';
  readonly clientIdentifier: string;
  readonly packetIdentifier: number;
  readonly number: MessageNumber;
}

export interface RetainedItem {
  readonly kind: 'retained';
  readonly message: Message;
}

export type StoredItem = SessionItem | SubscriptionItem | MessageItem | DeliveryItem | InboundItem | RetainedItem;

/** Told of something that cannot be taken along: what it is, and why. */
export type LeaveOut = (what: string, reason: string) => void;
