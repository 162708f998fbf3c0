import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Conversations } from '../../../src/dissect/mqtt/conversations.ts';
import { MqttPacket } from '../../../src/dissect/mqtt/packet.ts';
import { UnreadableBytes } from '../../../src/dissect/mqtt/unreadable.ts';
import type { UpperLayer } from '../../../src/dissect/stream-dissector.ts';
import { bytesOf, validVectors } from '../../codec/vectors.ts';
import { connack, connect, Feed, opened, tilingFault, valuesOf } from './streams.ts';

/** What a packet shows, whatever it was put together from. */
function contentOf(layers: readonly UpperLayer[]): string[] {
  return layers.map((layer) => {
    const bytes = Buffer.from(layer.source.bytes.subarray(layer.start, layer.end)).toString('hex');
    return `${layer.info()} ${bytes}`;
  });
}

function publish(topic: string, payload: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from([0, topic.length]), Buffer.from(topic), payload]);
  const length: number[] = [];
  for (let rest = body.length; ; rest = Math.floor(rest / 128)) {
    length.push(rest >= 128 ? (rest % 128) + 128 : rest);
    if (rest < 128) break;
  }
  return Buffer.concat([Buffer.from([0x30, ...length]), body]);
}

describe('packets in the bytes of a connection', () => {
  for (const version of [3, 4, 5] as const) {
    it(`are the same in one chunk, byte by byte and in chunks of any size (version ${version})`, () => {
      const stream = Buffer.concat(
        validVectors
          .filter((vector) => vector.version === version && vector.bytes[0]! >> 4 !== 1)
          .map((vector) => vector.bytes),
      );
      const whole = opened(version);
      const expected = contentOf(whole.send(0, stream));
      expect(expected.length).toBeGreaterThan(40);
      for (const size of [1, 2, 3, 7, 64, 1000]) {
        const feed = opened(version);
        const layers: UpperLayer[] = [];
        for (let at = 0; at < stream.length; at += size) layers.push(...feed.send(0, stream.subarray(at, at + size)));
        expect(contentOf(layers)).toEqual(expected);
        expect(feed.stream.pending(0)).toBe(0);
      }
    });
  }

  it('are views of a chunk that has them whole', () => {
    const feed = opened(4);
    const [first, second] = feed.send(0, 'c000 3005 0001 61 6263');
    expect(first!.source).toBe(second!.source);
    expect([first!.start, first!.end, second!.start, second!.end]).toEqual([0, 2, 2, 9]);
    expect(second!.source.segments).toBeUndefined();
  });

  it('that come in several frames say where each part came from', () => {
    const feed = opened(4);
    expect(feed.send(0, 'c000 30')).toHaveLength(1);
    expect(feed.stream.pending(0)).toBe(1);
    feed.send(0, '05 0001');
    const packet = feed.client('61 6263');
    expect(packet.info()).toBe('Publish Message [a]');
    expect(packet.source.name).toBe('Reassembled TCP (7 bytes)');
    expect(packet.source.segments).toEqual([
      { frame: 3, start: 0, end: 1 },
      { frame: 4, start: 1, end: 4 },
      { frame: 5, start: 4, end: 7 },
    ]);
    expect(tilingFault(packet)).toBeUndefined();
  });

  it('may be cut inside their Remaining Length', () => {
    const payload = new Uint8Array(300).fill(0x78);
    const bytes = publish('long', payload);
    for (let cut = 1; cut < 5; cut++) {
      const feed = opened(4);
      feed.send(0, bytes.subarray(0, cut));
      const packet = feed.client(bytes.subarray(cut));
      expect(packet.info()).toBe('Publish Message [long]');
      expect(valuesOf(packet, 'mqtt.msg')).toEqual([payload]);
    }
  });

  it('that end with the connection are shown as far as they came', () => {
    const feed = opened(4);
    feed.send(0, '3020 0005 746f706963 61');
    const [packet] = feed.end(0);
    expect(packet).toBeInstanceOf(MqttPacket);
    expect((packet as MqttPacket).absentBytes).toBe(24);
    expect(packet!.info()).toBe('Publish Message [topic][24 bytes missing]');
    expect(tilingFault(packet!)).toBeUndefined();
    expect(feed.end(0)).toEqual([]);
  });

  it('do not take the memory that they announce', () => {
    const before = process.memoryUsage().arrayBuffers;
    const feeds = Array.from({ length: 200 }, () => opened(4));
    for (const feed of feeds) feed.send(0, '30ffffff7f 0003 616263');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2_000_000);
    expect(feeds[0]!.stream.pending(0)).toBe(10);
  });

  it('give up their middle when all together wait for too much', () => {
    const conversations = new Conversations({ gatheredBytesMax: 100_000 });
    const waiting = Array.from({ length: 4 }, () => opened(4, conversations));
    const bytes = publish('t', new Uint8Array(60_000).fill(0x79));
    for (const feed of waiting) feed.send(0, bytes.subarray(0, 50_000));
    const packets = waiting.map((feed) => feed.client(bytes.subarray(50_000)));
    expect(packets.map((packet) => packet.absentBytes > 0)).toEqual([true, true, false, true]);
    for (const packet of packets) {
      expect(packet.info()).toContain('Publish Message [t]');
      expect(tilingFault(packet)).toBeUndefined();
      expect(packet.end - packet.start + packet.absentBytes).toBe(bytes.length);
    }
  });

  it('with a Remaining Length of five bytes end the order, until packets can be told again', () => {
    const feed = opened(4);
    const [broken] = feed.send(0, '30 8080808001 0001');
    expect(broken!.info()).toBe('Publish Message[Malformed Packet]');
    expect(tilingFault(broken!)).toBeUndefined();
    expect(feed.send(0, '3005 0003 612f62').map((layer) => layer.info())).toEqual(['Publish Message [a/b]']);
  });
});

describe('bytes that were not captured', () => {
  it('within a packet whose length is known cost no other packet', () => {
    const feed = opened(4);
    feed.send(0, '3010 0003 612f62 3132');
    const layers = feed.send(0, '3738 c000', 7);
    expect(layers.map((layer) => layer.info())).toEqual(['Publish Message [a/b][9 bytes missing]', 'Ping Request']);
    expect(layers.map((layer) => (layer as MqttPacket).absentBytes)).toEqual([9, 0]);
    expect(valuesOf(layers[0]!, 'mqtt.missing_bytes')).toEqual([9]);
  });

  it('between packets are said with the next one', () => {
    const feed = opened(4);
    const [packet] = feed.send(0, '3005 0003 612f62', 100);
    expect(packet!.info()).toBe('Publish Message [a/b]');
    expect(valuesOf(packet!, 'mqtt.missing_bytes')).toEqual([100]);
    expect(valuesOf(feed.client('c000'), 'mqtt.missing_bytes')).toEqual([]);
  });

  it('that end within a packet leave its rest, which is skipped', () => {
    const feed = opened(4);
    const layers = feed.send(0, '746865207265737420 3207 0003 612f62 0001 c000', 50);
    expect(layers[0]).toBeInstanceOf(UnreadableBytes);
    expect(layers.map((layer) => layer.info())).toEqual([
      '[50 missing, 9 bytes skipped]',
      'Publish Message (id=1) [a/b]',
      'Ping Request',
    ]);
    expect(tilingFault(layers[0]!)).toBeUndefined();
  });

  it('are waited out where nothing can be told', () => {
    const feed = opened(4);
    expect(feed.send(0, 'ffffffffffff', 9).map((layer) => layer.info())).toEqual(['[9 missing, 6 bytes skipped]']);
    expect(feed.send(0, 'fefefefe').map((layer) => layer.info())).toEqual(['[4 bytes skipped]']);
    expect(feed.send(0, 'c000').map((layer) => layer.info())).toEqual(['Ping Request']);
  });

  it('at the end of a frame that the capture cut belong to its last packet, which is shown at once', () => {
    const feed = opened(4);
    const [packet] = feed.send(0, '3010 0003 612f62 3132', 0, 9);
    expect(packet!.info()).toBe('Publish Message [a/b][Packet size limited during capture]');
    expect(tilingFault(packet!)).toBeUndefined();
    const [next] = feed.send(0, 'c000', 9);
    expect(next!.info()).toBe('Ping Request');
    expect(valuesOf(next!, 'mqtt.missing_bytes')).toEqual([]);
  });
});

describe('a frame that the capture cut between two packets', () => {
  it.each([
    ['4002 0001', 'Publish Ack (id=1)[Packet size limited during capture]'],
    ['4002 0001 40', 'Publish Ack (id=1)[Packet size limited during capture]'],
    ['30', '[Packet size limited during capture]'],
    ['3080', '[Packet size limited during capture]'],
    ['8210 0001 0001 61 00', 'Subscribe Request (id=1) [a][Packet size limited during capture]'],
  ])('says so behind %s', (hex, info) => {
    const feed = opened(4);
    const layers = feed.send(0, hex, 0, 9);
    expect(layers.map((layer) => layer.info()).join('')).toBe(info);
    expect(layers.at(-1)!.columnProtocol).toBe(hex.length > 4 ? 'MQTT' : 'TCP');
  });
});

describe('a capture that begins in the middle of a connection', () => {
  const fromMiddle = () => new Feed({ isFromStart: false });

  it('and at the beginning of a packet is read from there', () => {
    const packet = fromMiddle().client('3005 0001 61 6263');
    expect(packet.info()).toBe('Publish Message [a]');
    expect(valuesOf(packet, 'mqtt.version')).toEqual([4]);
    expect(valuesOf(packet, 'mqtt.version_inferred')).toEqual([true]);
  });

  it('and of a packet is read from the next one', () => {
    const layers = fromMiddle().send(0, '7b2276616c7565223a317d 3207 0003 612f62 0001 3005 0003 782f79');
    expect(layers.map((layer) => layer.info())).toEqual([
      '[11 bytes skipped]',
      'Publish Message (id=1) [a/b]',
      'Publish Message [x/y]',
    ]);
  });

  it('and of a long packet is read from the segment after it, whatever that looks like at first', () => {
    const feed = fromMiddle();
    // It could be the first bytes of a PUBREC, until more has come.
    expect(feed.send(0, '50')).toEqual([]);
    expect(feed.send(0, '505050')).toEqual([]);
    expect(feed.send(0, '5050').map((layer) => layer.info())).toEqual(['[4 bytes skipped]']);
    expect(feed.send(0, '5002 0007').map((layer) => layer.info())).toEqual([
      '[2 bytes skipped]',
      'Publish Received (id=7)',
    ]);
    expect(feed.layers.map(tilingFault)).toEqual([undefined, undefined, undefined]);
  });

  it('tells client from server by what only one of them sends', () => {
    const feed = fromMiddle();
    feed.send(0, '9003 0001 00');
    expect(feed.send(0, 'd000').map((layer) => valuesOf(layer, 'mqtt.direction'))).toEqual([['server']]);
    expect(feed.send(1, 'c000').map((layer) => valuesOf(layer, 'mqtt.direction'))).toEqual([['client']]);
  });

  const proofs: readonly [what: string, hex: string, version: number][] = [
    ['a PUBLISH with properties', '300c 0003 612f62 02 0101 7a7a7a7a', 5],
    ['a PUBLISH with an alias instead of a topic', '3007 0000 03 230001 7a', 5],
    ['a PUBLISH without properties and with text', '300b 0003 612f62 00 68656c6c6f', 5],
    ['a PUBLISH without properties and with a digit', '3007 0003 612f62 0037', 5],
    ['a PUBLISH with nothing behind its topic', '3005 0003 612f62', 4],
    ['a PUBLISH with a payload that is no property', '300a 0003 612f62 7b2261227d', 4],
    ['a SUBSCRIBE of 5.0', '8209 0001 00 0003 612f62 01', 5],
    ['a SUBSCRIBE of 3.1.1', '8208 0001 0003 612f62 01', 4],
    ['an UNSUBSCRIBE of 5.0', 'a208 0001 00 0003 612f62', 5],
    ['an UNSUBACK of 3.1.1', 'b002 0001', 4],
    ['an UNSUBACK of 5.0', 'b004 0001 00 11', 5],
    ['a PUBACK with a Reason Code', '4003 0001 10', 5],
    ['a DISCONNECT with a Reason Code', 'e001 8e', 5],
    ['a CONNACK of 5.0', '2003 0000 00', 5],
    ['an AUTH', 'f000', 5],
  ];
  for (const [what, hex, version] of proofs) {
    it(`has version ${version} for ${what}`, () => {
      const feed = fromMiddle();
      const [packet] = feed.send(0, hex);
      expect(valuesOf(packet!, 'mqtt.version')).toEqual([version]);
      expect(tilingFault(packet!)).toBeUndefined();
      expect([...valuesOf(packet!, 'mqtt.unknown_version')]).toHaveLength(1);
      expect(valuesOf(feed.client('c000'), 'mqtt.version')).toEqual([version]);
    });
  }

  const doubts: readonly [what: string, hex: string][] = [
    ['a PUBACK without a Reason Code', '4002 0001'],
    ['a PINGREQ', 'c000'],
    ['a SUBACK that both could have', '9004 0001 00 01'],
    ['a PUBLISH of a binary number', '3007 0003 612f62 0005'],
  ];
  for (const [what, hex] of doubts) {
    it(`has no version for ${what}`, () => {
      const [packet] = fromMiddle().send(0, hex);
      expect(valuesOf(packet!, 'mqtt.version')).toEqual([]);
    });
  }
});

describe('any bytes', () => {
  const chunks = fc.array(
    fc.record({
      direction: fc.constantFrom(0 as const, 1 as const),
      bytes: fc.oneof(
        fc.uint8Array({ maxLength: 80 }),
        fc.constantFrom(...validVectors.filter((vector) => vector.bytes.length < 200)).map((vector) => vector.bytes),
        fc.constantFrom(connect[3], connect[4], connect[5], connack[5], '3004 0000 00', '8202 0001').map(bytesOf),
      ),
      missing: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(300) }),
      cut: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(50) }),
    }),
    { maxLength: 12 },
  );

  it('give packets that are covered by their fields, and never an exception', () => {
    fc.assert(
      fc.property(chunks, fc.boolean(), (list, isFromStart) => {
        const feed = new Feed({ isFromStart });
        for (const { direction, bytes, missing, cut } of list) {
          let covered = 0;
          for (const layer of feed.send(direction, bytes, missing, cut)) {
            expect(tilingFault(layer)).toBeUndefined();
            expect(typeof layer.info()).toBe('string');
            covered += layer.end - layer.start;
          }
          expect(covered).toBeGreaterThanOrEqual(0);
        }
        for (const direction of [0, 1] as const) {
          for (const layer of feed.end(direction)) expect(tilingFault(layer)).toBeUndefined();
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('are all shown, or wait for the rest of a packet', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 10 }), (list) => {
        const feed = new Feed();
        let sent = 0;
        let shown = 0;
        for (const bytes of list) {
          sent += bytes.length;
          for (const layer of feed.send(0, bytes)) shown += layer.end - layer.start;
          expect(shown + feed.stream.pending(0)).toBe(sent);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('say the same as often as they are described', () => {
    fc.assert(
      fc.property(chunks, (list) => {
        const feed = new Feed();
        for (const { direction, bytes, missing } of list) feed.send(direction, bytes, missing);
        const once = feed.layers.map((layer) => `${layer.info()} ${valuesOf(layer, 'mqtt.qos_state').join()}`);
        const twice = feed.layers.map((layer) => `${layer.info()} ${valuesOf(layer, 'mqtt.qos_state').join()}`);
        expect(twice).toEqual(once);
      }),
      { numRuns: 200 },
    );
  });
});
