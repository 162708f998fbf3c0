/** What `publish` was given, checked, as the message the outbox takes. */
import { emptyBytes } from '../base/bytes.ts';
import type { AcknowledgePacket } from '../codec/packets.ts';
import { OptionError } from '../protocol/errors.ts';
import { isTopicName } from '../protocol/topics.ts';
import type { ProtocolVersion } from '../protocol/version.ts';
import { bytesOf, qosOf, show } from './options.ts';
import type { Outbox } from './outbox.ts';
import { OutgoingMessage, type Settle } from './outgoing.ts';
import type { PublishOptions } from './types.ts';

export class Publisher {
  readonly #outbox: Outbox;
  readonly #version: ProtocolVersion;
  /** Checked last: most programs publish to the same topic again and again. */
  #validTopicName: string | undefined;

  constructor(outbox: Outbox, version: ProtocolVersion) {
    this.#outbox = outbox;
    this.#version = version;
  }

  /** @throws {OptionError} naming what is wrong */
  message(
    topicName: string,
    payload: string | Uint8Array,
    options: PublishOptions,
    settle: Settle<AcknowledgePacket>,
  ): OutgoingMessage {
    const { properties, retain = false } = options;
    const qos = qosOf('qos', options.qos);
    if (properties !== undefined && this.#version !== 5) {
      throw new OptionError(`properties with protocolVersion ${this.#version}; only 5 has them`);
    }
    const isNameless = topicName === '' && properties?.topicAlias !== undefined;
    const fullName = isNameless ? this.#outbox.nameOfAlias(properties.topicAlias!) : topicName;
    if (fullName !== this.#validTopicName) this.#checkTopicName(fullName);
    const bytes = bytesOf('payload', payload) ?? emptyBytes;
    return new OutgoingMessage(fullName, isNameless, bytes, qos, retain, properties, settle);
  }

  #checkTopicName(topicName: string): void {
    if (typeof topicName !== 'string' || !isTopicName(topicName)) {
      throw new OptionError(`topicName ${show(topicName)} is no Topic Name`, 'MQTT_ERR_TOPIC');
    }
    this.#validTopicName = topicName;
  }
}
