import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../src/base/byte-writer.ts';
import {
  decodePacket,
  encodedBytes,
  encodePacket,
  type Packet,
  PacketFramer,
  packetSize,
} from '../../src/codec/index.ts';
import { MqttError } from '../../src/protocol/errors.ts';
import { PacketType, type PacketTypeName } from '../../src/protocol/packet-types.ts';
import { isReasonCodeOf, ReasonCode, reasonCodeRows } from '../../src/protocol/reason-codes.ts';
import type { ProtocolVersion } from '../../src/protocol/version.ts';
import { invalidVectors, titleOf, validVectors, vectors } from './vectors.ts';

/** Everything in `chunks`, framed and decoded. */
function decodeAll(version: ProtocolVersion, ...chunks: Uint8Array[]): Packet[] {
  const framer = new PacketFramer();
  framer.version = version;
  const packets: Packet[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    while (framer.next()) {
      packets.push(decodePacket(framer.bytes, framer.packetStart, framer.bodyStart, framer.end, version));
    }
  }
  expect(framer.bufferedBytes).toBe(0);
  return packets;
}

/** As `chunks` of a socket are: inside a larger buffer, and a Buffer. */
function asSocketChunk(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')]).subarray(6, 6 + bytes.length);
}

function errorOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('the test vectors', () => {
  it('cover every packet type in every version that has it, valid and refused', () => {
    for (const [name, type] of Object.entries(PacketType)) {
      for (const version of [3, 4, 5] as const) {
        if (name === 'AUTH' && version !== 5) continue;
        const ofType = vectors.filter((vector) => vector.version === version && vector.bytes[0]! >> 4 === type);
        expect(
          ofType.some((vector) => vector.packet !== undefined),
          `${name} ${version} valid`,
        ).toBe(true);
        expect(
          ofType.some((vector) => vector.error !== undefined),
          `${name} ${version} refused`,
        ).toBe(true);
      }
    }
  });
});

describe('a valid packet', () => {
  for (const vector of validVectors) {
    it(titleOf(vector), () => {
      expect(decodeAll(vector.version, vector.bytes)).toEqual([vector.packet]);
      expect(decodeAll(vector.version, asSocketChunk(vector.bytes))).toEqual([vector.packet]);
      expect(encodedBytes(vector.packet, vector.version)).toEqual(vector.encodes);
      expect(packetSize(vector.packet, vector.version)).toBe(vector.encodes.length);
      expect(decodeAll(vector.version, vector.encodes)).toEqual([vector.packet]);
    });
  }

  it('comes out the same byte by byte and split anywhere', () => {
    for (const { bytes, packet, version } of validVectors) {
      expect(decodeAll(version, ...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual([packet]);
      for (let split = 1; split < bytes.length; split++) {
        expect(decodeAll(version, bytes.subarray(0, split), bytes.subarray(split))).toEqual([packet]);
      }
    }
  });

  it('is refused or incomplete at every shorter Remaining Length, never misread', () => {
    for (const { bytes, encodes, packet, version } of validVectors) {
      // A form with fields that may be left out means the same without them.
      if (bytes[1]! > 0x7f || encodes !== bytes) continue;
      for (let length = 0; length < bytes[1]!; length++) {
        const cut = bytes.slice(0, 2 + length);
        cut[1] = length;
        let packets: Packet[] | undefined;
        const error = errorOf(() => {
          packets = decodeAll(version, cut);
        });
        if (packets === undefined) expect(error).toBeInstanceOf(MqttError);
        else expect(packets).not.toEqual([packet]);
      }
    }
  });

  it('is refused with a byte too many, unless it ends in something that has no end of its own', () => {
    for (const { bytes, version, packet, name } of validVectors) {
      if (bytes[1]! > 0x7e) continue;
      // The payload, topic filters, reason codes and in 5.0 the omitted fields go on as far as the packet does.
      const type = packet.type;
      if (type === PacketType.PUBLISH || type === PacketType.SUBACK || type === PacketType.UNSUBACK) continue;
      if (version === 5 && !('properties' in packet && packet.properties !== undefined)) continue;
      const longer = new Uint8Array(bytes.length + 1);
      longer.set(bytes);
      longer[1] = bytes[1]! + 1;
      expect(
        errorOf(() => decodeAll(version, longer)),
        name,
      ).toBeInstanceOf(MqttError);
    }
  });

  it('is appended to what the writer already holds', () => {
    const writer = new ByteWriter(16);
    const expected: number[] = [];
    for (const { packet, version, encodes } of validVectors) {
      encodePacket(writer, packet, version);
      expected.push(...encodes);
    }
    expect(writer.toBytes()).toEqual(Uint8Array.from(expected));
  });

  for (const version of [3, 4, 5] as const) {
    it(`follows another in one chunk and in chunks of any size (version ${version})`, () => {
      const ofVersion = validVectors.filter((vector) => vector.version === version);
      const stream = Uint8Array.from(ofVersion.flatMap((vector) => [...vector.bytes]));
      const expected = ofVersion.map((vector) => vector.packet);
      for (const size of [1, 2, 3, 5, 7, 16, 61, 256, 1000, stream.length]) {
        const chunks: Uint8Array[] = [];
        for (let start = 0; start < stream.length; start += size) chunks.push(stream.subarray(start, start + size));
        expect(decodeAll(version, ...chunks)).toEqual(expected);
      }
    });
  }
});

describe('a packet that is no packet, or not allowed', () => {
  for (const vector of invalidVectors) {
    it(titleOf(vector), () => {
      const error = errorOf(() => decodeAll(vector.version, asSocketChunk(vector.bytes))) as MqttError;
      expect(error).toBeInstanceOf(MqttError);
      const { code, reasonCode, rule } = vector.error;
      expect({ code: error.code, reasonCode: error.reasonCode, rule: error.rule, message: error.message }).toEqual({
        code,
        reasonCode,
        rule,
        message: error.message,
      });
    });
  }

  it('is refused by its fixed header before its body has come', () => {
    for (const { bytes, version, error, name } of invalidVectors) {
      const framer = new PacketFramer();
      framer.version = version;
      framer.push(bytes.subarray(0, 5));
      const thrown = errorOf(() => framer.next());
      if (error.isFraming) expect(thrown, name).toBeInstanceOf(MqttError);
      else expect(thrown, name).toBeUndefined();
    }
  });

  it('is refused by decodePacket alone, without a framer', () => {
    for (const { bytes, version, error, name, file } of invalidVectors) {
      if (file === 'framing' || bytes[1]! > 0x7f) continue;
      const thrown = errorOf(() => decodePacket(bytes, 0, 2, bytes.length, version)) as MqttError;
      expect(thrown?.rule, name).toBe(error.rule);
      expect(thrown?.reasonCode, name).toBe(error.reasonCode);
    }
  });
});

describe('Reason Codes', () => {
  /** Packets that carry nothing but a Reason Code, by type. */
  const carriers: Partial<Record<PacketTypeName, (code: ReasonCode) => Packet>> = {
    CONNACK: (reasonCode) => ({ type: PacketType.CONNACK, sessionPresent: false, reasonCode, properties: undefined }),
    DISCONNECT: (reasonCode) => ({ type: PacketType.DISCONNECT, reasonCode, properties: undefined }),
    AUTH: (reasonCode) => ({ type: PacketType.AUTH, reasonCode, properties: { authenticationMethod: 'm' } }),
    SUBACK: (reasonCode) => ({
      type: PacketType.SUBACK,
      packetIdentifier: 1,
      reasonCodes: [reasonCode],
      properties: undefined,
    }),
    UNSUBACK: (reasonCode) => ({
      type: PacketType.UNSUBACK,
      packetIdentifier: 1,
      reasonCodes: [reasonCode],
      properties: undefined,
    }),
  };
  for (const name of ['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP'] as const) {
    carriers[name] = (reasonCode) =>
      ({ type: PacketType[name], packetIdentifier: 1, reasonCode, properties: undefined }) as Packet;
  }

  it('are accepted in the packets of their table row and in no other, all 256 values', () => {
    for (const [name, carrier] of Object.entries(carriers)) {
      for (let code = 0; code < 256; code++) {
        const bytes = encodedBytes(carrier(code as ReasonCode), 5);
        const error = errorOf(() => decodePacket(bytes, 0, 2, bytes.length, 5));
        expect(error === undefined, `${name} 0x${code.toString(16)}`).toBe(
          isReasonCodeOf(name as PacketTypeName, code),
        );
      }
    }
  });

  it('of 5.0 become the nearest Connect Return Code for 3.1 and 3.1.1', () => {
    const returnCodes = Object.fromEntries(
      Object.entries(reasonCodeRows)
        .filter(([, row]) => row.packets.includes('CONNACK'))
        .map(([key, row]) => [key, encodedBytes(carriers.CONNACK!(row.value as ReasonCode), 4)[3]]),
    );
    expect(returnCodes).toEqual({
      success: 0,
      unspecifiedError: 3,
      malformedPacket: 3,
      protocolError: 3,
      implementationSpecificError: 3,
      unsupportedProtocolVersion: 1,
      clientIdentifierNotValid: 2,
      badUserNameOrPassword: 4,
      notAuthorized: 5,
      serverUnavailable: 3,
      serverBusy: 3,
      banned: 5,
      badAuthenticationMethod: 5,
      topicNameInvalid: 5,
      packetTooLarge: 3,
      quotaExceeded: 3,
      payloadFormatInvalid: 3,
      retainNotSupported: 3,
      qosNotSupported: 3,
      useAnotherServer: 3,
      serverMoved: 3,
      connectionRateExceeded: 3,
    });
  });

  it('of 5.0 become 0x80 in a SUBACK of 3.1 and 3.1.1', () => {
    for (const version of [3, 4] as const) {
      const bytes = encodedBytes(carriers.SUBACK!(ReasonCode.topicFilterInvalid), version);
      expect([...bytes]).toEqual([0x90, 3, 0, 1, 0x80]);
    }
  });
});
