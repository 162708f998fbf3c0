import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DebugLines } from '../../../src/cli/client/debug-lines.ts';
import { lineSplitter } from '../../../src/cli/client/input-lines.ts';
import { StandardOutput } from '../../../src/cli/client/standard-output.ts';
import { WatchScreen } from '../../../src/cli/client/watch-screen.ts';
import { PacketType } from '../../../src/protocol/packet-types.ts';

/** A stream that takes a write only when it is told to. */
class SlowStream extends Writable {
  readonly chunks: Buffer[] = [];
  #taken: (() => void)[] = [];
  isFast = false;
  constructor() {
    super({ highWaterMark: 16_384 });
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    // A copy: the writer must not have changed it until here.
    this.chunks.push(Buffer.from(chunk));
    if (this.isFast) done();
    else this.#taken.push(done);
  }
  takeAll(): void {
    this.isFast = true;
    for (const done of this.#taken.splice(0)) done();
  }
  get all(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('StandardOutput', () => {
  it('writes once for all that comes in a turn of the event loop', async () => {
    const stream = new SlowStream();
    stream.isFast = true;
    const output = new StandardOutput(stream);
    for (let count = 0; count < 1_000; count++) {
      output.text(`line ${count}`);
      output.bytes(Buffer.from('\n'));
    }
    expect(stream.chunks).toHaveLength(0);
    await turn();
    await turn();
    expect(stream.chunks).toHaveLength(1);
    expect(String(stream.all).split('\n')).toHaveLength(1_001);
  });

  it('keeps every byte in order, however large the pieces are and whatever becomes of them later', async () => {
    const piece = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.uint8Array(),
      fc.nat({ max: 200_000 }).map((size) => Buffer.alloc(size, size)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 20 }), async (pieces) => {
        const stream = new SlowStream();
        const output = new StandardOutput(stream);
        const expected: Buffer[] = [];
        for (const piece of pieces) {
          expected.push(Buffer.from(piece as Uint8Array));
          if (typeof piece === 'string') output.text(piece);
          else {
            output.bytes(piece);
            piece.fill(0);
          }
          if (expected.length % 3 === 0) await turn();
        }
        const finished = output.finish();
        stream.takeAll();
        await finished;
        expect(stream.all.equals(Buffer.concat(expected))).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('says when it is full, and when there is room again', async () => {
    const stream = new SlowStream();
    const output = new StandardOutput(stream);
    expect(output.isFull).toBe(false);
    for (let count = 0; count < 300; count++) output.bytes(Buffer.alloc(1_000));
    expect(output.isFull).toBe(true);
    expect(output.backlog).toBe(300_000);
    let isDrained = false;
    const drained = output.drained().then(() => {
      isDrained = true;
    });
    await turn();
    expect(isDrained).toBe(false);
    stream.takeAll();
    await drained;
    expect(output.isFull).toBe(false);
  });

  it('lets nobody wait for a reader who is gone', async () => {
    const stream = new SlowStream();
    const output = new StandardOutput(stream);
    let broken = 0;
    output.onBroken = () => {
      broken++;
    };
    output.bytes(Buffer.alloc(400_000));
    const waiting = [output.drained(), output.finish()];
    stream.destroy(Object.assign(new Error('gone'), { code: 'EPIPE' }));
    await Promise.all(waiting);
    output.text('more');
    output.bytes(Buffer.alloc(400_000));
    await output.drained();
    await output.finish();
    expect([broken, output.error?.code, output.isFull, output.backlog]).toEqual([1, 'EPIPE', false, 0]);
  });
});

describe('lineSplitter', () => {
  it('finds the same lines wherever the chunks end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ max: 12, maxLength: 60 }), fc.array(fc.nat({ max: 10 })), (bytes, sizes) => {
        const split = lineSplitter(1_000);
        const lines: string[] = [];
        let start = 0;
        for (const size of [...sizes, bytes.length]) {
          for (const line of split(bytes.subarray(start, start + size))) lines.push(Buffer.from(line).toString('hex'));
          start += size;
        }
        for (const line of split(undefined)) lines.push(Buffer.from(line).toString('hex'));
        const text = Buffer.from(bytes).toString('latin1');
        const expected = text.split('\n');
        if (expected.at(-1) === '') expected.pop();
        expect(lines).toEqual(expected.map((line) => Buffer.from(line, 'latin1').toString('hex')));
      }),
    );
  });

  it('does not gather a line without end', () => {
    const split = lineSplitter(1_000);
    split(Buffer.alloc(1_000, 'x'));
    expect(() => split(Buffer.from('x'))).toThrow(RangeError);
  });
});

describe('DebugLines', () => {
  const publish = {
    type: PacketType.PUBLISH,
    topicName: 'a',
    payload: new Uint8Array(2),
    qos: 0,
    retain: true,
    dup: false,
    packetIdentifier: 0,
    properties: undefined,
  } as const;

  it('numbers messages at QoS 0 along with those that have a Packet Identifier', () => {
    const lines = new DebugLines(4);
    const sent = (packet: Parameters<DebugLines['describe']>[1]) => lines.describe('sent', packet);
    expect(sent(publish)).toBe("Client (null) sending PUBLISH (d0, q0, r1, m1, 'a', ... (2 bytes))\n");
    expect(sent({ ...publish, qos: 2, dup: true, packetIdentifier: 65_535 })).toContain('(d1, q2, r1, m65535,');
    expect(sent(publish)).toContain(', m1,');
    expect(
      sent({ type: PacketType.UNSUBSCRIBE, packetIdentifier: 7, topicFilters: ['x', 'y'], properties: undefined }),
    ).toBe(
      'Client (null) sending UNSUBSCRIBE (Mid: 7, Topic: x)\nClient (null) sending UNSUBSCRIBE (Mid: 7, Topic: y)\n',
    );
    expect(sent(publish)).toContain(', m8,');
  });

  it('has a line for packets of every type, in both directions', () => {
    const lines = new DebugLines(5);
    const acknowledgement = { packetIdentifier: 3, reasonCode: 0, properties: undefined } as const;
    const { PINGREQ, PINGRESP, AUTH, DISCONNECT, PUBREL, PUBCOMP, SUBACK, UNSUBACK } = PacketType;
    expect(
      [
        lines.describe('sent', { type: PINGREQ }),
        lines.describe('received', { type: PINGRESP }),
        lines.describe('sent', { type: AUTH, reasonCode: 0, properties: undefined }),
        lines.describe('received', { type: AUTH, reasonCode: 0, properties: undefined }),
        lines.describe('sent', { type: DISCONNECT, reasonCode: 0, properties: undefined }),
        lines.describe('received', { type: DISCONNECT, reasonCode: 0x8e, properties: undefined }),
        lines.describe('sent', { type: PUBREL, ...acknowledgement }),
        lines.describe('received', { type: PUBREL, ...acknowledgement }),
        lines.describe('sent', { type: PUBCOMP, ...acknowledgement }),
        lines.describe('received', { type: PUBCOMP, ...acknowledgement }),
        lines.describe('received', { type: SUBACK, packetIdentifier: 1, reasonCodes: [0], properties: undefined }),
        lines.describe('received', { type: UNSUBACK, packetIdentifier: 1, reasonCodes: [], properties: undefined }),
      ].map((line) => line.replace('Client (null) ', '').trimEnd()),
    ).toEqual([
      'sending PINGREQ',
      'received PINGRESP',
      'sending AUTH',
      'received AUTH',
      'sending DISCONNECT',
      'Received DISCONNECT (142)',
      'sending PUBREL (m3)',
      'received PUBREL (Mid: 3)',
      'sending PUBCOMP (m3)',
      'received PUBCOMP (Mid: 3, RC:0)',
      'received SUBACK',
      'received UNSUBACK',
    ]);
  });
});

describe('WatchScreen', () => {
  it('gives the topics beyond the height of the screen its last line but one', () => {
    let text = '';
    const write = (piece: string): void => {
      text += piece;
    };
    const sink = { text: write, bytes: () => {} };
    const screen = new WatchScreen(sink, 5);
    screen.start('host');
    for (const topic of ['a', 'b', 'c', 'd', 'a', 'c']) {
      screen.enter(topic);
      text += topic;
      screen.leave();
    }
    expect(text.replaceAll('\x1b', '^')).toBe(
      '^[2J^[1;1HBroker: host\n^[2;1H^[Ka^[3;1H^[3;1H^[Kb^[4;1H^[4;1H^[Kc^[4;1H^[4;1H^[Kd^[4;1H^[2;1H^[Ka^[4;1H^[4;1H^[Kc^[4;1H',
    );
  });
});
