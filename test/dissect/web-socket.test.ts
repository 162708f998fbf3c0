/** MQTT within WebSocket, which tshark 4.0 does not show: held against what was sent. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { linkTypes } from '../../src/capture/link-types.ts';
import { StreamChunk } from '../../src/capture/stream-chunk.ts';
import { registry, ValueSink } from '../../src/dissect/index.ts';
import type { StreamDissector, UpperLayer } from '../../src/dissect/stream-dissector.ts';
import { WebSocketStream } from '../../src/dissect/web-socket-stream.ts';
import { frameOf } from '../capture/made-frames.ts';
import { capturesDirectory } from '../support/captures.ts';
import { type PacketName, packetNames } from '../support/packet-reader.ts';
import { dissectFile, rowOf } from './dissected.ts';

interface TruePacket {
  readonly frame: number;
  readonly stream: number;
  readonly type: string;
  readonly flags: number;
  readonly remaining_length: number;
  readonly topic?: string;
}

const name = 'lab-websocket-frames.pcapng';
const fieldOf = (fieldName: string) => registry.find(fieldName)![0]!;

describe('MQTT within WebSocket', () => {
  it('is shown packet by packet, whatever frames it is spread over', async () => {
    const truth = JSON.parse(readFileSync(join(capturesDirectory, 'ws-truth.json'), 'utf8'))[name] as TruePacket[];
    const [flags, length, topic] = ['mqtt.hdrflags', 'mqtt.len', 'mqtt.topic'].map(fieldOf);
    const sink = new ValueSink([flags!, length!, topic!]);
    const found: Omit<TruePacket, 'topic' | 'type' | 'flags'>[] = [];
    const topics: unknown[] = [];
    for (const frame of await dissectFile(join(capturesDirectory, name))) {
      sink.reset();
      frame.describe(sink);
      sink.valuesOf(flags!)!.forEach((value, index) => {
        const lengths = sink.valuesOf(length!)!;
        found.push({ frame: frame.frame.number, header: value, remaining_length: lengths[index] } as never);
      });
      topics.push(...sink.valuesOf(topic!)!);
    }
    expect(found).toEqual(
      truth.map(({ frame, type, flags: low, remaining_length }) => ({
        frame,
        header: (packetNames.indexOf(type as PacketName) << 4) | low,
        remaining_length,
      })),
    );
    const published = truth.filter(({ type }) => type === 'PUBLISH').map((packet) => packet.topic);
    expect(topics.filter((each) => each !== 'wsf/#')).toEqual(published);
  });

  it('has rows of MQTT where a packet ends, and of WebSocket where none does', async () => {
    const frames = await dissectFile(join(capturesDirectory, name));
    const rows = frames.map(rowOf);
    expect(rows[7]).toBe('8 127.0.0.1 → 127.0.0.1 MQTT 91 Connect Command');
    expect(rows[10]).toBe('11 127.0.0.1 → 127.0.0.1 WebSocket 75 WebSocket Binary[FRAGMENT] [MASKED]');
    expect(rows[18]).toBe(
      '19 127.0.0.1 → 127.0.0.1 MQTT 361 Publish Message [wsf/one], Publish Message (id=7) [wsf/two], Ping Request',
    );
  });

  it('is left alone where a rule says that its port carries data', async () => {
    const frames = (await dissectFile(join(capturesDirectory, name))).map((frame) => frame.protocol());
    const byRule = await dissectFile(join(capturesDirectory, name), {
      decodeAs: [{ firstPort: 8081, lastPort: 8081, application: 'data' }],
    });
    expect(frames.filter((protocol) => protocol === 'MQTT')).toHaveLength(10);
    expect(byRule.filter((frame) => frame.protocol() !== 'TCP')).toHaveLength(0);
  });
});

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

/** A frame, masked with a key that begins with `key` unless that is 0. */
function webSocketFrame(first: number, payload: readonly number[], key = 0): number[] {
  const { length } = payload;
  const size =
    length < 126
      ? [length]
      : length < 65_536
        ? [126, length >> 8, length & 255]
        : [127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255];
  if (key === 0) return [first, ...size, ...payload];
  const mask = [key, 7, 200, 33];
  return [first, size[0]! | 0x80, ...size.slice(1), ...mask, ...payload.map((byte, index) => byte ^ mask[index & 3]!)];
}

function give(stream: WebSocketStream, bytes: readonly number[], layers: UpperLayer[], missing = 0): void {
  const frame = frameOf(new Uint8Array(bytes), { linkType: linkTypes.raw });
  stream.receive(0, new StreamChunk(frame, 0, frame.bytes.length, frame, missing, 0), frame, layers);
}

describe('WebSocketStream', () => {
  const payload = Array.from({ length: 300 }, (_, index) => index & 255);
  const bytes = [
    ...webSocketFrame(0x02, payload.slice(0, 100), 9),
    ...webSocketFrame(0x89, [1, 2, 3]),
    ...webSocketFrame(0x00, []),
    ...webSocketFrame(0x80, payload.slice(100, 250)),
    ...webSocketFrame(0x82, payload.slice(250), 255),
  ];

  it('hands on the payloads of data frames, wherever segments are cut', () => {
    for (const size of [1, 2, 3, 5, 7, 13, 50, 101, 157, bytes.length]) {
      const inner = new Collector();
      const stream = new WebSocketStream('TCP', () => inner);
      const layers: UpperLayer[] = [];
      for (let at = 0; at < bytes.length; at += size) give(stream, bytes.slice(at, at + size), layers);
      expect(inner.bytes, `chunks of ${size}`).toEqual(payload);
      expect(inner.missing).toBe(0);
      expect(layers).toHaveLength(5);
      expect(stream.pending(0)).toBe(0);
    }
  });

  it('reads lengths of 64 bits', () => {
    const inner = new Collector();
    const long = new Array<number>(70_000).fill(5);
    give(new WebSocketStream('TCP', () => inner), webSocketFrame(0x82, long, 3), []);
    expect(inner.bytes).toHaveLength(70_000);
    expect(inner.bytes.every((byte) => byte === 5)).toBe(true);
  });

  it('passes frames over that are too long to wait for, and counts what is missing', () => {
    const inner = new Collector();
    const stream = new WebSocketStream('TCP', () => inner);
    const layers: UpperLayer[] = [];
    give(stream, [0x82, 127, 0, 0, 0, 0, 2, 0, 0, 0], layers);
    const chunk = new Array<number>(1 << 20).fill(0);
    for (let count = 0; count < 32; count++) give(stream, chunk, layers);
    give(stream, webSocketFrame(0x82, [1, 2]), layers);
    expect(inner.bytes).toEqual([1, 2]);
    expect(inner.missing).toBeGreaterThan(0);
  });

  it('goes on with the next frame that begins a segment after bytes were lost', () => {
    const inner = new Collector();
    const stream = new WebSocketStream('TCP', () => inner);
    const layers: UpperLayer[] = [];
    give(stream, webSocketFrame(0x82, [1, 2, 3, 4]).slice(0, 4), layers);
    give(stream, [9, 9, 9], layers, 50);
    give(stream, webSocketFrame(0x82, [7]), layers);
    expect(inner.bytes).toEqual([7]);
    expect(inner.missing).toBeGreaterThan(0);
  });

  it('does not hand on what is compressed', () => {
    const inner = new Collector();
    const stream = new WebSocketStream('TCP', () => inner);
    give(stream, [...webSocketFrame(0xc2, [1]), ...webSocketFrame(0x82, [2])], []);
    expect(inner.bytes).toEqual([2]);
    expect(inner.missing).toBeGreaterThan(0);
  });
});
