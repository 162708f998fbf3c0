/**
 * The scenarios of EXCHANGES.md, seen through the tap and by dumpcap at the same time: the same packets of MQTT, in both directions of every
 * connection, over TCP and over WebSocket.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Client, connect } from '../../../src/client/node.ts';
import { PacketType } from '../../../src/protocol/packet-types.ts';
import { startBroker } from '../../support/broker-process.ts';
import { clientPrograms } from '../../support/client-programs.ts';
import { hasPeer, peerPath } from '../../support/peers.ts';
import { openClient } from '../../support/raw-client.ts';
import { start } from '../../support/run.ts';
import { testPatienceMs } from '../../support/suite.ts';
import { until } from '../../support/until.ts';
import { printed } from './printed.ts';

type Qos = 0 | 1 | 2;
const everyQos: readonly Qos[] = [0, 1, 2];

/** Packets of each connection and direction, by the client's port, as the Info column has them. */
async function packets(file: string, ports: readonly number[]): Promise<Map<string, string[]>> {
  const columns = [
    'tcp.srcport',
    'tcp.dstport',
    '_ws.col.Info',
    'mqtt.msg',
    'mqtt.qos',
    'mqtt.retain',
    'mqtt.dupflag',
    'mqtt.clientid',
    'mqtt.len',
  ];
  const text = await printed(file, [
    '-Y',
    'mqtt',
    '-T',
    'fields',
    '-E',
    'aggregator=|',
    ...columns.flatMap((name) => ['-e', name]),
  ]);
  const found = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [source, destination, info, ...values] = line.split('\t');
    if (source === undefined || destination === undefined || info === undefined) continue;
    const way = ports.includes(Number(source)) ? `to ${destination}` : `from ${source}`;
    // One chunk of the tap may be several segments on the wire, and the other way round.
    const said = found.get(way) ?? [];
    said.push(
      ...info.split(', '),
      ...values.flatMap((value, at) =>
        value
          .split('|')
          .filter((one) => one !== '')
          .map((one) => `${columns[at + 3]} ${one}`),
      ),
    );
    found.set(way, said);
  }
  for (const said of found.values()) said.sort();
  return found;
}

function count(found: ReadonlyMap<string, readonly string[]>): number {
  return [...found.values()].reduce((sum, said) => sum + said.length, 0);
}

/** A subscriber whose messages are taken, and counted. */
async function watch(
  url: string,
  filters: readonly string[],
  qos: Qos,
  options = {},
): Promise<Client & { readonly seen: string[] }> {
  const client = await connect(url, { reconnect: false, ...options });
  const seen: string[] = [];
  for (const filter of filters) {
    await client.subscribe(filter, {
      qos,
      onMessage: (message) => void seen.push(`${message.topicName} ${message.text()}`),
    });
  }
  return Object.assign(client, { seen });
}

/** A to H, one after the other. */
async function exercise(url: string, protocolVersion: 4 | 5): Promise<void> {
  const options = { protocolVersion } as const;
  const publisher = await connect(url, { reconnect: false, ...options });
  const prefix = `v${protocolVersion}/${url.slice(0, 2)}`;
  // E 5: one that asks whether the broker is there, while all of the rest goes on.
  let isAnswered = false;
  const asking = await connect(url, {
    reconnect: false,
    keepAlive: 1,
    onPacket: (_direction, { type }) => {
      if (type === PacketType.PINGRESP) isAnswered = true;
    },
    ...options,
  });
  // A, B, C: counters at each QoS; E 1 and 2, G: publishers and subscribers of different QoS.
  for (const qos of everyQos) {
    const subscriber = await watch(url, [`${prefix}/counter/q${qos}`], qos, options);
    for (const published of everyQos)
      for (const value of ['315', '316'])
        await publisher.publish(`${prefix}/counter/q${qos}`, value, { qos: published });
    await until(() => subscriber.seen.length === 6, 'the counter has been seen');
    await subscriber.end();
  }
  // D: a reading.
  await publisher.publish(`${prefix}/resources/0c350791/temperature`, '{"data":[{"temperature":10}]}');
  // E 3: wildcards that overlap.
  const wild = await watch(url, [`${prefix}/test/+/temperature`, `${prefix}/test/#`], 1, options);
  for (const topic of ['a/temperature', 'b/temperature', 'a/humidity'])
    await publisher.publish(`${prefix}/test/${topic}`, 'x', { qos: 1 });
  await publisher.publish(`${prefix}/test2/a/humidity`, 'x');
  await until(() => wild.seen.length >= 3, 'the wildcards matched');
  // E 4, F: retained messages, replaced and cleared.
  for (const value of ['20°', '192.168.120.43', '192.168.120.49'])
    await publisher.publish(`${prefix}/info`, value, { retain: true, qos: 1 });
  const late = await watch(url, [`${prefix}/info`], 2, options);
  await until(() => late.seen.length === 1, 'the retained message came');
  await publisher.publish(`${prefix}/info`, '', { retain: true });
  await late.end();
  // E 6, F: a will.
  const doomed = await connect(url, {
    reconnect: false,
    ...options,
    will: { topicName: `${prefix}/test/LWT`, payload: 'LWT' },
  });
  doomed.destroy();
  await until(() => wild.seen.includes(`${prefix}/test/LWT LWT`), 'the will came');
  // A message larger than any segment.
  await publisher.publish(`${prefix}/test/large`, 'x'.repeat(100_000), { qos: 2 });
  await until(() => wild.seen.length >= 5, 'the large message came');
  await wild.end();
  await persist(url, prefix, publisher, options);
  await countUp(url, prefix, publisher, options);
  await until(() => isAnswered, 'the PINGREQ was answered');
  await asking.end();
  await publisher.end();
}

/** E 7: what is published at QoS 1 for a client that is away comes as soon as it is back. */
async function persist(url: string, prefix: string, publisher: Client, options: object): Promise<void> {
  const session = {
    ...{ clientIdentifier: `${prefix}/unique`, cleanStart: false, sessionExpiryInterval: 60 },
    ...options,
  };
  const away = await watch(url, [`${prefix}/paho/test`], 1, session);
  await away.end();
  await publisher.publish(`${prefix}/paho/test`, 'not queued');
  await publisher.publish(`${prefix}/paho/test`, 'queued', { qos: 1 });
  const back = await watch(url, [`${prefix}/paho/test`], 1, session);
  await until(() => back.seen.length === 1, 'what was queued came');
  await back.end();
}

/** E 8 and H: counters at each QoS, each watched at its own, and a report on them, retained. */
async function countUp(url: string, prefix: string, publisher: Client, options: object): Promise<void> {
  const analyser = await connect(url, { reconnect: false, ...options });
  let received = 0;
  for (const qos of everyQos) {
    for (const speed of ['slow', 'fast']) {
      await analyser.subscribe(`${prefix}/counter/${speed}/q${qos}`, { qos, onMessage: () => void received++ });
    }
  }
  for (const qos of everyQos) {
    await publisher.publish(`${prefix}/counter/slow/q${qos}`, '0', { qos });
    const fast = Array.from({ length: 50 }, (_, value) => String(value));
    await Promise.all(fast.map((value) => publisher.publish(`${prefix}/counter/fast/q${qos}`, value, { qos })));
  }
  await until(() => received === 3 * 51, 'the counters have been seen');
  for (const qos of everyQos) {
    await analyser.publish(`${prefix}/studentreport/1/fast/q${qos}/recv`, '50', { qos: 2, retain: true });
  }
  const reader = await watch(url, [`${prefix}/studentreport/#`], 2, options);
  await until(() => reader.seen.length === 3, 'the reports came');
  await reader.end();
  await analyser.end();
}

const mayCapture = ((): string | undefined => {
  if (!hasPeer('dumpcap')) return 'dumpcap is not installed';
  const args = ['-q', '-i', 'lo', '-a', 'duration:1', '-c', '1', '-f', 'port 1', '-w', '/dev/null'];
  return spawnSync(peerPath('dumpcap'), args).status === 0 ? undefined : 'nobody here may capture from lo';
})();

describe.skipIf(mayCapture !== undefined)(
  `the tap during the reference exchanges${mayCapture === undefined ? '' : ` (skipped: ${mayCapture})`}`,
  () => {
    it(
      'has the packets that dumpcap saw, over TCP and over WebSocket',
      async () => {
        const broker = await startBroker({ webSocket: true, config: 'capture_file {directory}/tap.pcapng' });
        const ports = [broker.port, broker.wsPort];
        const seen = join(broker.directory, 'seen.pcapng');
        const filter = `tcp port ${broker.port} or tcp port ${broker.wsPort}`;
        const dumpcap = start(peerPath('dumpcap'), ['-q', '-i', 'lo', '-f', filter, '-w', seen]);
        await until(() => dumpcap.stderr().includes('File:'), 'dumpcap captures');
        // E 5: one that says nothing is disconnected, and its will published.
        const watcher = await watch(`mqtt://127.0.0.1:${broker.port}`, ['silent/status'], 0);
        const silent = await openClient(broker.port, {
          ...{ version: 4, keepAlive: 1, clientIdentifier: 'silent' },
          will: { topic: 'silent/status', payload: Buffer.from('gone') },
        });
        for (const version of [4, 5] as const) {
          await exercise(`mqtt://127.0.0.1:${broker.port}`, version);
          await exercise(`ws://127.0.0.1:${broker.wsPort}`, version);
        }
        await silent.expectClosed();
        await until(() => watcher.seen.length === 1, 'the will of the silent one');
        await watcher.end();
        const classic = clientPrograms(hasPeer('mosquitto_pub') ? 'mosquitto' : 'clearwing');
        await classic.pub(broker.port, ['-t', 'handong/csee/a', '-m', '2222', '-q', '2', '-i', 'classic']);
        broker.signal('SIGTERM');
        expect(await broker.ended).toBe(0);
        const ours = await packets(join(broker.directory, 'tap.pcapng'), ports);
        // The system hands frames over in blocks, the last of them after a moment.
        await until(async () => count(await packets(seen, ports)) >= count(ours), 'dumpcap has written everything');
        dumpcap.kill('SIGINT');
        await dumpcap.finished;
        expect(ours).toEqual(await packets(seen, ports));
        expect(ours.size).toBeGreaterThan(50);
        expect(count(ours)).toBeGreaterThan(1000);
        const said = [...ours.values()].flat();
        expect(said.filter((one) => one === 'Ping Response')).not.toHaveLength(0);
        expect(said).toContain('Publish Message [silent/status]');
        await broker.stop();
      },
      testPatienceMs,
    );
  },
);
