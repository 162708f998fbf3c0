/** How far a long file has been read, on one line of a terminal that is taken back in the end. */

const intervalMs = 250;
/** A file that is read sooner than that needs no progress. */
const patienceMs = 1000;
const barWidth = 30;

export class Progress {
  readonly #length: number | undefined;
  readonly #begun = performance.now();
  #shownAt = 0;
  #isShown = false;

  /** @param length - bytes of the whole, if it is known */
  constructor(length: number | undefined) {
    this.#length = length;
  }

  update(bytes: number, frames: number): void {
    const now = performance.now();
    if (now - this.#begun < patienceMs || now - this.#shownAt < intervalMs) return;
    this.#shownAt = now;
    this.#isShown = true;
    const rate = Math.round(frames / ((now - this.#begun) / 1000));
    process.stderr.write(`\r\x1b[K${this.#bar(bytes)}${grouped(frames)} frames, ${grouped(rate)}/s`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#isShown) process.stderr.write('\r\x1b[K');
    this.#isShown = false;
  }

  #bar(bytes: number): string {
    if (this.#length === undefined || this.#length === 0) return '';
    const share = Math.min(bytes / this.#length, 1);
    const full = Math.round(share * barWidth);
    return `[${'█'.repeat(full)}${'░'.repeat(barWidth - full)}] ${String(Math.floor(share * 100)).padStart(3)} %  `;
  }
}

function grouped(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ',');
}
