/**
 * The quick ways of messages through the broker, beside the general way: packet logging switches them off, so a scenario runs twice, and
 * each client must get the same both times.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { BrokerSettings, LogType } from '../../src/broker/index.ts';
import type { ReadPacket } from '../support/packet-reader.ts';
import {
  type Bytes,
  join,
  property,
  puback,
  pubcomp,
  publish,
  publish5,
  pubrec,
  pubrel,
  subscribe,
  toHex,
  unsubscribe,
  type Version,
} from '../support/raw-packets.ts';
import { InMemoryBroker, type MemoryClient } from './in-memory.ts';

export interface ClientPlan {
  readonly version: Version;
  /** 0 for none. */
  readonly maximumPacketSize: number;
  readonly topicAliasMaximum: number;
  readonly isPersistent: boolean;
  /** Which QoS 1 and 2 packets it answers, all that have come at once: none, all, or those with an even Packet Identifier. */
  readonly answers: 'none' | 'all' | 'even';
  readonly subscriptions: readonly SubscriptionPlan[];
}

export interface SubscriptionPlan {
  readonly topicFilter: string;
  /** QoS and the bits of 5.0. */
  readonly options: number;
  /** 0 for none. */
  readonly identifier: number;
}

export type PacketPlan =
  | {
      readonly kind: 'publish';
      readonly topic: string;
      readonly size: number;
      readonly form: PublishForm;
      readonly count: number;
    }
  | { readonly kind: 'subscribe'; readonly subscription: SubscriptionPlan }
  | { readonly kind: 'unsubscribe'; readonly topicFilter: string };
export type PublishForm = 'plain' | 'retain' | 'property' | 'qos1' | 'qos2' | 'repeated' | 'alias';

export type Step =
  /** What one client sends at once, cut where the numbers say (modulo its length). */
  | {
      readonly kind: 'send';
      readonly client: number;
      readonly packets: readonly PacketPlan[];
      readonly cuts: readonly number[];
    }
  | { readonly kind: 'drop'; readonly client: number }
  | { readonly kind: 'return'; readonly client: number };

export interface Scenario {
  readonly settings: Partial<BrokerSettings>;
  readonly clients: readonly ClientPlan[];
  readonly steps: readonly Step[];
}

const topics = ['t/1', 't/2', 't', 'long/topic/name', 'ü/µ'];
const filters = ['t/1', 't/2', 't/+', '#', '+', '$share/g/t/1', '$share/g/t/+', '$share/h/#', 'ü/#'];

const subscriptionPlan: fc.Arbitrary<SubscriptionPlan> = fc.record({
  topicFilter: fc.constantFrom(...filters),
  options: fc.constantFrom(0, 0, 0, 1, 2, 4, 8, 5),
  identifier: fc.constantFrom(0, 0, 0, 1, 300),
});

const clientPlan = (answers: readonly ClientPlan['answers'][]): fc.Arbitrary<ClientPlan> =>
  fc.record({
    version: fc.constantFrom<Version>(3, 4, 5, 5),
    maximumPacketSize: fc.oneof(fc.constant(0), fc.integer({ min: 125, max: 140 })),
    topicAliasMaximum: fc.constantFrom(0, 0, 0, 2),
    isPersistent: fc.boolean(),
    answers: fc.constantFrom(...answers),
    subscriptions: fc.array(subscriptionPlan, { maxLength: 3 }),
  });

const packetPlan = (forms: readonly PublishForm[]): fc.Arbitrary<PacketPlan> =>
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('publish' as const),
        topic: fc.constantFrom(...topics),
        // Remaining Lengths around 127, where their own length changes; and runs that are sent as they lie in their chunk.
        size: fc.oneof(
          { weight: 8, arbitrary: fc.integer({ min: 0, max: 20 }) },
          { weight: 8, arbitrary: fc.integer({ min: 105, max: 135 }) },
          { weight: 1, arbitrary: fc.constant(16_400) },
        ),
        form: fc.constantFrom(...forms),
        count: fc.integer({ min: 1, max: 4 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('subscribe' as const), subscription: subscriptionPlan }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('unsubscribe' as const), topicFilter: fc.constantFrom(...filters) }),
    },
  );

const client = fc.nat({ max: 3 });
const step = (forms: readonly PublishForm[]): fc.Arbitrary<Step> =>
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('send' as const),
        client,
        packets: fc.array(packetPlan(forms), { minLength: 1, maxLength: 8 }),
        cuts: fc.array(fc.nat(), { maxLength: 3 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), client }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('return' as const), client }) },
  );

/** Random scenarios of four clients. @param forms what is published, the more often the more often it is named */
export function scenarios(
  forms: readonly PublishForm[],
  answers: readonly ClientPlan['answers'][],
  settings: fc.Arbitrary<Partial<BrokerSettings>>,
): fc.Arbitrary<Scenario> {
  return fc.record({
    settings,
    clients: fc.array(clientPlan(answers), { minLength: 4, maxLength: 4 }),
    steps: fc.array(step(forms), { minLength: 1, maxLength: 12 }),
  });
}

/** So often at most a client answers what has come before the next step. */
const answersMax = 1000;

class Sender {
  readonly plan: ClientPlan;
  connection: MemoryClient | undefined;
  readonly #name: string;
  /** Packets it was sent, over all connections, but for the acknowledgements of what it published. */
  readonly received: string[] = [];
  /** Those: between what else it is sent they may stand in another place. */
  readonly acknowledged: string[] = [];
  #payload = 0;

  constructor(plan: ClientPlan, name: string) {
    this.plan = plan;
    this.#name = name;
  }

  async connect(net: InMemoryBroker): Promise<void> {
    if (this.connection !== undefined) return;
    const { version, maximumPacketSize, topicAliasMaximum, isPersistent } = this.plan;
    this.connection = await net
      .connect({
        version,
        clientIdentifier: this.#name,
        cleanStart: !isPersistent,
        properties: [
          ...(isPersistent ? [property.sessionExpiryInterval(1000)] : []),
          ...(maximumPacketSize === 0 ? [] : [property.maximumPacketSize(maximumPacketSize)]),
          ...(topicAliasMaximum === 0 ? [] : [property.topicAliasMaximum(topicAliasMaximum)]),
        ],
      })
      .catch(() => undefined);
    await this.collect();
  }

  /** Notes what has come, and answers it. */
  async collect(): Promise<void> {
    for (let count = 0; count < answersMax; count++) {
      const packets = (await this.connection?.take()) ?? [];
      for (const { name, bytes } of packets) {
        const isAcknowledgement = name === 'PUBACK' || name === 'PUBREC' || name === 'PUBCOMP';
        (isAcknowledgement ? this.acknowledged : this.received).push(toHex(bytes));
      }
      const answers = packets.map((packet) => this.#answerTo(packet));
      if (answers.every(({ length }) => length === 0)) return;
      this.connection?.send(...answers);
    }
  }

  #answerTo({ name, flags, id = 0, code = 0 }: ReadPacket): Bytes {
    if (this.plan.answers === 'none') return join();
    if (name === 'PUBREL') return pubcomp(id);
    if (name === 'PUBREC' && code < 0x80) return pubrel(id);
    const qos = (flags >> 1) & 3;
    if (name !== 'PUBLISH' || qos === 0 || (this.plan.answers === 'even' && id % 2 === 1)) return join();
    return qos === 1 ? puback(id) : pubrec(id);
  }

  async drop(): Promise<void> {
    await this.collect();
    await this.connection?.drop();
    this.connection = undefined;
  }

  bytesOf(packet: PacketPlan): Bytes {
    const { version } = this.plan;
    if (packet.kind === 'subscribe') {
      const { topicFilter, options, identifier } = packet.subscription;
      // No Local on a shared subscription is an error, and not for this test.
      const allowed = version < 5 ? options & 3 : topicFilter.startsWith('$share') ? options & 11 : options;
      const list = identifier === 0 ? [] : [property.subscriptionIdentifier(identifier)];
      return subscribe(1000, [[topicFilter, allowed]], version === 5 ? list : undefined);
    }
    if (packet.kind === 'unsubscribe') return unsubscribe(1001, [packet.topicFilter], version === 5 ? [] : undefined);
    const { topic, size, form, count } = packet;
    const all: Bytes[] = [];
    for (let index = 0; index < count; index++) {
      // Each payload is another one, so that a swap would show.
      const payload = `${this.#payload++}`.padEnd(size, '.');
      const qos = form === 'qos1' ? 1 : form === 'qos2' || form === 'repeated' ? 2 : 0;
      const fields = { qos, id: 1 + (this.#payload % 900), retain: form === 'retain' };
      const list =
        form === 'property'
          ? [property.contentType('x')]
          : form === 'alias'
            ? [property.topicAlias(1 + (size % 3))]
            : [];
      const bytes =
        version === 5 ? publish5(topic, payload, { ...fields, properties: list }) : publish(topic, payload, fields);
      all.push(bytes);
      if (form === 'repeated') all.push(bytes);
    }
    return join(...all);
  }
}

/** Runs a scenario; gives what each client got, and the counters. */
async function run({ settings, clients, steps }: Scenario, logTypes: readonly LogType[]) {
  const net = new InMemoryBroker({ settings: { maxInflightMessages: 5000, ...settings }, logTypes });
  const senders = clients.map((plan, index) => new Sender(plan, `c${index}`));
  for (const sender of senders) {
    await sender.connect(net);
    for (const subscription of sender.plan.subscriptions) {
      sender.connection?.send(sender.bytesOf({ kind: 'subscribe', subscription }));
    }
    await sender.collect();
  }
  for (const one of steps) {
    const sender = senders[one.client] as Sender;
    if (one.kind === 'drop') await sender.drop();
    else if (one.kind === 'return') await sender.connect(net);
    else {
      const bytes = join(...one.packets.map((packet) => sender.bytesOf(packet)));
      const cuts = [...new Set(one.cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b);
      let start = 0;
      for (const end of [...cuts, bytes.length]) {
        sender.connection?.send(bytes.subarray(start, end));
        start = end;
      }
    }
    for (const each of senders) await each.collect();
  }
  const { counters } = net;
  const { publishMessagesReceived, publishMessagesSent, publishBytesReceived, publishBytesSent } = counters;
  const { messagesReceived, messagesSent, bytesSent, outboundTooLarge, publishMessagesDropped, protocolErrors } =
    counters;
  const { inflightWaits, queueDroppedCount } = counters;
  return {
    received: senders.map((sender) => sender.received),
    acknowledged: senders.map((sender) => sender.acknowledged),
    counters: { publishMessagesReceived, publishMessagesSent, publishBytesReceived, publishBytesSent },
    totals: { messagesReceived, messagesSent, bytesSent, outboundTooLarge, publishMessagesDropped, protocolErrors },
    queues: { inflightWaits, queueDroppedCount },
    sent: publishMessagesSent,
  };
}

const quiet: readonly LogType[] = [];
const verbose: readonly LogType[] = ['debug'];

/** Both ways must give the same. Returns what that is. */
export async function compare(given: Scenario) {
  const quick = await run(given, quiet);
  const general = await run(given, verbose);
  expect(quick).toEqual(general);
  return quick;
}

export const plain = (version: Version, ...subscriptions: SubscriptionPlan[]): ClientPlan => ({
  version,
  maximumPacketSize: 0,
  topicAliasMaximum: 0,
  isPersistent: false,
  answers: 'all',
  subscriptions,
});
export const on = (topicFilter: string, options = 0, identifier = 0): SubscriptionPlan => ({
  topicFilter,
  options,
  identifier,
});
export const messages = (topic: string, count: number, size = 5, form: PublishForm = 'plain'): PacketPlan => ({
  kind: 'publish',
  topic,
  size,
  form,
  count,
});
export const send = (from: number, ...packets: PacketPlan[]): Step => ({
  kind: 'send',
  client: from,
  packets,
  cuts: [],
});
