/** Where Mosquitto stands with a message to or from a client, in the states of our exchanges. */
import type { OutboundState } from '../../../exchange/outbound-exchange.ts';
import type { DeliveryItem, InboundItem } from '../stored-item.ts';
import type { DeliveryChunk } from './chunks.ts';
import { clientOf, ItemFault, propertiesOf, qosOf } from './item-of-chunk.ts';

/** Mosquitto's numbers for the states of a message. */
const state = {
  publishQos0: 1,
  publishQos1: 2,
  waitForPuback: 3,
  publishQos2: 4,
  waitForPubrec: 5,
  resendPubrel: 6,
  waitForPubrel: 7,
  resendPubcomp: 8,
  waitForPubcomp: 9,
  sendPubrec: 10,
  queued: 11,
} as const;

/** What a message in flight waits for. One that was never sent has its identifier, too, and goes out as one that was. */
const outboundStates: ReadonlyMap<number, OutboundState> = new Map<number, OutboundState>([
  [state.publishQos1, 'awaiting-puback'],
  [state.waitForPuback, 'awaiting-puback'],
  [state.publishQos2, 'awaiting-pubrec'],
  [state.waitForPubrec, 'awaiting-pubrec'],
  [state.resendPubrel, 'awaiting-pubcomp'],
  [state.waitForPubcomp, 'awaiting-pubcomp'],
]);

/** A QoS 2 message whose PUBREL is not in. */
const inboundStates: ReadonlySet<number> = new Set([
  state.publishQos2,
  state.waitForPubrel,
  state.resendPubcomp,
  state.sendPubrec,
  state.queued,
]);

/** @throws {ItemFault} */
export function deliveryOf(chunk: DeliveryChunk): Omit<DeliveryItem, 'position'> | InboundItem {
  const clientIdentifier = clientOf(chunk.client);
  const { message: number, packetIdentifier, isOutbound } = chunk;
  const qos = qosOf(chunk.qos);
  const what = isOutbound ? `a message for '${clientIdentifier}'` : `a message from '${clientIdentifier}'`;
  const contradiction = new ItemFault(
    `state ${chunk.state} does not go with QoS ${qos} and packet identifier ${packetIdentifier}`,
    what,
  );
  if (!isOutbound) {
    if (qos !== 2 || packetIdentifier === 0 || !inboundStates.has(chunk.state)) throw contradiction;
    return { kind: 'inbound', clientIdentifier, packetIdentifier, number };
  }
  const { subscriptionIdentifiers } = propertiesOf(chunk.properties, what);
  const common = {
    kind: 'delivery',
    clientIdentifier,
    number,
    qos,
    retain: chunk.retain,
    subscriptionIdentifiers,
  } as const;
  const isQueued = chunk.state === state.queued || (qos === 0 && chunk.state === state.publishQos0);
  if (isQueued) return { ...common, packetIdentifier: 0, state: 'idle' };
  const outbound = outboundStates.get(chunk.state);
  if (outbound === undefined || packetIdentifier === 0) throw contradiction;
  if (qos !== (outbound === 'awaiting-puback' ? 1 : 2)) throw contradiction;
  return { ...common, packetIdentifier, state: outbound };
}
