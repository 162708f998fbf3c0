/** TLS: records as they are, and what is in them for who has the secrets. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CaptureDecoder } from '../../src/capture/capture-decoder.ts';
import { linkTypes } from '../../src/capture/link-types.ts';
import { StreamChunk } from '../../src/capture/stream-chunk.ts';
import { openTlsDecryption } from '../../src/cli/dissect/tls-decryption.ts';
import { Dissector } from '../../src/dissect/dissector.ts';
import type { StreamDissector, UpperLayer } from '../../src/dissect/stream-dissector.ts';
import type { DecryptedRecord, TlsDecryptor } from '../../src/dissect/tls-decryption.ts';
import { TlsStream } from '../../src/dissect/tls-stream.ts';
import { frameOf } from '../capture/made-frames.ts';
import { capturesDirectory, hasTshark, ownCaptures, tshark } from '../support/captures.ts';
import { type Layer, layersOf, layersOfText, rowOf, tidy } from './dissected.ts';

const recorded = ownCaptures.filter(({ name }) => name.startsWith('lab-tls12'));

/** The frames of a file, and what decrypts them: the key log beside it, or the secrets within. */
function decrypted(name: string) {
  const decoder = new CaptureDecoder();
  const frames = decoder.push(readFileSync(join(capturesDirectory, name)));
  const keys = name.endsWith('.pcap') ? join(capturesDirectory, 'lab-tls12.keys') : undefined;
  const dissector = new Dissector({ tls: openTlsDecryption(keys, decoder, false) });
  return frames.map((frame) => dissector.next(frame));
}

describe.skipIf(!hasTshark)('tshark 4.0 and the dissector, with the secrets of a connection', () => {
  it.each(recorded)('show the same rows of $name', ({ name, path, about }) => {
    const rows = tshark(path, about.args).trimEnd().split('\n');
    expect(decrypted(name).map(rowOf)).toEqual(rows.map((row) => tidy(row).replace(/^(\d+) [\d.]+ /, '$1 ')));
  });

  it.each(recorded)('show the same trees of $name', ({ name, path, about }) => {
    // What is deep within a handshake is not shown. tshark leaves packets of the last records out when it lists sizes.
    const isCompared = (line: string) =>
      !/^ {12,}(?!Handshake Type|Length|Version|Random: |\.|\[)|^ {16}|JA3|^ {4}\[(PDU Size|Protocols)/.test(line);
    const compared = (layers: readonly Layer[]) =>
      layers.flatMap(({ title, lines }) =>
        title.startsWith('Transport Layer')
          ? lines.filter(isCompared)
          : lines.filter((line) => !/^ {4}\[(PDU Size|Protocols)/.test(line)),
      );
    const trees = layersOfText(tshark(path, ['-V', ...about.args]));
    decrypted(name).forEach((frame, index) => {
      expect(compared(layersOf(frame)), `frame ${index + 1}`).toEqual(compared(trees[index]!));
    });
  });
});

/** Turns every byte of application data round, and says what it was told. */
class FlippingDecryptor implements TlsDecryptor {
  readonly lost: number[] = [];

  receive(
    _direction: number,
    contentType: number,
    _version: number,
    fragment: Uint8Array,
  ): DecryptedRecord | undefined {
    if (contentType !== 23) return undefined;
    return { contentType: 23, bytes: fragment.map((byte) => byte ^ 0xff) };
  }

  lose(direction: number): void {
    this.lost.push(direction);
  }
}

/** Keeps what it is given. */
class Collector implements StreamDissector {
  readonly bytes: number[] = [];
  missing = 0;

  receive(_direction: number, chunk: StreamChunk): void {
    this.bytes.push(...chunk.source.bytes.subarray(chunk.start, chunk.end));
    this.missing += chunk.missing;
  }
  end(): void {}
  pending(): number {
    return 0;
  }
}

function record(type: number, fragment: readonly number[]): number[] {
  return [type, 3, 3, fragment.length >> 8, fragment.length & 255, ...fragment];
}

describe('TlsStream', () => {
  const plain = Array.from({ length: 60 }, (_, index) => index);
  const stream = [
    ...record(22, [14, 0, 0, 0]),
    ...record(
      23,
      plain.slice(0, 30).map((byte) => byte ^ 0xff),
    ),
    ...record(
      23,
      plain.slice(30).map((byte) => byte ^ 0xff),
    ),
  ];

  it('takes a long alert for an encrypted one, wherever the capture begins', () => {
    const tls = new TlsStream(undefined, undefined, () => new Collector());
    const layers: UpperLayer[] = [];
    const bytes = new Uint8Array([...record(21, new Array(26).fill(1)), ...record(21, [1, 0])]);
    const frame = frameOf(bytes, { linkType: linkTypes.raw });
    tls.receive(0, new StreamChunk(frame, 0, bytes.length, frame, 0, 0), frame, layers);
    expect(layers.map((layer) => layer.info()).join(', ')).toBe(
      'Encrypted Alert, Alert (Level: Warning, Description: Close Notify)',
    );
  });

  it('hands on what records decrypt to, wherever segments are cut', () => {
    for (let size = 1; size <= stream.length; size++) {
      const inner = new Collector();
      const tls = new TlsStream(new FlippingDecryptor(), undefined, () => inner);
      const layers: UpperLayer[] = [];
      for (let at = 0; at < stream.length; at += size) {
        const frame = frameOf(new Uint8Array(stream.slice(at, at + size)), { number: at + 1, linkType: linkTypes.raw });
        tls.receive(0, new StreamChunk(frame, 0, frame.bytes.length, frame, 0, 0), frame, layers);
      }
      expect(inner.bytes, `chunks of ${size}`).toEqual(plain);
      expect(inner.missing).toBe(0);
      expect(layers.map((layer) => layer.info()).join(', ')).toBe(
        'Server Hello Done, Application Data, Application Data',
      );
      expect(tls.pending(0)).toBe(0);
    }
  });

  it('goes on with the next record that begins a segment after bytes were lost, and says so', () => {
    const inner = new Collector();
    const decryptor = new FlippingDecryptor();
    const tls = new TlsStream(decryptor, undefined, () => inner);
    const layers: UpperLayer[] = [];
    const give = (bytes: readonly number[], missing: number) => {
      const frame = frameOf(new Uint8Array(bytes), { linkType: linkTypes.raw });
      tls.receive(1, new StreamChunk(frame, 0, frame.bytes.length, frame, missing, 0), frame, layers);
    };
    give(stream.slice(0, 20), 0);
    give([1, 2, 3, 4, 5, 6], 40);
    give(record(23, [0xfe]), 0);
    expect(decryptor.lost).toEqual([1]);
    expect(inner.bytes).toEqual([1]);
    expect(inner.missing).toBeGreaterThan(0);
  });

  it('shows encrypted records as such without a decryptor', () => {
    const layers: UpperLayer[] = [];
    const tls = new TlsStream(undefined, undefined, () => new Collector());
    const bytes = new Uint8Array([...record(20, [1]), ...record(22, [1, 2, 3, 4]), ...record(21, [1, 2, 3])]);
    const frame = frameOf(bytes, { linkType: linkTypes.raw });
    tls.receive(0, new StreamChunk(frame, 0, bytes.length, frame, 0, 0), frame, layers);
    expect(layers.map((layer) => `${layer.columnProtocol} ${layer.info()}`)).toEqual([
      'TLSv1.2 Change Cipher Spec, Encrypted Handshake Message, Encrypted Alert',
    ]);
  });
});
