/** The short run of `npm run test:crash`. `CRASH_SEED=n` replays one. */
import { describe, expect, it } from 'vitest';
import { crashRun } from './crash-run.ts';

const seed = Number(process.env.CRASH_SEED ?? Date.now() % 0x1_0000_0000);

describe('a broker that is killed', () => {
  for (const [durability, kills] of [
    ['strict', 6],
    ['relaxed', 4],
  ] as const) {
    it(`keeps what it acknowledged, with durability ${durability} (seed ${seed})`, async () => {
      const report = await crashRun({ seed, kills, durability });
      expect(report.complaints).toEqual([]);
      expect(report.kills).toBe(kills);
      expect(report.acknowledged).toBeGreaterThan(30);
      expect(report.delivered).toBeGreaterThan(30);
      expect(report.retainedLooks).toBeGreaterThan(0);
    });
  }

  it('loses what was acknowledged with durability none, and the same judge finds it', async () => {
    const report = await crashRun({ seed, kills: 10, durability: 'none', stopsAtFirstComplaint: true });
    expect(report.complaints.join('\n')).toMatch(/lost|gone|though|not subscribed any more/);
  });
});
