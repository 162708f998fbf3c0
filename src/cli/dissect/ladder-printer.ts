/** `--ladder`: a sequence diagram of the frames that match, as text or SVG. */
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import { type Ladder, LadderCollector, ladderArrowsMax } from '../../dissect/report/ladder.ts';
import { ladderSvg } from '../../dissect/report/ladder-svg.ts';
import type { FramePrinter } from './frame-printer.ts';
import { formatLadder } from './ladder-text.ts';

const widthDefault = 100;

export class LadderPrinter implements FramePrinter {
  readonly fields = [];
  readonly #form: 'text' | 'svg';
  readonly #collector = new LadderCollector();

  constructor(form: 'text' | 'svg') {
    this.#form = form;
  }

  begin(): string {
    return '';
  }

  frame(frame: DissectedFrame): string {
    this.#collector.next(frame, true);
    return '';
  }

  passed(frame: DissectedFrame): void {
    this.#collector.next(frame, false);
  }

  end(): string {
    const ladder = this.#collector.ladder();
    if (ladder.leftOut > 0) process.stderr.write(`clearwing: ${leftOutNote(ladder)}\n`);
    if (this.#form === 'svg') return ladderSvg(ladder);
    const { diagrams } = ladder;
    if (diagrams.length === 0) process.stderr.write('clearwing: there is no MQTT packet to show\n');
    return diagrams.map((diagram) => formatLadder(diagram, terminalWidth())).join('\n');
  }
}

function leftOutNote({ leftOut, leftOutFrom }: Ladder): string {
  return (
    `${leftOut} more packets, from second ${leftOutFrom.toFixed(3)} on, are left out: ${ladderArrowsMax} are the limit. ` +
    `-Y makes a choice: 'mqtt.client == "a1"', 'frame.time_relative > ${Math.floor(leftOutFrom)}', 'mqtt.topic contains "temp"'`
  );
}

/** Columns of the terminal, or what COLUMNS says. */
function terminalWidth(): number {
  const said = Number(process.env.COLUMNS);
  if (Number.isInteger(said) && said > 0) return Math.min(said, 500);
  return process.stdout.columns ?? widthDefault;
}
