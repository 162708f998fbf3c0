/**
 * A sequence diagram as text:
 *
 *      frame         time  pub                      127.0.0.1:1883                       sub
 *         45    +0.000048   │─ PUBLISH 1 QoS 1 ──────────▶│─ PUBLISH QoS 0 #46 ────────▶│
 *                           │  paho/test = hello          │  paho/test = hello          │
 *         48    +0.000031   │◀─ PUBACK 1 ↩45 0.079 ms ────│                             │
 */
import type { LadderArrow, LadderDiagram } from '../../dissect/report/ladder.ts';
import { type LadderLayout, type LadderPlace, layOutLadder } from '../../dissect/report/ladder-layout.ts';
import { onOneLine } from '../../payload/payload-text.ts';
import { fitText, padLeft, textWidth } from './text-columns.ts';

const frameWidth = 7;
const timeWidth = 12;
const gutterWidth = frameWidth + 1 + timeWidth + 2;
/** Columns between two lanes. */
const gapMin = 25;
const gapMax = 64;
/** Lines below an arrow for what is too long for it. */
const detailLinesMax = 3;
export const ladderWidthMin = gutterWidth + gapMin + 1;

export function formatLadder(diagram: LadderDiagram, width: number): string {
  const room = Math.max(width, ladderWidthMin) - gutterWidth - 1;
  const layout = layOutLadder(diagram, Math.max(1, Math.floor(room / gapMin)));
  return new LadderText(diagram, layout, room).text();
}

class LadderText {
  readonly #diagram: LadderDiagram;
  readonly #layout: LadderLayout;
  readonly #gap: number;
  /** Column of the broker. */
  readonly #broker: number;
  readonly #width: number;
  /** Places whose name stands in the heading, or above their first arrow. */
  readonly #named = new Set<number>();

  constructor(diagram: LadderDiagram, layout: LadderLayout, room: number) {
    this.#diagram = diagram;
    this.#layout = layout;
    const lanes = layout.lanesLeft + layout.lanesRight;
    this.#gap = Math.min(gapMax, Math.floor(room / Math.max(1, lanes)));
    this.#broker = layout.lanesLeft * this.#gap;
    this.#width = lanes * this.#gap + 1;
  }

  text(): string {
    const lines = [this.#heading()];
    const { arrows } = this.#diagram;
    let before: number | undefined;
    for (const row of this.#layout.rows) {
      const [index] = row.arrows as [number, ...number[]];
      for (const name of this.#names(row.arrows)) lines.push(name);
      const { frame, time } = arrows[index]!;
      const shownTime = before === undefined ? time.toFixed(6) : `+${(time - before).toFixed(6)}`;
      const gutter = `${padLeft(String(frame), frameWidth)} ${padLeft(shownTime, timeWidth)}  `;
      const [first, ...rest] = this.#row(row.arrows);
      lines.push((gutter + first).trimEnd());
      for (const line of rest) lines.push((' '.repeat(gutterWidth) + line).trimEnd());
      before = time;
    }
    return `${lines.join('\n')}\n`;
  }

  #nameOf({ client }: LadderPlace): string {
    return onOneLine(this.#diagram.clients[client]!);
  }

  #placeOf(arrow: number): LadderPlace {
    return this.#layout.places[this.#layout.placeOf[arrow]!]!;
  }

  #x({ side, lane }: LadderPlace): number {
    return this.#broker + (lane + 1) * this.#gap * (side === 'left' ? -1 : 1);
  }

  /** The broker, and the first client of each lane. */
  #heading(): string {
    const line = new Line(this.#width);
    const taken = new Set<number>();
    for (const [index, place] of this.#layout.places.entries()) {
      const x = this.#x(place);
      if (taken.has(x)) continue;
      taken.add(x);
      const sharing = this.#layout.places.filter((one) => one.isShared && this.#x(one) === x).length;
      if (sharing === 0) this.#named.add(index);
      const name = sharing === 0 ? this.#nameOf(place) : `(${sharing} clients)`;
      line.center(x, fitText(name, this.#gap - 2));
    }
    line.center(this.#broker, fitText(this.#diagram.broker, this.#gap - 2));
    const heads = `${padLeft('frame', frameWidth)} ${padLeft('time', timeWidth)}  `;
    return (heads + line.text()).trimEnd();
  }

  /** Lines with the names of clients that come into a lane that was another's. */
  #names(arrows: readonly number[]): string[] {
    const lines: string[] = [];
    for (const index of arrows) {
      const number = this.#layout.placeOf[index]!;
      const place = this.#layout.places[number]!;
      if (place.isShared || this.#named.has(number)) continue;
      this.#named.add(number);
      const line = this.#lifelines(index, place);
      line.center(this.#x(place), fitText(this.#nameOf(place), this.#gap - 2));
      lines.push((' '.repeat(gutterWidth) + line.text()).trimEnd());
    }
    return lines;
  }

  /**
   * The lines of life at an arrow, but not of `without`.
   * @param isBelow - right after the arrow: without those that end with it
   */
  #lifelines(index: number, without?: LadderPlace, isBelow = false): Line {
    const line = new Line(this.#width);
    line.put(this.#broker, '│');
    for (const place of this.#layout.places) {
      if (place !== without && index >= place.firstArrow && !this.#isGone(place, index, isBelow))
        line.put(this.#x(place), '│');
    }
    return line;
  }

  /** Whether the client has said its last word before this arrow; who did not take leave goes on until somebody else has the lane. */
  #isGone({ side, lane, lastArrow, isShared }: LadderPlace, index: number, isBelow: boolean): boolean {
    if (isShared || index < lastArrow || (index === lastArrow && !isBelow)) return false;
    const { type, isEnd } = this.#diagram.arrows[lastArrow]!;
    if (isEnd || type === 'DISCONNECT') return true;
    return this.#layout.places.some(
      (other) =>
        other.side === side && other.lane === lane && other.firstArrow > lastArrow && other.firstArrow <= index,
    );
  }

  #row(indices: readonly number[]): string[] {
    const line = this.#lifelines(indices[0]!);
    const details: { readonly x: number; readonly lines: readonly string[] }[] = [];
    for (const [order, index] of indices.entries()) {
      const arrow = this.#diagram.arrows[index]!;
      const place = this.#placeOf(index);
      const x = this.#x(place);
      const isRightward = arrow.isByClient === (place.side === 'left');
      const left = Math.min(x, this.#broker);
      const right = Math.max(x, this.#broker);
      line.put(x, '│');
      line.arrow(left, right, isRightward, arrow.isEnd);
      // The label stands in the gap next to the client.
      const start = x < this.#broker ? x : x - this.#gap;
      const room = this.#gap - 6;
      const { label, below } = this.#label(arrow, place, room, order > 0);
      line.put(start + (isRightward ? 2 : 3), ` ${label} `);
      details.push({ x: start + 3, lines: below });
    }
    const lines = [line.text()];
    const count = Math.max(...details.map((one) => one.lines.length));
    for (let number = 0; number < count; number++) {
      const below = this.#lifelines(indices.at(-1)!, undefined, true);
      for (const { x, lines: texts } of details) below.put(x, texts[number] ?? '');
      lines.push(below.text());
    }
    return lines;
  }

  /** What stands on an arrow, and what has to stand below it. */
  #label(
    arrow: LadderArrow,
    place: LadderPlace,
    room: number,
    isSecond: boolean,
  ): { readonly label: string; readonly below: readonly string[] } {
    const { type, identifier, qos, dup, retain, topic, payload, details, answers, answerTime, cause } = arrow;
    const name = place.isShared ? `${this.#nameOf(place)}:` : '';
    let label = arrow.isEnd ? endName(type) : identifier > 0 ? `${type} ${identifier}` : type;
    if (qos !== undefined) label += ` QoS ${qos}`;
    // What does not fit on the arrow goes below.
    let below = '';
    const add = (text: string): void => {
      if (below === '' && textWidth(label) + 1 + textWidth(text) <= room) label += ` ${text}`;
      else below += below === '' ? text : ` ${text}`;
    };
    if (textWidth(name) + 1 + textWidth(label) <= room) label = name === '' ? label : `${name} ${label}`;
    else add(name);
    if (dup) add('DUP');
    if (retain) add('RETAIN');
    if (isSecond) add(`#${arrow.frame}`);
    else if (cause >= 0) add(`⇐${this.#diagram.arrows[cause]!.frame}`);
    if (answers > 0) add(`↩${answers} ${(answerTime * 1000).toFixed(3)} ms`);
    const content = qos === undefined ? details : topic === '' ? '(unknown topic)' : topic;
    const line = onOneLine(payload === '' ? content : `${content} = ${payload}`);
    if (line !== '') add(line);
    return { label: fitText(label, room), below: below === '' ? [] : wrap(below, room + 1) };
  }
}

function endName(type: string): string {
  return type === 'FIN' || type === 'RST' ? `TCP ${type}` : type;
}

/** Lines of at most so many columns, broken between words where that leaves enough on the line; the last one may be cut. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (textWidth(rest) > width && lines.length < detailLinesMax - 1) {
    const whole = fitText(rest, width + 1).slice(0, -1);
    const space = Math.max(whole.lastIndexOf(' '), whole.lastIndexOf('/'));
    const end = space > whole.length / 3 ? space + 1 : whole.length;
    lines.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end);
  }
  lines.push(fitText(rest, width));
  return lines;
}

/** A line of a terminal, column by column. */
class Line {
  readonly #cells: string[];

  constructor(width: number) {
    this.#cells = Array.from({ length: width }, () => ' ');
  }

  /** A character of two columns takes two cells, the second one empty. */
  put(x: number, text: string): void {
    let at = x;
    for (const character of text) {
      const width = textWidth(character);
      if (width === 0) {
        if (at > 0 && this.#cells[at - 1] !== undefined) this.#cells[at - 1] += character;
        continue;
      }
      if (at < 0) {
        at += width;
        continue;
      }
      this.#cells[at] = character;
      if (width === 2) this.#cells[at + 1] = '';
      at += width;
    }
  }

  center(x: number, text: string): void {
    const width = textWidth(text);
    const start = Math.max(0, x - Math.floor(width / 2));
    this.put(Math.min(start, Math.max(0, this.#cells.length - width)), text);
  }

  arrow(left: number, right: number, isRightward: boolean, isBroken: boolean): void {
    for (let x = left + 1; x < right; x++) {
      this.#cells[x] = this.#cells[x] === '│' ? '┼' : isBroken && x % 2 === 0 ? ' ' : '─';
    }
    if (isRightward) this.#cells[right - 1] = '▶';
    else this.#cells[left + 1] = '◀';
  }

  text(): string {
    return this.#cells.join('');
  }
}
