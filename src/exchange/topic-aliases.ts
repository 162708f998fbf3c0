/** Topic Aliases, one object per direction and connection; they end with it. [MQTT 5.0 §3.3.2.3.4] */
import { ProtocolError } from '../protocol/errors.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';

/** What the peer means by its aliases. */
export class InboundTopicAliases {
  /** Topic Alias Maximum that we granted; 0 allows none. */
  readonly maximum: number;
  #topics: (string | undefined)[] = [];

  constructor(maximum: number) {
    this.maximum = maximum;
  }

  /**
   * The Topic Name a PUBLISH is for, after noting what it says about the alias.
   * @param topicName as in the packet, empty if it relies on the alias
   * @throws {ProtocolError} 0x94 for an alias of 0 or above the maximum, 0x82 for one that stands for nothing yet
   */
  resolve(topicName: string, alias: number): string {
    if (alias === 0 || alias > this.maximum) {
      throw new ProtocolError(
        `Topic Alias ${alias} in PUBLISH; expected 1–${this.maximum}`,
        ReasonCode.topicAliasInvalid,
        alias === 0 ? 'MQTT-3.3.2-8' : 'MQTT-3.3.2-9',
      );
    }
    if (topicName !== '') {
      this.#topics[alias] = topicName;
      return topicName;
    }
    const known = this.#topics[alias];
    if (known === undefined) throw new ProtocolError(`Topic Alias ${alias} was never given a Topic Name`);
    return known;
  }
}

/** Which alias a topic has for the peer: the first `maximum` topics that are asked for get one. */
export class OutboundTopicAliases {
  /** Topic Alias Maximum that the peer granted. */
  readonly maximum: number;
  #aliases = new Map<string, number>();

  constructor(maximum: number) {
    this.maximum = maximum;
  }

  /** The alias the peer knows the topic by, 0 if it knows none. */
  get(topicName: string): number {
    return this.#aliases.get(topicName) ?? 0;
  }

  /** The alias that the next new topic gets; 0 if all are taken. */
  get next(): number {
    return this.#aliases.size < this.maximum ? this.#aliases.size + 1 : 0;
  }

  /** A new alias for a topic that has none, to be sent with the Topic Name; 0 if all are taken. */
  assign(topicName: string): number {
    const alias = this.next;
    if (alias !== 0) this.#aliases.set(topicName, alias);
    return alias;
  }
}
