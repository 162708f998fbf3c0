/**
 * What the quick ways of messages through the broker have in common (QoS 0: `relay.ts`, QoS 1 and 2: `publish-run.ts`): who may take them,
 * and the topic that a client published to last, which mostly is that of what comes next.
 */
import { decodeTopicName } from '../codec/index.ts';
import type { ProtocolVersion } from '../protocol/version.ts';
import type { Connection } from './connection.ts';
import type { BrokerContext } from './context.ts';
import { isRelayedTopic } from './publish.ts';
import type { Route } from './routes.ts';

/** Topics of so many bytes, with their length, are remembered without another allocation. */
const nameBytesMin = 32;

/** Whether messages of this connection may be handled many at a time: nobody wants to look at each of them. */
export function mayTakeQuickWay({ context, listener }: Connection): boolean {
  const { settings } = context;
  return (
    !context.logsPackets &&
    !context.isShortOfMemory &&
    context.hooks.onPublish === undefined &&
    settings.messageSizeLimit === 0 &&
    !settings.upgradeOutgoingQos &&
    // A Session that gets each message several times must not get many of them several times. [MQTT-4.6.0-6]
    !settings.allowDuplicateMessages &&
    listener.settings.mountPoint === '' &&
    context.authority.publishesAll
  );
}

export class KnownTopic {
  /** Two bytes of length and the bytes of the Topic Name, as they stood in the packet. */
  #name: Uint8Array | undefined = undefined;
  /** 0 if there is no topic. */
  #length = 0;
  #route: Route | undefined = undefined;

  /** Whether it is the topic of the PUBLISH whose Topic Name, with its length, is `bytes[start..end)`. */
  is(bytes: Uint8Array, start: number, end: number): boolean {
    const size = end - start;
    const name = this.#name;
    if (size !== this.#length || name === undefined) return false;
    // From the end: topics of one publisher differ there, if they do.
    for (let index = size - 1; index >= 0; index--) if (bytes[start + index] !== name[index]) return false;
    return true;
  }

  /**
   * Takes the topic of another PUBLISH, `bytes[packetStart..end)`, whose Topic Name ends at `topicEnd`.
   * @returns false, and there is no topic, if that must go the general way
   * @throws {MalformedPacketError} if it is none
   */
  change(
    context: BrokerContext,
    bytes: Uint8Array,
    packetStart: number,
    bodyStart: number,
    topicEnd: number,
    end: number,
    version: ProtocolVersion,
  ): boolean {
    this.forget();
    const topicName = decodeTopicName(bytes, packetStart, bodyStart, end, version);
    if (topicName === '' || !isRelayedTopic(context, topicName)) return false;
    const size = topicEnd - bodyStart;
    if (this.#name === undefined || this.#name.length < size) this.#name = new Uint8Array(Math.max(nameBytesMin, size));
    const name = this.#name;
    for (let index = 0; index < size; index++) name[index] = bytes[bodyStart + index] as number;
    this.#length = size;
    this.#route = context.routes.of(topicName);
    return true;
  }

  /** Where its messages go now; there must be a topic. */
  route(context: BrokerContext): Route {
    const route = this.#route as Route;
    if (context.routes.isCurrent(route)) return route;
    this.#route = context.routes.of(route.topicName);
    return this.#route;
  }

  forget(): void {
    this.#length = 0;
    this.#route = undefined;
  }
}
