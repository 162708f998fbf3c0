/**
 * Frames as pcapng in memory, taken out piece by piece: either each piece is a file of its own (and pieces behind each other are one, too), or the pieces
 * between two `end` are.
 */
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
    return this.pendingBytes === 0;
  }

  get isFull(): boolean {
    return this.pendingBytes >= this.#bytesMax;
  }

  frame(seconds: number, nanoseconds: number, bytes: Uint8Array, comment: string | undefined): void {
    const writer = this.#writer ?? this.begin();
    this.#counters.captureFrames++;
    const comments = comment === undefined ? undefined : [comment];
    writer.writePacket(0, seconds, nanoseconds, bytes.length, bytes, undefined, comments);
  }

  /** Begins a file, as the first frame does where nobody did. */
  begin(): PcapngWriter {
    const writer = new PcapngWriter(section);
    writer.addInterface(tapInterface);
    this.#writer = writer;
    return writer;
  }

  /** Bytes that are to be taken out. */
  get pendingBytes(): number {
    return this.#writer?.pendingBytes ?? 0;
  }

  lost(): void {
    this.#lost++;
    this.#counters.captureLost++;
  }

  /** What has come since the last call, as a part of the file that `end` ends; empty if nothing has. To be used up before the next frame. */
  takePart(): Uint8Array {
    return this.#writer?.take() ?? new Uint8Array(0);
  }

  /** What has come since the last call, with the number of frames and of chunks lost at its end; empty if there is nothing. The next frame begins another file. */
  end(): Uint8Array {
    const writer = this.#writer;
    if (writer === undefined) return new Uint8Array(0);
    writer.writeStatistics([this.#lost]);
    this.#lost = 0;
    this.#writer = undefined;
    return writer.take();
  }
}
