/** What one client and the broker say to each other: CONNECT, SUBSCRIBE, messages with their acknowledgements, PINGREQ, DISCONNECT. */
import { encodedBytes } from '../../src/codec/index.ts';
import type { Packet, PublishPacket } from '../../src/codec/packets.ts';
import { PacketType } from '../../src/protocol/packet-types.ts';
import { ReasonCode } from '../../src/protocol/reason-codes.ts';
import type { QoS } from '../../src/protocol/version.ts';
import type { SeededRandom } from './random.ts';
import { type FrameTaker, type Sender, TcpSegments } from './tcp-segments.ts';

interface Pending {
  readonly sender: Sender;
  readonly bytes: Uint8Array;
}

/** How often two packets of one sender share a segment. */
const coalescing = 0.05;
const quantities = ['temperature', 'humidity', 'pressure', 'vibration', 'current'];
const encoder = new TextEncoder();

export interface ConversationOptions {
  /** From 0; clients with an even number publish, the one after it has subscribed to that. */
  readonly number: number;
  readonly clientAddress: number;
  readonly clientPort: number;
  readonly serverAddress: number;
  /** MQTT packets after which the client leaves. */
  readonly lifetime: number;
}

export class MqttConversation {
  readonly number: number;
  /** MQTT packets that were sent. */
  packets = 0;
  isOpen = false;
  private readonly version: 4 | 5;
  private readonly random: SeededRandom;
  private readonly segments: TcpSegments;
  private readonly lifetime: number;
  private readonly site: string;
  private pending: Pending[] = [];
  private nextPending = 0;
  private readonly nextIdentifier: [number, number] = [1, 1];

  constructor(options: ConversationOptions, random: SeededRandom) {
    const { number, clientAddress, clientPort, serverAddress, lifetime } = options;
    this.number = number;
    this.random = random;
    this.lifetime = lifetime;
    this.version = number % 3 === 0 ? 5 : 4;
    this.site = `plant/${String(number >> 1).padStart(4, '0')}`;
    this.segments = new TcpSegments(clientAddress, clientPort, serverAddress, 1883, random.below(0x1_0000_0000));
  }

  get isSubscriber(): boolean {
    return this.number % 2 === 1;
  }

  get waiting(): number {
    return this.pending.length - this.nextPending;
  }

  /** Whether it has said what there was to say, and long enough. */
  get isAtEnd(): boolean {
    return this.isOpen && this.waiting === 0 && this.packets >= this.lifetime;
  }

  /** Has the next thing happen: the handshakes, or what is waiting, or something new. Returns how many MQTT packets were sent. */
  step(receiver: MqttConversation | undefined, time: number, take: FrameTaker): number {
    if (!this.isOpen) {
      this.isOpen = true;
      this.segments.open(time, take);
      this.connect();
    }
    if (this.waiting === 0) {
      if (this.isSubscriber || this.random.happens(0.01)) this.ping();
      else this.publish(receiver);
    }
    return this.send(time, take);
  }

  /** DISCONNECT and the end of the connection. */
  close(time: number, take: FrameTaker): void {
    this.pending = [];
    this.nextPending = 0;
    this.add(0, { type: PacketType.DISCONNECT, reasonCode: ReasonCode.success, properties: undefined });
    this.send(time, take);
    this.segments.close(time, take);
    this.isOpen = false;
  }

  private send(time: number, take: FrameTaker): number {
    const first = this.pending[this.nextPending++]!;
    let bytes = first.bytes;
    let sent = 1;
    const second = this.pending[this.nextPending];
    if (second !== undefined && second.sender === first.sender && this.random.happens(coalescing)) {
      this.nextPending++;
      sent = 2;
      bytes = Uint8Array.of(...first.bytes, ...second.bytes);
    }
    if (this.waiting === 0) {
      this.pending = [];
      this.nextPending = 0;
    }
    this.packets += sent;
    this.segments.data(first.sender, bytes, time, take);
    return sent;
  }

  private add(sender: Sender, packet: Packet): void {
    this.pending.push({ sender, bytes: encodedBytes(packet, this.version) });
  }

  private connect(): void {
    this.add(0, {
      type: PacketType.CONNECT,
      protocolVersion: this.version,
      isBridge: false,
      cleanStart: true,
      keepAlive: 60,
      clientIdentifier: `${this.isSubscriber ? 'dashboard' : 'sensor'}-${this.site.slice(6)}`,
      willMessage: this.isSubscriber
        ? undefined
        : {
            topicName: `${this.site}/state`,
            payload: encoder.encode('offline'),
            qos: 1,
            retain: true,
            properties: undefined,
          },
      username: undefined,
      password: undefined,
      properties: this.version === 5 ? { sessionExpiryInterval: 0, receiveMaximum: 20 } : undefined,
    });
    this.add(1, {
      type: PacketType.CONNACK,
      sessionPresent: false,
      reasonCode: ReasonCode.success,
      properties: this.version === 5 ? { topicAliasMaximum: 10, receiveMaximum: 20 } : undefined,
    });
    if (!this.isSubscriber) return;
    const packetIdentifier = this.identifier(0);
    const filter = this.number % 4 === 1 ? `${this.site}/#` : `${this.site}/+/+`;
    const subscription = {
      topicFilter: filter,
      qos: 2,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
    } as const;
    this.add(0, { type: PacketType.SUBSCRIBE, packetIdentifier, subscriptions: [subscription], properties: undefined });
    this.add(1, {
      type: PacketType.SUBACK,
      packetIdentifier,
      reasonCodes: [ReasonCode.grantedQos2],
      properties: undefined,
    });
  }

  private ping(): void {
    this.add(0, { type: PacketType.PINGREQ });
    this.add(1, { type: PacketType.PINGRESP });
  }

  /** A message to the broker, with its exchange, and to the client that subscribed to it. */
  private publish(receiver: MqttConversation | undefined): void {
    const { random } = this;
    const share = random.next();
    const qos: QoS = share < 0.6 ? 0 : share < 0.9 ? 1 : 2;
    const topicName = `${this.site}/line-${random.below(8)}/${quantities[random.below(quantities.length)]}`;
    const payload = this.payload();
    this.message(0, topicName, payload, qos);
    if (receiver?.isOpen === true) receiver.message(1, topicName, payload, qos);
  }

  private message(sender: Sender, topicName: string, payload: Uint8Array, qos: QoS): void {
    const other: Sender = sender === 0 ? 1 : 0;
    const packetIdentifier = qos === 0 ? 0 : this.identifier(sender);
    const hasProperties = this.version === 5 && this.random.happens(0.5);
    const publish: PublishPacket = {
      type: PacketType.PUBLISH,
      topicName,
      payload,
      qos,
      retain: false,
      dup: false,
      packetIdentifier,
      properties: hasProperties
        ? { contentType: 'text/plain', messageExpiryInterval: 3600, userProperties: [['unit', 'C']] }
        : undefined,
    };
    this.add(sender, publish);
    const answer = { packetIdentifier, reasonCode: ReasonCode.success, properties: undefined };
    if (qos === 1) this.add(other, { type: PacketType.PUBACK, ...answer });
    if (qos < 2) return;
    this.add(other, { type: PacketType.PUBREC, ...answer });
    this.add(sender, { type: PacketType.PUBREL, ...answer });
    this.add(other, { type: PacketType.PUBCOMP, ...answer });
  }

  private payload(): Uint8Array {
    const { random } = this;
    const kind = random.next();
    const value = (random.next() * 100).toFixed(2);
    if (kind < 0.6) return encoder.encode(value);
    if (kind < 0.9) return encoder.encode(`{"value":${value},"unit":"C","quality":"good","n":${this.packets}}`);
    if (kind < 0.995) return Uint8Array.from({ length: 16 }, () => random.below(256));
    return encoder.encode(`{"samples":[${Array.from({ length: 600 }, () => random.below(1000)).join(',')}]}`);
  }

  private identifier(sender: Sender): number {
    const identifier = this.nextIdentifier[sender];
    this.nextIdentifier[sender] = identifier === 65_535 ? 1 : identifier + 1;
    return identifier;
  }
}
