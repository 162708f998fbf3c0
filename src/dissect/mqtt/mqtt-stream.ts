/**
 * MQTT in the bytes of a connection: packets are cut out of each direction as their last byte comes, and the state of the conversation advances with
 * each.
 *
 * A packet within one chunk is a view of it. One that spans several is gathered. Where bytes are missing that belong to a packet whose length is
 * known, that packet is shown as far as it goes and the next one is found by counting; otherwise by `findFooting`.
 */
import type { Direction, Flow } from '../../capture/flow.ts';
import type { DataSource, Frame } from '../../capture/frame.ts';
import type { StreamChunk } from '../../capture/stream-chunk.ts';
import type { StreamDissector, UpperLayer } from '../stream-dissector.ts';
import { Connection } from './connection.ts';
import type { Conversations } from './conversations.ts';
import { CutPacket } from './cut-packet.ts';
import { findFooting, isFooting, judgePacket, likelihood } from './footing.ts';
import { GatheredPacket } from './gathered-packet.ts';
import { MqttPacket } from './packet.ts';
import { bodyStartOf, packetSizeOf } from './packet-size.ts';
import { UnreadableBytes } from './unreadable.ts';

export interface MqttStreamOptions {
  /** What the chunks are parts of, for the name of what is put together from them: `TCP`, `TLS`, `WebSocket`. Default `TCP`. */
  readonly carrier?: string;
  /** Whether the connection was seen from its beginning, so that the first bytes begin a packet. Default false: then that is looked at. */
  readonly isFromStart?: boolean;
}

/** One direction. */
class Half {
  gathered: GatheredPacket | undefined = undefined;
  /** Bytes still to come of a packet that has been shown already, without them. */
  rest = 0;
  /** Nothing is known of where the next packet begins. */
  isLost = false;
  hasBegun = false;
  /** The packet that is being gathered was taken for one because nothing spoke against it so far. */
  isUnsure = false;
  /** Missing since the last packet. */
  missing = 0;
}

export class MqttStream implements StreamDissector {
  readonly #connection: Connection;
  readonly #conversations: Conversations;
  readonly #carrier: string;
  readonly #isFromStart: boolean;
  readonly #halves: readonly [Half, Half] = [new Half(), new Half()];

  constructor(flow: Flow, conversations: Conversations, options: MqttStreamOptions = {}) {
    this.#conversations = conversations;
    this.#carrier = options.carrier ?? 'TCP';
    this.#isFromStart = options.isFromStart ?? false;
    this.#connection = new Connection(flow, conversations, this.#isFromStart);
  }

  receive(direction: Direction, chunk: StreamChunk, frame: Frame, layers: UpperLayer[]): void {
    const half = this.#halves[direction];
    const { source, end } = chunk;
    const { bytes } = source;
    let at = chunk.start;
    if (chunk.missing > 0) this.#bridge(direction, half, chunk.missing, frame, layers);
    if (at >= end) return;
    if (half.rest > 0) {
      const skipped = Math.min(half.rest, end - at);
      half.rest -= skipped;
      at += skipped;
    }
    if (!half.hasBegun && at < end) {
      half.hasBegun = true;
      if (!this.#isFromStart && !half.isLost) {
        half.isUnsure = true;
        half.isLost = !isFooting(bytes, at, end, true, undefined);
      }
    }
    if (half.isLost && at < end) {
      at = this.#regainFooting(direction, half, chunk, at, layers);
      if (at === end) return;
    }
    if (half.gathered !== undefined && at < end) {
      const before = at;
      at = half.gathered.take(bytes, at, end, chunk.frame.number);
      if (half.isUnsure && this.#isDisproved(direction, half.gathered)) {
        half.gathered.giveBack(at - before);
        at = before;
        this.#withdraw(half, layers);
      } else if (half.gathered.isWhole || half.gathered.size < 0) this.#finish(direction, half, frame, layers);
      if (half.isLost && at < end) {
        at = this.#regainFooting(direction, half, chunk, at, layers);
        if (at === end) return;
      }
    }
    while (at < end) {
      const size = packetSizeOf(bytes, at, end);
      if (size <= 0 || at + size > end) break;
      this.#show(direction, half, source, at, at + size, 0, frame, layers);
      at += size;
    }
    if (at < end) this.#begin(direction, half, chunk, at, frame, layers);
    else if (chunk.cut > 0) {
      if (half.gathered !== undefined) this.#finish(direction, half, frame, layers);
      else if (layers.length > 0 && chunk.frame === frame) layers.push(cutPacket(chunk, layers));
    }
  }

  end(direction: Direction, frame: Frame, layers: UpperLayer[]): void {
    const half = this.#halves[direction];
    if (half.gathered !== undefined) this.#finish(direction, half, frame, layers);
    half.rest = 0;
  }

  pending(direction: Direction): number {
    return this.#halves[direction].gathered?.received ?? 0;
  }

  /** What more has come of a packet speaks against it. */
  #isDisproved(direction: Direction, gathered: GatheredPacket): boolean {
    return judgePacket(gathered.bytes, 0, gathered.kept, this.#senderOf(direction)) === likelihood.impossible;
  }

  #withdraw(half: Half, layers: UpperLayer[]): void {
    const source = half.gathered!.finish(this.#carrier);
    half.gathered = undefined;
    half.isLost = true;
    half.isUnsure = false;
    layers.push(new UnreadableBytes(source, 0, source.bytes.length, half.missing));
    half.missing = 0;
  }

  /** Whether the bytes of a direction come from the client; undefined while that is not settled. */
  #senderOf(direction: Direction): boolean | undefined {
    return this.#connection.areRolesKnown ? this.#connection.isByClient(direction, 0) : undefined;
  }

  /** `missing` bytes were not captured: they may all belong to a packet whose end is known. */
  #bridge(direction: Direction, half: Half, missing: number, frame: Frame, layers: UpperLayer[]): void {
    half.hasBegun = true;
    this.#connection.noteLoss();
    if (half.gathered !== undefined) this.#finish(direction, half, frame, layers);
    const within = Math.min(half.rest, missing);
    half.rest -= within;
    if (missing > within) {
      half.isLost = true;
      half.missing += missing - within;
    }
  }

  #regainFooting(direction: Direction, half: Half, chunk: StreamChunk, at: number, layers: UpperLayer[]): number {
    const { bytes } = chunk.source;
    const found = findFooting(bytes, at, chunk.end, this.#senderOf(direction));
    const begin = found < 0 ? chunk.end : found;
    if (begin > at) {
      layers.push(new UnreadableBytes(chunk.source, at, begin, half.missing));
      half.missing = 0;
    }
    if (found >= 0) {
      half.isLost = false;
      half.isUnsure = true;
    }
    return begin;
  }

  /** The chunk ends within a packet, of which the rest comes later, or never. */
  #begin(direction: Direction, half: Half, chunk: StreamChunk, at: number, frame: Frame, layers: UpperLayer[]): void {
    const { source, end } = chunk;
    const size = packetSizeOf(source.bytes, at, end);
    if (size >= 0 && chunk.cut === 0) {
      half.gathered = new GatheredPacket(this.#conversations);
      half.gathered.take(source.bytes, at, end, chunk.frame.number);
      return;
    }
    // Without a Remaining Length nobody can say where the packet ends: the end of the segment is as good a guess as any.
    half.isLost = size <= 0;
    if (size === 0) {
      layers.push(cutPacket(chunk, layers));
      return;
    }
    half.rest = size > 0 ? size - (end - at) : 0;
    this.#show(direction, half, source, at, end, half.rest, frame, layers);
  }

  /** Shows what has come of a packet: all, or all that ever will. */
  #finish(direction: Direction, half: Half, frame: Frame, layers: UpperLayer[]): void {
    const gathered = half.gathered!;
    half.gathered = undefined;
    half.isUnsure = false;
    const source = gathered.finish(this.#carrier);
    const rest = gathered.size > 0 ? gathered.size - gathered.received : 0;
    half.rest = rest;
    if (gathered.size <= 0) half.isLost = true;
    const absent = rest + gathered.droppedBytes;
    this.#show(direction, half, source, 0, source.bytes.length, absent, frame, layers);
  }

  #show(
    direction: Direction,
    half: Half,
    source: DataSource,
    start: number,
    end: number,
    absent: number,
    frame: Frame,
    layers: UpperLayer[],
  ): void {
    const { bytes } = source;
    const header = bytes[start]!;
    const packet = new MqttPacket(
      source,
      start,
      Math.min(end, bodyStartOf(bytes, start)),
      end,
      absent,
      half.missing,
      frame,
      this.#connection.isByClient(direction, header >> 4),
      header,
      this.#connection.facts,
    );
    half.missing = 0;
    this.#connection.advance(packet);
    layers.push(packet);
  }
}

function cutPacket({ source, end }: StreamChunk, layers: readonly UpperLayer[]): CutPacket {
  return new CutPacket(layers.at(-1)?.columnProtocol ?? 'TCP', source, end);
}
