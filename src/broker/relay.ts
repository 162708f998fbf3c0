/**
 * The way of QoS 0 messages through the broker at full speed: neighbouring PUBLISH packets of one chunk on one topic are a *run*, and a
 * run goes to each receiver with one copy at most, as the bytes that came in. Nothing is decoded but the first topic of a run.
 *
 *     chunk   | PUBLISH t/1 | PUBLISH t/1 | PUBLISH t/1 | PUBLISH t/2 | …
 *             └────────────── run ──────────────────────┘ flush: route of t/1 → receivers
 *
 * What is special about a packet (a property, RETAIN, access rules that take time, packet logging, a hook) sends it the general way, through
 * `receivePublish`; what is special about a receiver sends the run to that one message by message.
 */
import { ByteWriter } from '../base/byte-writer.ts';
import { decodePublish } from '../codec/index.ts';
import type { Connection } from './connection.ts';
import type { BrokerContext } from './context.ts';
import { Message } from './message.ts';
import { mayTakeQuickWay } from './quick-way.ts';
import { deliver, deliverAll } from './route-delivery.ts';
import type { Receiver } from './routes.ts';

const noBytes = new Uint8Array(0);
/** Larger packets gain nothing from it. */
const relayedBytesMax = 1024 * 1024;
/** Bytes that a packet may gain from 3.1.1 to 5.0: its property length, and a longer Remaining Length. */
const transcodingGrowthMax = 2;

export class QosZeroRelay {
  readonly #context: BrokerContext;
  readonly #connection: Connection;
  #bytes: Uint8Array = noBytes;
  #start = 0;
  #end = 0;
  #count = 0;
  #payloadBytes = 0;
  #largestPacket = 0;

  constructor(context: BrokerContext, connection: Connection) {
    this.#context = context;
    this.#connection = connection;
  }

  /**
   * Takes the packet the framer stands at, whose first byte is 0x30, into a run.
   * @returns false if it must go the general way
   */
  take(): boolean {
    const { framer, knownTopic, version } = this.#connection;
    const { bytes, packetStart, bodyStart, end } = framer;
    const topicEnd = bodyStart + 2 + (((bytes[bodyStart] as number) << 8) | (bytes[bodyStart + 1] as number));
    let payloadStart = topicEnd;
    if (version === 5) {
      if (bytes[topicEnd] !== 0) return false;
      payloadStart++;
    }
    if (payloadStart > end || end - packetStart > relayedBytesMax) return false;
    if (!knownTopic.is(bytes, bodyStart, topicEnd)) {
      this.flush();
      if (!mayTakeQuickWay(this.#connection)) return false;
      if (!knownTopic.change(this.#context, bytes, packetStart, bodyStart, topicEnd, end, version)) return false;
      this.#startAt(bytes, packetStart);
    } else if (this.#count === 0) {
      if (!mayTakeQuickWay(this.#connection)) return false;
      this.#startAt(bytes, packetStart);
    } else if (this.#bytes !== bytes || this.#end !== packetStart) {
      this.flush();
      this.#startAt(bytes, packetStart);
    }
    this.#count++;
    this.#end = end;
    this.#payloadBytes += end - payloadStart;
    if (end - packetStart > this.#largestPacket) this.#largestPacket = end - packetStart;
    return true;
  }

  /** Sends the run on its way, and forgets the bytes. */
  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    this.#count = 0;
    this.#send(count);
    // A client that publishes now and then would keep a chunk each.
    this.#bytes = noBytes;
  }

  #send(count: number): void {
    const { counters, settings } = this.#context;
    counters.publishMessagesReceived += count;
    counters.publishBytesReceived += this.#payloadBytes;
    const route = this.#connection.knownTopic.route(this.#context);
    const bytes = this.#bytes;
    const publisher = this.#connection.session;
    const isV5 = this.#connection.version === 5;
    if (route.sharedGroups.length > 0) {
      // One Session may be in a group and among the receivers, and then wants the messages in one order.
      for (const message of this.#decode()) deliverAll(this.#context, route, message, publisher);
      return;
    }
    let messages: Message[] | undefined;
    let transcoded: ByteWriter | undefined;
    for (const receiver of route.receivers) {
      const { session } = receiver;
      const { connection } = session;
      if (connection === undefined && !settings.queueQos0Messages) continue;
      if (connection === undefined || !this.#takesRuns(receiver, connection)) {
        messages ??= this.#decode();
        for (const message of messages) deliver(this.#context, receiver, message, publisher);
      } else if (!connection.takesQos0()) {
        counters.publishMessagesDropped += count;
        counters.outboundBufferDropped += count;
      } else if ((connection.version === 5) === isV5) {
        connection.sendRun(bytes, this.#start, this.#end, count, this.#payloadBytes);
      } else {
        transcoded ??= transcode(bytes, this.#start, this.#end, isV5);
        connection.sendRun(transcoded.bytes, 0, transcoded.length, count, this.#payloadBytes);
      }
    }
  }

  #startAt(bytes: Uint8Array, packetStart: number): void {
    this.#bytes = bytes;
    this.#start = packetStart;
    this.#payloadBytes = 0;
    this.#largestPacket = 0;
  }

  /** Whether the receiver gets the bytes as they are, in one of the two versions' forms. */
  #takesRuns(receiver: Receiver, connection: Connection): boolean {
    return (
      (receiver.subscriptionIdentifiers === undefined || connection.version !== 5) &&
      receiver.noLocalAmong === undefined &&
      connection.outboundAliases === undefined &&
      connection.listener.settings.mountPoint === '' &&
      receiver.session.queue.qos0Count === 0 &&
      this.#largestPacket + transcodingGrowthMax <= connection.peerMaximumPacketSize
    );
  }

  #decode(): Message[] {
    const messages: Message[] = [];
    const bytes = this.#bytes;
    const { version, session } = this.#connection;
    for (let position = this.#start; position < this.#end; ) {
      const bodyStart = bodyStartOf(bytes, position);
      const end = bodyStart + remainingLengthOf(bytes, position);
      const packet = decodePublish(bytes, position, bodyStart, end, version);
      messages.push(new Message(packet.topicName, packet.payload, 0, false, undefined, 0, session?.identity));
      position = end;
    }
    return messages;
  }
}

/** Rewrites QoS 0 PUBLISH packets without properties from one version's form to the other's: 5.0 has a property length of 0. */
function transcode(bytes: Uint8Array, start: number, end: number, isFromV5: boolean): ByteWriter {
  const writer = new ByteWriter(end - start + 256);
  for (let position = start; position < end; ) {
    const bodyStart = bodyStartOf(bytes, position);
    const remainingLength = remainingLengthOf(bytes, position);
    const packetEnd = bodyStart + remainingLength;
    const topicEnd = bodyStart + 2 + (((bytes[bodyStart] as number) << 8) | (bytes[bodyStart + 1] as number));
    writer.ensure(packetEnd - position + 5);
    writer.writeUint8(0x30);
    writer.writeVariableByteInteger(isFromV5 ? remainingLength - 1 : remainingLength + 1);
    writer.writeBytes(bytes.subarray(bodyStart, topicEnd));
    if (!isFromV5) writer.writeUint8(0);
    writer.writeBytes(bytes.subarray(isFromV5 ? topicEnd + 1 : topicEnd, packetEnd));
    position = packetEnd;
  }
  return writer;
}

function bodyStartOf(bytes: Uint8Array, packetStart: number): number {
  let offset = packetStart + 1;
  while ((bytes[offset++] as number) >= 0x80);
  return offset;
}

function remainingLengthOf(bytes: Uint8Array, packetStart: number): number {
  let value = 0;
  let shift = 0;
  for (let offset = packetStart + 1; ; offset++) {
    const byte = bytes[offset] as number;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
    shift += 7;
  }
}
