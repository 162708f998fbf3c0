import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MqttConversation } from '../../bench/capture/mqtt-conversation.ts';
import { SeededRandom } from '../../bench/capture/random.ts';
import { segmentBytesMax, TcpSegments } from '../../bench/capture/tcp-segments.ts';
import { CaptureDecoder } from '../../src/capture/capture-decoder.ts';
import { linkTypes } from '../../src/capture/link-types.ts';
import { PcapWriter } from '../../src/capture/pcap-writer.ts';
import { PacketFramer } from '../../src/codec/framer.ts';
import { decodePacket } from '../../src/codec/index.ts';
import { PacketType, type PacketTypeName } from '../../src/protocol/packet-types.ts';
import type { ProtocolVersion } from '../../src/protocol/version.ts';
import { describeWithPeer, peerPath } from '../support/peers.ts';
import { run } from '../support/run.ts';

/** What two clients and the broker say, as a capture: how often each has its turn is up to the seed. */
function capture(seed: number, steps: number): { file: Uint8Array; packets: number } {
  const random = new SeededRandom(seed);
  const writer = new PcapWriter({ linkType: linkTypes.ethernet });
  let time = 0;
  const take = (frame: Uint8Array) => writer.writePacket(1_700_000_000, time++ * 1000, frame.length, frame);
  const conversation = (number: number) =>
    new MqttConversation(
      {
        number,
        clientAddress: 0x0a01_0000 + number,
        clientPort: 40_000 + number,
        serverAddress: 0x0a00_0001,
        lifetime: 1_000_000,
      },
      random,
    );
  const publisher = conversation(0);
  const subscriber = conversation(1);
  for (let step = 0; step < steps; step++) {
    if (random.happens(0.5)) publisher.step(subscriber, 1000 + step, take);
    else subscriber.step(undefined, 1000 + step, take);
  }
  for (const each of [publisher, subscriber]) each.close(1000 + steps, take);
  return { file: writer.take().slice(), packets: publisher.packets + subscriber.packets };
}

const readUint = (bytes: Uint8Array, start: number, size: number) =>
  bytes.subarray(start, start + size).reduce((value, byte) => value * 256 + byte, 0);

describe('captures that are made', () => {
  it('are the same for the same seed only', () => {
    expect(capture(1, 300)).toEqual(capture(1, 300));
    expect(capture(1, 300).file).not.toEqual(capture(2, 300).file);
  });

  it('have as many whole MQTT packets as they say, without a gap in any stream', () => {
    const { file, packets } = capture(3, 3000);
    const streams = new Map<string, { next: number; framer: PacketFramer; version: ProtocolVersion }>();
    const types = new Map<number, number>();
    for (const { bytes } of new CaptureDecoder().push(file)) {
      const key = [readUint(bytes, 26, 4), readUint(bytes, 34, 2), readUint(bytes, 36, 2)].join();
      const sequence = readUint(bytes, 38, 4);
      const flags = bytes[47]!;
      const payload = bytes.subarray(34 + (bytes[46]! >> 4) * 4);
      const version = Math.max(readUint(bytes, 34, 2), readUint(bytes, 36, 2)) === 40_000 ? 5 : 4;
      const stream = streams.get(key) ?? { next: sequence, framer: new PacketFramer(), version };
      streams.set(key, stream);
      expect(sequence).toBe(stream.next);
      stream.next = (sequence + payload.length + ((flags & 3) === 0 ? 0 : 1)) % 2 ** 32;
      stream.framer.push(payload);
      while (stream.framer.next()) {
        const { bytes: source, packetStart, bodyStart, end } = stream.framer;
        const { type } = decodePacket(source, packetStart, bodyStart, end, stream.version);
        types.set(type, (types.get(type) ?? 0) + 1);
      }
    }
    expect([...types.values()].reduce((sum, count) => sum + count, 0)).toBe(packets);
    const expected: PacketTypeName[] = [
      'CONNECT',
      'CONNACK',
      'PUBLISH',
      'PUBACK',
      'PUBREC',
      'PUBREL',
      'PUBCOMP',
      'SUBSCRIBE',
      'SUBACK',
      'PINGREQ',
      'PINGRESP',
      'DISCONNECT',
    ];
    expect(expected.filter((name) => !types.has(PacketType[name]))).toEqual([]);
  });

  it('have segments of the size that an Ethernet carries', () => {
    const sizes: number[] = [];
    new TcpSegments(1, 2, 3, 4, 5).data(0, new Uint8Array(3 * segmentBytesMax + 1), 1, (frame) =>
      sizes.push(frame.length),
    );
    expect(sizes).toEqual([1514, 1514, 66, 1514, 67, 66]);
  });
});

describeWithPeer('tshark', 'tshark', () => {
  it('has nothing to object to: checksums, sequence numbers, packets', async () => {
    const filter = 'ip.checksum.status == 0 || tcp.checksum.status == 0 || tcp.analysis.flags || _ws.malformed';
    const options = ['-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'];
    const directory = mkdtempSync(join(tmpdir(), 'clearwing-capture-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const path = join(directory, 'made.pcap');
    writeFileSync(path, capture(4, 2000).file);
    const result = await run(peerPath('tshark'), ['-n', '-r', path, ...options, '-Y', filter]);
    expect(result.stderr.replace(/^Running as user .*\n/, '')).toBe('');
    expect(result.stdout).toBe('');
    expect(result.status).toBe(0);
  });
});
