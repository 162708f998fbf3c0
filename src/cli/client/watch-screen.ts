/** `--watch`: each topic has a line of the terminal, in the order in which topics come, below a line with the server's name. */
import type { ByteSink } from './byte-sink.ts';

/** Topics that get a line where the height of the screen is not known. */
const topicsMax = 1_000;

const firstLine = 2;

export class WatchScreen {
  readonly #sink: ByteSink;
  readonly #lastLine: number;
  readonly #lines = new Map<string, number>();

  /** @param rows height of the screen; topics beyond it share its last line but one */
  constructor(sink: ByteSink, rows?: number) {
    this.#sink = sink;
    this.#lastLine = Math.max(firstLine, (rows ?? topicsMax + firstLine) - 1);
  }

  start(server: string): void {
    this.#sink.text(`\x1b[2J\x1b[1;1HBroker: ${server}\n`);
  }

  /** Goes to the topic's line and clears it. */
  enter(topicName: string): void {
    let line = this.#lines.get(topicName);
    if (line === undefined) {
      line = Math.min(firstLine + this.#lines.size, this.#lastLine);
      if (line < this.#lastLine) this.#lines.set(topicName, line);
    }
    this.#sink.text(`\x1b[${line};1H\x1b[K`);
  }

  /** Goes below the last topic. */
  leave(): void {
    this.#sink.text(`\x1b[${Math.min(firstLine + this.#lines.size, this.#lastLine + 1)};1H`);
  }
}
