/** What the server said in CONNACK that it takes, with what silence about it means. [MQTT 5.0 §3.2.2.3] */
import { packetSizeMax } from '../codec/index.ts';
import type { ConnackPacket, SubscriptionRequest } from '../codec/packets.ts';
import { RefusedError } from '../protocol/errors.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import { packetIdentifierMax, type QoS } from '../protocol/version.ts';

export interface ServerLimits {
  readonly receiveMaximum: number;
  readonly maximumQos: QoS;
  readonly retainAvailable: boolean;
  readonly topicAliasMaximum: number;
  readonly maximumPacketSize: number;
  readonly wildcardSubscriptionAvailable: boolean;
  readonly subscriptionIdentifiersAvailable: boolean;
  readonly sharedSubscriptionAvailable: boolean;
}

export function serverLimitsOf(connack: ConnackPacket): ServerLimits {
  const properties = connack.properties ?? {};
  return {
    receiveMaximum: properties.receiveMaximum ?? packetIdentifierMax,
    maximumQos: (properties.maximumQos ?? 2) as QoS,
    retainAvailable: properties.retainAvailable ?? true,
    topicAliasMaximum: properties.topicAliasMaximum ?? 0,
    maximumPacketSize: properties.maximumPacketSize ?? packetSizeMax,
    wildcardSubscriptionAvailable: properties.wildcardSubscriptionAvailable ?? true,
    subscriptionIdentifiersAvailable: properties.subscriptionIdentifiersAvailable ?? true,
    sharedSubscriptionAvailable: properties.sharedSubscriptionAvailable ?? true,
  };
}

/** @throws {RefusedError} the server would close the connection over this message */
export function checkMessage(limits: ServerLimits, qos: QoS, retain: boolean): void {
  if (qos > limits.maximumQos) {
    // [MQTT-3.2.2-11]
    throw new RefusedError(
      `QoS ${qos} is not supported by this server; at most ${limits.maximumQos}`,
      ReasonCode.qosNotSupported,
    );
  }
  if (retain && !limits.retainAvailable) {
    // [MQTT-3.2.2-14]
    throw new RefusedError('retained messages are not supported by this server', ReasonCode.retainNotSupported);
  }
}

/** @throws {RefusedError} the server would close the connection over this SUBSCRIBE */
export function checkSubscribe(
  limits: ServerLimits,
  subscriptions: readonly SubscriptionRequest[],
  properties: PropertiesOf<'SUBSCRIBE'> | undefined,
): void {
  if (properties?.subscriptionIdentifiers !== undefined && !limits.subscriptionIdentifiersAvailable) {
    throw new RefusedError(
      'Subscription Identifiers are not supported by this server',
      ReasonCode.subscriptionIdentifiersNotSupported,
    );
  }
  for (const { topicFilter } of subscriptions) {
    if (!limits.wildcardSubscriptionAvailable && /[+#]/.test(topicFilter)) {
      throw new RefusedError(
        `wildcards, as in ${JSON.stringify(topicFilter)}, are not supported by this server`,
        ReasonCode.wildcardSubscriptionsNotSupported,
      );
    }
    if (!limits.sharedSubscriptionAvailable && topicFilter.startsWith('$share/')) {
      throw new RefusedError(
        `Shared Subscriptions, as ${JSON.stringify(topicFilter)}, are not supported by this server`,
        ReasonCode.sharedSubscriptionsNotSupported,
      );
    }
  }
}
