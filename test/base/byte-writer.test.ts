import { describe, expect, it } from 'vitest';
import { ByteReader } from '../../src/base/byte-reader.ts';
import { ByteWriter } from '../../src/base/byte-writer.ts';

function written(write: (writer: ByteWriter) => void): number[] {
  const writer = new ByteWriter(16);
  write(writer);
  return [...writer.toBytes()];
}

describe('ByteWriter', () => {
  it('writes numbers with the highest byte first', () => {
    expect(written((writer) => writer.writeUint8(0xfe))).toEqual([0xfe]);
    expect(written((writer) => writer.writeUint16(0x1234))).toEqual([0x12, 0x34]);
    expect(written((writer) => writer.writeUint32(0xfedcba98))).toEqual([0xfe, 0xdc, 0xba, 0x98]);
  });

  it('[MQTT-1.5.5-1] writes a Variable Byte Integer with no more bytes than it needs', () => {
    const cases: [number, number[]][] = [
      [0, [0x00]],
      [127, [0x7f]],
      [128, [0x80, 0x01]],
      [16_383, [0xff, 0x7f]],
      [16_384, [0x80, 0x80, 0x01]],
      [2_097_151, [0xff, 0xff, 0x7f]],
      [2_097_152, [0x80, 0x80, 0x80, 0x01]],
      [268_435_455, [0xff, 0xff, 0xff, 0x7f]],
    ];
    for (const [value, bytes] of cases) {
      expect(written((writer) => writer.writeVariableByteInteger(value))).toEqual(bytes);
      expect(new ByteReader(Uint8Array.from(bytes)).readVariableByteInteger()).toBe(value);
    }
    for (const value of [-1, 268_435_456, Number.NaN]) {
      expect(() => written((writer) => writer.writeVariableByteInteger(value))).toThrow(RangeError);
    }
  });

  it('writes text and binary data with their length in front', () => {
    expect(written((writer) => writer.writeUtf8(''))).toEqual([0, 0]);
    expect(written((writer) => writer.writeUtf8('aé'))).toEqual([0, 3, 0x61, 0xc3, 0xa9]);
    expect(written((writer) => writer.writeBinary(Uint8Array.of(0, 255)))).toEqual([0, 2, 0, 255]);
    expect(written((writer) => writer.writeBytes(Uint8Array.of(7, 8)))).toEqual([7, 8]);
  });

  it('returns the length of the text it has written, at every length around the one where it changes its way', () => {
    for (let length = 0; length < 60; length++) {
      for (const end of ['', 'z', 'é', '🦋']) {
        const text = 'x'.repeat(length) + end;
        const writer = new ByteWriter(16);
        const encoded = Buffer.from(text);
        expect(writer.writeUtf8(text)).toBe(encoded.length);
        expect([...writer.toBytes()]).toEqual([0, encoded.length, ...encoded]);
      }
    }
  });

  it('[MQTT-1.5.4-1] [MQTT-1.5.4-2] refuses text that must not be sent, and has then written nothing', () => {
    const writer = new ByteWriter();
    writer.writeUint8(1);
    const long = 'x'.repeat(50);
    for (const text of [
      '\0',
      `${long}\0`,
      '\ud800',
      `${long}\udc00`,
      '\udc00\ud800',
      'x'.repeat(65_536),
      'é'.repeat(32_768),
    ]) {
      expect(() => writer.writeUtf8(text)).toThrow(RangeError);
      expect(writer.length).toBe(1);
    }
    expect(() => writer.writeBinary(new Uint8Array(65_536))).toThrow(RangeError);
    expect(writer.length).toBe(1);
    writer.writeUtf8('x'.repeat(65_535));
    expect(writer.length).toBe(1 + 2 + 65_535);
  });

  it('grows by doubling and keeps what was written', () => {
    const writer = new ByteWriter(16);
    const capacities = new Set<number>();
    for (let value = 0; value < 10_000; value++) {
      writer.writeUint16(value);
      capacities.add(writer.bytes.length);
    }
    expect(capacities.size).toBeLessThanOrEqual(12);
    const reader = new ByteReader(writer.toBytes());
    for (let value = 0; value < 10_000; value++) expect(reader.readUint16()).toBe(value);
    expect(reader.remaining).toBe(0);
  });

  it('hands out a copy that later writing does not change', () => {
    const writer = new ByteWriter();
    writer.writeUint8(1);
    const copy = writer.toBytes();
    writer.reset();
    writer.writeUint8(2);
    expect([...copy]).toEqual([1]);
    expect(copy.buffer.byteLength).toBe(1);
  });

  it('keeps its buffer when it starts over, but not one that a large packet made grow', () => {
    const writer = new ByteWriter(64);
    writer.writeBytes(new Uint8Array(5000));
    const grown = writer.bytes;
    writer.reset();
    expect(writer.length).toBe(0);
    expect(writer.bytes).toBe(grown);
    writer.writeBytes(new Uint8Array(2_000_000));
    writer.reset();
    expect(writer.bytes.length).toBe(64);
  });
});
