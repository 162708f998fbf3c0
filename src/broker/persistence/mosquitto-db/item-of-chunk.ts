/** From what Mosquitto wrote to what our store keeps: clients, subscriptions and messages. */
import { PacketReader } from '../../../codec/packet-reader.ts';
import { readProperties } from '../../../codec/property-codec.ts';
import { MqttError } from '../../../protocol/errors.ts';
import type { PropertiesOf } from '../../../protocol/properties.ts';
import { isTopicFilter, isTopicName, parseSharedFilter } from '../../../protocol/topics.ts';
import type { QoS } from '../../../protocol/version.ts';
import { Message, type MessageProperties } from '../../message.ts';
import type { SessionRecord, SubscriptionRecord } from '../store.ts';
import type { ClientChunk, MessageChunk, SubscriptionChunk } from './chunks.ts';

/** Why something of a file that is otherwise whole cannot be taken over. */
export class ItemFault extends Error {
  /** What it is, where that is known. */
  readonly what: string | undefined;

  constructor(reason: string, what?: string) {
    super(reason);
    this.what = what;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws {ItemFault} */
export function textOfBytes(bytes: Buffer, what: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ItemFault(`its ${what} is not UTF-8`);
  }
}

export function qosOf(qos: number): QoS {
  if (qos > 2) throw new ItemFault(`its QoS is ${qos}`);
  return qos as QoS;
}

export function clientOf(bytes: Buffer): string {
  if (bytes.length === 0) throw new ItemFault('it has no Client Identifier');
  return textOfBytes(bytes, 'Client Identifier');
}

export function sessionOf({ client, user, expiryInterval, expiresAt }: ClientChunk): SessionRecord {
  return {
    clientIdentifier: clientOf(client),
    username: user.length === 0 ? undefined : textOfBytes(user, 'user name'),
    // Mosquitto notes the port, which our listeners need not have any more.
    listenerIndex: 0,
    expiryInterval,
    // It writes an end that is already set for a Session that never ends, too.
    expiresAt: expiryInterval === 0xffff_ffff ? 0 : expiresAt,
    will: undefined,
    willDueAt: 0,
  };
}

export function subscriptionOf({ client, filter, identifier, qos, options }: SubscriptionChunk): {
  readonly clientIdentifier: string;
  readonly subscription: SubscriptionRecord;
} {
  const clientIdentifier = clientOf(client);
  const requestedFilter = textOfBytes(filter, 'Topic Filter');
  const what = `the subscription '${requestedFilter}' of '${clientIdentifier}'`;
  const shared = parseSharedFilter(requestedFilter);
  if (shared === 'invalid' || !isTopicFilter(requestedFilter)) throw new ItemFault('it is no valid Topic Filter', what);
  if (identifier > 268_435_455) throw new ItemFault(`its Subscription Identifier is ${identifier}`, what);
  const subscription: SubscriptionRecord = {
    requestedFilter,
    topicFilter: shared?.topicFilter ?? requestedFilter,
    shareName: shared?.shareName ?? '',
    qos: qosOf(qos),
    noLocal: (options & 4) !== 0,
    retainAsPublished: (options & 8) !== 0,
    identifier,
  };
  return { clientIdentifier, subscription };
}

/** @param isRetained whether it is kept for its topic */
export function messageOf(chunk: MessageChunk, isRetained: boolean): Message {
  const topicName = textOfBytes(chunk.topic, 'topic');
  const what = `${isRetained ? 'the retained message' : 'a message'} '${topicName}'`;
  if (!isTopicName(topicName)) throw new ItemFault('its topic is no valid Topic Name', what);
  if (isRetained && topicName.startsWith('$SYS/')) throw new ItemFault('the broker makes it itself', what);
  const clientIdentifier = textOfBytes(chunk.sourceClient, "publisher's Client Identifier");
  const username = chunk.sourceUser.length === 0 ? undefined : textOfBytes(chunk.sourceUser, "publisher's user name");
  const publisher = clientIdentifier === '' ? undefined : { clientIdentifier, username, listenerIndex: 0 };
  const { topicAlias, subscriptionIdentifiers, messageExpiryInterval, ...properties } = propertiesOf(
    chunk.properties,
    what,
  );
  return new Message(
    topicName,
    chunk.payload,
    qosOf(chunk.qos),
    isRetained || chunk.retain,
    Object.keys(properties).length === 0 ? undefined : (properties satisfies MessageProperties),
    chunk.expiresAt,
    publisher,
  );
}

const reader = new PacketReader();

/** @throws {ItemFault} */
export function propertiesOf(bytes: Buffer, what: string): PropertiesOf<'PUBLISH'> {
  if (bytes.length === 0) return {};
  reader.begin(bytes, 0, 0, bytes.length, 5);
  try {
    return readProperties(reader, 'PUBLISH') ?? {};
  } catch (error) {
    if (!(error instanceof MqttError)) throw error;
    throw new ItemFault(`its properties cannot be read: ${error.message}`, what);
  }
}
