/**
 * One Network Connection: packets out, gathered into one write for each turn of the event loop, and packets in, one by one. It knows
 * bytes and packets, but not what they mean.
 *
 *     send ─▶ writer ──64 KiB or end of turn──▶ transport.write        isCongested: this turn's 64 KiB are used up,
 *                                                                      or the transport wants to be waited for
 *     handlers.packet ◀── framer ◀── transport data                    pause stops between two packets
 */
import { ByteWriter } from '../base/byte-writer.ts';
import type { Clock } from '../base/clock.ts';
import {
  decodePacket,
  encodePacket,
  encodePublish,
  PacketFramer,
  type PublishPacket,
  packetSizeMax,
} from '../codec/index.ts';
import type { Packet } from '../codec/packets.ts';
import { MqttError, PacketTooLargeError } from '../protocol/errors.ts';
import type { ProtocolVersion } from '../protocol/version.ts';
import type { Transport } from '../transport/transport.ts';

export interface LinkHandlers {
  /** A packet came. An MqttError thrown here ends the connection as the peer's fault. */
  packet(packet: Packet): void;
  /** No longer congested. */
  drain(): void;
  /** Everything that was sent has been taken by the system. */
  idle(): void;
  /** What came is no MQTT, or not allowed: called once, then `close` follows when the link was ended. */
  fault(error: MqttError): void;
  /** The end, once. */
  close(error: Error | undefined): void;
}

/** Bytes gathered in one turn after which they are written at once, and the sender is asked to wait for the next turn. */
const flushBytes = 65_536;
/** Buffers kept for reuse; one is filled while others are on their way. */
const spareWritersMax = 4;

export class Link {
  readonly transport: Transport;
  readonly version: ProtocolVersion;
  /** The peer's Maximum Packet Size. */
  sendSizeMax = packetSizeMax;
  /** `Clock.monotonic` of the last write and of the last bytes that came. */
  lastSentMs: number;
  lastReceivedMs: number;
  readonly #clock: Clock;
  readonly #onPacket: ((direction: 'sent' | 'received', packet: Packet, size: number) => void) | undefined;
  #handlers: LinkHandlers;
  #framer: PacketFramer;
  #writer = new ByteWriter(16_384);
  #spareWriters: ByteWriter[] = [];
  #pendingWrites = 0;
  #isFlushScheduled = false;
  #isTurnFull = false;
  #needsDrain = false;
  #isPaused = false;
  #isParsing = false;
  #isOver = false;

  constructor(
    transport: Transport,
    version: ProtocolVersion,
    clock: Clock,
    receiveSizeMax: number,
    onPacket: ((direction: 'sent' | 'received', packet: Packet, size: number) => void) | undefined,
    handlers: LinkHandlers,
  ) {
    this.transport = transport;
    this.version = version;
    this.#clock = clock;
    this.#onPacket = onPacket;
    this.#handlers = handlers;
    this.#framer = new PacketFramer(receiveSizeMax);
    this.#framer.version = version;
    this.lastSentMs = clock.monotonic();
    this.lastReceivedMs = this.lastSentMs;
    transport.start({
      data: (chunk) => this.#receive(chunk),
      drain: () => this.#drained(),
      close: (error) => this.#closed(error),
    });
  }

  /** From now on somebody else is told; packets already in hand go there as well. */
  set handlers(handlers: LinkHandlers) {
    this.#handlers = handlers;
  }

  /** Whether the sender should wait for `drain`. */
  get isCongested(): boolean {
    return this.#isTurnFull || this.#needsDrain;
  }

  /** Whether the system has taken everything that was sent. */
  get isIdle(): boolean {
    return this.#pendingWrites === 0 && this.#writer.length === 0;
  }

  /** Whether reading is stopped. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /**
   * Sends a packet, at the latest when this turn of the event loop ends.
   * @throws {PacketTooLargeError} it is larger than the peer takes [MQTT-3.2.2-15]; nothing is sent
   * @throws {OptionError} it cannot be encoded; nothing is sent
   */
  send(packet: Packet): void {
    if (this.#isOver) return;
    const start = this.#writer.length;
    encodePacket(this.#writer, packet, this.version);
    this.#sent(packet, start);
  }

  /** `send` without looking at the packet's type first. */
  sendPublish(packet: PublishPacket): void {
    if (this.#isOver) return;
    const start = this.#writer.length;
    encodePublish(this.#writer, packet, this.version);
    this.#sent(packet, start);
  }

  #sent(packet: Packet, start: number): void {
    const writer = this.#writer;
    const size = writer.length - start;
    if (size > this.sendSizeMax) {
      writer.length = start;
      throw new PacketTooLargeError(`a packet of ${size} bytes; the server takes at most ${this.sendSizeMax}`);
    }
    this.#onPacket?.('sent', packet, size);
    if (writer.length >= flushBytes) {
      // Waiting for the next turn lets the event loop read as well, however fast the system takes what is written.
      this.#isTurnFull = true;
      this.#flush();
    }
    if (!this.#isFlushScheduled) {
      this.#isFlushScheduled = true;
      this.#clock.defer(this.#endTurn);
    }
  }

  readonly #endTurn = (): void => {
    this.#isFlushScheduled = false;
    this.#flush();
    if (!this.#isTurnFull) return;
    this.#isTurnFull = false;
    if (!this.#needsDrain && !this.#isOver) this.#handlers.drain();
  };

  #flush(): void {
    const writer = this.#writer;
    if (writer.length === 0 || this.#isOver) return;
    this.#writer = this.#spareWriters.pop() ?? new ByteWriter(16_384);
    this.#pendingWrites++;
    this.lastSentMs = this.#clock.monotonic();
    const hasRoom = this.transport.write(writer.bytes.subarray(0, writer.length), () => {
      writer.reset();
      if (this.#spareWriters.length < spareWritersMax) this.#spareWriters.push(writer);
      this.#pendingWrites--;
      if (this.isIdle && !this.#isOver) this.#handlers.idle();
    });
    if (!hasRoom) this.#needsDrain = true;
  }

  #drained(): void {
    if (!this.#needsDrain) return;
    this.#needsDrain = false;
    if (!this.#isTurnFull && !this.#isOver) this.#handlers.drain();
  }

  /** Stops after the packet in hand; what follows it waits, in the end at the server. */
  pause(): void {
    if (this.#isPaused || this.#isOver) return;
    this.#isPaused = true;
    this.transport.pause();
  }

  resume(): void {
    if (!this.#isPaused || this.#isOver) return;
    this.#isPaused = false;
    // While we did not listen the peer could not prove that it lives.
    this.lastReceivedMs = this.#clock.monotonic();
    this.#parse();
    if (!this.#isPaused && !this.#isOver) this.transport.resume();
  }

  #receive(chunk: Uint8Array): void {
    this.lastReceivedMs = this.#clock.monotonic();
    this.#framer.push(chunk);
    this.#parse();
  }

  #parse(): void {
    // A handler that pauses and resumes comes back here: the loop below goes on anyway.
    if (this.#isParsing) return;
    this.#isParsing = true;
    const framer = this.#framer;
    try {
      while (!this.#isPaused && !this.#isOver && framer.next()) {
        const packet = decodePacket(framer.bytes, framer.packetStart, framer.bodyStart, framer.end, this.version);
        this.#onPacket?.('received', packet, framer.end - framer.packetStart);
        this.#handlers.packet(packet);
      }
    } catch (error) {
      if (!(error instanceof MqttError)) throw error;
      this.#handlers.fault(error);
    } finally {
      this.#isParsing = false;
    }
  }

  #closed(error: Error | undefined): void {
    this.#isOver = true;
    this.#handlers.close(error);
  }

  /** Sends what was given, then closes. Nothing is received any more. */
  end(): void {
    this.#flush();
    this.#isOver = true;
    this.transport.end();
  }

  /** Closes now. */
  destroy(): void {
    this.#isOver = true;
    this.transport.destroy();
  }
}
