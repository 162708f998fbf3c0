import { createSocket, type Socket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { lookUpServers } from '../../../src/cli/client/service-records.ts';

/** Priority, weight, port and target of the records the server below has, by name. */
const records: Record<string, readonly (readonly [number, number, number, string])[]> = {
  '_mqtt._tcp.example.test': [
    [20, 0, 1885, 'last.example.test'],
    [10, 9, 1884, 'b.example.test'],
    [0, 0, 1883, 'first.example.test'],
    [10, 1, 1884, 'a.example.test'],
  ],
  '_secure-mqtt._tcp.example.test': [[0, 0, 8883, 'safe.example.test']],
};

const label = (name: string) =>
  Buffer.concat([
    ...name.split('.').map((part) => Buffer.concat([Buffer.of(part.length), Buffer.from(part)])),
    Buffer.of(0),
  ]);

/** Answers a question for SRV records. [RFC 1035 §4] [RFC 2782] */
function answer(question: Buffer): Buffer {
  let end = 12;
  const parts: string[] = [];
  while (question[end] !== 0) {
    parts.push(question.toString('latin1', end + 1, end + 1 + question[end]!));
    end += question[end]! + 1;
  }
  const known = records[parts.join('.').toLowerCase()] ?? [];
  const header = Buffer.from(question.subarray(0, 12));
  header.writeUInt16BE(known.length > 0 ? 0x8180 : 0x8183, 2);
  header.writeUInt16BE(known.length, 6);
  header.writeUInt32BE(0, 8);
  const answers = known.map(([priority, weight, port, target]) => {
    const fixed = Buffer.alloc(18);
    // A pointer to the name in the question, type SRV, class IN, a minute to live.
    for (const [index, value] of [0xc00c, 33, 1, 0, 60, 6 + label(target).length, priority, weight, port].entries()) {
      fixed.writeUInt16BE(value, index * 2);
    }
    return Buffer.concat([fixed, label(target)]);
  });
  return Buffer.concat([header, question.subarray(12, end + 5), ...answers]);
}

let server: Socket;
const resolver = new Resolver();

beforeAll(async () => {
  server = createSocket('udp4');
  server.on('message', (question, peer) => server.send(answer(question), peer.port, peer.address));
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  resolver.setServers([`127.0.0.1:${server.address().port}`]);
});
afterAll(() => {
  server.close();
});

it('gives the servers of a domain by priority, and by chance where that is equal', async () => {
  const orders = new Set<string>();
  for (let count = 0; count < 60; count++) {
    const found = await lookUpServers('example.test', false, resolver);
    expect([found[0], found[3]]).toEqual([
      { host: 'first.example.test', port: 1883 },
      { host: 'last.example.test', port: 1885 },
    ]);
    orders.add(found.map(({ host }) => host[0]).join(''));
  }
  // With weights 9 and 1 both orders come up, but for one run in many thousands.
  expect(orders).toEqual(new Set(['fbal', 'fabl']));
});

it('asks for another service with TLS', async () => {
  expect(await lookUpServers('example.test', true, resolver)).toEqual([{ host: 'safe.example.test', port: 8883 }]);
});

it('rejects if there is none', async () => {
  await expect(lookUpServers('none.test', false, resolver)).rejects.toMatchObject({ code: 'ENOTFOUND' });
});
