/** Waiting for a condition instead of for an amount of time, so that a slow machine only makes a test slower. */
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Generous on purpose: it only decides how long a failing test takes. Against mosquitto some tests are meant to fail, so
 * there it is shorter.
 */
export const defaultPatienceMs: number = process.env.CLEARWING_TEST_BROKER === 'mosquitto' ? 8_000 : 20_000;

/**
 * Asks `probe` again and again until it gives something other than `undefined`, `null` or `false`.
 * @param what names the condition in the error
 * @throws {Error} if the condition does not come true within `patienceMs`; `details` is asked for more to say
 */
export async function until<T>(
  probe: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  what: string,
  patienceMs: number = defaultPatienceMs,
  details: () => string = () => '',
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== null && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs} ms for ${what}\n${details()}`.trimEnd());
    await delay(5);
  }
}
