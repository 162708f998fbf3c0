/** Conversations of TCP with what can go wrong in them, made from a seed: the same every time. */
import type { Frame } from '../../src/capture/frame.ts';
import { flags, segmentFrame } from './made-frames.ts';

export interface ConversationOptions {
  readonly seed: number;
  /** Of the client; the server's is 1883. */
  readonly port: number;
  /** From 0, a faultless one, to 1. */
  readonly trouble: number;
}

interface Sent {
  readonly time: number;
  readonly from: End;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly window: number;
  readonly length: number;
  readonly options: readonly number[];
}

type End = 0 | 1;

/** Marsaglia's xorshift of 32 bits. */
function randomFrom(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Both ends of a conversation; what they send is written down with faults. */
class Conversation {
  readonly sent: Sent[] = [];
  readonly #random: () => number;
  readonly #trouble: number;
  readonly #initial: [number, number];
  readonly #next: [number, number];
  readonly #expected: [number, number];
  readonly #window: [number, number];
  #time = 0;

  constructor(seed: number, trouble: number) {
    this.#random = randomFrom(seed);
    this.#trouble = trouble;
    // Some begin shortly before the numbers wrap around.
    const initial = () => (this.#chance(0.3) ? 2 ** 32 - 200 : 0) + this.#below(200) + 1;
    this.#initial = [initial(), initial()];
    this.#next = [this.#initial[0] + 1, this.#initial[1] + 1];
    this.#expected = [this.#next[1], this.#next[0]];
    this.#window = [this.#below(60_000) + 1000, this.#below(60_000) + 1000];
    this.#open();
    const steps = 5 + this.#below(40);
    for (let step = 0; step < steps; step++) this.#step();
    this.#close();
    this.#reorder();
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  /** A chance that grows with the trouble that is asked for. */
  #fault(probability: number): boolean {
    return this.#random() < probability * this.#trouble;
  }

  #send(from: End, sequence: number, bits: number, length = 0, options: readonly number[] = []): void {
    this.#time += this.#chance(0.2) ? this.#below(50_000_000) : this.#below(2_000_000);
    const acknowledgement = (bits & flags.ack) !== 0 ? this.#expected[from] : 0;
    const window = this.#window[from];
    this.sent.push({ time: this.#time, from, sequence, acknowledgement, flags: bits, window, length, options });
  }

  #open(): void {
    const options = () => (this.#chance(0.7) ? [2, 4, 5, 180, 3, 3, this.#below(8), 1] : [2, 4, 5, 180]);
    const [client, server] = this.#initial;
    this.#send(0, client, flags.syn, 0, options());
    if (this.#fault(0.2)) this.#send(0, client, flags.syn, 0, options());
    this.#send(1, server, flags.syn | flags.ack, 0, options());
    if (this.#fault(0.1)) this.#send(1, server, flags.syn | flags.ack, 0, options());
    if (!this.#fault(0.1)) this.#send(0, this.#next[0], flags.ack);
  }

  #step(): void {
    const from = this.#below(2) as End;
    const kind = this.#random();
    if (kind < 0.5) this.#sendData(from);
    else if (kind < 0.65) this.#send(from, this.#next[from], flags.ack);
    else if (kind < 0.7) {
      this.#window[from] = 1000 + this.#below(60_000);
      this.#send(from, this.#next[from], flags.ack);
    } else if (kind < 0.75) {
      if (this.#fault(1)) this.#send(from, this.#next[from] - 1, flags.ack, this.#below(2));
    } else if (kind < 0.8) {
      if (this.#fault(1)) this.#repeat(this.#below(this.sent.length));
    } else if (kind < 0.83) {
      if (this.#fault(1)) this.#next[from] += 1 + this.#below(100);
    } else if (kind < 0.86) {
      if (this.#fault(1)) this.#expected[from] = this.#next[from === 0 ? 1 : 0] + this.#below(50);
    } else if (kind < 0.92 && this.#fault(1)) this.#callForRepetition(from);
  }

  #sendData(from: End): void {
    const peer: End = from === 0 ? 1 : 0;
    const length = 1 + this.#below(this.#chance(0.2) ? 3 : 100);
    this.#send(from, this.#next[from], flags.ack | (this.#chance(0.6) ? flags.psh : 0), length);
    this.#next[from] += length;
    if (this.#chance(0.8)) this.#expected[peer] = this.#next[from];
    if (this.#chance(0.5)) this.#send(peer, this.#next[peer], flags.ack);
  }

  /** What has data is sent once more, now. */
  #repeat(index: number): void {
    const segment = this.sent[index];
    if (segment === undefined || segment.length === 0) return;
    this.#time += this.#below(10_000_000);
    this.sent.push({ ...segment, time: this.#time });
  }

  #callForRepetition(from: End): void {
    const count = 1 + this.#below(5);
    for (let index = 0; index < count; index++) this.#send(from, this.#next[from], flags.ack);
    this.#repeat(this.sent.findIndex((other) => other.from !== from && other.sequence === this.#expected[from]));
  }

  #close(): void {
    const from = this.#below(2) as End;
    const peer: End = from === 0 ? 1 : 0;
    if (this.#chance(0.6)) {
      const length = this.#chance(0.3) ? 5 : 0;
      this.#send(from, this.#next[from], flags.fin | flags.ack, length);
      if (this.#fault(0.2)) this.#send(from, this.#next[from], flags.fin | flags.ack, length);
      this.#next[from] += length + 1;
      this.#expected[peer] = this.#next[from];
      this.#send(peer, this.#next[peer], flags.fin | flags.ack);
      this.#expected[from] = this.#next[peer] + 1;
      this.#send(from, this.#next[from], flags.ack);
    } else if (this.#chance(0.5)) this.#send(from, this.#next[from], this.#chance(0.5) ? flags.rst : 0x14);
  }

  /** Neighbours change places but not times; some behind the handshake are lost. */
  #reorder(): void {
    const { sent } = this;
    for (let index = 3; index + 1 < sent.length; index++) {
      if (!this.#fault(0.05)) continue;
      const [first, second] = [sent[index]!, sent[index + 1]!];
      sent[index] = { ...second, time: first.time };
      sent[index + 1] = { ...first, time: second.time };
    }
    for (let index = sent.length - 1; index >= 3; index--) if (this.#fault(0.02)) sent.splice(index, 1);
  }
}

/** Frames of several conversations, one after the other, numbered from 1. */
export function conversationFrames(conversations: readonly ConversationOptions[]): Frame[] {
  const frames: Frame[] = [];
  let begin = 0;
  for (const { seed, port, trouble } of conversations) {
    let last = begin;
    for (const sent of new Conversation(seed, trouble).sent) {
      last = begin + sent.time;
      const isClient = sent.from === 0;
      const fields = {
        ...sent,
        from: isClient ? 1 : 2,
        to: isClient ? 2 : 1,
        sourcePort: isClient ? port : 1883,
        destinationPort: isClient ? 1883 : port,
        payload: new Uint8Array(sent.length).fill(0x61),
      };
      frames.push(segmentFrame(fields, frames.length + 1, last));
    }
    begin = last + 1e9;
  }
  return frames;
}
