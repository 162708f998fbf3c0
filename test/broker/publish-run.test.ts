/** Neighbouring QoS 1 and 2 packets are handled together, and each client must get the same as if they were handled one by one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { publish, type Version } from '../support/raw-packets.ts';
import { InMemoryBroker } from './in-memory.ts';
import { type ClientPlan, compare, messages, on, type PublishForm, plain, scenarios, send } from './quick-ways.ts';

const scenario = scenarios(
  ['qos1', 'qos1', 'qos1', 'qos2', 'qos2', 'qos2', 'repeated', 'plain', 'retain', 'property', 'alias'],
  ['all', 'all', 'even', 'none'],
  fc.record({
    allowDuplicateMessages: fc.boolean(),
    maxInflightMessages: fc.constantFrom(1, 2, 20, 5000),
    maxQueuedMessages: fc.constantFrom(2, 1000),
    upgradeOutgoingQos: fc.constantFrom(false, false, true),
  }),
);

/** PUBLISH packets that a client got, DUP or not. */
function published(packets: readonly string[] | undefined): readonly string[] {
  return (packets ?? []).filter((bytes) => bytes.startsWith('3'));
}

describe('the quick way of QoS 1 and 2 messages', () => {
  it('gives each client the same as the general way, whatever clients, quotas, packets, answers and chunks there are', async () => {
    let sent = 0;
    await fc.assert(
      fc.asyncProperty(scenario, async (given) => {
        sent += (await compare(given)).sent;
      }),
      { seed: 9, numRuns: 250 },
    );
    expect(sent).toBeGreaterThan(1000);
  });

  for (const qos of [1, 2] as const) {
    const form: PublishForm = `qos${qos}`;
    for (const from of [3, 4, 5] as const) {
      for (const to of [3, 4, 5] as const) {
        it(`carries runs of QoS ${qos} from ${from} to ${to}, with topics that take turns in one chunk`, async () => {
          const { received, acknowledged } = await compare({
            settings: {},
            clients: [plain(from), plain(to, on('t/+', qos))],
            steps: [
              send(0, messages('t/1', 20, 5, form), messages('t/2', 20, 5, form), messages('t/1', 1, 5, form)),
              send(0, messages('t/1', 3, 127, form), messages('t/1', 2, 16_384, form), messages('t/2', 40, 200, form)),
            ],
          });
          expect(published(received[1])).toHaveLength(86);
          expect(acknowledged[0]).toHaveLength(qos * 86);
        });
      }
    }

    it(`sends QoS ${qos} messages as far as the quota goes, and the rest in the same order when there is room`, async () => {
      for (const maxInflightMessages of [1, 7, 20]) {
        const { received } = await compare({
          settings: { maxInflightMessages },
          clients: [plain(4), plain(4, on('t/1', qos)), { ...plain(4, on('t/1', qos)), answers: 'even' }],
          steps: [send(0, messages('t/1', 100, 3, form)), send(0, messages('t/1', 100, 3, form))],
        });
        const payloads = published(received[1]).map((bytes) =>
          Buffer.from(bytes.slice(27, 35).replaceAll(' ', ''), 'hex'),
        );
        expect(payloads.map((payload) => Number.parseInt(payload.toString(), 10))).toEqual(
          Array.from({ length: 200 }, (_, index) => index),
        );
      }
    });

    for (const size of [115, 116, 117, 118, 119, 120, 121, 122]) {
      it(`keeps to a Maximum Packet Size of 130 at QoS ${qos} with payloads of ${size} bytes`, async () => {
        const small: ClientPlan = { ...plain(5, on('t/1', qos)), maximumPacketSize: 130 };
        const { received } = await compare({
          settings: {},
          clients: [plain(4), plain(5), small],
          steps: [send(0, messages('t/1', 3, size, form)), send(1, messages('t/1', 3, size, form))],
        });
        for (const bytes of received[2] ?? []) expect(bytes.split(' ').length).toBeLessThanOrEqual(130);
      });
    }

    it(`goes on at QoS ${qos} after a chunk that ends in the middle of a packet, byte by byte`, async () => {
      const packets = [messages('t/1', 3, 5, form), messages('t/2', 2, 5, form), messages('t/1', 2, 5, form)];
      await compare({
        settings: {},
        clients: [plain(4), plain(5, on('#', qos))],
        steps: [{ kind: 'send', client: 0, packets, cuts: Array.from({ length: 200 }, (_, index) => index) }],
      });
    });

    it(`sends what was not acknowledged at QoS ${qos} again to a client that comes back`, async () => {
      const silent: ClientPlan = { ...plain(5, on('t/1', qos)), isPersistent: true, answers: 'even' };
      const { received } = await compare({
        settings: { maxInflightMessages: 40 },
        clients: [plain(5), silent],
        steps: [
          send(0, messages('t/1', 30, 5, form)),
          { kind: 'drop', client: 1 },
          send(0, messages('t/1', 30, 5, form)),
          { kind: 'return', client: 1 },
        ],
      });
      expect(published(received[1]).some((bytes) => bytes.startsWith(qos === 1 ? '3a' : '3c'))).toBe(true);
    });
  }

  it('[MQTT-4.3.3-10] routes a QoS 2 message once whose PUBLISH stands twice in a chunk', async () => {
    const { received, acknowledged } = await compare({
      settings: {},
      clients: [plain(4), plain(4, on('t/1', 2))],
      steps: [send(0, messages('t/1', 10, 5, 'repeated'))],
    });
    expect(published(received[1])).toHaveLength(10);
    expect(acknowledged[0]?.filter((bytes) => bytes.startsWith('50'))).toHaveLength(20);
  });

  it('[MQTT-3.3.4-7] refuses the first QoS 2 message over the Receive Maximum it granted, and keeps those before', async () => {
    const net = new InMemoryBroker({ settings: { maxInflightMessages: 5 } });
    const client = await net.connect({ version: 5 });
    const many = Array.from({ length: 8 }, (_, index) => publish('t', 'x', { qos: 2, id: index + 1, properties: [] }));
    client.send(...many);
    const packets = await client.take();
    expect(packets.map(({ name }) => name)).toEqual([...new Array<string>(5).fill('PUBREC'), 'DISCONNECT']);
    expect(packets.at(-1)?.code).toBe(0x93);
  });

  for (const version of [4, 5] satisfies Version[]) {
    it(`tells a version ${version} publisher in its PUBACK packets whether anybody subscribed`, async () => {
      const net = new InMemoryBroker();
      const client = await net.connect({ version });
      const list = version === 5 ? [] : undefined;
      client.send(...[1, 2, 3].map((id) => publish('t', 'x', { qos: 1, id, ...(list && { properties: list }) })));
      const codes = (await client.take()).map(({ name, code }) => [name, code ?? 0]);
      expect(codes).toEqual(new Array(3).fill(['PUBACK', version === 5 ? 0x10 : 0]));
    });
  }
});
