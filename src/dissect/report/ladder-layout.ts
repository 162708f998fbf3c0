/**
 * Where things stand in a sequence diagram: which lane each client has, and which arrows share a row. Lanes count from the broker outwards, on its
 * left for clients that publish, on its right for the others; a lane is used again when its client is gone. Where that leaves too few, each connection
 * of a client has a place of its own, so that the lane is free between them; and for whom there is still no lane share the outermost one of their side.
 */
import type { LadderArrow, LadderDiagram } from './ladder.ts';

export type LadderSide = 'left' | 'right';

/** Of a client, or of one of its connections. */
export interface LadderPlace {
  /** Index of the client. */
  readonly client: number;
  readonly side: LadderSide;
  /** From 0, next to the broker. */
  readonly lane: number;
  /** Whether others are there at the same time: arrows then have to say whose they are. */
  readonly isShared: boolean;
  /** Rows from the first of its arrows to the last. */
  readonly firstArrow: number;
  readonly lastArrow: number;
}

/** One arrow, or two on both sides of the broker: what came in, and the first of what went out for it. */
export interface LadderRow {
  readonly arrows: readonly number[];
}

export interface LadderLayout {
  readonly places: readonly LadderPlace[];
  /** By arrow: index of its place. */
  readonly placeOf: readonly number[];
  readonly lanesLeft: number;
  readonly lanesRight: number;
  readonly rows: readonly LadderRow[];
}

interface Span {
  /** Index among the spans. */
  readonly index: number;
  readonly client: number;
  readonly first: number;
  last: number;
  published: number;
  received: number;
}

interface Spans {
  readonly spans: readonly Span[];
  /** By arrow. */
  readonly spanOf: readonly number[];
  readonly sides: readonly LadderSide[];
  readonly lanes: { left: number; right: number };
}

/** @param lanesMax - lanes on both sides together, at least 1 */
export function layOutLadder({ arrows }: LadderDiagram, lanesMax: number): LadderLayout {
  let found = findSpans(arrows, (arrow) => arrow.client);
  if (found.lanes.left + found.lanes.right > lanesMax) found = findSpans(arrows, (arrow) => arrow.connection);
  const { spans, spanOf, lanes } = found;
  while (lanes.left + lanes.right > lanesMax) {
    if (lanes.left >= lanes.right) lanes.left--;
    else lanes.right--;
  }
  // With room for one lane only, everybody stands on its side.
  const only = lanes.left === 0 ? 'right' : lanes.right === 0 ? 'left' : undefined;
  const sides = only === undefined ? found.sides : found.sides.map(() => only);
  const places: LadderPlace[] = [];
  for (const side of ['left', 'right'] as const) {
    for (const [index, placed] of place(spans, sides, side, lanes[side])) places[index] = placed;
  }
  return {
    places,
    placeOf: spanOf,
    lanesLeft: lanes.left,
    lanesRight: lanes.right,
    rows: rowsOf(arrows, (arrow) => places[spanOf[arrow]!]!.side),
  };
}

function findSpans(arrows: readonly LadderArrow[], keyOf: (arrow: LadderArrow) => number): Spans {
  const spans: Span[] = [];
  const spanOf: number[] = [];
  const byKey = new Map<number, Span>();
  for (const [index, arrow] of arrows.entries()) {
    const key = keyOf(arrow);
    let span = byKey.get(key);
    if (span === undefined) {
      span = { index: spans.length, client: arrow.client, first: index, last: index, published: 0, received: 0 };
      byKey.set(key, span);
      spans.push(span);
    }
    spanOf.push(span.index);
    span.last = index;
    if (arrow.type !== 'PUBLISH') continue;
    if (arrow.isByClient) span.published++;
    else span.received++;
  }
  // A single one stands on the left.
  const sides = spans.length === 1 ? (['left'] as const) : spans.map(sideOf);
  const lanes = { left: lanesNeeded(spans, sides, 'left'), right: lanesNeeded(spans, sides, 'right') };
  return { spans, spanOf, sides, lanes };
}

function sideOf({ published, received }: Span): LadderSide {
  return published > 0 && published >= received ? 'left' : 'right';
}

function lanesNeeded(spans: readonly Span[], sides: readonly LadderSide[], side: LadderSide): number {
  const ends: number[] = [];
  for (const span of inOrder(spans, sides, side)) {
    const free = ends.findIndex((end) => end < span.first);
    if (free < 0) ends.push(span.last);
    else ends[free] = span.last;
  }
  return ends.length;
}

function inOrder(spans: readonly Span[], sides: readonly LadderSide[], side: LadderSide): Span[] {
  return spans.filter(({ index }) => sides[index] === side).sort((a, b) => a.first - b.first);
}

function place(
  spans: readonly Span[],
  sides: readonly LadderSide[],
  side: LadderSide,
  lanes: number,
): [span: number, LadderPlace][] {
  const occupants: Span[][] = Array.from({ length: lanes }, () => []);
  for (const span of inOrder(spans, sides, side)) {
    const free = occupants.findIndex((lane) => lane.every(({ last }) => last < span.first));
    occupants[free < 0 ? lanes - 1 : free]!.push(span);
  }
  return occupants.flatMap((lane, index) =>
    lane.map((span): [number, LadderPlace] => [
      span.index,
      {
        client: span.client,
        side,
        lane: index,
        isShared: lane.some((other) => other !== span && other.first <= span.last && span.first <= other.last),
        firstArrow: span.first,
        lastArrow: span.last,
      },
    ]),
  );
}

/** Arrows that may stand between a PUBLISH and the first that goes out for it. */
const aheadMax = 8;

function rowsOf(arrows: readonly LadderArrow[], sideOfArrow: (arrow: number) => LadderSide): LadderRow[] {
  const rows: LadderRow[] = [];
  const taken = new Set<number>();
  for (let index = 0; index < arrows.length; index++) {
    if (taken.has(index)) continue;
    const partner = partnerOf(arrows, index, sideOfArrow);
    if (partner < 0 || taken.has(partner)) rows.push({ arrows: [index] });
    else {
      rows.push({ arrows: [index, partner] });
      taken.add(partner);
    }
  }
  return rows;
}

/**
 * What goes out for an arrow, on the other side of the broker; -1 if nothing does at once. Only the publisher may have said more in between, and
 * nothing of the handshake of QoS 2, as it is worth seeing that its PUBREL comes first.
 */
function partnerOf(arrows: readonly LadderArrow[], index: number, sideOfArrow: (arrow: number) => LadderSide): number {
  const first = arrows[index]!;
  if (!first.isByClient || (first.type !== 'PUBLISH' && first.releases < 0)) return -1;
  const end = Math.min(arrows.length, index + 1 + aheadMax);
  for (let ahead = index + 1; ahead < end; ahead++) {
    const { client, isByClient, cause, type } = arrows[ahead]!;
    const isCopy = !isByClient && cause >= 0 && (cause === index || cause === first.releases);
    if (isCopy) return sideOfArrow(index) === sideOfArrow(ahead) ? -1 : ahead;
    if (client !== first.client || type === 'PUBREC' || type === 'PUBREL') return -1;
  }
  return -1;
}
