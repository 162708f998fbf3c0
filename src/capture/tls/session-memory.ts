/** Master secrets of sessions of TLS 1.2 that may be resumed, by their identifier or their ticket: key logs need not name a session twice. */

/** Those beyond are forgotten, oldest first. */
const sessionsMax = 65_536;

export class SessionMemory {
  readonly #masters = new Map<string, Uint8Array>();

  /** @param key - of `ticketKey`, or `latin1Text` of a session identifier; an empty one is not kept */
  remember(key: string, master: Uint8Array): void {
    if (key === '') return;
    this.#masters.delete(key);
    this.#masters.set(key, master);
    if (this.#masters.size <= sessionsMax) return;
    for (const oldest of this.#masters.keys()) {
      this.#masters.delete(oldest);
      return;
    }
  }

  find(key: string): Uint8Array | undefined {
    return key === '' ? undefined : this.#masters.get(key);
  }
}
