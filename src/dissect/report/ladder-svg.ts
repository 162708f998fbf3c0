/** A sequence diagram as an SVG document that needs nothing else: readable on light and dark, details of each arrow as its title. */
import type { Ladder, LadderArrow, LadderDiagram } from './ladder.ts';
import { type LadderLayout, type LadderPlace, layOutLadder } from './ladder-layout.ts';

/** Lanes on both sides of a broker; of more clients the rest share two. */
const lanesMax = 24;
const gap = 270;
const gutter = 150;
const margin = 20;
const headHeight = 56;
const rowHeight = 30;
const detailHeight = 15;
const nameHeight = 26;
const characterWidth = 6.7;
const labelCharacters = Math.floor((gap - 30) / characterWidth);

const style = `
  svg { color-scheme: light dark; --ink: #1b1f24; --faint: #8a939e; --paper: #ffffff; --in: #0b62c4; --out: #17803d; --bad: #c0271d; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #e6e9ed; --faint: #76808c; --paper: #14171b; --in: #6cb0ff; --out: #63d489; --bad: #ff8478; }
  }
  .paper { fill: var(--paper); }
  text { font: 11px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: var(--ink); }
  .name { font-weight: bold; font-size: 12px; text-anchor: middle; }
  .time, .detail { fill: var(--faint); }
  .time { text-anchor: end; }
  .life { stroke: var(--faint); stroke-width: 1; stroke-dasharray: 3 3; }
  .in line { stroke: var(--in); } .in path { fill: var(--in); }
  .out line { stroke: var(--out); } .out path { fill: var(--out); }
  .end line { stroke: var(--bad); stroke-dasharray: 5 3; } .end path { fill: var(--bad); }
  g:hover > line { stroke-width: 2.5; } g:hover > text { text-decoration: underline; }
`;

export function ladderSvg({ diagrams, leftOut, leftOutFrom }: Ladder): string {
  let top = margin;
  let width = 400;
  const parts: string[] = [];
  for (const diagram of diagrams) {
    const drawing = new Drawing(diagram, top);
    parts.push(drawing.draw());
    top = drawing.bottom + margin;
    width = Math.max(width, drawing.width);
  }
  if (diagrams.length === 0) parts.push(text(margin, top + 14, 'There is no MQTT packet to show.'));
  if (leftOut > 0) {
    parts.push(
      text(margin, top + 10, `${leftOut} more packets, from second ${leftOutFrom.toFixed(3)} on, are left out.`),
    );
    top += 24;
  }
  const height = top + margin;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    '<title>MQTT packets between clients and broker</title>',
    `<style>${style}</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

class Drawing {
  bottom: number;
  readonly width: number;
  readonly #diagram: LadderDiagram;
  readonly #layout: LadderLayout;
  readonly #broker: number;
  readonly #top: number;

  constructor(diagram: LadderDiagram, top: number) {
    this.#diagram = diagram;
    this.#layout = layOutLadder(diagram, lanesMax);
    const { lanesLeft, lanesRight } = this.#layout;
    // Names stand around the outermost lanes.
    this.#broker = gutter + gap / 2 + lanesLeft * gap;
    this.width = this.#broker + lanesRight * gap + gap / 2;
    this.#top = top;
    this.bottom = top + headHeight;
  }

  draw(): string {
    const { arrows, clients } = this.#diagram;
    const { places, placeOf, rows } = this.#layout;
    const parts: string[] = [];
    const begins = new Map<number, number>();
    const ends = new Map<number, number>();
    let before: number | undefined;
    for (const row of rows) {
      const [index] = row.arrows as [number, ...number[]];
      for (const one of row.arrows) {
        const number = placeOf[one]!;
        const place = places[number]!;
        if (begins.has(number)) continue;
        if (one > 0) this.bottom += nameHeight;
        begins.set(number, this.bottom - 4);
        parts.push(text(this.#x(place), this.bottom - 12, cutTo(clients[place.client]!, labelCharacters), 'name'));
      }
      const y = this.bottom + rowHeight / 2 + 4;
      const { frame, time } = arrows[index]!;
      const shown = before === undefined ? time.toFixed(6) : `+${(time - before).toFixed(6)}`;
      parts.push(text(gutter - 10, y + 4, `${frame}  ${shown}`, 'time'));
      let hasDetails = false;
      for (const one of row.arrows) {
        const { below, svg } = this.#arrow(arrows[one]!, places[placeOf[one]!]!, y, one !== index);
        if (below) hasDetails = true;
        parts.push(svg);
        ends.set(placeOf[one]!, y);
      }
      this.bottom += rowHeight + (hasDetails ? detailHeight : 0);
      before = time;
    }
    const lives = [line(this.#broker, this.#top + headHeight - 4, this.#broker, this.bottom, 'life')];
    for (const [number, begin] of begins) {
      const place = places[number]!;
      const last = arrows[place.lastArrow]!;
      const isGone = last.isEnd || last.type === 'DISCONNECT' || this.#isFollowed(place);
      const x = this.#x(place);
      lives.push(line(x, begin, x, isGone ? ends.get(number)! : this.bottom, 'life'));
    }
    const head = text(this.#broker, this.#top + headHeight - 12, this.#diagram.broker, 'name');
    return [...lives, head, ...parts].join('\n');
  }

  /** Whether another client has the lane after this one. */
  #isFollowed({ side, lane, lastArrow }: LadderPlace): boolean {
    return this.#layout.places.some(
      (other) => other.side === side && other.lane === lane && other.firstArrow > lastArrow,
    );
  }

  #x({ side, lane }: LadderPlace): number {
    return this.#broker + (lane + 1) * gap * (side === 'left' ? -1 : 1);
  }

  #arrow(
    arrow: LadderArrow,
    place: LadderPlace,
    y: number,
    isSecond: boolean,
  ): { readonly svg: string; readonly below: boolean } {
    const x = this.#x(place);
    const [from, to] = arrow.isByClient ? [x, this.#broker] : [this.#broker, x];
    const isRightward = to > from;
    const tip = isRightward ? to - 1 : to + 1;
    const back = isRightward ? tip - 9 : tip + 9;
    const start = x < this.#broker ? x : x - gap;
    const { arrows, clients } = this.#diagram;
    const cause = arrows[arrow.cause];
    const relation = isSecond ? ` #${arrow.frame}` : cause === undefined ? '' : ` ⇐${cause.frame}`;
    const { label, detail } = labelOf(arrow, relation, place.isShared ? clients[arrow.client]! : '');
    const title = titleOf(arrow, this.#diagram);
    const parts = [
      `<title>${escapeXml(title)}</title>`,
      line(from, y, back, y),
      `<path d="M${tip} ${y}L${back} ${y - 4}L${back} ${y + 4}Z"/>`,
      text(start + 14, y - 5, cutTo(label, labelCharacters)),
    ];
    if (detail !== '') parts.push(text(start + 14, y + 13, cutTo(detail, labelCharacters), 'detail'));
    const kind = arrow.isEnd ? 'end' : arrow.isByClient ? 'in' : 'out';
    return { svg: `<g class="${kind}">${parts.join('')}</g>`, below: detail !== '' };
  }
}

/** @param relation - which frame it is, or which it comes from, where the row does not say so */
function labelOf(
  arrow: LadderArrow,
  relation: string,
  client: string,
): { readonly label: string; readonly detail: string } {
  const { type, identifier, qos, dup, retain, topic, payload, details, answers, answerTime, isEnd } = arrow;
  let label = isEnd ? `TCP ${type}` : identifier > 0 ? `${type} ${identifier}` : type;
  if (isEnd && type !== 'FIN' && type !== 'RST') label = type;
  if (qos !== undefined) label += ` QoS ${qos}${dup ? ' DUP' : ''}${retain ? ' RETAIN' : ''}`;
  label += relation;
  if (answers > 0) label += ` ↩${answers} ${(answerTime * 1000).toFixed(3)} ms`;
  const content = qos === undefined ? details : `${topic}${payload === '' ? '' : ` = ${payload}`}`;
  return { label, detail: client === '' ? content : `[${client}] ${content}` };
}

/** All that is known, line by line. */
function titleOf(arrow: LadderArrow, { clients, arrows }: LadderDiagram): string {
  const { type, identifier, qos, topic, payload, details, answers, answerTime, cause, frame, time, isByClient } = arrow;
  const client = clients[arrow.client]!;
  const lines = [
    `${type}: ${isByClient ? `${client} → broker` : `broker → ${client}`}`,
    `frame ${frame}, second ${time.toFixed(6)}`,
  ];
  if (identifier > 0) lines.push(`Packet Identifier ${identifier}`);
  if (qos !== undefined) {
    lines.push(`QoS ${qos}${arrow.dup ? ', DUP' : ''}${arrow.retain ? ', RETAIN' : ''}`, `topic ${topic}`);
    if (payload !== '') lines.push(`payload ${payload}`);
  }
  if (details !== '') lines.push(details);
  if (answers > 0) lines.push(`answers frame ${answers} after ${(answerTime * 1000).toFixed(3)} ms`);
  if (cause >= 0) lines.push(`because of frame ${arrows[cause]!.frame}`);
  return lines.join('\n');
}

function cutTo(value: string, characters: number): string {
  const all = [...value];
  return all.length <= characters ? value : `${all.slice(0, characters - 1).join('')}…`;
}

function line(x1: number, y1: number, x2: number, y2: number, kind?: string): string {
  const attribute = kind === undefined ? '' : ` class="${kind}"`;
  return `<line${attribute} x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
}

function text(x: number, y: number, value: string, kind?: string): string {
  const attribute = kind === undefined ? '' : ` class="${kind}"`;
  return `<text${attribute} x="${x}" y="${y}" xml:space="preserve">${escapeXml(value)}</text>`;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Characters that XML 1.0 does not have become U+FFFD. [XML 1.0 §2.2] */
function escapeXml(value: string): string {
  return value
    .replaceAll(/[&<>"]/g, (character) => entities[character]!)
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd');
}
