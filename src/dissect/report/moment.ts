/** Where in a capture something happened. */
import type { DissectedFrame } from '../dissected-frame.ts';

export interface Moment {
  /** Number of the frame. */
  readonly frame: number;
  /** Nanoseconds since the first frame of the capture. */
  readonly ns: number;
}

export function momentOf({ frame, sinceFirstNs }: DissectedFrame): Moment {
  return { frame: frame.number, ns: sinceFirstNs };
}

/** Seconds from one to the other. */
export function secondsBetween(from: Moment, to: Moment): number {
  return (to.ns - from.ns) / 1e9;
}
