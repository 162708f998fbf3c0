/** How far a run is, on one line of a terminal that is taken back in the end. */
import type { Progress } from '../../bench/run-control.ts';

const intervalMs = 200;
const barWidth = 24;
/** Some terminals do not say how wide they are. */
const columnsUnknown = 80;

export class ProgressLine {
  readonly #isShown: boolean;
  readonly #stream: NodeJS.WriteStream;
  #shownAtMs = Number.NEGATIVE_INFINITY;
  #phase = '';

  /** @param isWanted nothing is shown either where the stream is no terminal */
  constructor(stream: NodeJS.WriteStream, isWanted: boolean) {
    this.#stream = stream;
    this.#isShown = isWanted && stream.isTTY === true;
  }

  /** @param name of what is measured */
  update(name: string, { phase, share, text }: Progress): void {
    const now = performance.now();
    if (!this.#isShown || (phase === this.#phase && now - this.#shownAtMs < intervalMs)) return;
    this.#shownAtMs = now;
    this.#phase = phase;
    const line = [name, phase, ...(share === undefined ? [] : [bar(share)]), text].join('  ');
    const width = (this.#stream.columns || columnsUnknown) - 1;
    this.#stream.write(`\r\x1b[K${line.slice(0, width)}`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#isShown) this.#stream.write('\r\x1b[K');
  }
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * barWidth);
  return `[${'█'.repeat(full)}${'░'.repeat(barWidth - full)}]`;
}
