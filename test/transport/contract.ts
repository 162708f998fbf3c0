/** What every Transport must do, as one suite that each implementation is put through. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Transport, TransportHandlers } from '../../src/transport/transport.ts';

/** Two joined Transports, neither started, and what has to be shut down afterwards. */
export interface Pair {
  readonly near: Transport;
  readonly far: Transport;
  close(): Promise<void>;
}

/** Gathers what a Transport tells, and lets a test wait for it. */
export class Recorder implements TransportHandlers {
  chunks: Uint8Array[] = [];
  length = 0;
  drains = 0;
  closes: (Error | undefined)[] = [];
  dataAfterClose = 0;
  onData: ((chunk: Uint8Array) => void) | undefined;
  #waiting: (() => void)[] = [];

  data(chunk: Uint8Array): void {
    if (this.closes.length > 0) this.dataAfterClose++;
    this.chunks.push(chunk);
    this.length += chunk.length;
    this.onData?.(chunk);
    this.#changed();
  }

  drain(): void {
    this.drains++;
    this.#changed();
  }

  close(error: Error | undefined): void {
    this.closes.push(error);
    this.#changed();
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.chunks);
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Bytes that differ from place to place, so that nothing can be swapped unseen. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0 || 1;
  for (let index = 0; index < length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state;
  }
  return bytes;
}

/** Turns of the event loop, for what must *not* happen. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export function transportContract(name: string, makePair: () => Promise<Pair>): void {
  describe(`a ${name} transport`, () => {
    let pair: Pair;
    let near: Transport;
    let far: Transport;
    const atNear = (): Recorder => recorders[0]!;
    const atFar = (): Recorder => recorders[1]!;
    let recorders: Recorder[];

    beforeEach(async () => {
      pair = await makePair();
      ({ near, far } = pair);
      recorders = [new Recorder(), new Recorder()];
    });
    afterEach(async () => {
      near.destroy();
      far.destroy();
      await pair.close();
    });
    const start = (): void => {
      near.start(atNear());
      far.start(atFar());
    };

    it('names its peer', () => {
      for (const { peer } of [near, far]) {
        expect(peer.address).not.toBe('');
        if (peer.family === 'IPv4') expect(peer.address).toBe('127.0.0.1');
      }
    });

    it('carries a mebibyte each way, unchanged and in order', async () => {
      start();
      const there = pattern(1_048_576, 1);
      const back = pattern(1_048_576, 2);
      for (let at = 0, size = 1; at < there.length; at += size, size = (size * 3 + 1) % 50_021) {
        near.write(there.subarray(at, at + size));
        far.write(back.subarray(at, at + size));
      }
      await atFar().until(() => atFar().length === there.length);
      await atNear().until(() => atNear().length === back.length);
      expect(Buffer.compare(atFar().bytes, there)).toBe(0);
      expect(Buffer.compare(atNear().bytes, back)).toBe(0);
    });

    it('delivers nothing before it is started, and then what came before', async () => {
      near.start(atNear());
      near.write(text('early'));
      await turns(20);
      expect(atFar().length).toBe(0);
      far.start(atFar());
      await atFar().until(() => atFar().length === 5);
      expect(atFar().bytes).toEqual(Buffer.from('early'));
    });

    it('does not deliver to the caller of start', () => {
      let isStarting = true;
      far.start({
        data: () => expect(isStarting).toBe(false),
        drain: () => expect(isStarting).toBe(false),
        close: () => expect(isStarting).toBe(false),
      });
      isStarting = false;
    });

    it('holds the writer back while the reader is paused, and tells it when to go on', async () => {
      start();
      far.pause();
      const block = pattern(65_536);
      let written = 0;
      // The system may take more a little later, and then again.
      do {
        while (near.write(block) || written < 64 * block.length) {
          written += block.length;
          await turns(1);
        }
        written += block.length;
        await turns(20);
      } while (near.bufferedBytes === 0 && written < 1024 * block.length);
      expect(atFar().length).toBe(0);
      expect(near.bufferedBytes).toBeGreaterThan(0);
      const drains = atNear().drains;
      far.resume();
      await atFar().until(() => atFar().length === written);
      await atNear().until(() => atNear().drains > drains);
      expect(near.bufferedBytes).toBe(0);
    }, 60_000);

    it('delivers nothing between pause and resume, also when paused from within data', async () => {
      start();
      const reader = far;
      let isPaused = false;
      atFar().onData = () => {
        expect(isPaused).toBe(false);
        isPaused = true;
        reader.pause();
        setImmediate(() => {
          isPaused = false;
          reader.resume();
        });
      };
      const sent = pattern(300_000);
      for (let at = 0; at < sent.length; at += 10_000) near.write(sent.subarray(at, at + 10_000));
      await atFar().until(() => atFar().length === sent.length);
      expect(Buffer.compare(atFar().bytes, sent)).toBe(0);
    });

    it('does not deliver from within resume', async () => {
      start();
      far.pause();
      near.write(text('held'));
      await turns(20);
      far.resume();
      expect(atFar().length).toBe(0);
      await atFar().until(() => atFar().length === 4);
    });

    it('can be paused before it is started', async () => {
      far.pause();
      start();
      near.write(text('held'));
      await turns(20);
      expect(atFar().length).toBe(0);
      far.resume();
      await atFar().until(() => atFar().length === 4);
    });

    it('releases each buffer once, after which it may be overwritten', async () => {
      start();
      const buffer = new Uint8Array(40_000);
      const expected: Uint8Array[] = [];
      for (let round = 0; round < 40; round++) {
        const content = pattern(buffer.length, round + 1);
        expected.push(content);
        buffer.set(content);
        let releases = 0;
        await new Promise<void>((resolve) => {
          near.write(buffer, () => {
            releases++;
            resolve();
          });
          expect(releases).toBe(0);
        });
        expect(releases).toBe(1);
      }
      buffer.fill(0);
      await atFar().until(() => atFar().length === 40 * buffer.length);
      expect(Buffer.compare(atFar().bytes, Buffer.concat(expected))).toBe(0);
    });

    it('sends all that was written before end, then closes on both sides, once', async () => {
      start();
      const sent = pattern(500_000);
      near.write(sent);
      near.end();
      await atFar().until(() => atFar().closes.length > 0);
      await atNear().until(() => atNear().closes.length > 0);
      await turns(20);
      expect(Buffer.compare(atFar().bytes, sent)).toBe(0);
      expect(atFar().closes).toEqual([undefined]);
      expect(atNear().closes).toEqual([undefined]);
      expect(atFar().dataAfterClose).toBe(0);
    });

    it('closes after both sides ended at the same time', async () => {
      start();
      near.write(text('a'));
      far.write(text('b'));
      near.end();
      far.end();
      await atFar().until(() => atFar().closes.length > 0);
      await atNear().until(() => atNear().closes.length > 0);
      expect([atNear().closes, atFar().closes]).toEqual([[undefined], [undefined]]);
    });

    it('keeps what came for a paused reader although the writer has ended', async () => {
      start();
      far.pause();
      near.write(text('last words'));
      near.end();
      await turns(20);
      expect(atFar().length).toBe(0);
      far.resume();
      await atFar().until(() => atFar().closes.length > 0);
      expect(atFar().bytes).toEqual(Buffer.from('last words'));
    });

    it('closes when it ends while paused with unread bytes', async () => {
      start();
      near.pause();
      far.write(pattern(10_000));
      await turns(20);
      near.write(text('goodbye'));
      near.end();
      await atNear().until(() => atNear().closes.length > 0);
      await atFar().until(() => atFar().closes.length > 0);
      expect(atFar().bytes).toEqual(Buffer.from('goodbye'));
      expect(atNear().length).toBe(0);
      expect(atNear().closes).toEqual([undefined]);
    });

    it('closes both sides when one is destroyed', async () => {
      start();
      near.write(text('x'));
      await atFar().until(() => atFar().length === 1);
      near.destroy();
      await atFar().until(() => atFar().closes.length > 0);
      await atNear().until(() => atNear().closes.length > 0);
      await turns(20);
      expect(atNear().closes).toEqual([undefined]);
      expect(atFar().closes).toHaveLength(1);
    });

    it('closes when it is destroyed from within data', async () => {
      start();
      atFar().onData = () => far.destroy();
      near.write(text('one'));
      await atFar().until(() => atFar().closes.length > 0);
      await atNear().until(() => atNear().closes.length > 0);
      await turns(20);
      expect(atFar().chunks).toHaveLength(1);
    });

    it('tells a handler that comes late that it is closed', async () => {
      far.destroy();
      near.start(atNear());
      await atNear().until(() => atNear().closes.length > 0);
      far.start(atFar());
      expect(atFar().closes).toHaveLength(0);
      await atFar().until(() => atFar().closes.length > 0);
    });

    it('takes writes after end and after destroy without harm, and releases their buffers', async () => {
      start();
      near.end();
      far.destroy();
      const written = [near, far].map(
        (side) =>
          new Promise<boolean>((resolve) => void (side.write(text('late'), () => resolve(true)) || resolve(false))),
      );
      expect(await Promise.all(written)).toEqual([true, true]);
      await atNear().until(() => atNear().closes.length > 0);
      await atFar().until(() => atFar().closes.length > 0);
      near.write(text('later'));
      near.pause();
      near.resume();
      near.end();
      near.destroy();
      await turns(20);
      expect(atNear().closes).toHaveLength(1);
      expect(atFar().closes).toHaveLength(1);
      expect(atFar().length).toBe(0);
    });
  });
}
