/** What went wrong in a run that goes on all the same, by reason. */

/** Reasons that are told apart; what comes after is counted together. */
const reasonsMax = 20;
const others = 'other reasons';

export class Failures {
  readonly #counts = new Map<string, number>();
  count = 0;

  /** @param name of the connection, which is left out of the reason so that equal ones meet */
  add(error: Error, name = ''): void {
    this.count++;
    const whole = error.message;
    const text = name !== '' && whole.startsWith(`${name}: `) ? whole.slice(name.length + 2) : whole;
    const reason = this.#counts.has(text) || this.#counts.size < reasonsMax ? text : others;
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }

  /** How often each reason was met, in the order in which they came. */
  byReason(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}
