import { describe, expect, it } from 'vitest';
import { decodePacket, encodedBytes, PacketFramer, type PublishPacket, packetSizeMax } from '../../src/codec/index.ts';
import { MalformedPacketError, PacketTooLargeError } from '../../src/protocol/errors.ts';
import { PacketType } from '../../src/protocol/packet-types.ts';

function publish(topicName: string, payload: Uint8Array): PublishPacket {
  return {
    type: PacketType.PUBLISH,
    topicName,
    payload,
    qos: 0,
    retain: false,
    dup: false,
    packetIdentifier: 0,
    properties: undefined,
  };
}

function encodedPublish(payloadSize: number): Uint8Array {
  return encodedBytes(
    publish(
      'a/b',
      new Uint8Array(payloadSize).map((_, index) => index % 251),
    ),
    4,
  );
}

/** The whole packets found, as copies. */
function drain(framer: PacketFramer): Uint8Array[] {
  const found: Uint8Array[] = [];
  while (framer.next()) found.push(framer.bytes.slice(framer.packetStart, framer.end));
  return found;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function header(firstByte: number, remainingLength: number): Uint8Array {
  const bytes = [firstByte];
  let rest = remainingLength;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Uint8Array.from(bytes);
}

describe('PacketFramer', () => {
  it('shows packets of one chunk in place, without copying', () => {
    const framer = new PacketFramer();
    const packet = encodedPublish(300);
    const chunk = Buffer.concat([packet, packet, Uint8Array.of(0xc0, 0)]);
    framer.push(chunk);
    const places: number[][] = [];
    while (framer.next()) {
      expect(framer.bytes).toBe(chunk);
      places.push([framer.packetStart, framer.bodyStart, framer.end]);
    }
    const size = packet.length;
    expect(places).toEqual([
      [0, 3, size],
      [size, size + 3, 2 * size],
      [2 * size, 2 * size + 2, 2 * size + 2],
    ]);
    expect(framer.bufferedBytes).toBe(0);
  });

  it('goes on behind what was found behind a packet in its chunk, and nowhere else', () => {
    const framer = new PacketFramer();
    const packets = [0x40, 2, 0, 1, 0x40, 2, 0, 2, 0x40, 2, 0, 3];
    framer.push(Uint8Array.from([...packets, 0x40, 2, 0]));
    expect(framer.next()).toBe(true);
    expect([framer.packetStart, framer.end, framer.limit]).toEqual([0, 4, 15]);
    framer.skipTo(8);
    expect(framer.bufferedBytes).toBe(7);
    expect(framer.next()).toBe(true);
    expect([framer.packetStart, framer.end, framer.limit]).toEqual([8, 12, 15]);
    expect(framer.next()).toBe(false);
    framer.push(Uint8Array.from([4, ...packets]));
    expect(framer.next()).toBe(true);
    // Joined of two chunks: what follows it lies elsewhere.
    expect(framer.limit).toBe(framer.end);
    framer.skipTo(framer.end);
    expect(framer.next()).toBe(true);
    expect([...framer.bytes.subarray(framer.packetStart, framer.end)]).toEqual([0x40, 2, 0, 1]);
  });

  it('counts what it holds and has not shown', () => {
    const framer = new PacketFramer();
    expect(framer.bufferedBytes).toBe(0);
    framer.push(Uint8Array.of(0xc0, 0, 0x30));
    expect(framer.bufferedBytes).toBe(3);
    expect(framer.next()).toBe(true);
    expect(framer.bufferedBytes).toBe(1);
    expect(framer.next()).toBe(false);
    framer.push(Uint8Array.of(5, 0, 1));
    framer.push(Uint8Array.of(0x61));
    expect(framer.bufferedBytes).toBe(5);
    expect(framer.next()).toBe(false);
    expect(framer.bufferedBytes).toBe(5);
    framer.push(Uint8Array.of(1, 2, 0xd0));
    expect(framer.next()).toBe(true);
    expect(framer.bufferedBytes).toBe(1);
    expect(framer.next()).toBe(false);
    framer.push(Uint8Array.of(0));
    expect(framer.next()).toBe(true);
    expect(framer.bufferedBytes).toBe(0);
    expect(framer.next()).toBe(false);
  });

  it('accepts chunks faster than they are looked at', () => {
    const packets = [
      encodedPublish(0),
      encodedPublish(1),
      encodedPublish(200),
      Uint8Array.of(0xc0, 0),
      encodedPublish(20_000),
    ];
    const stream = Buffer.concat(packets);
    for (const size of [1, 3, 100, 7000]) {
      const framer = new PacketFramer();
      for (let start = 0; start < stream.length; start += size) framer.push(stream.subarray(start, start + size));
      framer.push(new Uint8Array(0));
      expect(framer.bufferedBytes).toBe(stream.length);
      expect(drain(framer).map(hexOf)).toEqual(packets.map(hexOf));
    }
  });

  it('joins a packet that straddles chunks of every size, and finds the ones around it', () => {
    const packets = [1, 40_000, 2, 100_000, 0].map(encodedPublish);
    const stream = Buffer.concat(packets);
    for (const size of [1000, 16_383, 16_384, 16_385, 39_999, 65_536, stream.length - 1]) {
      const framer = new PacketFramer();
      const found: Uint8Array[] = [];
      for (let start = 0; start < stream.length; start += size) {
        framer.push(stream.subarray(start, start + size));
        found.push(...drain(framer));
      }
      expect(found.length).toBe(packets.length);
      for (const [index, packet] of packets.entries()) expect(Buffer.compare(found[index]!, packet)).toBe(0);
      expect(framer.bufferedBytes).toBe(0);
    }
  });

  it('never changes a chunk, and what it shows of one stays as it is', () => {
    const stream = Buffer.concat([encodedPublish(100), encodedPublish(100), encodedPublish(100)]);
    const untouched = Buffer.from(stream);
    const framer = new PacketFramer();
    const payloads: Uint8Array[] = [];
    for (let start = 0; start < stream.length; start += 37) {
      framer.push(stream.subarray(start, start + 37));
      while (framer.next()) {
        const packet = decodePacket(framer.bytes, framer.packetStart, framer.bodyStart, framer.end, 4) as PublishPacket;
        payloads.push(packet.payload);
      }
    }
    expect(stream.equals(untouched)).toBe(true);
    expect(payloads).toHaveLength(3);
    for (const payload of payloads) expect([...payload]).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  it('keeps no more memory than has arrived for a packet announced with 268,435,455 bytes', () => {
    const before = process.memoryUsage().arrayBuffers;
    const framers = Array.from({ length: 100 }, () => {
      const framer = new PacketFramer();
      framer.push(header(0x30, 268_435_455));
      expect(framer.next()).toBe(false);
      framer.push(new Uint8Array(1000));
      expect(framer.next()).toBe(false);
      expect(framer.bufferedBytes).toBe(1005);
      return framer;
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
    expect(framers).toHaveLength(100);
  });

  it('does not hold a large chunk for the small rest of it that it waits with', () => {
    const framers = Array.from({ length: 50 }, () => {
      const framer = new PacketFramer();
      const chunk = new Uint8Array(1_000_000);
      chunk.set(header(0x30, 999_990 - 4));
      chunk.set([0x30, 5, 0, 1, 0x61], 999_990);
      chunk.set([0x30], 999_997);
      framer.push(chunk.subarray(0, 999_992));
      expect(framer.next()).toBe(true);
      expect(framer.next()).toBe(false);
      expect(framer.bytes.length).toBe(0);
      return framer;
    });
    // Held are the two bytes that were copied, in an ArrayBuffer of their own.
    for (const framer of framers) {
      const { chunk, pieces } = framer as unknown as { chunk: Uint8Array; pieces: Uint8Array[] };
      expect(chunk.buffer.byteLength + pieces.reduce((sum, piece) => sum + piece.buffer.byteLength, 0)).toBe(2);
    }
  });

  it('gathers a megabyte of one-byte chunks in few pieces, copying each byte a bounded number of times', () => {
    const packet = encodedPublish(1_000_000);
    const framer = new PacketFramer();
    let piecesMax = 0;
    for (let index = 0; index < packet.length - 1; index++) {
      framer.push(packet.subarray(index, index + 1));
      if (framer.next()) throw new Error('too early');
      if (index % 1000 === 0) {
        piecesMax = Math.max(piecesMax, (framer as unknown as { pieces: Uint8Array[] }).pieces.length);
      }
    }
    expect(piecesMax).toBeLessThan(100);
    framer.push(packet.subarray(packet.length - 1));
    expect(framer.next()).toBe(true);
    expect(Buffer.compare(framer.bytes.subarray(framer.packetStart, framer.end), packet)).toBe(0);
  });

  it('refuses a packet beyond the maximum as soon as its length is known, and accepts the largest', () => {
    for (const maximum of [2, 127, 129, 130, 1000, 20_000, 268_435_459]) {
      const framer = new PacketFramer(maximum);
      const remaining = Array.from({ length: 5 }, (_, size) => maximum - size).find(
        (length) =>
          header(0x30, length).length + length > maximum && header(0x30, length - 1).length + length - 1 <= maximum,
      )!;
      framer.push(header(0x30, remaining));
      expect(() => framer.next()).toThrow(PacketTooLargeError);
      expect(() => framer.next()).toThrow(PacketTooLargeError);
      const accepting = new PacketFramer(maximum);
      accepting.push(header(0x30, remaining - 1));
      expect(() => accepting.next()).not.toThrow();
    }
    const framer = new PacketFramer();
    framer.push(header(0x30, 268_435_455));
    expect(framer.maximumPacketSize).toBe(packetSizeMax);
    expect(framer.next()).toBe(false);
  });

  it('applies a maximum that was changed to the packets after', () => {
    const framer = new PacketFramer();
    framer.push(Buffer.concat([encodedPublish(50), encodedPublish(50)]));
    expect(framer.next()).toBe(true);
    framer.maximumPacketSize = 20;
    expect(() => framer.next()).toThrow('A packet of 57 bytes; at most 20 are accepted');
  });

  it('[MQTT-2.1.3-1] refuses a wrong first byte at once, for all 256 of each version', () => {
    for (const version of [3, 4, 5] as const) {
      for (let firstByte = 0; firstByte < 256; firstByte++) {
        const type = firstByte >> 4;
        const flags = firstByte & 15;
        const isPublish = type === 3 && (flags & 6) !== 6 && flags !== 8 && flags !== 9;
        const isOther = type !== 0 && type !== 3 && flags === (type === 6 || type === 8 || type === 10 ? 2 : 0);
        const isUnused = version === 3 && type > 3 && type < 15;
        const isUnusedInConnack = version === 3 && type === 2;
        const framer = new PacketFramer();
        framer.version = version;
        framer.push(Uint8Array.of(firstByte));
        const isAccepted = isPublish || (isOther && (type !== 15 || version === 5)) || isUnused || isUnusedInConnack;
        if (isAccepted) expect(framer.next()).toBe(false);
        else
          expect(() => framer.next(), `0x${firstByte.toString(16)}, version ${version}`).toThrow(MalformedPacketError);
      }
    }
  });

  it('[MQTT-1.5.5-1] refuses a Remaining Length with its last wrong byte', () => {
    for (const bytes of [
      [0x30, 0x80, 0x00],
      [0x30, 0xff, 0x80, 0x00],
      [0x30, 0x80, 0x80, 0x80, 0x00],
      [0x30, 0x80, 0x80, 0x80, 0x80],
    ]) {
      const framer = new PacketFramer();
      for (const [index, byte] of bytes.entries()) {
        framer.push(Uint8Array.of(byte));
        if (index < bytes.length - 1) expect(framer.next()).toBe(false);
        else expect(() => framer.next()).toThrow(MalformedPacketError);
      }
    }
  });

  it('shows the packets before a wrong one', () => {
    const framer = new PacketFramer();
    framer.push(Uint8Array.of(0xc0, 0, 0xc0, 0, 0x00));
    expect(framer.next()).toBe(true);
    expect(framer.next()).toBe(true);
    expect(() => framer.next()).toThrow('Packet type 0 does not exist');
  });
});
