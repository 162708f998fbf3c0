/** The README's tour is run as it is written (on another port), and must print what it says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort } from './support/broker-process.ts';
import { clearwingMain } from './support/paths.ts';
import { type RunningCommand, start } from './support/run.ts';

interface Step {
  readonly command: readonly string[];
  readonly output: readonly string[];
}

/** The console blocks of the tour: steps of a command and its output; the last block is output alone. */
function tour(): { terminals: Step[][]; excerpt: string[] } {
  const text = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');
  const section = text.split('## A tour in three terminals')[1]?.split('\n## ')[0] ?? '';
  const blocks = [...section.matchAll(/```console\n(.*?)```/gs)].map((match) =>
    (match[1] as string).trimEnd().split('\n'),
  );
  const terminals = blocks.slice(0, 3).map((lines) => {
    const steps: { command: string[]; output: string[] }[] = [];
    for (const line of lines) {
      if (line.startsWith('$ ')) steps.push({ command: words(line.slice(2)), output: [] });
      else steps.at(-1)?.output.push(line);
    }
    return steps;
  });
  return { terminals, excerpt: blocks[3] ?? [] };
}

/** Splits as a shell does, as far as single quotes go. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
}

describe('the tour of the README', () => {
  it('prints what it says', async () => {
    const { terminals, excerpt } = tour();
    const port = await freePort();
    const normal = (lines: readonly string[]) =>
      lines.map((line) => line.replace(/^\d{10}: /, 'STAMP: ').replace(`port ${port}`, 'port 1883'));
    const linesOf = (text: string) => text.split('\n').filter((line) => line !== '');
    const launch = ([program, ...args]: readonly string[]): RunningCommand => {
      expect(program).toBe('clearwing');
      return start(process.execPath, [clearwingMain, ...args, '-p', String(port)]);
    };
    const [broker, viewer] = [terminals[0]?.[0], terminals[1]?.[0]] as [Step, Step];
    const first = launch(broker.command);
    try {
      await first.waitForOutput(/running\n/, 'stderr');
      expect(normal(linesOf(first.stderr()))).toEqual(normal(broker.output));
      const second = launch(viewer.command);
      try {
        await first.waitForOutput(/Sending SUBACK to viewer/, 'stderr');
        for (const { command, output } of terminals[2] ?? []) {
          const { stdout, status } = await launch(command).finished;
          expect({ command, status, lines: linesOf(stdout) }).toEqual({ command, status: 0, lines: output });
        }
        await second.waitForOutput(new RegExp(viewer.output.at(-1) as string));
        expect(linesOf(second.stdout())).toEqual(viewer.output);
      } finally {
        second.process.kill('SIGTERM');
        await second.finished;
      }
      // Whether the viewer's acknowledgement or the sensor's goodbye comes first is for the system to say.
      const all = normal(linesOf(first.stderr()));
      const ofSensor = (lines: readonly string[]) => lines.filter((line) => !line.includes('PUBACK from viewer'));
      expect(all).toEqual(expect.arrayContaining(normal(excerpt)));
      expect(ofSensor(all).join('\n')).toContain(ofSensor(normal(excerpt)).join('\n'));
    } finally {
      first.process.kill('SIGTERM');
      await first.finished;
    }
  }, 60_000);
});
