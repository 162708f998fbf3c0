/** One of everything that a store can hold, in the order of items. */
import { Message, type MessageProperties } from '../../../src/broker/message.ts';
import type { StoredItem } from '../../../src/broker/persistence/stored-item.ts';

const publisher = { clientIdentifier: 'sensor', username: 'meter', listenerIndex: 1 };

export function message(topicName: string, payload: string | Uint8Array, more: Partial<Message> = {}): Message {
  return new Message(
    topicName,
    typeof payload === 'string' ? Buffer.from(payload) : payload,
    more.qos ?? 1,
    more.retain ?? false,
    more.properties,
    more.expiresAt ?? 0,
    more.publisher,
  );
}

const everyProperty: MessageProperties = {
  payloadFormatIndicator: 1,
  contentType: 'text/plain',
  responseTopic: 'answer/here',
  correlationData: Uint8Array.of(0, 255, 1),
  userProperties: [
    ['k', 'v'],
    ['k', 'ü\u001b[2J'],
  ],
};

export const sampleItems: readonly StoredItem[] = [
  {
    kind: 'session',
    session: {
      clientIdentifier: 'away',
      username: 'reader',
      listenerIndex: 1,
      expiryInterval: 3600,
      expiresAt: 4_102_444_800_123,
      will: {
        topicName: 'last/words',
        payload: Uint8Array.of(1, 2, 255),
        qos: 2,
        retain: true,
        properties: { willDelayInterval: 30, userProperties: [['a', 'b']], correlationData: Uint8Array.of(9) },
      },
      willDueAt: 4_102_444_799_000,
    },
  },
  {
    kind: 'subscription',
    clientIdentifier: 'away',
    subscription: {
      requestedFilter: '$share/group/q/#',
      topicFilter: 'mounted/q/#',
      shareName: 'group',
      qos: 2,
      noLocal: false,
      retainAsPublished: true,
      identifier: 268_435_455,
    },
  },
  {
    kind: 'subscription',
    clientIdentifier: 'away',
    subscription: {
      requestedFilter: 'x',
      topicFilter: 'x',
      shareName: '',
      qos: 0,
      noLocal: true,
      retainAsPublished: false,
      identifier: 0,
    },
  },
  {
    kind: 'message',
    number: 1,
    references: 2,
    message: message('q/one', 'first', { properties: everyProperty, publisher }),
  },
  {
    kind: 'delivery',
    clientIdentifier: 'away',
    position: 3,
    number: 1,
    qos: 1,
    retain: true,
    subscriptionIdentifiers: [268_435_455, 1],
    packetIdentifier: 65_535,
    state: 'awaiting-puback',
  },
  {
    kind: 'message',
    number: 2,
    references: 3,
    message: message('q/two', Uint8Array.of(0xff, 0), { qos: 2, retain: true }),
  },
  {
    kind: 'delivery',
    clientIdentifier: 'away',
    position: 4,
    number: 2,
    qos: 2,
    retain: false,
    subscriptionIdentifiers: undefined,
    packetIdentifier: 1,
    state: 'awaiting-pubrec',
  },
  {
    kind: 'delivery',
    clientIdentifier: 'away',
    position: 5,
    number: 2,
    qos: 2,
    retain: false,
    subscriptionIdentifiers: undefined,
    packetIdentifier: 2,
    state: 'awaiting-pubcomp',
  },
  {
    kind: 'message',
    number: 3,
    references: 1,
    message: message('over', '', { expiresAt: 1_000_000_000_000, publisher: { ...publisher, username: undefined } }),
  },
  {
    kind: 'delivery',
    clientIdentifier: 'away',
    position: 7,
    number: 3,
    qos: 0,
    retain: false,
    subscriptionIdentifiers: undefined,
    packetIdentifier: 0,
    state: 'idle',
  },
  {
    kind: 'session',
    session: {
      clientIdentifier: 'ünïcode ☃ "quoted"\n',
      username: undefined,
      listenerIndex: 0,
      expiryInterval: 0xffff_ffff,
      expiresAt: 0,
      will: undefined,
      willDueAt: 0,
    },
  },
  {
    kind: 'delivery',
    clientIdentifier: 'ünïcode ☃ "quoted"\n',
    position: 1,
    number: 1,
    qos: 1,
    retain: false,
    subscriptionIdentifiers: undefined,
    packetIdentifier: 0,
    state: 'idle',
  },
  { kind: 'inbound', clientIdentifier: 'ünïcode ☃ "quoted"\n', packetIdentifier: 7, number: 2 },
  { kind: 'retained', message: message('over/retained', 'x', { retain: true, expiresAt: 1_000_000_000_000 }) },
  {
    kind: 'retained',
    message: message('retained', 'kept', { qos: 0, retain: true, properties: everyProperty, publisher }),
  },
];
