/** Reads every record of a store, and looks whether they go together. */
import { isTopicFilter, isTopicName } from '../../../protocol/topics.ts';
import { SparseNumbers } from './sparse-numbers.ts';
import {
  type Damage,
  deliveryName,
  inboundName,
  type OnDamage,
  type RecordKind,
  StoreContents,
} from './store-contents.ts';
import type { StoreFile } from './store-file.ts';

export interface CheckResult {
  /** Records read, damaged ones included. */
  readonly recordCount: number;
  readonly damageCount: number;
  /** Messages that nothing refers to: no damage, the next start of the broker frees them. */
  readonly unreferencedCount: number;
}

/** @param tell called with each thing that is damaged */
export function checkStore(file: StoreFile, tell: (damage: Damage) => void): CheckResult {
  let damageCount = 0;
  const onDamage: OnDamage = (damage) => {
    damageCount++;
    tell(damage);
  };
  const blame = (kind: RecordKind, key: string, reason: string) => onDamage({ kind, key, reason });
  const contents = new StoreContents(file, onDamage);

  /** References + 1 of each message that can be read. */
  const messages = new SparseNumbers();
  let unreferencedCount = 0;
  for (const { sequence, message } of contents.messages()) {
    messages.set(sequence, 1);
    unreferencedCount++;
    if (!isTopicName(message.topicName)) blame('message', String(sequence), `its topic '${message.topicName}' is none`);
  }
  const refer = (kind: RecordKind, key: string, sequence: number) => {
    const count = messages.get(sequence);
    if (count === 0) blame(kind, key, `message ${sequence}, which it refers to, is missing or cannot be read`);
    else messages.set(sequence, count + 1);
    if (count === 1) unreferencedCount--;
  };

  const sessions = new SparseNumbers();
  const clientIdentifiers = new Set<string>();
  for (const { number, session } of contents.sessions()) {
    sessions.set(number, 1);
    if (clientIdentifiers.has(session.clientIdentifier)) {
      blame('session', String(number), `another has the same Client Identifier '${session.clientIdentifier}'`);
    }
    clientIdentifiers.add(session.clientIdentifier);
  }
  const belong = (kind: RecordKind, key: string, session: number) => {
    if (sessions.get(session) === 0) {
      blame(kind, key, `session ${session}, which it belongs to, is missing or cannot be read`);
    }
  };

  for (const { session, subscription } of contents.subscriptions()) {
    const key = `'${subscription.requestedFilter}' of session ${session}`;
    belong('subscription', key, session);
    if (!isTopicFilter(subscription.topicFilter)) blame('subscription', key, 'it is no valid Topic Filter');
  }

  let owner = -1;
  let used = new Set<number>();
  for (const delivery of contents.deliveries()) {
    const { session, packetIdentifier, state, sequence } = delivery;
    const key = deliveryName(delivery);
    belong('delivery', key, session);
    refer('delivery', key, sequence);
    if ((packetIdentifier === 0) !== (state === 'idle')) {
      blame('delivery', key, `state '${state}' does not go with Packet Identifier ${packetIdentifier}`);
    }
    if (session !== owner) {
      owner = session;
      used = new Set();
    }
    if (packetIdentifier === 0) continue;
    if (used.has(packetIdentifier)) blame('delivery', key, `another has its Packet Identifier ${packetIdentifier}`);
    used.add(packetIdentifier);
  }

  for (const inbound of contents.inbound()) {
    belong('inbound', inboundName(inbound), inbound.session);
    refer('inbound', inboundName(inbound), inbound.sequence);
  }
  for (const message of contents.retained()) {
    if (!isTopicName(message.topicName)) blame('retained', message.topicName, 'its topic is no valid Topic Name');
  }
  const recordCount = (['messages', 'sessions', 'subscriptions', 'deliveries', 'inbound', 'retained'] as const).reduce(
    (sum, name) => sum + file.count(name),
    0,
  );
  return { recordCount, damageCount, unreferencedCount };
}
