/** Listeners by event name. Adding or removing one while an event is told takes effect with the next event. */
export class Emitter<Events extends { [E in keyof Events]: (...values: never[]) => void }> {
  readonly #listeners: { [E in keyof Events]?: readonly Events[E][] } = {};

  on<E extends keyof Events>(event: E, listener: Events[E]): void {
    const listeners: readonly Events[E][] = this.#listeners[event] ?? [];
    this.#listeners[event] = [...listeners, listener];
  }

  /** Takes away the listener that was added last, if it was added more than once. */
  off<E extends keyof Events>(event: E, listener: Events[E]): void {
    const listeners: readonly Events[E][] = this.#listeners[event] ?? [];
    const index = listeners.lastIndexOf(listener);
    if (index >= 0) this.#listeners[event] = [...listeners.slice(0, index), ...listeners.slice(index + 1)];
  }

  /** Who listens; undefined or empty if nobody does. */
  of<E extends keyof Events>(event: E): readonly Events[E][] | undefined {
    return this.#listeners[event];
  }

  has(event: keyof Events): boolean {
    return (this.#listeners[event]?.length ?? 0) > 0;
  }
}
