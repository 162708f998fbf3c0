/** What the broker counts: one number each, raised where it happens, and the table that says what they mean. */

/**
 * Plain fields, so that `counters.messagesReceived++` is one store; nothing here is reset while the broker runs. Beside the
 * totals there are two that go up and down: `clientsConnected`, and `clientsMaximum` which follows it.
 */
export class Counters {
  // Traffic, as Mosquitto counts it.
  bytesReceived = 0;
  bytesSent = 0;
  messagesReceived = 0;
  messagesSent = 0;
  publishMessagesReceived = 0;
  publishMessagesSent = 0;
  publishMessagesDropped = 0;
  publishBytesReceived = 0;
  publishBytesSent = 0;
  socketsAccepted = 0;
  connectionsAccepted = 0;
  clientsExpired = 0;
  // What happened at a limit.
  connectionsRefused = 0;
  connectTimeouts = 0;
  keepAliveTimeouts = 0;
  packetsTooLarge = 0;
  outboundTooLarge = 0;
  outboundBufferDropped = 0;
  inflightWaits = 0;
  queueDroppedCount = 0;
  queueDroppedBytes = 0;
  receiveMaximumExceeded = 0;
  messageSizeRefused = 0;
  memoryLimitRefused = 0;
  topicLevelsRefused = 0;
  subscriptionLimitRefused = 0;
  retainedRefused = 0;
  storeRefused = 0;
  messagesExpired = 0;
  publishersHeld = 0;
  captureFrames = 0;
  captureLost = 0;
  receiversLeftBehind = 0;
  // What peers did wrong or were not allowed to do.
  malformedPackets = 0;
  protocolErrors = 0;
  authenticationFailures = 0;
  connectRefused = 0;
  publishRefused = 0;
  subscribeRefused = 0;
  sessionTakeOvers = 0;
  // Now.
  storeInTrouble = 0;
  clientsMaximum = 0;
  #clientsConnected = 0;

  /** Clients that are connected; the only one that is also lowered. */
  get clientsConnected(): number {
    return this.#clientsConnected;
  }

  set clientsConnected(count: number) {
    this.#clientsConnected = count;
    if (count > this.clientsMaximum) this.clientsMaximum = count;
  }
}

export type CounterName = keyof Counters;

export interface CounterRow {
  /** A `counter` only grows; a `gauge` is a value of the moment. */
  readonly kind: 'counter' | 'gauge';
  /** The topic on which its value is published. */
  readonly topic: string;
  /** One line, for `$SYS` documentation and metrics. */
  readonly description: string;
}

function counter(topic: string, description: string): CounterRow {
  return { kind: 'counter', topic: `$SYS/broker/${topic}`, description };
}

function gauge(topic: string, description: string): CounterRow {
  return { kind: 'gauge', topic: `$SYS/broker/${topic}`, description };
}

/** Every counter; those that Mosquitto has stand on its topics, ours under `$SYS/broker/clearwing/`. */
export const counterRows: Readonly<Record<CounterName, CounterRow>> = {
  bytesReceived: counter('bytes/received', 'Bytes received.'),
  bytesSent: counter('bytes/sent', 'Bytes sent.'),
  messagesReceived: counter('messages/received', 'MQTT Control Packets of any type received.'),
  messagesSent: counter('messages/sent', 'MQTT Control Packets of any type sent.'),
  publishMessagesReceived: counter('publish/messages/received', 'PUBLISH packets received.'),
  publishMessagesSent: counter('publish/messages/sent', 'PUBLISH packets sent.'),
  publishMessagesDropped: counter(
    'publish/messages/dropped',
    'Messages that were not delivered to a subscriber because a limit was reached.',
  ),
  publishBytesReceived: counter('publish/bytes/received', 'Payload bytes of PUBLISH packets received.'),
  publishBytesSent: counter('publish/bytes/sent', 'Payload bytes of PUBLISH packets sent.'),
  socketsAccepted: counter('clearwing/connections/sockets', 'Network connections accepted.'),
  connectionsAccepted: counter('clearwing/connections/accepted', 'CONNECT packets answered with success.'),
  clientsExpired: counter('clients/expired', 'Sessions without connection that ended because their expiry came.'),
  connectionsRefused: counter(
    'clearwing/limits/connections_refused',
    'Connections refused because max_connections or max_connections_total was reached.',
  ),
  connectTimeouts: counter(
    'clearwing/limits/connect_timeouts',
    'Connections closed because no CONNECT came within connect_timeout.',
  ),
  keepAliveTimeouts: counter(
    'clearwing/limits/keep_alive_timeouts',
    'Connections closed because nothing came for one and a half times the keep alive.',
  ),
  packetsTooLarge: counter(
    'clearwing/limits/packets_too_large',
    'Connections closed because a packet was larger than max_packet_size.',
  ),
  outboundTooLarge: counter(
    'clearwing/limits/outbound_too_large',
    'Messages not sent because they are larger than the Maximum Packet Size of the client.',
  ),
  outboundBufferDropped: counter(
    'clearwing/limits/outbound_buffer_dropped',
    'QoS 0 messages dropped because max_outbound_buffer of the connection was full.',
  ),
  inflightWaits: counter(
    'clearwing/limits/inflight_waits',
    'Deliveries that had to wait because max_inflight_messages, max_inflight_bytes or Receive Maximum was reached.',
  ),
  queueDroppedCount: counter(
    'clearwing/limits/queue_dropped_count',
    'Messages dropped because max_queued_messages of the session was reached.',
  ),
  queueDroppedBytes: counter(
    'clearwing/limits/queue_dropped_bytes',
    'Messages dropped because max_queued_bytes of the session was reached.',
  ),
  receiveMaximumExceeded: counter(
    'clearwing/limits/receive_maximum_exceeded',
    'Connections closed because the client had more unacknowledged PUBLISH packets than the Receive Maximum.',
  ),
  messageSizeRefused: counter(
    'clearwing/limits/message_size_refused',
    'Messages refused because their payload is larger than message_size_limit.',
  ),
  memoryLimitRefused: counter(
    'clearwing/limits/memory_limit_refused',
    'Requests refused because memory_limit was reached.',
  ),
  topicLevelsRefused: counter(
    'clearwing/limits/topic_levels_refused',
    'Topic Names and Topic Filters refused because they have more than max_topic_levels.',
  ),
  subscriptionLimitRefused: counter(
    'clearwing/limits/subscription_limit_refused',
    'Subscriptions refused because max_subscriptions_per_client was reached.',
  ),
  captureFrames: counter('clearwing/capture/frames', 'Frames recorded by the tap, for files and for those who watch.'),
  captureLost: counter(
    'clearwing/capture/lost',
    'Chunks that the tap did not record because the file or whoever watches could not keep up.',
  ),
  retainedRefused: counter(
    'clearwing/limits/retained_refused',
    'Messages delivered but not retained because max_retained_messages was reached.',
  ),
  storeRefused: counter(
    'clearwing/limits/store_refused',
    'Requests refused because the store is in trouble and what they ask for could be lost.',
  ),
  messagesExpired: counter(
    'clearwing/messages/expired',
    'Messages not delivered to a subscriber because their Message Expiry Interval had passed.',
  ),
  publishersHeld: counter(
    'clearwing/flow/publishers_held',
    'Times a publisher was not read for a moment, so that receivers could catch up.',
  ),
  receiversLeftBehind: counter(
    'clearwing/flow/receivers_left_behind',
    'Times a receiver was too slow for publishers to wait for it.',
  ),
  malformedPackets: counter('clearwing/errors/malformed_packets', 'Connections closed because of malformed bytes.'),
  protocolErrors: counter(
    'clearwing/errors/protocol_errors',
    'Connections closed because of a well-formed packet that was not allowed.',
  ),
  authenticationFailures: counter(
    'clearwing/refused/authentication',
    'Clients refused for their user name, password or other credentials.',
  ),
  connectRefused: counter('clearwing/refused/connect', 'CONNECT packets refused, for whatever reason.'),
  publishRefused: counter('clearwing/refused/publish', 'PUBLISH packets refused, for whatever reason.'),
  subscribeRefused: counter('clearwing/refused/subscribe', 'Subscriptions refused, for whatever reason.'),
  sessionTakeOvers: counter(
    'clearwing/connections/taken_over',
    'Connections closed because another one came with the same Client Identifier.',
  ),
  storeInTrouble: gauge(
    'clearwing/store/in_trouble',
    'Is 1 while the store cannot keep what it is given and new work for it is refused, otherwise 0.',
  ),
  clientsMaximum: gauge('clients/maximum', 'The largest number of clients connected at the same time.'),
  clientsConnected: gauge('clients/connected', 'Clients that are connected.'),
};
