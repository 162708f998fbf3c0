import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { compileTimeFormat } from '../../src/base/strftime.ts';
import { temporaryFiles } from '../broker/config/temporary.ts';
import { buildProgram } from '../broker/logging/program.ts';

/** Every conversion of strftime(3) whose result does not depend on a locale other than C. */
const letters = 'aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYz%';

/** Instants around everything that weeks, years, months and hours turn at. */
const instants = [
  '2021-01-01T00:00:00Z',
  '2021-01-03T23:59:59Z',
  '2020-12-31T12:00:00Z',
  '2024-02-29T11:59:59Z',
  '2026-11-21T12:34:56Z',
  '2018-12-31T01:02:03Z',
  '2016-01-03T13:00:00Z',
  '2023-03-26T01:30:00Z',
  '2009-02-13T23:31:30Z',
];

function byDate(format: string, seconds: number[]): string[] {
  // The format is one argument and date reads the instants from its input: no shell is involved.
  const output = execFileSync('date', ['-f', '-', `+${format}|end|`], {
    input: seconds.map((second) => `@${second}\n`).join(''),
    env: { ...process.env, LC_ALL: 'C' },
    encoding: 'utf8',
  });
  return output.split('|end|\n').slice(0, -1);
}

describe('compileTimeFormat', () => {
  it('writes what the program date writes, for every conversion and flag', () => {
    const seconds = instants.map((text) => Date.parse(text) / 1000);
    const formats = [...letters].flatMap((letter) => [`%${letter}`, `%-${letter}`, `%_${letter}`, `%^${letter}`]);
    // date(1) has flags of its own for what is text or has no fixed width; they are left out here.
    const comparable = formats.filter((format) => !/^%[-_][aAbBcCDFgGhklnpPrRstTxXYzZ%]$|^%\^[P%]$/.test(format));
    for (const format of comparable) {
      const write = compileTimeFormat(format);
      expect(
        seconds.map((second) => write(new Date(second * 1000))),
        format,
      ).toEqual(byDate(format, seconds));
    }
  });

  it('leaves what is no conversion as it is', () => {
    const write = compileTimeFormat('at %q %! 100% [%Ey] %OH %');
    expect(write(new Date(2026, 4, 3, 7, 8, 9))).toBe('at %q %! 100% [26] 07 %');
  });

  it('writes ISO 8601 and epoch seconds', () => {
    const date = new Date(2026, 10, 1, 2, 3, 4);
    expect(compileTimeFormat('%Y-%m-%dT%H:%M:%S')(date)).toBe('2026-11-01T02:03:04');
    expect(compileTimeFormat('%s')(date)).toBe(String(date.getTime() / 1000));
  });

  it.each([
    ['UTC', 'UTC +0000', 'UTC +0000'],
    ['Europe/Berlin', 'CET +0100', 'CEST +0200'],
    ['America/New_York', 'EST -0500', 'EDT -0400'],
    ['Asia/Kolkata', 'IST +0530', 'IST +0530'],
  ])('knows the zone %s', (zone, winter, summer) => {
    const program = temporaryFiles().path('zone.mjs');
    buildProgram(
      program,
      `import { compileTimeFormat } from './src/base/strftime.ts';
       const write = compileTimeFormat('%Z %z');
       console.log([write(new Date('2026-01-15T12:00:00Z')), write(new Date('2026-07-15T12:00:00Z'))].join('|'));`,
    );
    // The zone of a process is fixed by its environment, so each is asked in a process of its own.
    const output = execFileSync(process.execPath, [program], { env: { ...process.env, TZ: zone }, encoding: 'utf8' });
    expect(output.trim()).toBe(`${winter}|${summer}`);
  });
});
