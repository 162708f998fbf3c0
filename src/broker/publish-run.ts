/**
 * The quick way of QoS 1 and 2: neighbouring packets of one chunk that are alike are handled together, in the order in which one
 * after the other would have been handled.
 *
 *     chunk   | PUBLISH t/1 q1 | PUBLISH t/1 q1 | PUBLISH t/1 q1 | …      one route, one copy for each receiver,
 *             └──────────── run, at most 4 KiB ─────────────────┘         then PUBACK, PUBACK, PUBACK
 *
 * At QoS 2 there are two runs: the PUBLISH packets, which are kept, and the PUBREL packets that send them on.
 *
 * What is special about a packet (DUP, RETAIN, a property), or about its connection, leaves it to `receivePublish`; what is special about a
 * receiver leaves it to `deliver`, message by message. A run ends where its publisher might have to wait for a receiver.
 */
import { isShortAcknowledge, shortAcknowledgeSize } from '../codec/index.ts';
import { PacketType } from '../protocol/packet-types.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import type { QoS } from '../protocol/version.ts';
import type { Connection } from './connection.ts';
import type { BrokerContext } from './context.ts';
import { isOwn, Message } from './message.ts';
import { unreleasedBytesMax } from './publish.ts';
import { mayTakeQuickWay } from './quick-way.ts';
import { deliver } from './route-delivery.ts';
import type { Receiver, Route } from './routes.ts';
import type { Session } from './session.ts';
import { runMessagesMax } from './session-output.ts';

/** A message that stays for long keeps the run it came in, or this much, in memory. */
const runBytesMax = 4096;
/** Bytes of a Packet Identifier, with the property length of MQTT 5. */
const identifierBytes = 2;

/** Of the run in hand. Nothing that is called while it is filled or read handles another run. */
const identifiers = new Uint16Array(runMessagesMax);
const starts = new Int32Array(runMessagesMax + 1);
const identifierStarts = new Int32Array(runMessagesMax);

/**
 * Handles the PUBLISH that the framer stands at, of QoS 1 or 2 without DUP and RETAIN, and those like it behind it.
 * @returns false, and nothing happens, if it must go the general way
 */
export function takePublishRun(connection: Connection): boolean {
  const { context, framer, knownTopic } = connection;
  const session = connection.session as Session;
  const { bytes, packetStart, bodyStart, end } = framer;
  const qos = (((bytes[packetStart] as number) >> 1) & 3) as QoS;
  const topicEnd = bodyStart + 2 + (((bytes[bodyStart] as number) << 8) | (bytes[bodyStart + 1] as number));
  if (topicEnd + identifierBytes > end || qos > connection.listener.settings.maxQos) return false;
  if (!mayTakeQuickWay(connection) || context.store?.isRefusingWork === true) return false;
  if (!knownTopic.is(bytes, bodyStart, topicEnd)) {
    if (!knownTopic.change(context, bytes, packetStart, bodyStart, topicEnd, end, connection.version)) return false;
  }
  const route = knownTopic.route(context);
  let limit: number;
  if (qos === 2) limit = Math.min(runMessagesMax, session.inbound.receiveMaximum - session.inbound.count);
  else if (route.sharedGroups.length > 0 || session.inbound.isFull) return false;
  else limit = runLimit(route);
  const count = findRun(connection, topicEnd - bodyStart, limit);
  if (count === 0) return false;
  const runBytes = (starts[count] as number) - packetStart;
  if (qos === 2 && session.inboundBytes + runBytes > unreleasedBytesMax) return false;

  framer.skipTo(starts[count] as number);
  const messages = messagesOf(bytes, packetStart, runBytes, count, connection, route.topicName, qos);
  const { counters, store } = context;
  counters.messagesReceived += count - 1;
  counters.publishMessagesReceived += count;
  const staged = store?.stagedCount;
  if (qos === 2) keepRun(session, messages);
  else deliverRun(context, route, messages, session);
  for (const message of messages) counters.publishBytesReceived += message.payloadLength;
  const reasonCode = qos === 1 && route.isEmpty ? ReasonCode.noMatchingSubscribers : ReasonCode.success;
  acknowledgeRun(connection, qos === 1 ? PacketType.PUBACK : PacketType.PUBREC, reasonCode, messages, staged);
  return true;
}

/**
 * Looks for packets like the one that the framer stands at, itself included, and puts where they are into `starts`, `identifierStarts`
 * and `identifiers`; `starts` has the end of the last, too.
 * @param nameBytes of the Topic Name, with its length
 * @returns how many there are; 0 if the first is not fit for a run
 */
function findRun({ framer, version }: Connection, nameBytes: number, limit: number): number {
  const { bytes, packetStart, bodyStart, limit: chunkEnd, maximumPacketSize } = framer;
  const isV5 = version === 5;
  const firstByte = bytes[packetStart] as number;
  let start = packetStart;
  let body = bodyStart;
  let { end } = framer;
  starts[0] = start;
  for (let count = 0; ; ) {
    const identifierStart = body + nameBytes;
    const payloadStart = identifierStart + identifierBytes + (isV5 ? 1 : 0);
    if (payloadStart > end || (isV5 && bytes[payloadStart - 1] !== 0)) return count;
    const identifier = ((bytes[identifierStart] as number) << 8) | (bytes[identifierStart + 1] as number);
    if (identifier === 0 || count >= limit) return count;
    identifiers[count] = identifier;
    identifierStarts[count] = identifierStart;
    count++;
    starts[count] = end;

    start = end;
    if (start + 3 > chunkEnd || bytes[start] !== firstByte) return count;
    let remainingLength = bytes[start + 1] as number;
    body = start + 2;
    if (remainingLength > 0x7f) {
      const second = bytes[body] as number;
      if (second === 0 || second > 0x7f) return count;
      remainingLength = (remainingLength & 0x7f) | (second << 7);
      body++;
    }
    end = body + remainingLength;
    if (end > chunkEnd || end - start > maximumPacketSize || end - packetStart > runBytesMax) return count;
    if (remainingLength < nameBytes) return count;
    for (let index = nameBytes - 1; index >= 0; index--) {
      if (bytes[body + index] !== bytes[bodyStart + index]) return count;
    }
  }
}

/** Makes messages of what `findRun` found. They are left where they are, unless that would keep much more than themselves in memory. */
function messagesOf(
  bytes: Uint8Array,
  packetStart: number,
  runBytes: number,
  count: number,
  { version, session }: Connection,
  topicName: string,
  qos: QoS,
): Message[] {
  const isKept = bytes.buffer.byteLength <= runBytesMax || isOwn(bytes, runBytes);
  // Not of a Buffer, which would share its memory.
  const packets = isKept ? bytes : Uint8Array.prototype.slice.call(bytes, packetStart, packetStart + runBytes);
  const shift = isKept ? 0 : packetStart;
  const identifierSize = identifierBytes + (version === 5 ? 1 : 0);
  const messages = new Array<Message>(count);
  for (let index = 0; index < count; index++) {
    const identifierStart = (identifierStarts[index] as number) - shift;
    messages[index] = Message.ofPacket(
      topicName,
      packets,
      (starts[index] as number) - shift,
      identifierStart,
      identifierStart + identifierSize,
      (starts[index + 1] as number) - shift,
      qos,
      session?.identity,
    );
  }
  return messages;
}

/** QoS 2: keeps the messages of a run until their PUBREL comes; one whose identifier is open already came before. [MQTT-4.3.3-10] */
function keepRun(session: Session, messages: readonly Message[]): void {
  const { inbound, store } = session;
  messages.forEach((message, index) => {
    const packetIdentifier = identifiers[index] as number;
    if (inbound.begin(packetIdentifier, message) === 'duplicate') return;
    session.inboundBytes += message.payloadLength;
    store?.putInbound(session.clientIdentifier, { packetIdentifier, message });
  });
}

/**
 * Handles the PUBREL that the framer stands at, in its short form, and those behind it whose messages have the same topic.
 * @returns false, and nothing happens, if it must go the general way
 */
export function takePubrelRun(connection: Connection): boolean {
  const { context, framer } = connection;
  if (context.settings.allowDuplicateMessages) return false;
  const session = connection.session as Session;
  const { inbound } = session;
  const { bytes, packetStart, limit: chunkEnd } = framer;
  const firstByte = bytes[packetStart] as number;
  const messages: Message[] = [];
  let route: Route | undefined;
  let limit = runMessagesMax;
  let position = packetStart;
  while (messages.length < limit) {
    const packetIdentifier = ((bytes[position + 2] as number) << 8) | (bytes[position + 3] as number);
    const message = inbound.get(packetIdentifier);
    if (message?.packet === undefined) break;
    if (route === undefined) {
      route = context.routes.of(message.topicName);
      if (route.sharedGroups.length > 0) return false;
      limit = runLimit(route);
    } else if (message.topicName !== route.topicName || message.isPacketV5 !== messages[0]?.isPacketV5) {
      break;
    }
    inbound.release(packetIdentifier);
    session.inboundBytes -= message.payloadLength;
    identifiers[messages.length] = packetIdentifier;
    messages.push(message);
    position += shortAcknowledgeSize;
    if (!isShortAcknowledge(bytes, position, chunkEnd, firstByte)) break;
  }
  if (route === undefined) return false;
  framer.skipTo(position);
  context.counters.messagesReceived += messages.length - 1;
  const staged = context.store?.stagedCount;
  deliverRun(context, route, messages, session);
  const { store } = session;
  if (store !== undefined) {
    messages.forEach((message, index) => {
      store.deleteInbound(session.clientIdentifier, { packetIdentifier: identifiers[index] as number, message });
    });
  }
  acknowledgeRun(connection, PacketType.PUBCOMP, ReasonCode.success, messages, staged);
  return true;
}

/** How many messages may be routed before it must be looked whether their publisher is to wait for a receiver; at least one. */
function runLimit(route: Route): number {
  let limit = runMessagesMax;
  for (const { session } of route.receivers) {
    if (session.connection !== undefined && session.runRoom < limit) limit = session.runRoom;
  }
  return Math.max(1, limit);
}

/** Offers messages of one topic and form to everyone on their route: to each all at once where that is possible. */
function deliverRun(
  context: BrokerContext,
  route: Route,
  messages: readonly Message[],
  publisher: Session | undefined,
): void {
  let largestPacket = 0;
  for (const { packetStart, packetEnd } of messages) {
    if (packetEnd - packetStart > largestPacket) largestPacket = packetEnd - packetStart;
  }
  const first = messages[0] as Message;
  let others: Receiver[] | undefined;
  for (const receiver of route.receivers) {
    if (takesRuns(receiver, first, largestPacket)) {
      receiver.session.offerRun(messages);
    } else {
      others ??= [];
      others.push(receiver);
    }
  }
  if (others === undefined) return;
  // Message by message, so that a form that several of them want is made once.
  for (const message of messages) for (const receiver of others) deliver(context, receiver, message, publisher);
}

/** Whether the receiver gets messages like this one in the bytes they came in. */
function takesRuns(receiver: Receiver, message: Message, largestPacket: number): boolean {
  const { session } = receiver;
  const { connection } = session;
  return (
    connection !== undefined &&
    receiver.qos === message.qos &&
    (receiver.subscriptionIdentifiers === undefined || connection.version !== 5) &&
    receiver.noLocalAmong === undefined &&
    session.store === undefined &&
    connection.takesPackets(message.isPacketV5) &&
    largestPacket <= connection.peerMaximumPacketSize
  );
}

/** Acknowledges the messages of a run, whose Packet Identifiers are in `identifiers`; see `acknowledgeWhenSafe`. */
function acknowledgeRun(
  connection: Connection,
  type: typeof PacketType.PUBACK | typeof PacketType.PUBREC | typeof PacketType.PUBCOMP,
  reasonCode: ReasonCode,
  messages: readonly Message[],
  staged: number | undefined,
): void {
  const { store } = connection.context;
  const isSafe = staged === store?.stagedCount && !connection.holdsBack;
  if (isSafe && (reasonCode === ReasonCode.success || connection.version !== 5)) {
    connection.sendAcknowledges(type, identifiers, messages.length);
    return;
  }
  messages.forEach((message, index) => {
    const delivered = type === PacketType.PUBACK ? message : undefined;
    connection.acknowledgeWhenSafe(type, identifiers[index] as number, reasonCode, undefined, staged, delivered);
  });
}
