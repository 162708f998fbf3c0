/** What a connection carries: decided by its first bytes, and then dissected by the stages that it takes. */
import type { Direction, Flow } from '../capture/flow.ts';
import type { Frame } from '../capture/frame.ts';
import type { StreamChunk } from '../capture/stream-chunk.ts';
import type { ApplicationName, DecodeAsRule } from './decode-as.ts';
import { HttpStream } from './http-stream.ts';
import type { Conversations } from './mqtt/conversations.ts';
import { MqttStream } from './mqtt/mqtt-stream.ts';
import {
  type Expectation,
  expectOnTcp,
  expectWithinTls,
  isConnect,
  type Recognition,
  recognise,
  recognitionBytes,
} from './recognise.ts';
import { SegmentBuffer } from './segment-buffer.ts';
import type { StreamDissector, UpperLayer } from './stream-dissector.ts';
import type { TlsDecryption } from './tls-decryption.ts';
import { TlsStream } from './tls-stream.ts';
import { WebSocketStream } from './web-socket-stream.ts';

/** What `Dissector` was told. */
export interface ApplicationOptions {
  readonly decodeAs?: readonly DecodeAsRule[] | undefined;
  readonly recognise?: boolean | undefined;
  readonly tls?: TlsDecryption | undefined;
}

/** What TLS says is in it, by the port of the server. */
const secureApplications: ReadonlyMap<number, string> = new Map([
  [8883, 'MQ Telemetry Transport Protocol'],
  [443, 'Hypertext Transfer Protocol'],
  [8443, 'Hypertext Transfer Protocol'],
]);

/** What nothing is known of, and nothing is remembered for. */
const nothing: StreamDissector = {
  receive() {},
  end() {},
  pending: () => 0,
};

export class ApplicationStream implements StreamDissector {
  readonly #flow: Flow;
  readonly #options: ApplicationOptions;
  readonly #conversations: Conversations;
  readonly #isFromStart: boolean;
  /** What the bytes come out of. */
  readonly #carrier: 'TCP' | 'TLS';
  readonly #expectation: Expectation;
  #stage: StreamDissector | undefined = undefined;
  /** First chunks, few bytes all in all, while they do not say enough; undefined as a rule. */
  #waiting: { direction: Direction; chunk: StreamChunk }[] | undefined = undefined;
  /** The bytes of `#waiting` of the direction that came first. */
  #beginning: SegmentBuffer | undefined = undefined;

  constructor(
    flow: Flow,
    options: ApplicationOptions,
    conversations: Conversations,
    isFromStart: boolean,
    carrier: 'TCP' | 'TLS' = 'TCP',
  ) {
    this.#flow = flow;
    this.#options = options;
    this.#conversations = conversations;
    this.#isFromStart = isFromStart;
    this.#carrier = carrier;
    this.#expectation =
      carrier === 'TLS'
        ? expectWithinTls(flow)
        : expectOnTcp(flow, options.decodeAs ?? [], options.recognise !== false);
  }

  /** Whether it is known what the connection carries. */
  get isKnown(): boolean {
    return this.#stage !== undefined && this.#stage !== nothing;
  }

  receive(direction: Direction, chunk: StreamChunk, frame: Frame, layers: UpperLayer[]): void {
    if (this.#stage !== undefined) {
      this.#stage.receive(direction, chunk, frame, layers);
      return;
    }
    if (chunk.end > chunk.start) this.#decide(direction, chunk, frame, layers);
  }

  end(direction: Direction, frame: Frame, layers: UpperLayer[]): void {
    if (this.#stage === undefined && this.#waiting !== undefined) {
      this.#begin(this.#recognise(this.#beginning!.bytes, 0, this.#beginning!.length, true), frame, layers);
    }
    this.#stage?.end(direction, frame, layers);
  }

  pending(direction: Direction): number {
    if (this.#stage !== undefined) return this.#stage.pending(direction);
    return this.#waiting?.[0]?.direction === direction ? this.#beginning!.length : 0;
  }

  #decide(direction: Direction, chunk: StreamChunk, frame: Frame, layers: UpperLayer[]): void {
    if (this.#waiting === undefined) {
      const { bytes } = chunk.source;
      const found = this.#recognise(bytes, chunk.start, chunk.end, false);
      if (found !== 'undecided') {
        this.#stage = this.#makeStage(found);
        this.#stage.receive(direction, chunk, frame, layers);
        return;
      }
      this.#waiting = [];
      this.#beginning = new SegmentBuffer();
    }
    this.#waiting.push({ direction, chunk });
    const beginning = this.#beginning!;
    if (direction === this.#waiting[0]!.direction) {
      beginning.append(chunk.source.bytes, chunk.start, chunk.end, chunk.frame.number);
    }
    const isWhole = beginning.length >= recognitionBytes || this.#waiting.length > recognitionBytes;
    const found = this.#recognise(beginning.bytes, 0, beginning.length, isWhole);
    if (found !== 'undecided') this.#begin(found, frame, layers);
  }

  #recognise(bytes: Uint8Array, start: number, end: number, isWhole: boolean): Recognition {
    return recognise(this.#expectation, bytes, start, end, isWhole);
  }

  /** Makes the stage, and gives it what has waited for it. */
  #begin(application: Recognition, frame: Frame, layers: UpperLayer[]): void {
    const stage = this.#makeStage(application === 'undecided' ? 'data' : application);
    this.#stage = stage;
    for (const { direction, chunk } of this.#waiting!) stage.receive(direction, chunk, frame, layers);
    this.#waiting = undefined;
    this.#beginning = undefined;
  }

  #makeStage(application: ApplicationName): StreamDissector {
    switch (application) {
      case 'mqtt':
        return this.#makeMqtt(this.#carrier);
      case 'http':
        return new HttpStream(this.#carrier, (subprotocol) => this.#makeWebSocket(subprotocol));
      case 'websocket':
        return this.#makeWebSocket('mqtt');
      case 'tls':
        return new TlsStream(
          this.#options.tls?.begin(this.#flow),
          secureApplications.get(this.#flow.server.port),
          () => new ApplicationStream(this.#flow, this.#options, this.#conversations, this.#isFromStart, 'TLS'),
        );
      case 'data':
        return nothing;
    }
  }

  #makeWebSocket(subprotocol: string | undefined): StreamDissector {
    // `mqtt`, and `mqttv3.1` of older clients; who asks for none is looked at. [MQTT-6.0.0-3]
    const isMqtt = subprotocol?.toLowerCase().includes('mqtt');
    return new WebSocketStream(this.#carrier, (payload, start, end) =>
      (isMqtt ?? isConnect(payload.bytes, start, end) === 'mqtt') ? this.#makeMqtt('WebSocket') : undefined,
    );
  }

  #makeMqtt(carrier: string): StreamDissector {
    return new MqttStream(this.#flow, this.#conversations, { carrier, isFromStart: this.#isFromStart });
  }
}
