import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/base/clock.ts';
import { ExpiredSessions } from '../../src/broker/expired-sessions.ts';

/** Time passes while a session ends. */
class SlowClock extends VirtualClock {
  spentMs = 0;
  override monotonic(): number {
    return super.monotonic() + this.spentMs;
  }
}

describe('sessions that have expired', () => {
  it('end in order and in slices of 10 ms, with time for others between them', async () => {
    const clock = new SlowClock();
    const ended: number[] = [];
    const expired = new ExpiredSessions<number>(clock, (session) => {
      ended.push(session);
      clock.spentMs += 1;
    });
    const all = Array.from({ length: 95 }, (_, index) => index);
    for (const session of all) expired.add(session);
    expect(ended).toEqual([]);
    let before = 0;
    for (let slices = 0; ended.length < all.length; slices++) {
      expect(slices).toBeLessThan(10);
      await clock.advanceAsync(slices === 0 ? 0 : 20);
      expect(ended.length - before).toBeLessThanOrEqual(10);
      before = ended.length;
    }
    expect(ended).toEqual(all);
    // It goes on working.
    expired.add(7);
    await clock.advanceAsync(0);
    expect(ended.at(-1)).toBe(7);
  });

  it('do not end here once they are taken back, nor after the stop', async () => {
    const clock = new VirtualClock();
    const ended: string[] = [];
    const expired = new ExpiredSessions<string>(clock, (session) => void ended.push(session));
    expired.add('a');
    expired.add('b');
    expect(expired.has('a')).toBe(true);
    expired.delete('a');
    expect(expired.has('a')).toBe(false);
    await clock.advanceAsync(0);
    expect(ended).toEqual(['b']);
    expired.add('c');
    expired.stop();
    await clock.advanceAsync(1000);
    expect(ended).toEqual(['b']);
  });
});
