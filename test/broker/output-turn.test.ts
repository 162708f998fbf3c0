import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/base/clock.ts';
import { OutputTurn } from '../../src/broker/output-turn.ts';
import type { PacketOutput } from '../../src/broker/packet-output.ts';

function prepared() {
  const clock = new VirtualClock();
  const written: string[] = [];
  const turn = new OutputTurn(clock, () => written.push('|'));
  return {
    clock,
    turn,
    written,
    /** Has so many connections, called a, b, c, …, write in time. */
    add: (...names: string[]) => {
      for (const name of names) turn.add({ flush: () => written.push(name) } as unknown as PacketOutput);
    },
  };
}

describe('OutputTurn', () => {
  it('writes what the first chunk after a pause brought as soon as that has been worked through', async () => {
    const { clock, turn, written, add } = prepared();
    turn.chunkBegins();
    add('a', 'b');
    expect(written).toEqual([]);
    turn.chunkEnds();
    expect(written).toEqual(['a', 'b', '|']);
    await clock.advanceAsync(1);
    expect(written).toEqual(['a', 'b', '|']);
  });

  it('writes what chunks brought that followed one another at the end of the turn', async () => {
    const { clock, turn, written, add } = prepared();
    turn.chunkBegins();
    turn.chunkEnds();
    for (const name of ['a', 'b', 'c']) {
      turn.chunkBegins();
      add(name);
      turn.chunkEnds();
    }
    expect(written).toEqual([]);
    await clock.advanceAsync(0);
    expect(written).toEqual(['a', 'b', 'c', '|']);
    await clock.advanceAsync(1);
    turn.chunkBegins();
    add('d');
    turn.chunkEnds();
    expect(written).toEqual(['a', 'b', 'c', '|', 'd', '|']);
  });

  it('writes what no chunk brought at the end of the turn, too', async () => {
    const { clock, written, add } = prepared();
    add('a');
    expect(written).toEqual([]);
    await clock.advanceAsync(0);
    expect(written).toEqual(['a', '|']);
  });

  it('writes to the last first if they are many', () => {
    const { turn, written, add } = prepared();
    turn.chunkBegins();
    add('1', '2', '3', '4', '5', '6', '7', 'publisher');
    turn.chunkEnds();
    expect(written).toEqual(['publisher', '7', '6', '5', '4', '3', '2', '1', '|']);
  });
});
