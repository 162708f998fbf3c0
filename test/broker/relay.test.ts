/** QoS 0 messages take a quick way through the broker, on which each client must get the same bytes as on the general way. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compare, messages, on, plain, scenarios, send } from './quick-ways.ts';

const scenario = scenarios(
  ['plain', 'plain', 'plain', 'plain', 'plain', 'retain', 'property', 'qos1', 'alias'],
  ['none'],
  fc.record({
    allowDuplicateMessages: fc.boolean(),
    queueQos0Messages: fc.boolean(),
    routeCacheSize: fc.constantFrom(1, 2, 1000),
  }),
);

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
