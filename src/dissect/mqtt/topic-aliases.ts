/** The Topic Aliases that one end has defined in a connection. [MQTT 5.0 §3.3.2.3.4] */
import { AliasedTopic } from './connection-facts.ts';

/** Of one direction of one connection: aliases, and bytes of their topics together; those defined longest ago go first. */
const aliasesMax = 4096;
const topicBytesMax = 1_048_576;

export class TopicAliases {
  readonly #topics = new Map<number, AliasedTopic>();
  #bytes = 0;
  /** Whether one was forgotten, so that an unknown alias proves nothing. */
  isIncomplete = false;

  find(alias: number): AliasedTopic | undefined {
    return this.#topics.get(alias);
  }

  define(alias: number, bytes: Uint8Array, start: number, end: number): void {
    const known = this.#topics.get(alias);
    // As a rule the same again: clients send topic and alias together.
    if (known !== undefined && isSame(known.bytes, bytes, start, end)) return;
    this.#remove(alias, known);
    this.#topics.set(alias, new AliasedTopic(bytes.slice(start, end)));
    this.#bytes += end - start;
    while (this.#topics.size > aliasesMax || this.#bytes > topicBytesMax) {
      for (const [oldest, topic] of this.#topics) {
        this.#remove(oldest, topic);
        break;
      }
      this.isIncomplete = true;
    }
  }

  clear(): void {
    this.#topics.clear();
    this.#bytes = 0;
    this.isIncomplete = false;
  }

  #remove(alias: number, topic: AliasedTopic | undefined): void {
    if (topic === undefined) return;
    this.#topics.delete(alias);
    this.#bytes -= topic.bytes.length;
  }
}

function isSame(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let index = 0; index < known.length; index++) if (known[index] !== bytes[start + index]) return false;
  return true;
}
