import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from '../../../src/dissect/report/latency-histogram.ts';
import { Statistics, type StatisticsOptions } from '../../../src/dissect/report/statistics.ts';
import { disconnect, pingreq, puback, pubcomp, publish, pubrec, pubrel } from '../../support/raw-packets.ts';
import { Scene } from './scene.ts';

function count(scene: Scene, options: StatisticsOptions = {}, counts: (number: number) => boolean = () => true) {
  const statistics = new Statistics(options);
  for (const frame of scene.frames) statistics.next(frame, counts(frame.frame.number));
  return statistics.result();
}

describe('a histogram of latencies', () => {
  it('gives percentiles to three percent, and the largest value as it is', () => {
    const histogram = new LatencyHistogram();
    for (let milliseconds = 1; milliseconds <= 1000; milliseconds++) histogram.add(milliseconds / 1000);
    const { count: values, mean, p50, p90, p99, max } = histogram.summary()!;
    expect(values).toBe(1000);
    expect(mean).toBeCloseTo(0.5005, 9);
    expect(Math.abs(p50 - 0.5)).toBeLessThan(0.5 * 0.03);
    expect(Math.abs(p90 - 0.9)).toBeLessThan(0.9 * 0.03);
    expect(Math.abs(p99 - 0.99)).toBeLessThan(0.99 * 0.03);
    expect(max).toBe(1);
  });

  it('takes anything from nothing to a century', () => {
    for (const seconds of [0, 1e-9, 31e-9, 32e-9, 33e-9, 1, 2 ** 20, 3.2e9]) {
      const histogram = new LatencyHistogram();
      histogram.add(seconds);
      const { p50, max } = histogram.summary()!;
      expect(Math.abs(p50 - seconds), `${seconds}`).toBeLessThanOrEqual(seconds * 0.03);
      expect(max).toBeCloseTo(seconds, 9);
    }
    const before = new LatencyHistogram();
    before.add(-1);
    expect(before.summary()).toMatchObject({ p50: 0, max: 0 });
    expect(new LatencyHistogram().summary()).toBeUndefined();
  });
});

describe('statistics', () => {
  it('count packets, bytes, acknowledgements and what is wrong', () => {
    const scene = new Scene();
    const client = scene.client('client');
    client.client(publish('t', 'four', { qos: 1, id: 1 }), publish('t', 'four', { qos: 1, id: 1, dup: true }));
    client.server(puback(1));
    client
      .client(publish('u', 'payload', { qos: 2, id: 2 }))
      .server(pubrec(2))
      .client(pubrel(2))
      .server(pubcomp(2));
    client.client(publish('u', '', { qos: 1, id: 3 }), pingreq, disconnect());
    scene.client('client').rst();
    const result = count(scene);
    expect(result).toMatchObject({
      connections: 2,
      reconnects: 1,
      refused: 0,
      qos: { in: [0, 3, 1, 0], out: [0, 0, 0, 0] },
    });
    expect(result.traffic).toMatchObject({ packetsIn: 9, packetsOut: 5, publishesIn: 4, payloadIn: 15, duplicates: 1 });
    expect(result.types.map(({ type, traffic }) => [type, traffic.packetsIn, traffic.packetsOut])).toEqual([
      ['CONNECT', 2, 0],
      ['CONNACK', 0, 2],
      ['PUBLISH', 4, 0],
      ['PUBACK', 0, 1],
      ['PUBREC', 0, 1],
      ['PUBREL', 1, 0],
      ['PUBCOMP', 0, 1],
      ['PINGREQ', 1, 0],
      ['DISCONNECT', 1, 0],
    ]);
    const times = Object.fromEntries(result.latencies.map(({ name, summary }) => [name, [summary.count, summary.max]]));
    expect(times).toEqual({
      'CONNECT → CONNACK': [2, 0.001],
      'PUBLISH → PUBACK, in': [1, 0.001],
      'PUBLISH → PUBREC, in': [1, 0.001],
      'PUBREC → PUBREL, in': [1, 0.001],
      'PUBREL → PUBCOMP, in': [1, 0.001],
      'PUBLISH → PUBCOMP, in': [1, 0.003],
    });
    expect(result.trouble).toMatchObject({
      duplicates: 1,
      repeated: 1,
      unacknowledgedIn: 1,
      unacknowledgedOut: 0,
      unansweredRequests: 1,
      connectionsReset: 1,
    });
    expect(
      result.clients.map(({ client: name, connections, unacknowledged }) => [name, connections, unacknowledged]),
    ).toEqual([['client', 2, 1]]);
    expect(result.topics.map(({ topic, traffic }) => [topic, traffic.publishesIn])).toEqual([
      ['t', 2],
      ['u', 2],
    ]);
  });

  it('count clients and topics beyond the limits together', () => {
    const scene = new Scene();
    for (let number = 0; number < 5; number++) scene.client(`c${number}`).client(publish(`t${number}`, 'x'));
    const { clients, otherClients, topics, otherTopics, traffic } = count(scene, { clientsMax: 2, topicsMax: 3 });
    expect(clients.map(({ client }) => client)).toEqual(['c0', 'c1']);
    expect(otherClients?.traffic.packetsIn).toBe(6);
    expect(topics).toHaveLength(3);
    expect(otherTopics?.traffic.publishesIn).toBe(2);
    expect(traffic.publishesIn).toBe(5);
  });

  it('count what a filter shows, and know what it does not', () => {
    const scene = new Scene();
    const client = scene.client('client').client(publish('t', 'x', { qos: 1, id: 1 }));
    const chosen = scene.frames.length;
    client.server(puback(1));
    const { traffic, trouble, clients } = count(scene, {}, (number) => number === chosen);
    expect(traffic).toMatchObject({ packetsIn: 1, packetsOut: 0 });
    expect(trouble.unacknowledgedIn).toBe(0);
    expect(clients.map(({ client: name }) => name)).toEqual(['client']);
  });
});
