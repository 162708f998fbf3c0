import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../src/base/byte-writer.ts';
import {
  decodePacket,
  decodePublish,
  encodeAcknowledge,
  encodedBytes,
  encodePacket,
  encodePublish,
  type Packet,
  PacketFramer,
  type PublishPacket,
  packetSize,
  packetTypeName,
  peekProtocolLevel,
  publishSize,
} from '../../src/codec/index.ts';
import { OptionError, ProtocolError } from '../../src/protocol/errors.ts';
import { PacketType } from '../../src/protocol/packet-types.ts';
import type { PropertiesOf } from '../../src/protocol/properties.ts';
import { ReasonCode } from '../../src/protocol/reason-codes.ts';
import { anyVersionedPacket, withoutLaterFields } from './arbitrary-packets.ts';
import { bytesOf } from './vectors.ts';

function publish(fields: Partial<PublishPacket> = {}): PublishPacket {
  return {
    type: PacketType.PUBLISH,
    topicName: 'a/b',
    payload: Uint8Array.of(1, 2, 3),
    qos: 0,
    retain: false,
    dup: false,
    packetIdentifier: 0,
    properties: undefined,
    ...fields,
  };
}

describe('any packet', () => {
  it('is the same after encoding and decoding, in every version, and as long as was said', () => {
    fc.assert(
      fc.property(anyVersionedPacket, ({ packet, version }) => {
        const bytes = encodedBytes(packet, version);
        expect(packetSize(packet, version)).toBe(bytes.length);
        const framer = new PacketFramer();
        framer.push(bytes);
        expect(framer.next()).toBe(true);
        expect(framer.end).toBe(bytes.length);
        const decoded = decodePacket(framer.bytes, framer.packetStart, framer.bodyStart, framer.end, version);
        expect(decoded).toEqual(withoutLaterFields(packet, version));
        expect(encodedBytes(decoded, version)).toEqual(bytes);
      }),
      { numRuns: 1500 },
    );
  });
});

describe('encoding', () => {
  it('says where the Packet Identifier of a PUBLISH is', () => {
    const writer = new ByteWriter();
    writer.writeUint8(0xee);
    expect(encodePublish(writer, publish(), 4)).toBe(-1);
    for (const properties of [undefined, { contentType: 'x' }]) {
      const at = encodePublish(writer, publish({ qos: 1, packetIdentifier: 0x1234, properties }), 5);
      expect([writer.bytes[at], writer.bytes[at + 1]]).toEqual([0x12, 0x34]);
    }
  });

  it('gives the acknowledgement of the object form without the object', () => {
    const properties: PropertiesOf<'PUBACK'> = { reasonString: 'no' };
    for (const type of [PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP]) {
      for (const version of [3, 4, 5] as const) {
        for (const reasonCode of [ReasonCode.success, ReasonCode.packetIdentifierNotFound]) {
          for (const some of [undefined, {}, properties]) {
            const writer = new ByteWriter();
            encodeAcknowledge(writer, type, 77, reasonCode, some, version);
            const packet = { type, packetIdentifier: 77, reasonCode, properties: some } as Packet;
            expect(writer.toBytes()).toEqual(encodedBytes(packet, version));
          }
        }
      }
    }
  });

  it('writes four bytes for a success without properties', () => {
    const writer = new ByteWriter();
    encodeAcknowledge(writer, PacketType.PUBREL, 0x0102, ReasonCode.success, undefined, 5);
    expect([...writer.toBytes()]).toEqual([0x62, 2, 1, 2]);
  });

  it('writes an empty property object as none, and skips what is undefined', () => {
    const plain = encodedBytes(publish(), 5);
    expect(encodedBytes(publish({ properties: {} }), 5)).toEqual(plain);
    const properties = { contentType: undefined } as unknown as PropertiesOf<'PUBLISH'>;
    expect(encodedBytes(publish({ properties }), 5)).toEqual(plain);
    expect(publishSize(publish({ properties }), 5)).toBe(plain.length);
  });

  const tooLong = 'x'.repeat(65_536);
  const refused: [string, PublishPacket | Packet, RegExp][] = [
    ['a topic of 65,536 bytes', publish({ topicName: tooLong }), /65536 bytes; at most 65535/],
    ['a lone surrogate', publish({ topicName: '\ud800' }), /lone surrogate/],
    ['U+0000', publish({ topicName: 'a\0' }), /U\+0000/],
    [
      'a payload beyond the largest packet',
      publish({ payload: { length: 268_435_456 } as Uint8Array }),
      /Remaining Length/,
    ],
    [
      'correlation data of 65,536 bytes',
      publish({ properties: { correlationData: new Uint8Array(65_536) } }),
      /65536 bytes/,
    ],
    ['a content type of 65,536 bytes', publish({ properties: { contentType: tooLong } }), /65536 bytes/],
    ['a user property with U+0000', publish({ properties: { userProperties: [['a', '\0']] } }), /U\+0000/],
    [
      'Subscription Identifier 0',
      publish({ properties: { subscriptionIdentifiers: [0] } }),
      /Subscription Identifier 0/,
    ],
    ['Topic Alias 65,536', publish({ properties: { topicAlias: 65_536 } }), /Topic Alias 65536; expected 0–65535/],
    ['half a second', publish({ properties: { messageExpiryInterval: 0.5 } }), /Message Expiry Interval 0.5/],
    [
      'a property of another packet',
      publish({ properties: { reasonString: 'x' } as unknown as PropertiesOf<'PUBLISH'> }),
      /reasonString is no property of PUBLISH/,
    ],
    [
      'a property that does not exist',
      publish({ properties: { constructor: 'x' } as unknown as PropertiesOf<'PUBLISH'> }),
      /constructor is no property of PUBLISH/,
    ],
    [
      'two Subscription Identifiers',
      {
        type: PacketType.SUBSCRIBE,
        packetIdentifier: 1,
        subscriptions: [{ topicFilter: 'a', qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
        properties: { subscriptionIdentifiers: [1, 2] },
      },
      /once in SUBSCRIBE/,
    ],
  ];
  for (const [what, packet, message] of refused) {
    it(`refuses ${what}, and has then written nothing`, () => {
      const writer = new ByteWriter();
      writer.writeUint8(9);
      const error = (() => {
        try {
          encodePacket(writer, packet, 5);
        } catch (thrown) {
          return thrown;
        }
        return undefined;
      })();
      expect(error).toBeInstanceOf(OptionError);
      expect((error as Error).message).toMatch(message);
      expect(writer.length).toBe(1);
      if (packet.type === PacketType.PUBLISH) {
        expect(() => encodePublish(writer, packet, 5)).toThrow(OptionError);
        expect(writer.length).toBe(1);
      }
    });
  }

  it('refuses AUTH, and a password without user name, before 5.0', () => {
    const connect: Packet = {
      type: PacketType.CONNECT,
      protocolVersion: 4,
      isBridge: false,
      cleanStart: true,
      keepAlive: 0,
      clientIdentifier: '',
      willMessage: undefined,
      username: undefined,
      password: new Uint8Array(1),
      properties: undefined,
    };
    expect(() => encodedBytes(connect, 4)).toThrow(OptionError);
    expect(() => encodedBytes({ ...connect, protocolVersion: 5 }, 5)).not.toThrow();
    expect(() => encodedBytes({ type: PacketType.AUTH, reasonCode: 0, properties: undefined }, 4)).toThrow(OptionError);
  });
});

describe('decoding', () => {
  it('shows payloads and binary values as views of what was read', () => {
    const bytes = encodedBytes(publish({ properties: { correlationData: Uint8Array.of(7) } }), 5);
    const packet = decodePublish(bytes, 0, 2, bytes.length, 5);
    bytes[bytes.length - 1] = 99;
    expect([...packet.payload]).toEqual([1, 2, 99]);
    expect(packet.payload.buffer).toBe(bytes.buffer);
    expect(packet.properties!.correlationData!.buffer).toBe(bytes.buffer);
  });

  it('gives every packet of a type the same keys in the same order', () => {
    const keysOf = (hex: string, version: 4 | 5) => {
      const bytes = bytesOf(hex);
      return Object.keys(decodePacket(bytes, 0, 2, bytes.length, version)).join();
    };
    expect(keysOf('30 05 0001 61 6869', 4)).toBe(keysOf('3b 0b 0001 61 000a 03 230001 6869', 5));
    expect(keysOf('40 02 000a', 4)).toBe(keysOf('40 09 000a 10 05 1f 0002 6869', 5));
    expect(keysOf('e0 00', 4)).toBe(keysOf('e0 07 8e 05 1f 0002 6869', 5));
  });

  it('does not depend on what was decoded before, even if that was refused inside its properties', () => {
    const bad = bytesOf('30 0a 0001 61 06 01 01 01 01 01 01');
    const good = encodedBytes(publish({ properties: { contentType: 'x' } }), 5);
    expect(() => decodePacket(bad, 0, 2, bad.length, 5)).toThrow(ProtocolError);
    expect(decodePacket(good, 0, 2, good.length, 5)).toEqual(publish({ properties: { contentType: 'x' } }));
  });

  it('counts the offset of a fault from the first byte of its packet', () => {
    const bytes = Buffer.concat([new Uint8Array(10), bytesOf('30 06 0003 61ff62 00')]);
    expect(() => decodePacket(bytes, 10, 12, bytes.length, 5)).toThrow(expect.objectContaining({ offset: 2 }));
    const late = bytesOf('40 06 000a 00 00 00 00');
    expect(() => decodePacket(late, 0, 2, late.length, 5)).toThrow(expect.objectContaining({ offset: 6 }));
  });

  it('refuses a wildcard in a Topic Name again and again', () => {
    const bytes = bytesOf('30 05 0003 612f23');
    for (let round = 0; round < 3; round++) {
      expect(() => decodePublish(bytes, 0, 2, bytes.length, 4)).toThrow('Wildcard in Topic Name "a/#" of PUBLISH');
    }
  });

  it('survives a topic of 65,535 bytes with as many levels, and 10,000 filters in a SUBSCRIBE', () => {
    const topicName = '/'.repeat(65_535);
    const long = encodedBytes(publish({ topicName }), 5);
    expect(decodePublish(long, 0, 4, long.length, 5).topicName).toBe(topicName);
    const subscriptions = Array.from({ length: 10_000 }, (_, index) => ({
      topicFilter: `a/${index}/#`,
      qos: 1 as const,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0 as const,
    }));
    const packet: Packet = { type: PacketType.SUBSCRIBE, packetIdentifier: 1, subscriptions, properties: undefined };
    const framer = new PacketFramer();
    framer.push(encodedBytes(packet, 5));
    expect(framer.next()).toBe(true);
    expect(decodePacket(framer.bytes, framer.packetStart, framer.bodyStart, framer.end, 5)).toEqual(packet);
  });
});

describe('peekProtocolLevel', () => {
  it('finds the level of a CONNECT that cannot be decoded', () => {
    for (const [hex, level] of [
      ['10 0a 0004 4d515454 06 02 003c', 6],
      ['10 0a 0004 4d515454 05 ff ffff', 5],
      ['10 09 0006 4d5149736470 03', 3],
      ['10 07 0004 4d515454 84', 0x84],
      ['10 06 0004 4d515454', undefined],
      ['10 07 0004 48545450 05', undefined],
      ['10 00', undefined],
      ['10 01 00', undefined],
      ['10 04 ffff 4d51', undefined],
    ] as const) {
      const bytes = bytesOf(hex);
      expect(peekProtocolLevel(bytes, 2, bytes.length), hex).toBe(level);
    }
  });
});

describe('packetTypeName', () => {
  it('names every type', () => {
    for (const [name, type] of Object.entries(PacketType)) expect(packetTypeName(type)).toBe(name);
    expect(packetTypeName(0)).toBe('packet type 0');
  });
});
