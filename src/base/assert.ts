/** A broken invariant of our own: never the peer's fault, never caught, so it ends the process. */
export class AssertionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AssertionError';
  }
}

/**
 * States what must hold at this point.
 * @param message what was expected, for the reader of the crash
 * @throws {AssertionError} if it does not hold; nobody catches it
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
