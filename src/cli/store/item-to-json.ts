/** An item of a store as a line of an export. */
import { isUtf8 } from 'node:buffer';
import type { StoredItem } from '../../broker/persistence/stored-item.ts';
import { exportFormat, exportVersion, stateNames, textBytesMax } from './export-format.ts';

type Json = Readonly<Record<string, unknown>>;

export function headerLine(writer: string, now: number): string {
  return line({ kind: 'header', format: exportFormat, version: exportVersion, writer, exportedAt: timeOf(now) });
}

export function endLine(counts: Readonly<Record<string, number>>): string {
  return line({ kind: 'end', counts });
}

/** With the newline. */
export function itemLine(item: StoredItem): string {
  return line(jsonOf(item));
}

/** Members that are undefined do not appear. */
function jsonOf(item: StoredItem): Json {
  switch (item.kind) {
    case 'session': {
      const { clientIdentifier, username, listenerIndex, expiryInterval, expiresAt, will, willDueAt } = item.session;
      return {
        kind: item.kind,
        clientIdentifier,
        username,
        listenerIndex,
        expiryInterval,
        expiresAt: timeOf(expiresAt),
        will:
          will === undefined
            ? undefined
            : {
                topicName: will.topicName,
                qos: will.qos,
                retain: will.retain,
                properties: propertiesOf(will.properties),
                ...payloadOf(will.payload),
              },
        willDueAt: timeOf(willDueAt),
      };
    }
    case 'subscription': {
      const { requestedFilter, topicFilter, shareName, qos, noLocal, retainAsPublished, identifier } =
        item.subscription;
      return {
        kind: item.kind,
        clientIdentifier: item.clientIdentifier,
        requestedFilter,
        topicFilter,
        shareName: shareName === '' ? undefined : shareName,
        qos,
        noLocal,
        retainAsPublished,
        identifier: identifier === 0 ? undefined : identifier,
      };
    }
    case 'message': {
      const { number, references, message } = item;
      return { kind: item.kind, number: Number(number), references, ...messageOf(message) };
    }
    case 'delivery': {
      const { clientIdentifier, position, number, qos, retain, subscriptionIdentifiers, packetIdentifier, state } =
        item;
      return {
        kind: item.kind,
        clientIdentifier,
        position,
        message: Number(number),
        qos,
        retain,
        subscriptionIdentifiers,
        state: stateNames[state as keyof typeof stateNames] ?? state,
        packetIdentifier: packetIdentifier === 0 ? undefined : packetIdentifier,
      };
    }
    case 'inbound': {
      const { clientIdentifier, packetIdentifier, number } = item;
      return { kind: item.kind, clientIdentifier, packetIdentifier, message: Number(number) };
    }
    case 'retained':
      return { kind: item.kind, ...messageOf(item.message) };
  }
}

type Message = Extract<StoredItem, { readonly kind: 'retained' }>['message'];

function messageOf({ topicName, qos, retain, expiresAt, publisher, properties, payload }: Message): Json {
  return {
    topicName,
    qos,
    retain,
    expiresAt: timeOf(expiresAt),
    publisher: publisher && {
      clientIdentifier: publisher.clientIdentifier,
      username: publisher.username,
      listenerIndex: publisher.listenerIndex,
    },
    properties: propertiesOf(properties),
    ...payloadOf(payload),
  };
}

function payloadOf(payload: Uint8Array): Json {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  const isText = bytes.length <= textBytesMax && isUtf8(bytes);
  return { payload: bytes.toString('base64'), text: isText ? bytes.toString('utf8') : undefined };
}

/** Bytes become base64; all else is as it is in a program. */
function propertiesOf(properties: object | undefined): Json | undefined {
  if (properties === undefined) return undefined;
  const entries = Object.entries(properties).map(([key, value]) => {
    return [key, value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value] as const;
  });
  return Object.fromEntries(entries);
}

/** The last millisecond that the calendar of JavaScript has. */
const calendarMax = 8.64e15;

/** 0, which is never, is left out; what no calendar has stays a number. */
function timeOf(milliseconds: number): string | number | undefined {
  if (milliseconds === 0) return undefined;
  return milliseconds > calendarMax ? milliseconds : new Date(milliseconds).toISOString();
}

function line(json: Json): string {
  return `${JSON.stringify(json)}\n`;
}
