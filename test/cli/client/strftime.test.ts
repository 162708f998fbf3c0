import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { localTimeNow } from '../../../src/cli/client/local-time.ts';
import { strftime } from '../../../src/cli/client/strftime.ts';

const zone = process.env.TZ;
afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

/** GNU date knows the same conversions, in the C locale. */
function hasGnuDate(): boolean {
  try {
    return execFileSync('date', ['--version'], { encoding: 'utf8' }).includes('GNU');
  } catch {
    return false;
  }
}

const conversions = [...'aAbBcCdDeFgGhHIjklmMpPrRsSTuUVwWxXyYzZ'];

describe.skipIf(!hasGnuDate())('strftime beside date(1)', () => {
  it.each([
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Asia/Kolkata',
    'Australia/Adelaide',
    'Africa/Johannesburg',
    'Pacific/Auckland',
    'Asia/Tokyo',
    'America/St_Johns',
    'Asia/Kathmandu',
    'America/Sao_Paulo',
    'Europe/Dublin',
  ])('gives the same in %s', (name) => {
    process.env.TZ = name;
    // Turns of years with each day of the week, leap days, the hours around changes of clocks.
    const times = [0, 951_782_400, 951_868_799, 1_711_846_799, 1_711_846_800, 1_729_990_799, 1_729_994_400];
    for (let year = 2010; year <= 2030; year++) {
      for (const day of [-3, -2, -1, 0, 1, 2, 3]) times.push(Date.UTC(year, 0, 1 + day, 12, 34, 56) / 1000);
    }
    const format = conversions.map((letter) => `%${letter}`).join('|');
    const options = { encoding: 'utf8' as const, env: { ...process.env, LC_ALL: 'C', TZ: name } };
    const dates = times.map((epochSeconds) => `@${epochSeconds}\n`).join('');
    const expected = execFileSync('date', ['-f', '-', `+${format}`], { ...options, input: dates })
      .trimEnd()
      .split('\n');
    const given = times.map((epochSeconds) => {
      const time = { date: new Date(epochSeconds * 1000), epochSeconds, nanoseconds: 0 };
      return conversions.map((letter) => strftime(letter, time)).join('|');
    });
    expect(given).toEqual(expected);
  });
});

describe('strftime', () => {
  it('gives back what it does not know', () => {
    const time = { date: new Date(0), epochSeconds: 0, nanoseconds: 0 };
    expect(
      ['%', 'n', 't', 'E', 'Q', '3', '9', '0', '-', '😀', '__proto__'].map((letter) => strftime(letter, time)),
    ).toEqual(['%', '\n', '\t', '%E', '%Q', ' %3', '       %9', '%0', '%-', '%😀', '%__proto__']);
  });
});

describe('localTimeNow', () => {
  it('agrees with the clock and does not go back', () => {
    let previous = 0n;
    for (let count = 0; count < 1_000; count++) {
      const before = Date.now();
      const { date, epochSeconds, nanoseconds } = localTimeNow();
      const after = Date.now();
      expect(date.getTime()).toBeGreaterThanOrEqual(before - 3);
      expect(date.getTime()).toBeLessThanOrEqual(after + 3);
      expect(nanoseconds).toBeLessThan(1_000_000_000);
      const now = BigInt(epochSeconds) * 1_000_000_000n + BigInt(nanoseconds);
      expect(now >= previous || previous - now < 5_000_000n).toBe(true);
      previous = now;
    }
  });
});
