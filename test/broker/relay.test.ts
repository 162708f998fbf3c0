/**
 * QoS 0 messages take a quick way through the broker. Packet logging switches it off, so every scenario runs twice, and each client must
 * get the same bytes both times.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BrokerSettings, LogType } from '../../src/broker/index.ts';
import {
  type Bytes,
  join,
  property,
  publish,
  publish5,
  subscribe,
  toHex,
  unsubscribe,
  type Version,
} from '../support/raw-packets.ts';
import { InMemoryBroker, type MemoryClient } from './in-memory.ts';

interface ClientPlan {
  readonly version: Version;
  /** 0 for none. */
  readonly maximumPacketSize: number;
  readonly topicAliasMaximum: number;
  readonly isPersistent: boolean;
  readonly subscriptions: readonly SubscriptionPlan[];
}

interface SubscriptionPlan {
  readonly topicFilter: string;
  /** QoS and the bits of 5.0. */
  readonly options: number;
  /** 0 for none. */
  readonly identifier: number;
}

type PacketPlan =
  | {
      readonly kind: 'publish';
      readonly topic: string;
      readonly size: number;
      readonly form: PublishForm;
      readonly count: number;
    }
  | { readonly kind: 'subscribe'; readonly subscription: SubscriptionPlan }
  | { readonly kind: 'unsubscribe'; readonly topicFilter: string };
type PublishForm = 'plain' | 'retain' | 'property' | 'qos1' | 'alias';

type Step =
  /** What one client sends at once, cut where the numbers say (modulo its length). */
  | {
      readonly kind: 'send';
      readonly client: number;
      readonly packets: readonly PacketPlan[];
      readonly cuts: readonly number[];
    }
  | { readonly kind: 'drop'; readonly client: number }
  | { readonly kind: 'return'; readonly client: number };

interface Scenario {
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

const clientPlan: fc.Arbitrary<ClientPlan> = fc.record({
  version: fc.constantFrom<Version>(3, 4, 5, 5),
  maximumPacketSize: fc.oneof(fc.constant(0), fc.integer({ min: 125, max: 140 })),
  topicAliasMaximum: fc.constantFrom(0, 0, 0, 2),
  isPersistent: fc.boolean(),
  subscriptions: fc.array(subscriptionPlan, { maxLength: 3 }),
});

const packetPlan: fc.Arbitrary<PacketPlan> = fc.oneof(
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
      form: fc.constantFrom<PublishForm>(
        'plain',
        'plain',
        'plain',
        'plain',
        'plain',
        'retain',
        'property',
        'qos1',
        'alias',
      ),
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
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      client,
      packets: fc.array(packetPlan, { minLength: 1, maxLength: 8 }),
      cuts: fc.array(fc.nat(), { maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), client }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('return' as const), client }) },
);

const scenario: fc.Arbitrary<Scenario> = fc.record({
  settings: fc.record({
    allowDuplicateMessages: fc.boolean(),
    queueQos0Messages: fc.boolean(),
    routeCacheSize: fc.constantFrom(1, 2, 1000),
  }),
  clients: fc.array(clientPlan, { minLength: 4, maxLength: 4 }),
  steps: fc.array(step, { minLength: 1, maxLength: 12 }),
});

class Sender {
  readonly plan: ClientPlan;
  connection: MemoryClient | undefined;
  readonly #name: string;
  /** Packets it was sent, over all connections. */
  readonly received: string[] = [];
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

  /** Notes what has come. */
  async collect(): Promise<void> {
    for (const packet of (await this.connection?.take()) ?? []) this.received.push(toHex(packet.bytes));
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
      const fields = { qos: form === 'qos1' ? 1 : 0, id: 1 + (this.#payload % 900), retain: form === 'retain' };
      const list =
        form === 'property'
          ? [property.contentType('x')]
          : form === 'alias'
            ? [property.topicAlias(1 + (size % 3))]
            : [];
      all.push(
        version === 5 ? publish5(topic, payload, { ...fields, properties: list }) : publish(topic, payload, fields),
      );
    }
    return join(...all);
  }
}

/** Runs a scenario; gives what each client got, and the counters. */
async function run({ settings, clients, steps }: Scenario, logTypes: readonly LogType[]) {
  const net = new InMemoryBroker({ settings: { ...settings, maxInflightMessages: 5000 }, logTypes });
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
  return {
    received: senders.map((sender) => sender.received),
    counters: { publishMessagesReceived, publishMessagesSent, publishBytesReceived, publishBytesSent },
    totals: { messagesReceived, messagesSent, bytesSent, outboundTooLarge, publishMessagesDropped, protocolErrors },
    sent: publishMessagesSent,
  };
}

const quiet: readonly LogType[] = [];
const verbose: readonly LogType[] = ['debug'];

/** Both ways must give the same. Returns what that is. */
async function compare(given: Scenario) {
  const quick = await run(given, quiet);
  const general = await run(given, verbose);
  expect(quick).toEqual(general);
  return quick;
}

const plain = (version: Version, ...subscriptions: SubscriptionPlan[]): ClientPlan => ({
  version,
  maximumPacketSize: 0,
  topicAliasMaximum: 0,
  isPersistent: false,
  subscriptions,
});
const on = (topicFilter: string, options = 0, identifier = 0): SubscriptionPlan => ({
  topicFilter,
  options,
  identifier,
});
const messages = (topic: string, count: number, size = 5, form: PublishForm = 'plain'): PacketPlan => ({
  kind: 'publish',
  topic,
  size,
  form,
  count,
});
const send = (from: number, ...packets: PacketPlan[]): Step => ({ kind: 'send', client: from, packets, cuts: [] });

describe('the quick way of QoS 0 messages', () => {
  it('delivers the same bytes as the general way, whatever clients, subscriptions, packets and chunks there are', async () => {
    let sent = 0;
    await fc.assert(
      fc.asyncProperty(scenario, async (given) => {
        sent += (await compare(given)).sent;
      }),
      { seed: 8, numRuns: 250 },
    );
    expect(sent).toBeGreaterThan(1000);
  });

  for (const from of [3, 4, 5] as const) {
    for (const to of [3, 4, 5] as const) {
      it(`carries runs from ${from} to ${to}, with topics that take turns in one chunk`, async () => {
        const { received, sent } = await compare({
          settings: {},
          clients: [plain(from), plain(to, on('t/+'))],
          steps: [
            send(
              0,
              messages('t/1', 20),
              messages('t/2', 20),
              messages('t/1', 1),
              messages('t/2', 1),
              messages('t/1', 3),
            ),
            send(0, messages('t/1', 3, 127), messages('t/1', 2, 16_384)),
          ],
        });
        expect(sent).toBe(50);
        expect(received[1]).toHaveLength(51);
      });
    }
  }

  it('takes a subscription of the publisher itself into account from its SUBSCRIBE on, in the middle of a chunk', async () => {
    const { received } = await compare({
      settings: {},
      clients: [plain(5), plain(5, on('t/1'))],
      steps: [
        send(
          0,
          messages('t/1', 2),
          { kind: 'subscribe', subscription: on('t/1') },
          messages('t/1', 2),
          { kind: 'unsubscribe', topicFilter: 't/1' },
          messages('t/1', 2),
        ),
      ],
    });
    expect(received.map((packets) => packets.filter((bytes) => bytes.startsWith('30')).length)).toEqual([2, 6]);
  });

  it('goes on after a chunk that ends in the middle of a packet, byte by byte', async () => {
    const packets = [messages('t/1', 3), messages('t/2', 2), messages('t/1', 2)];
    await compare({
      settings: {},
      clients: [plain(4), plain(5, on('#'))],
      steps: [{ kind: 'send', client: 0, packets, cuts: Array.from({ length: 200 }, (_, index) => index) }],
    });
  });

  for (const size of [117, 118, 119, 120, 121, 122, 123, 124]) {
    it(`keeps to a Maximum Packet Size of 130 with payloads of ${size} bytes, in either version's form`, async () => {
      const small = { ...plain(5, on('t/1')), maximumPacketSize: 130 };
      const { received } = await compare({
        settings: {},
        clients: [plain(4), plain(5), small],
        steps: [send(0, messages('t/1', 3, size)), send(1, messages('t/1', 3, size))],
      });
      for (const bytes of received[2] ?? []) expect(bytes.split(' ').length).toBeLessThanOrEqual(130);
    });
  }

  it('[MQTT-4.6.0-6] keeps the order where a client gets a message once for each of its subscriptions', async () => {
    const { received } = await compare({
      settings: { allowDuplicateMessages: true },
      clients: [plain(4), plain(4, on('t/1'), on('t/+'), on('$share/g/#'))],
      steps: [send(0, messages('t/1', 3))],
    });
    const payloads = (received[1] ?? [])
      .filter((bytes) => bytes.startsWith('30'))
      .map((bytes) => bytes.slice(-14, -12));
    expect(payloads).toEqual(['30', '30', '30', '31', '31', '31', '32', '32', '32']);
  });

  it('does not serve No Local subscribers their own messages, and others it does', async () => {
    const { received } = await compare({
      settings: {},
      clients: [plain(5, on('t/1', 4)), plain(5, on('t/1', 4))],
      steps: [send(0, messages('t/1', 4))],
    });
    expect(received.map((packets) => packets.length)).toEqual([1, 5]);
  });

  it('hands the messages of a run to the members of a shared subscription in turn', async () => {
    const { received } = await compare({
      settings: {},
      clients: [plain(4), plain(4, on('$share/g/t/1')), plain(5, on('$share/g/t/1')), plain(5, on('t/1'))],
      steps: [send(0, messages('t/1', 6))],
    });
    expect(received.map((packets) => packets.length)).toEqual([0, 4, 4, 7]);
  });
});
