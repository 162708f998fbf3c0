/** What is read from a database, in a form that is easy to compare. */
import { MosquittoDatabase } from '../../../../src/broker/persistence/mosquitto-db/mosquitto-database.ts';
import type { StoredItem } from '../../../../src/broker/persistence/stored-item.ts';

export interface ReadItems {
  readonly items: StoredItem[];
  readonly leftOut: string[];
}

export function readDatabase(path: string): ReadItems {
  const database = MosquittoDatabase.open(path);
  try {
    const leftOut: string[] = [];
    const items = [...database.items((what, reason) => leftOut.push(`${what}: ${reason}`))];
    return { items, leftOut };
  } finally {
    database.close();
  }
}

/** One line for each item; messages in place of their numbers, and without times. */
export function describeItems(items: readonly StoredItem[]): string[] {
  const messages = new Map<unknown, string>();
  return items.flatMap((item) => describeItem(item, messages));
}

function describeItem(item: StoredItem, messages: Map<unknown, string>): string[] {
  switch (item.kind) {
    case 'session': {
      const { clientIdentifier, username, expiryInterval, expiresAt } = item.session;
      return [`session ${clientIdentifier} user ${username} for ${expiryInterval}${expiresAt ? ', away' : ''}`];
    }
    case 'subscription': {
      const { requestedFilter, topicFilter, shareName, ...options } = item.subscription;
      const flags = [options.noLocal && 'no-local', options.retainAsPublished && 'as-published'].filter(Boolean);
      const share = shareName === '' ? '' : ` (${topicFilter} shared by ${shareName})`;
      return [
        [`subscription ${item.clientIdentifier} ${requestedFilter}${share} QoS ${options.qos}`, ...flags].join(' ') +
          (options.identifier === 0 ? '' : ` #${options.identifier}`),
      ];
    }
    case 'message':
      messages.set(item.number, `${describeMessage(item.message)} ×${item.references}`);
      return [];
    case 'delivery': {
      const { clientIdentifier, position, qos, retain, state, packetIdentifier, subscriptionIdentifiers } = item;
      return [
        `delivery ${clientIdentifier} ${position} QoS ${qos}${retain ? ' retain' : ''} ${state} ${packetIdentifier}` +
          `${subscriptionIdentifiers ? ` #${subscriptionIdentifiers}` : ''}: ${messages.get(item.number)}`,
      ];
    }
    case 'inbound':
      return [`inbound ${item.clientIdentifier} ${item.packetIdentifier}: ${messages.get(item.number)}`];
    case 'retained':
      return [`retained ${describeMessage(item.message)}`];
  }
}

type Message = Extract<StoredItem, { readonly kind: 'retained' }>['message'];

function describeMessage({ topicName, payload, qos, retain, expiresAt, publisher, properties }: Message): string {
  const from = publisher === undefined ? '' : ` from ${publisher.clientIdentifier}/${publisher.username}`;
  const more = properties === undefined ? '' : ` ${JSON.stringify(properties, inHex)}`;
  const bytes = Buffer.from(payload);
  const text = bytes.toString('utf8');
  const content = Buffer.from(text).equals(bytes) ? `'${text}'` : bytes.toString('hex');
  return `${topicName} ${content} QoS ${qos}${retain ? ' retain' : ''}${expiresAt ? ' expires' : ''}${from}${more}`;
}

/** Bytes as digits. */
function inHex(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
}
