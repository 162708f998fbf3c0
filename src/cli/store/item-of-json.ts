/** A line of an export as an item of a store. Everything is checked: people edit such files. */
import { isWellFormed } from '../../base/bytes.ts';
import { Message, type MessageProperties } from '../../broker/message.ts';
import type { SessionRecord, SubscriptionRecord } from '../../broker/persistence/store.ts';
import type { StoredItem } from '../../broker/persistence/stored-item.ts';
import { propertiesSize } from '../../codec/property-codec.ts';
import type { OutboundState } from '../../exchange/outbound-exchange.ts';
import { MqttError } from '../../protocol/errors.ts';
import { type PropertiesOf, type PropertyRow, propertyRows } from '../../protocol/properties.ts';
import { isTopicFilter, isTopicName, parseSharedFilter } from '../../protocol/topics.ts';
import type { QoS } from '../../protocol/version.ts';
import { stateNames } from './export-format.ts';
import { JsonFault, type JsonFields } from './json-fields.ts';

const safeMax = Number.MAX_SAFE_INTEGER;
const states = new Map<string, OutboundState>(
  Object.entries(stateNames).map(([state, name]) => [name, state as OutboundState]),
);

/** @throws {JsonFault} */
export function itemOfJson(kind: string, fields: JsonFields): StoredItem {
  const item = read(kind, fields);
  fields.end();
  return item;
}

function read(kind: string, fields: JsonFields): StoredItem {
  switch (kind) {
    case 'session':
      return { kind, session: sessionOf(fields) };
    case 'subscription':
      return { kind, clientIdentifier: clientOf(fields), subscription: subscriptionOf(fields) };
    case 'message': {
      const number = fields.number('number', 0, safeMax);
      const references = fields.number('references', 1, safeMax);
      return { kind, number, references, message: messageOf(fields) };
    }
    case 'delivery':
      return deliveryOf(fields);
    case 'inbound': {
      const packetIdentifier = fields.number('packetIdentifier', 1, 65_535);
      return {
        kind,
        clientIdentifier: clientOf(fields),
        packetIdentifier,
        number: fields.number('message', 0, safeMax),
      };
    }
    case 'retained':
      return { kind, message: messageOf(fields) };
    default:
      throw new JsonFault(`lines of kind '${kind}' are not known`);
  }
}

function sessionOf(fields: JsonFields): SessionRecord {
  const will = fields.object('will');
  const session = {
    clientIdentifier: clientOf(fields),
    username: fields.optionalText('username'),
    listenerIndex: fields.number('listenerIndex', 0, 65_535, 0),
    expiryInterval: fields.number('expiryInterval', 0, 0xffff_ffff),
    expiresAt: fields.time('expiresAt'),
    will: will === undefined ? undefined : willOf(will),
    willDueAt: fields.time('willDueAt'),
  };
  if (session.willDueAt !== 0 && will === undefined) throw new JsonFault('willDueAt without a will');
  return session;
}

function willOf(fields: JsonFields): NonNullable<SessionRecord['will']> {
  const will = {
    topicName: topicOf(fields),
    payload: payloadOf(fields),
    qos: qosOf(fields),
    retain: fields.flag('retain'),
    properties: propertiesOf(fields, 'WILL', []) as PropertiesOf<'WILL'> | undefined,
  };
  fields.end();
  return will;
}

function subscriptionOf(fields: JsonFields): SubscriptionRecord {
  const requestedFilter = fields.text('requestedFilter');
  const shared = parseSharedFilter(requestedFilter);
  if (shared === 'invalid' || !isTopicFilter(requestedFilter)) {
    throw new JsonFault(`requestedFilter '${requestedFilter}' is no valid Topic Filter`);
  }
  const topicFilter = fields.optionalText('topicFilter') ?? shared?.topicFilter ?? requestedFilter;
  if (!isTopicFilter(topicFilter)) throw new JsonFault(`topicFilter '${topicFilter}' is no valid Topic Filter`);
  const shareName = fields.optionalText('shareName') ?? shared?.shareName ?? '';
  if (shareName !== (shared?.shareName ?? ''))
    throw new JsonFault(`shareName '${shareName}' is not that of the filter`);
  return {
    requestedFilter,
    topicFilter,
    shareName,
    qos: qosOf(fields),
    noLocal: fields.flag('noLocal'),
    retainAsPublished: fields.flag('retainAsPublished'),
    identifier: fields.number('identifier', 0, subscriptionIdentifierMax, 0),
  };
}

const subscriptionIdentifierMax = 268_435_455;

function deliveryOf(fields: JsonFields): StoredItem {
  const name = fields.text('state');
  const state = states.get(name);
  if (state === undefined) throw new JsonFault(`state '${name}'; expected ${[...states.keys()].join(', ')}`);
  const packetIdentifier = fields.number(
    'packetIdentifier',
    state === 'idle' ? 0 : 1,
    state === 'idle' ? 0 : 65_535,
    0,
  );
  const qos = qosOf(fields);
  const wanted = state === 'idle' ? qos : state === 'awaiting-puback' ? 1 : 2;
  if (qos !== wanted) throw new JsonFault(`state '${name}' does not go with QoS ${qos}`);
  const identifiers = fields.list('subscriptionIdentifiers');
  for (const identifier of identifiers ?? []) {
    if (
      Number.isInteger(identifier) &&
      (identifier as number) >= 1 &&
      (identifier as number) <= subscriptionIdentifierMax
    ) {
      continue;
    }
    throw new JsonFault(`subscriptionIdentifiers has ${JSON.stringify(identifier)} in it`);
  }
  return {
    kind: 'delivery',
    clientIdentifier: clientOf(fields),
    position: fields.number('position', 1, safeMax),
    number: fields.number('message', 0, safeMax),
    qos,
    retain: fields.flag('retain'),
    subscriptionIdentifiers: identifiers as readonly number[] | undefined,
    packetIdentifier,
    state,
  };
}

function messageOf(fields: JsonFields): Message {
  const publisher = fields.object('publisher');
  const message = new Message(
    topicOf(fields),
    payloadOf(fields),
    qosOf(fields),
    fields.flag('retain'),
    propertiesOf(fields, 'PUBLISH', ownProperties) as MessageProperties | undefined,
    fields.time('expiresAt'),
    publisher === undefined
      ? undefined
      : {
          clientIdentifier: publisher.text('clientIdentifier'),
          username: publisher.optionalText('username'),
          listenerIndex: publisher.number('listenerIndex', 0, 65_535, 0),
        },
  );
  publisher?.end();
  return message;
}

/** Properties of PUBLISH that are not the message's. */
const ownProperties: readonly string[] = ['topicAlias', 'subscriptionIdentifiers', 'messageExpiryInterval'];

function clientOf(fields: JsonFields): string {
  const clientIdentifier = fields.text('clientIdentifier');
  if (clientIdentifier === '') throw new JsonFault('clientIdentifier is empty');
  return clientIdentifier;
}

function topicOf(fields: JsonFields): string {
  const topicName = fields.text('topicName');
  if (isTopicName(topicName)) return topicName;
  throw new JsonFault(`topicName '${topicName.slice(0, 60)}' is no valid Topic Name`);
}

function qosOf(fields: JsonFields): QoS {
  return fields.number('qos', 0, 2) as QoS;
}

/** `payload` in base64, or `text`, or both, if they say the same. */
function payloadOf(fields: JsonFields): Uint8Array {
  const text = fields.optionalText('text');
  if (!fields.has('payload')) return Buffer.from(text ?? '', 'utf8');
  const bytes = bytesOf('payload', fields.take('payload'));
  if (text !== undefined && bytes.compare(Buffer.from(text, 'utf8')) !== 0) {
    throw new JsonFault('payload and text differ; take one of them away');
  }
  return bytes;
}

const base64Pattern = /^[A-Za-z0-9+/]*={0,2}$/;

function bytesOf(name: string, value: unknown): Buffer {
  if (typeof value !== 'string' || value.length % 4 !== 0 || !base64Pattern.test(value)) {
    throw new JsonFault(`${name} is no base64`);
  }
  return Buffer.from(value, 'base64');
}

function propertiesOf(
  fields: JsonFields,
  scope: 'PUBLISH' | 'WILL',
  without: readonly string[],
): Readonly<Record<string, unknown>> | undefined {
  const members = fields.object('properties');
  if (members === undefined) return undefined;
  const properties: Record<string, unknown> = {};
  for (const key of [...members.left]) {
    const row = Object.hasOwn(propertyRows, key) ? propertyRows[key as keyof typeof propertyRows] : undefined;
    if (row === undefined || !row.scopes.includes(scope) || without.includes(key)) {
      throw new JsonFault(`properties.${key} is not known here`);
    }
    properties[key] = propertyOf(key, row, members.take(key));
  }
  try {
    propertiesSize(properties, scope);
  } catch (error) {
    if (!(error instanceof MqttError)) throw error;
    throw new JsonFault(`properties: ${error.message}`);
  }
  return Object.keys(properties).length === 0 ? undefined : properties;
}

function propertyOf(key: string, row: PropertyRow, value: unknown): unknown {
  if (!row.repeatable) return propertyValue(key, row, value);
  if (!Array.isArray(value)) throw new JsonFault(`properties.${key} is no list`);
  return value.map((one) => propertyValue(key, row, one));
}

function propertyValue(key: string, { wireType, topicName }: PropertyRow, value: unknown): unknown {
  const isText = (text: unknown): text is string => {
    return typeof text === 'string' && isWellFormed(text) && Buffer.byteLength(text) <= 65_535 && !text.includes('\0');
  };
  let isValid: boolean;
  switch (wireType) {
    case 'binary': {
      const bytes = bytesOf(`properties.${key}`, value);
      if (bytes.length > 65_535)
        throw new JsonFault(`properties.${key} has ${bytes.length} bytes; expected at most 65535`);
      return bytes;
    }
    case 'utf8':
      isValid = isText(value) && (!topicName || isTopicName(value));
      break;
    case 'pair':
      isValid = Array.isArray(value) && value.length === 2 && value.every(isText);
      break;
    case 'flag':
      isValid = typeof value === 'boolean';
      break;
    default:
      isValid = typeof value === 'number';
  }
  if (!isValid) throw new JsonFault(`properties.${key} is ${JSON.stringify(value)?.slice(0, 60)}, which it cannot be`);
  return value;
}
