import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Frame } from '../../../src/capture/frame.ts';
import { Dissector } from '../../../src/dissect/dissector.ts';
import { Follower } from '../../../src/dissect/report/follow.ts';
import { LadderCollector } from '../../../src/dissect/report/ladder.ts';
import { ladderSvg } from '../../../src/dissect/report/ladder-svg.ts';
import { Statistics } from '../../../src/dissect/report/statistics.ts';
import { openTable, tableNames } from '../../../src/dissect/report/tables.ts';
import { repositoryDirectory } from '../../support/paths.ts';
import { framesOf } from '../dissected.ts';

const folder = join(repositoryDirectory, 'test/fixtures/captures');
const files = readdirSync(folder).filter((name) => /\.pcap(ng)?$/.test(name));

/** A linear congruential generator: the same damage every time. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** The frame with some bytes changed, or cut; its addresses and ports stay, so that it still belongs to its connection. */
function damage(frame: Frame, random: (below: number) => number): Frame {
  const bytes = frame.bytes.slice();
  for (let count = random(6); count > 0; count--) {
    const at = 54 + random(Math.max(1, bytes.length - 54));
    if (at < bytes.length) bytes[at] = random(256);
  }
  const kept = random(10) === 0 ? bytes.subarray(0, random(bytes.length + 1)) : bytes;
  return new Frame(frame.number, frame.seconds, frame.nanoseconds, frame.length, kept, frame.interface, undefined);
}

describe('reports', () => {
  it.each(files)('of %s with damaged bytes are made all the same', async (file) => {
    const frames = await framesOf(join(folder, file));
    for (let seed = 1; seed <= 3; seed++) {
      const random = randomFrom(seed);
      const tables = tableNames.map((name) => openTable(name, { rowsMax: 50, sourcesMax: 20, linksMax: 20 }));
      const ladder = new LadderCollector(100);
      const statistics = new Statistics({ clientsMax: 3, topicsMax: 3 });
      const follower = new Follower({ stream: 0 });
      const dissector = new Dissector();
      for (const frame of frames.slice(0, 500)) {
        const dissected = dissector.next(damage(frame, random));
        const isCounted = random(4) > 0;
        for (const table of tables) table.next(dissected, isCounted);
        ladder.next(dissected, isCounted);
        statistics.next(dissected, isCounted);
        for (const line of follower.next(dissected)) expect(line.frame).toBe(frame.number);
      }
      for (const table of tables) {
        for (const row of table.rows()) for (const column of table.columns) expect(column.of(row)).not.toBeNaN();
      }
      expect(ladderSvg(ladder.ladder())).toContain('</svg>');
      const { traffic } = statistics.result();
      expect(traffic.bytesIn + traffic.bytesOut).toBeGreaterThanOrEqual(0);
    }
  });
});
