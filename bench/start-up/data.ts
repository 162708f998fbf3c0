/** The state of a fleet at rest, written through the store's contract. */
import { systemClock } from '../../src/base/clock.ts';
import { Delivery } from '../../src/broker/delivery.ts';
import { silentLog } from '../../src/broker/log.ts';
import { Message, type Publisher } from '../../src/broker/message.ts';
import { openLmdbStore } from '../../src/broker/persistence/lmdb.ts';
import type { Store } from '../../src/broker/persistence/store.ts';

export interface DataSize {
  readonly retained: number;
  readonly sessions: number;
  /** Messages queued for each Session. */
  readonly queued: number;
  /** Sessions that wait for the same message: 1 has each message queued once. */
  readonly sharing: number;
  readonly payloadBytes: number;
}

/** Records that are staged before the store is waited for. */
const batchSize = 20_000;
const sites = 100;
const measures = ['temperature', 'humidity', 'battery', 'state'];

const digits = (value: number, count: number): string => String(value).padStart(count, '0');

export const clientOf = (session: number): string => `device-${digits(session, 7)}`;

/** Four retained topics to a device. */
export function retainedTopic(index: number): string {
  const device = Math.floor(index / measures.length);
  return `site/s${digits(device % sites, 2)}/device/${digits(device, 7)}/${measures[index % measures.length]}`;
}

/** The topic of a session's own, to which it subscribes. */
export const commandTopic = (session: number): string =>
  `site/s${digits(session % sites, 2)}/command/${clientOf(session)}`;

/** The text that a payload begins with; the rest is spaces. */
export const queuedText = (group: number, count: number): string => `queued ${group} ${count}`;

/** Makes a store in an empty directory. */
export async function makeData(directory: string, size: DataSize): Promise<void> {
  const store = await openLmdbStore({ directory, durability: 'none', clock: systemClock, log: silentLog });
  try {
    await store.load();
    const writer = new Writer(store, size);
    await writer.retained();
    await writer.sessions();
    await writer.queues();
  } finally {
    await store.close();
  }
}

class Writer {
  readonly #store: Store;
  readonly #size: DataSize;
  #staged = 0;

  constructor(store: Store, size: DataSize) {
    this.#store = store;
    this.#size = size;
  }

  async retained(): Promise<void> {
    for (let index = 0; index < this.#size.retained; index++) {
      const device = Math.floor(index / measures.length);
      this.#store.putRetained(
        this.#message(retainedTopic(index), `retained ${index}`, true, {
          clientIdentifier: clientOf(device),
          username: undefined,
          listenerIndex: 0,
        }),
      );
      await this.#written();
    }
  }

  async sessions(): Promise<void> {
    const options = { shareName: '', qos: 1, noLocal: false, retainAsPublished: false, identifier: 0 } as const;
    for (let session = 0; session < this.#size.sessions; session++) {
      const clientIdentifier = clientOf(session);
      this.#store.putSession({
        clientIdentifier,
        username: undefined,
        listenerIndex: 0,
        expiryInterval: 0xffff_ffff,
        expiresAt: 0,
        will: undefined,
        willDueAt: 0,
      });
      for (const filter of [commandTopic(session), `site/s${digits(session % sites, 2)}/broadcast/#`]) {
        this.#store.putSubscription(clientIdentifier, { requestedFilter: filter, topicFilter: filter, ...options });
      }
      await this.#written();
    }
  }

  /** Each message is for a group of neighbouring Sessions, as many as share one. */
  async queues(): Promise<void> {
    const { sessions, queued, sharing } = this.#size;
    const publisher = { clientIdentifier: 'backend', username: undefined, listenerIndex: 0 };
    for (let count = 0; count < queued; count++) {
      for (let first = 0; first < sessions; first += sharing) {
        const message = this.#message(commandTopic(first), queuedText(first, count), false, publisher);
        for (let session = first; session < Math.min(first + sharing, sessions); session++) {
          const delivery = new Delivery(message, 1, false, undefined);
          delivery.position = count + 1;
          this.#store.putDelivery(clientOf(session), delivery);
        }
        await this.#written();
      }
    }
  }

  #message(topicName: string, text: string, retain: boolean, publisher: Publisher): Message {
    const payload = Buffer.alloc(this.#size.payloadBytes, ' ');
    payload.write(text);
    return new Message(topicName, payload, 1, retain, undefined, 0, publisher);
  }

  async #written(): Promise<void> {
    if (++this.#staged % batchSize === 0) await this.#store.sync();
  }
}
