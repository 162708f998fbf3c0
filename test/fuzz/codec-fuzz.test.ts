import { describe, expect, it } from 'vitest';
import { vectors } from '../codec/vectors.ts';
import { fuzzCodec } from './codec-fuzz.ts';
import { cutAnywhere, joined, mutatedPacket, SeededRandom } from './mutate.ts';

describe('mutated packets', () => {
  const seeds = vectors.map((vector) => vector.bytes);

  it('are the same for the same seed, and others for another', () => {
    const packetsOf = (seed: number) => {
      const random = new SeededRandom(seed);
      return Array.from({ length: 200 }, () => Buffer.from(mutatedPacket(random, seeds)).toString('hex'));
    };
    expect(packetsOf(7)).toEqual(packetsOf(7));
    const others = new Set(packetsOf(8));
    expect(packetsOf(7).filter((hex) => others.has(hex)).length).toBeLessThan(50);
  });

  it('are in chunks, however they are cut, the bytes they were', () => {
    const random = new SeededRandom(1);
    for (let round = 0; round < 500; round++) {
      const bytes = mutatedPacket(random, seeds);
      const chunks = cutAnywhere(random, bytes);
      expect(Buffer.compare(joined(chunks), bytes)).toBe(0);
    }
  });

  it('are decoded or refused with an MqttError, the same however they arrive, and the same when encoded again', () => {
    const report = fuzzCodec({ seed: 20_240_229, packets: 30_000 });
    expect(report.packets).toBe(30_000);
    // The mutations are neither so wild that nothing gets through nor so tame that nothing is refused.
    expect(report.decoded).toBeGreaterThan(15_000);
    expect([...report.refusals.keys()].sort()).toEqual([
      'MQTT_ERR_MALFORMED 0x81',
      'MQTT_ERR_PACKET_TOO_LARGE 0x95',
      'MQTT_ERR_PROTOCOL 0x82',
      'MQTT_ERR_PROTOCOL 0x84',
    ]);
  });
});
