import { describe, expect, it } from 'vitest';
import { ByteReader } from '../../src/base/byte-reader.ts';
import { TextCache } from '../../src/base/text-cache.ts';

function readerOf(...bytes: number[]): ByteReader {
  // Inside a larger array, so that whatever reads beyond the end finds something.
  return new ByteReader(Uint8Array.of(0xee, ...bytes, 0xee, 0xee, 0xee, 0xee), 1, 1 + bytes.length);
}

describe('ByteReader', () => {
  it('reads fields one after the other', () => {
    const reader = readerOf(1, 2, 3, 0xff, 0xfe, 0xfd, 0xfc, 0x80, 0x01, 0, 2, 0x61, 0x62, 0, 1, 9, 7, 7);
    expect(reader.readUint8()).toBe(1);
    expect(reader.readUint16()).toBe(0x0203);
    expect(reader.readUint32()).toBe(0xfffefdfc);
    expect(reader.readVariableByteInteger()).toBe(128);
    expect(reader.readUtf8()).toBe('ab');
    expect([...reader.readBinary()]).toEqual([9]);
    expect(reader.remaining).toBe(2);
    expect([...reader.readRest()]).toEqual([7, 7]);
    expect(reader.remaining).toBe(0);
    expect([...reader.readRest()]).toEqual([]);
  });

  it('does not read beyond its end, and stays where it was', () => {
    const cases: [number[], (reader: ByteReader) => unknown][] = [
      [[], (reader) => reader.readUint8()],
      [[1], (reader) => reader.readUint16()],
      [[1, 2, 3], (reader) => reader.readUint32()],
      [[], (reader) => reader.readVariableByteInteger()],
      [[0x80], (reader) => reader.readVariableByteInteger()],
      [[0x80, 0x80, 0x80], (reader) => reader.readVariableByteInteger()],
    ];
    for (const [bytes, read] of cases) {
      const reader = readerOf(...bytes);
      expect(() => read(reader)).toThrow('a field reaches beyond the end, at byte 1');
      expect(reader.position).toBe(1);
    }
    for (const bytes of [[0], [0, 1], [0, 3, 0x61, 0x61], [0xff, 0xff, 0x61]]) {
      expect(() => readerOf(...bytes).readUtf8()).toThrow('beyond the end');
      expect(() => readerOf(...bytes).readBinary()).toThrow('beyond the end');
    }
  });

  it('[MQTT-1.5.5-1] tells a Variable Byte Integer that is too long from one that is padded', () => {
    expect(() => readerOf(0x80, 0x80, 0x80, 0x80, 0x01).readVariableByteInteger()).toThrow('more than four bytes');
    expect(() => readerOf(0xff, 0xff, 0xff, 0xff).readVariableByteInteger()).toThrow('more than four bytes');
    for (const bytes of [
      [0x80, 0x00],
      [0xff, 0x00],
      [0x80, 0x80, 0x00],
      [0x81, 0x80, 0x80, 0x00],
    ]) {
      expect(() => readerOf(...bytes).readVariableByteInteger()).toThrow('more bytes than it needs');
    }
  });

  it('[MQTT-1.5.4-1] [MQTT-1.5.4-2] tells ill-formed text from text with U+0000', () => {
    expect(() => readerOf(0, 2, 0x61, 0xff).readUtf8()).toThrow('not well-formed UTF-8');
    expect(() => readerOf(0, 2, 0x61, 0x00).readUtf8()).toThrow('U+0000');
    // The zero behind the text is not its own.
    expect(() => readerOf(0, 1, 0xff, 0x00).readUtf8()).toThrow('not well-formed UTF-8');
  });

  it('shows binary data and the rest as views of Uint8Arrays and Buffers alike', () => {
    for (const bytes of [Uint8Array.of(9, 0, 2, 5, 6, 7), Buffer.from([1, 9, 0, 2, 5, 6, 7]).subarray(1)]) {
      const reader = new ByteReader(bytes, 1);
      const binary = reader.readBinary();
      const rest = reader.readRest();
      bytes[3] = 50;
      bytes[5] = 70;
      expect([...binary]).toEqual([50, 6]);
      expect([...rest]).toEqual([70]);
    }
  });

  it('finds texts that come again in a cache, and refuses wrong ones as without it', () => {
    const cache = new TextCache();
    for (let round = 0; round < 4; round++) {
      const reader = readerOf(0, 3, 0x61, 0x2f, 0x62, 7);
      expect(reader.readUtf8(cache)).toBe('a/b');
      expect(reader.readUint8()).toBe(7);
      expect(() => readerOf(0, 1, 0xff).readUtf8(cache)).toThrow('not well-formed UTF-8');
      expect(() => readerOf(0, 3, 0x61, 0x2f).readUtf8(cache)).toThrow('beyond the end');
    }
  });

  it('reads on in other bytes', () => {
    const reader = readerOf(1);
    reader.moveTo(Uint8Array.of(4, 0, 1, 5), 1, 4);
    expect([...reader.readBinary()]).toEqual([5]);
    reader.moveTo(Uint8Array.of(0, 1, 8), 0, 3);
    expect([...reader.readBinary()]).toEqual([8]);
  });
});
