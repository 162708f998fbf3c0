/**
 * The client library as people see it: the documentation lives on these interfaces. `client/node.ts` and `client/web.ts`
 * export `connect`, which differ only in the transports they offer.
 */
import type {
  AcknowledgePacket,
  ConnackPacket,
  Packet,
  PublishPacket,
  SubackPacket,
  UnsubackPacket,
} from '../codec/packets.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import type { ReasonCode } from '../protocol/reason-codes.ts';
import type { ProtocolVersion, QoS } from '../protocol/version.ts';
import type { Transport } from '../transport/transport.ts';

/** TLS settings; in the browser the browser's own apply and these are refused. PEM text or bytes. */
export interface TlsOptions {
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  readonly passphrase?: string;
  readonly servername?: string;
  readonly alpnProtocols?: readonly string[];
  readonly ciphers?: string;
  readonly minVersion?: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  readonly maxVersion?: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  /** Default true: the server's certificate must be valid. */
  readonly rejectUnauthorized?: boolean;
  /** Default true: the server's certificate must be for its host name. */
  readonly checkServerIdentity?: boolean;
  readonly psk?: { readonly identity: string; readonly key: Uint8Array };
}

/** Where and how to connect. */
export interface Endpoint {
  readonly protocol: 'mqtt' | 'mqtts' | 'ws' | 'wss' | 'unix';
  readonly host: string;
  readonly port: number;
  /** Path of the WebSocket resource or of the Unix socket. */
  readonly path: string;
}

export interface WillOptions {
  readonly topicName: string;
  /** Default empty. Text is sent as UTF-8. */
  readonly payload?: string | Uint8Array;
  readonly qos?: QoS;
  readonly retain?: boolean;
  readonly properties?: PropertiesOf<'WILL'>;
}

/**
 * How to come back after a connection was lost. Delays double from the first to the last, with up to 20 % taken off by chance, and
 * start over once a connection has lasted for the last delay.
 */
export interface ReconnectPolicy {
  /** Milliseconds before the first attempt. Default 1,000. */
  readonly firstDelayMs?: number;
  /** Milliseconds at most between attempts. Default 30,000. */
  readonly lastDelayMs?: number;
  /** Attempts without success before the client gives up. Default no limit. */
  readonly attemptsMax?: number;
  /** Also retry when the very first connection cannot be made. Default false. */
  readonly initially?: boolean;
}

export interface ConnectOptions {
  /** 3 (MQTT 3.1), 4 (3.1.1) or 5. Default 5. */
  readonly protocolVersion?: ProtocolVersion;
  /** Default: made up at random, so that the Session can be resumed; `''` lets the server assign one. */
  readonly clientIdentifier?: string;
  /** Default true. */
  readonly cleanStart?: boolean;
  /** Seconds the Session outlives the connection (5.0). Default 0. For 3.1 and 3.1.1 `cleanStart` alone decides. */
  readonly sessionExpiryInterval?: number;
  /** Seconds, 0 for none. Default 60. */
  readonly keepAlive?: number;
  readonly username?: string;
  readonly password?: string | Uint8Array;
  readonly will?: WillOptions;
  /** Further CONNECT properties (5.0). */
  readonly properties?: PropertiesOf<'CONNECT'>;
  /** Milliseconds for connection and CONNACK together. Default 30,000. */
  readonly connectTimeoutMs?: number;
  /** `false` for one connection only. Default: the policy's defaults. */
  readonly reconnect?: ReconnectPolicy | false;
  /** Messages that may wait while there is no connection (or no quota); over it `publish` rejects. Default 10,000. */
  readonly offlineQueueMax?: number;
  /** Use Topic Aliases towards the server as far as it allows. Default false. */
  readonly useTopicAliases?: boolean;
  /** Unread messages of an iterator or slow callbacks after which the connection is not read any more. Default 1,000. */
  readonly receiveQueueMax?: number;
  readonly tls?: TlsOptions;
  /** Local address to connect from (Node). */
  readonly localAddress?: string;
  /** SOCKS5 proxy: `socks5h://[username[:password]@]host[:port]` (Node). */
  readonly proxy?: string;
  /** TCP_NODELAY. Default true (Node). */
  readonly noDelay?: boolean;
  /** Extra headers of the WebSocket upgrade (Node). */
  readonly headers?: Readonly<Record<string, string>>;
  /** Answers AUTH challenges of enhanced authentication (5.0). */
  readonly authenticate?: (data: Uint8Array | undefined) => Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Ends the attempt to connect, or the client. */
  readonly signal?: AbortSignal;
  /**
   * Takes the messages that no subscription of this client explains: those a resumed Session had kept, which come before any
   * `subscribe`. Back-pressure and acknowledgement as with `SubscribeOptions.onMessage`.
   */
  readonly onMessage?: (message: ReceivedMessage) => void | Promise<void>;
  /** Sees every packet sent and received, with its size in bytes, for debugging. */
  readonly onPacket?: (direction: 'sent' | 'received', packet: Packet, size: number) => void;
  /** Makes the byte stream itself, for tests and for transports of one's own. */
  readonly transport?: (endpoint: Endpoint) => Promise<Transport>;
}

export interface PublishOptions {
  /** Default 0. */
  readonly qos?: QoS;
  readonly retain?: boolean;
  readonly properties?: PropertiesOf<'PUBLISH'>;
  readonly signal?: AbortSignal;
}

export interface SubscribeOptions {
  /** Default 0. */
  readonly qos?: QoS;
  readonly noLocal?: boolean;
  readonly retainAsPublished?: boolean;
  readonly retainHandling?: 0 | 1 | 2;
  readonly properties?: PropertiesOf<'SUBSCRIBE'>;
  /**
   * Takes each message instead of the iterator. While a promise it returned is pending the next message waits, and in the end the server.
   * At QoS 1 and 2 the message is acknowledged when it is done; if it throws, with Reason Code 0x80 (5.0), and there is an `error` event.
   */
  readonly onMessage?: (message: ReceivedMessage) => void | Promise<void>;
  readonly signal?: AbortSignal;
}

/** A message that came in. */
export interface ReceivedMessage {
  readonly topicName: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  /** 0 at QoS 0. */
  readonly packetIdentifier: number;
  readonly properties: PropertiesOf<'PUBLISH'> | undefined;
  /** The payload as UTF-8 text; bytes that are none become U+FFFD. */
  text(): string;
}

/**
 * A subscription: `for await (const message of subscription)`, until `unsubscribe`, `end` or the end of the client; if the client came to
 * its end through an error the loop throws it. A message is acknowledged when the loop asks for the next one. Leaving the loop
 * unsubscribes and lets go of what was not read. Without `onMessage`, messages wait for a loop and in the end hold the server back,
 * unless the client has a listener for `message`, which then takes the place of the loop.
 */
export interface Subscription extends AsyncIterable<ReceivedMessage> {
  readonly topicFilters: readonly string[];
  /** What the server granted, one for each filter. */
  readonly reasonCodes: readonly ReasonCode[];
  readonly suback: SubackPacket;
  /** Unsubscribes from the filters that no other subscription of this client has. What came before is still delivered. */
  unsubscribe(options?: { properties?: PropertiesOf<'UNSUBSCRIBE'> }): Promise<UnsubackPacket>;
}

export type ClientState = 'connecting' | 'connected' | 'reconnecting' | 'closing' | 'closed';

export interface ClientEvents {
  /** Each CONNACK that accepted, also after a reconnect. */
  connect: (connack: ConnackPacket) => void;
  /** The connection went away; `willReconnect` says whether the client tries again. */
  disconnect: (error: Error | undefined, willReconnect: boolean) => void;
  /** Every message, whichever subscription it is for; also those that no subscription of this client explains. */
  message: (message: ReceivedMessage) => void;
  /** Something failed in the background. */
  error: (error: Error) => void;
  /** After `publishNow` returned false: there is room again. */
  drain: () => void;
}

/** A connected Client. Every promise rejects with an `MqttError`. */
export interface Client {
  readonly state: ClientState;
  /** The one in use, assigned by the server if it was left to it. */
  readonly clientIdentifier: string;
  readonly protocolVersion: ProtocolVersion;
  /** The CONNACK of the connection in use, or of the last one. */
  readonly connack: ConnackPacket;
  /** Resolves when the client is closed for good, with the reason if there was one. It never rejects. */
  readonly closed: Promise<Error | undefined>;
  /**
   * Publishes. Resolves at QoS 0 when the packet was handed to the transport (waiting for back-pressure), at QoS 1 with the PUBACK,
   * at QoS 2 with the PUBCOMP (or the PUBREC that refused).
   * @throws {RefusedError} the server answered with a Reason Code of 0x80 or above
   */
  publish(
    topicName: string,
    payload: string | Uint8Array,
    options?: PublishOptions,
  ): Promise<AcknowledgePacket | undefined>;
  /**
   * Publishes without a promise, for streams of messages: false means that the message was taken but that the next should wait for the
   * `drain` event. What goes wrong later, such as a refusal at QoS 1 and 2, is an `error` event; `drain()` waits for the acknowledgements.
   * @throws {MqttError} the message cannot be sent at all, or the queue is full
   */
  publishNow(topicName: string, payload: string | Uint8Array, options?: PublishOptions): boolean;
  /**
   * Subscribes and resolves with the SUBACK's arrival.
   * @throws {RefusedError} every filter was refused (if only some were, `reasonCodes` says which)
   */
  subscribe(topicFilters: string | readonly string[], options?: SubscribeOptions): Promise<Subscription>;
  unsubscribe(
    topicFilters: string | readonly string[],
    options?: { properties?: PropertiesOf<'UNSUBSCRIBE'> },
  ): Promise<UnsubackPacket>;
  /**
   * Publishes a request with Response Topic and Correlation Data and resolves with the first answer to it.
   * @throws {TimeoutError} none came within `timeoutMs` (default 10,000)
   */
  request(
    topicName: string,
    payload: string | Uint8Array,
    options?: PublishOptions & { readonly timeoutMs?: number; readonly responseTopic?: string },
  ): Promise<ReceivedMessage>;
  /** Sends PINGREQ and resolves with the round-trip time in milliseconds. */
  ping(): Promise<number>;
  /**
   * Authenticates again on the open connection (5.0), with the `authenticate` option answering the server's challenges. [MQTT 5.0 §4.12.1]
   * @param data Authentication Data of the first AUTH
   * @throws {ConnectionClosedError} the server refused, which ends the connection
   */
  reauthenticate(data?: Uint8Array): Promise<void>;
  on<E extends keyof ClientEvents>(event: E, listener: ClientEvents[E]): this;
  off<E extends keyof ClientEvents>(event: E, listener: ClientEvents[E]): this;
  /** Waits until everything that was published is acknowledged and sent. */
  drain(): Promise<void>;
  /**
   * Drains, sends DISCONNECT and closes. Without a connection there is nobody to wait for: what was not acknowledged rejects. With
   * `force` that is so in any case.
   */
  end(options?: {
    readonly reasonCode?: ReasonCode;
    readonly properties?: PropertiesOf<'DISCONNECT'>;
    readonly force?: boolean;
  }): Promise<void>;
  /** Drops the connection without DISCONNECT, as a crash would: the server publishes the will. No reconnect. */
  destroy(): void;
}

export type { PublishPacket };
