/** Request and response over MQTT 5: each request names a Response Topic and its own Correlation Data. [MQTT 5.0 §4.10] */
import type { Clock, TimerHandle } from '../base/clock.ts';
import { MqttError, TimeoutError } from '../protocol/errors.ts';
import type { PublishOptions, ReceivedMessage, SubscribeOptions, Subscription } from './types.ts';

/** What the requester needs of its client. */
export interface RequestChannel {
  publish(topicName: string, payload: string | Uint8Array, options: PublishOptions): Promise<unknown>;
  subscribe(topicFilter: string, options: SubscribeOptions): Promise<Subscription>;
}

interface OpenRequest {
  readonly responseTopic: string;
  resolve(message: ReceivedMessage): void;
  reject(error: Error): void;
  timer: TimerHandle;
}

/** Bytes of Correlation Data: a random part, so that another client's answers on a shared topic are not taken, and a count. */
const correlationBytes = 12;

export class Requests {
  readonly #channel: RequestChannel;
  readonly #clock: Clock;
  readonly #random: () => number;
  /** By Correlation Data in hexadecimal. */
  readonly #open = new Map<string, OpenRequest>();
  /** Response Topics that are subscribed to, or about to be. */
  readonly #responseTopics = new Map<string, Promise<unknown>>();
  #count = 0;

  constructor(channel: RequestChannel, clock: Clock, random: () => number) {
    this.#channel = channel;
    this.#clock = clock;
    this.#random = random;
  }

  /** @throws {TimeoutError} no answer within `timeoutMs` */
  async request(
    topicName: string,
    payload: string | Uint8Array,
    responseTopic: string,
    options: PublishOptions,
    timeoutMs: number,
  ): Promise<ReceivedMessage> {
    const { signal } = options;
    if (signal?.aborted) throw abortError(signal);
    const correlationData = this.#nextCorrelationData();
    const key = hex(correlationData);
    const answer = new Promise<ReceivedMessage>((resolve, reject) => {
      const timer = this.#clock.setTimer(timeoutMs, () => {
        const text = `no answer to the request to ${JSON.stringify(topicName)} within ${timeoutMs} ms`;
        this.#open.get(key)?.reject(new TimeoutError(text));
      });
      this.#open.set(key, { responseTopic, resolve, reject, timer });
    });
    const onAbort = (): void => this.#open.get(key)?.reject(abortError(signal!));
    signal?.addEventListener('abort', onAbort);
    const properties = { ...options.properties, responseTopic, correlationData };
    // Whatever fails first, subscribing, publishing or waiting, ends the request.
    const sent = this.#listen(responseTopic).then(() => {
      if (this.#open.has(key)) return this.#channel.publish(topicName, payload, { ...options, properties });
      return undefined;
    });
    sent.catch((error: Error) => this.#open.get(key)?.reject(error));
    try {
      return await answer;
    } finally {
      const open = this.#open.get(key);
      if (open !== undefined) this.#clock.clearTimer(open.timer);
      this.#open.delete(key);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** The client is closed for good. */
  close(error: Error): void {
    for (const open of this.#open.values()) open.reject(error);
  }

  #listen(responseTopic: string): Promise<unknown> {
    let subscribed = this.#responseTopics.get(responseTopic);
    if (subscribed === undefined) {
      subscribed = this.#channel.subscribe(responseTopic, { qos: 1, onMessage: (message) => this.#answered(message) });
      this.#responseTopics.set(responseTopic, subscribed);
      // The next request shall try again.
      subscribed.catch(() => this.#responseTopics.delete(responseTopic));
    }
    return subscribed;
  }

  #answered(message: ReceivedMessage): void {
    const correlationData = message.properties?.correlationData;
    if (correlationData !== undefined) {
      this.#open.get(hex(correlationData))?.resolve(message);
      return;
    }
    // A responder that forgets the Correlation Data can still be understood if there is nothing to confuse.
    const open = [...this.#open.values()].filter((request) => request.responseTopic === message.topicName);
    if (open.length === 1) open[0]!.resolve(message);
  }

  #nextCorrelationData(): Uint8Array {
    const data = new Uint8Array(correlationBytes);
    for (let index = 0; index < correlationBytes - 4; index++) data[index] = Math.floor(this.#random() * 256);
    this.#count++;
    new DataView(data.buffer).setUint32(correlationBytes - 4, this.#count >>> 0);
    return data;
  }
}

function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

export function abortError(signal: AbortSignal): MqttError {
  return new MqttError('MQTT_ERR_ABORTED', 'the operation was aborted', { cause: signal.reason });
}
