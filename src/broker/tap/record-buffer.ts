/** Frames as pcapng in memory, taken out piece by piece; each piece is a file of its own, and pieces behind each other are one, too. */
import { linkTypes } from '../../capture/link-types.ts';
import { PcapngWriter } from '../../capture/pcapng-writer.ts';
import type { Counters } from '../counters.ts';
import type { FrameTaker } from './connection-recorder.ts';

const section = { application: 'clearwing' };
const tapInterface = { linkType: linkTypes.ethernet, name: 'clearwing' };

export class RecordBuffer implements FrameTaker {
  readonly #counters: Counters;
  readonly #bytesMax: number;
  #writer: PcapngWriter | undefined;
  /** Chunks that are missing since the last piece. */
  #lost = 0;

  /** @param bytesMax from this size on it takes no more until a piece is taken out */
  constructor(counters: Counters, bytesMax: number) {
    this.#counters = counters;
    this.#bytesMax = bytesMax;
  }

  get isEmpty(): boolean {
    return this.#writer === undefined;
  }

  get isFull(): boolean {
    return this.#writer !== undefined && this.#writer.pendingBytes >= this.#bytesMax;
  }

  frame(seconds: number, nanoseconds: number, bytes: Uint8Array, comment: string | undefined): void {
    let writer = this.#writer;
    if (writer === undefined) {
      writer = new PcapngWriter(section);
      writer.addInterface(tapInterface);
      this.#writer = writer;
    }
    this.#counters.captureFrames++;
    const comments = comment === undefined ? undefined : [comment];
    writer.writePacket(0, seconds, nanoseconds, bytes.length, bytes, undefined, comments);
  }

  lost(): void {
    this.#lost++;
    this.#counters.captureLost++;
  }

  /** What has come since the last call, with the number of frames and of chunks lost at its end; empty if nothing has. */
  take(): Uint8Array {
    const writer = this.#writer;
    if (writer === undefined) return new Uint8Array(0);
    writer.writeStatistics([this.#lost]);
    this.#lost = 0;
    this.#writer = undefined;
    return writer.take();
  }
}
