/**
 * Not a broker, but what a very fast one could be: it knows the generator's topics, trusts everything it reads, keeps no
 * sessions and passes runs of packets on without touching them. `--brokers probe` measures the generator with it: what the
 * generator carries here is the most that it can measure.
 *
 *     node bench/probe-broker.mjs PORT
 */
import { createServer } from 'node:net';

const connect = 1;
const publish = 3;
const puback = 4;
const pubrec = 5;
const pubrel = 6;
const subscribe = 8;

/** Filters as the generator subscribes to them → connections. */
const subscribers = new Map();
/** Topics → connections, until someone subscribes or leaves. */
const routes = new Map();
/** Connections with something to send at the end of this turn. */
let waiting = [];

createServer({ noDelay: true }, (socket) => {
  const connection = { socket, carry: undefined, out: [], isWaiting: false, packetIdentifier: 0 };
  socket.on('data', (chunk) => receive(connection, chunk));
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    routes.clear();
    for (const [filter, list] of subscribers) {
      subscribers.set(
        filter,
        list.filter((other) => other !== connection),
      );
    }
  });
}).listen(Number(process.argv[2]), '127.0.0.1');

function receive(connection, chunk) {
  const bytes = connection.carry === undefined ? chunk : Buffer.concat([connection.carry, chunk]);
  let offset = 0;
  while (offset < bytes.length) {
    const size = packetSize(bytes, offset);
    if (size === 0 || offset + size > bytes.length) break;
    offset = take(connection, bytes, offset, size);
  }
  connection.carry = offset === bytes.length ? undefined : bytes.subarray(offset);
}

/** Handles the packet at `offset`, or the run of PUBLISH packets that begins there, and returns where it ends. */
function take(connection, bytes, offset, size) {
  const end = offset + size;
  const body = bodyOffset(bytes, offset);
  switch (bytes[offset] >> 4) {
    case connect:
      send(connection, Buffer.of(0x20, 2, 0, 0));
      return end;
    case subscribe: {
      const filter = bytes.toString('latin1', body + 4, end - 1);
      routes.clear();
      subscribers.set(filter, [...(subscribers.get(filter) ?? []), connection]);
      send(connection, Buffer.of(0x90, 3, bytes[body], bytes[body + 1], bytes[end - 1]));
      return end;
    }
    case publish:
      return relay(connection, bytes, offset, size, body);
    case pubrec:
      send(connection, Buffer.of(0x62, 2, bytes[body], bytes[body + 1]));
      return end;
    case pubrel:
      send(connection, Buffer.of(0x70, 2, bytes[body], bytes[body + 1]));
      return end;
    default:
      return end;
  }
}

/** Packets that follow with the same length, flags and topic go the same way. */
function relay(connection, bytes, offset, size, body) {
  const topicEnd = body + 2 + bytes.readUInt16BE(body);
  let end = offset + size;
  while (end + size <= bytes.length && bytes.compare(bytes, offset, topicEnd, end, end + topicEnd - offset) === 0) {
    end += size;
  }
  const run = bytes.subarray(offset, end);
  const topic = bytes.toString('latin1', body + 2, topicEnd);
  const qos = (bytes[offset] >> 1) & 3;
  const receivers = receiversOf(topic);
  if (qos === 0) {
    for (const receiver of receivers) send(receiver, run);
    return end;
  }
  const identifierOffset = topicEnd - offset;
  for (const receiver of receivers) send(receiver, renumbered(receiver, run, size, identifierOffset));
  const acknowledgements = Buffer.allocUnsafe((run.length / size) * 4);
  for (let at = 0, from = identifierOffset; from < run.length; at += 4, from += size) {
    acknowledgements[at] = (qos === 1 ? puback : pubrec) << 4;
    acknowledgements[at + 1] = 2;
    acknowledgements[at + 2] = run[from];
    acknowledgements[at + 3] = run[from + 1];
  }
  send(connection, acknowledgements);
  return end;
}

/** Whoever subscribed to the topic by name or through one of the generator's wildcards; remembered, as brokers do. */
function receiversOf(topic) {
  let receivers = routes.get(topic);
  if (receivers === undefined) {
    const filters = [topic, topic.replace(/[^/]+$/, '+'), 'bench/+/+'];
    receivers = filters.map((filter) => subscribers.get(filter)).find((found) => found !== undefined) ?? [];
    routes.set(topic, receivers);
  }
  return receivers;
}

/** A copy of a run with packet identifiers of the receiver. */
function renumbered(receiver, run, size, identifierOffset) {
  const copy = Buffer.from(run);
  for (let at = identifierOffset; at < copy.length; at += size) {
    receiver.packetIdentifier = receiver.packetIdentifier === 65_535 ? 1 : receiver.packetIdentifier + 1;
    copy.writeUInt16BE(receiver.packetIdentifier, at);
  }
  return copy;
}

function send(connection, bytes) {
  connection.out.push(bytes);
  if (connection.isWaiting) return;
  connection.isWaiting = true;
  if (waiting.length === 0) setImmediate(flush);
  waiting.push(connection);
}

function flush() {
  const connections = waiting;
  waiting = [];
  for (const connection of connections) {
    const { out } = connection;
    connection.isWaiting = false;
    connection.out = [];
    connection.socket.write(out.length === 1 ? out[0] : Buffer.concat(out));
  }
}

function bodyOffset(bytes, offset) {
  let at = offset + 1;
  while (bytes[at] >= 0x80) at++;
  return at + 1;
}

/** Bytes of the packet at `offset`, or 0 while its header is incomplete. */
function packetSize(bytes, offset) {
  let remainingLength = 0;
  for (let digits = 0; digits < 4; digits++) {
    const at = offset + 1 + digits;
    if (at >= bytes.length) return 0;
    remainingLength |= (bytes[at] & 0x7f) << (7 * digits);
    if (bytes[at] < 0x80) return at + 1 - offset + remainingLength;
  }
  return 0;
}
