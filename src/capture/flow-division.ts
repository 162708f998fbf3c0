/**
 * How several readers of one capture divide the work between them. Each reads all of it, and each works out the same division: whose a connection is
 * follows from the frames before it alone, so that nobody has to be asked.
 *
 *     a connection of one reader's   that one follows it, and shows its frames; the others note where it begins and ends, no more
 *     a connection of everybody's    all of them follow it, and take turns at showing its frames
 *     a frame of no connection       likewise
 *
 * A new connection goes to whoever has had least to do so far, where one that goes on counts as much as connections had on the average.
 */
import type { TcpFlow } from './tcp-flow.ts';

/** The first connections are everybody's, so that a capture that has few is divided, too. */
const sharedFlows = 2;
/** So many frames that are everybody's are shown by one reader before it is decided anew who has had least to do. */
const turnFrames = 16;
/** What it costs to show a frame that everybody follows, against both: measured with summary rows. */
const shownLoad = 0.5;

/** `TcpFlow.owner` while nobody was chosen, and of connections that are everybody's. */
export const undecided = -1;
const everybody = -2;

export interface FlowDivisionOptions {
  /** How many readers there are, and which one this is, from 0. */
  readonly readers: number;
  readonly reader: number;
  /** Whether a connection that begins now has to be everybody's. All readers have to say the same. Default: none has to. */
  readonly isShared?: (() => boolean) | undefined;
}

export class FlowDivision {
  /** Of the frame that was told of last: whether it is followed here, and whether it is shown here. */
  isFollowed = true;
  isShown = true;
  readonly #reader: number;
  readonly #isShared: () => boolean;
  /** By reader. */
  readonly #loads: Float64Array;
  #flows = 0;
  #segments = 0;
  #turn = 0;
  #turnFrames = 0;

  constructor(options: FlowDivisionOptions) {
    this.#reader = options.reader;
    this.#isShared = options.isShared ?? (() => false);
    this.#loads = new Float64Array(options.readers);
  }

  /** The next frame is a segment of this connection. */
  takeSegment(flow: TcpFlow): void {
    if (flow.owner === undecided) this.#decide(flow);
    this.#segments++;
    if (flow.owner === everybody) {
      this.takeOther();
      return;
    }
    if (flow.expectedFrames > 0) flow.expectedFrames--;
    else this.#loads[flow.owner]!++;
    this.isFollowed = this.isShown = flow.owner === this.#reader;
  }

  /** The connection has ended. */
  release(flow: TcpFlow): void {
    if (flow.owner >= 0) this.#loads[flow.owner]! -= flow.expectedFrames;
    flow.expectedFrames = 0;
  }

  /** The next frame is part of no connection. */
  takeOther(): void {
    if (this.#turnFrames === 0) {
      this.#turn = this.#leastLoaded();
      this.#turnFrames = turnFrames;
    }
    this.#turnFrames--;
    this.#loads[this.#turn]! += shownLoad;
    this.isFollowed = true;
    this.isShown = this.#turn === this.#reader;
  }

  #decide(flow: TcpFlow): void {
    if (flow.index < sharedFlows || this.#isShared()) flow.owner = everybody;
    else {
      flow.owner = this.#leastLoaded();
      flow.expectedFrames = Math.ceil(this.#segments / this.#flows);
      this.#loads[flow.owner]! += flow.expectedFrames;
    }
    this.#flows++;
  }

  #leastLoaded(): number {
    const loads = this.#loads;
    let least = 0;
    for (let reader = 1; reader < loads.length; reader++) if (loads[reader]! < loads[least]!) least = reader;
    return least;
  }
}
