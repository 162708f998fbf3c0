/**
 * Time as a thing that is handed in: the system's for programs, a virtual one for simulations.
 */
import { assert } from './assert.ts';
import { RingQueue } from './ring-queue.ts';

declare const timerBrand: unique symbol;
/** A timer that was set, to be given back to `clearTimer` of the same clock. */
export interface TimerHandle {
  readonly [timerBrand]: never;
}

export interface Clock {
  /** Milliseconds since the epoch. Jumps when somebody sets the system's clock. */
  now(): number;
  /** Milliseconds since some moment, with fractions; never goes back. */
  monotonic(): number;
  /** Calls once, after at least `delayMs` milliseconds; any length, below 0 counts as 0. */
  setTimer(delayMs: number, callback: () => void): TimerHandle;
  /** Keeps the callback from being called. Does nothing if it was called already. */
  clearTimer(handle: TimerHandle): void;
  /** Calls once when what this turn of the event loop had to do is done. Callbacks run in the order they were given. */
  defer(callback: () => void): void;
}

/** What is used of the host, be it Node or a browser, whose types differ. */
interface Host {
  readonly performance: { now(): number };
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
  readonly setImmediate?: (callback: () => void) => unknown;
  readonly MessageChannel?: new () => {
    readonly port1: { onmessage: (() => void) | null };
    readonly port2: { postMessage(value: unknown): void };
  };
}
const host = globalThis as unknown as Host;

/** `setTimeout` takes a 32-bit signed number of milliseconds and fires at once if given more. */
const hostDelayMaxMs = 2 ** 31 - 1;

/** A delay longer than the host can count, waited for in pieces. */
class LongTimer {
  readonly #callback: () => void;
  #remainingMs: number;
  #timer: unknown;

  constructor(delayMs: number, callback: () => void) {
    this.#callback = callback;
    this.#remainingMs = delayMs;
    this.#next();
  }

  #next(): void {
    const pieceMs = Math.min(this.#remainingMs, hostDelayMaxMs);
    this.#remainingMs -= pieceMs;
    this.#timer = host.setTimeout(() => {
      if (this.#remainingMs > 0) this.#next();
      else this.#callback();
    }, pieceMs);
  }

  clear(): void {
    host.clearTimeout(this.#timer);
  }
}

/** The host's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => host.performance.now(),
  setTimer(delayMs, callback) {
    const timer = delayMs > hostDelayMaxMs ? new LongTimer(delayMs, callback) : host.setTimeout(callback, delayMs);
    return timer as TimerHandle;
  },
  clearTimer(handle) {
    const timer: unknown = handle;
    if (timer instanceof LongTimer) timer.clear();
    else host.clearTimeout(timer);
  },
  defer: chooseDefer(),
};

/** `setImmediate` is Node's. Browsers delay nested `setTimeout` by 4 ms but not a message to oneself. */
function chooseDefer(): (callback: () => void) => void {
  const { setImmediate, MessageChannel } = host;
  if (setImmediate !== undefined) return (callback) => void setImmediate(callback);
  if (MessageChannel === undefined) return (callback) => void host.setTimeout(callback, 0);
  const waiting = new RingQueue<() => void>();
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => waiting.shift()?.();
  return (callback) => {
    waiting.push(callback);
    port2.postMessage(undefined);
  };
}

/** Callbacks in one virtual instant above which they are taken to go on for ever. */
const callbacksPerInstantMax = 10_000_000;

/** One timer of the virtual clock. */
class VirtualTimer {
  readonly dueMs: number;
  readonly sequence: number;
  callback: (() => void) | undefined;

  constructor(dueMs: number, sequence: number, callback: () => void) {
    this.dueMs = dueMs;
    this.sequence = sequence;
    this.callback = callback;
  }

  isBefore(other: VirtualTimer): boolean {
    return this.dueMs < other.dueMs || (this.dueMs === other.dueMs && this.sequence < other.sequence);
  }
}

/**
 * Time that passes only when told to. Timers run in the order in which they are due, those due together in the order in
 * which they were set, and deferred callbacks before time goes on.
 */
export class VirtualClock implements Clock {
  readonly #epochMs: number;
  #elapsedMs = 0;
  #sequence = 0;
  #pendingTimers = 0;
  /** A binary heap, the earliest at 0; cleared timers stay until they come up. */
  readonly #heap: VirtualTimer[] = [];
  readonly #deferred = new RingQueue<() => void>();

  /** @param epochMs what `now()` starts with, milliseconds since the epoch; default 1 January 2020, 00:00 UTC */
  constructor(epochMs = Date.UTC(2020, 0, 1)) {
    this.#epochMs = epochMs;
  }

  now(): number {
    return this.#epochMs + this.#elapsedMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const timer = new VirtualTimer(this.#elapsedMs + Math.max(0, delayMs), this.#sequence++, callback);
    this.#pendingTimers++;
    this.#siftUp(timer);
    return timer as unknown as TimerHandle;
  }

  clearTimer(handle: TimerHandle): void {
    const timer = handle as unknown as VirtualTimer;
    if (timer.callback === undefined) return;
    timer.callback = undefined;
    this.#pendingTimers--;
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  /** Timers that are set and neither ran nor were cleared. */
  get pendingTimers(): number {
    return this.#pendingTimers;
  }

  /** Milliseconds until the next timer is due; undefined if none is set. */
  get nextTimerMs(): number | undefined {
    const next = this.#peek();
    return next === undefined ? undefined : next.dueMs - this.#elapsedMs;
  }

  /** Runs what was deferred, and what that defers, without letting time pass. */
  runDeferred(): void {
    for (let count = 0; this.#deferred.length > 0; count++) {
      assert(count < callbacksPerInstantMax, 'deferred callbacks defer others without end');
      this.#deferred.shift()?.();
    }
  }

  /** Lets `ms` milliseconds pass and runs all that comes due, including what that sets. */
  advance(ms: number): void {
    const untilMs = this.#elapsedMs + ms;
    this.runDeferred();
    for (let count = 0; this.#runNextTimer(untilMs); count++) {
      assert(count < callbacksPerInstantMax, 'timers set others without end');
      this.runDeferred();
    }
    this.#elapsedMs = untilMs;
  }

  /** As `advance`, but also lets promises and real I/O go on after each step. */
  async advanceAsync(ms: number): Promise<void> {
    const untilMs = this.#elapsedMs + ms;
    await this.#settle();
    while (this.#runNextTimer(untilMs)) await this.#settle();
    this.#elapsedMs = untilMs;
  }

  async #settle(): Promise<void> {
    do {
      this.runDeferred();
      await new Promise<void>((resolve) => systemClock.defer(resolve));
    } while (this.#deferred.length > 0);
  }

  #runNextTimer(untilMs: number): boolean {
    const timer = this.#peek();
    if (timer === undefined || timer.dueMs > untilMs) return false;
    this.#pop();
    const { callback } = timer;
    timer.callback = undefined;
    this.#pendingTimers--;
    this.#elapsedMs = timer.dueMs;
    callback?.();
    return true;
  }

  /** The earliest timer that is not cleared. */
  #peek(): VirtualTimer | undefined {
    while (this.#heap[0] !== undefined && this.#heap[0].callback === undefined) this.#pop();
    return this.#heap[0];
  }

  #siftUp(timer: VirtualTimer): void {
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex]!;
      if (!timer.isBefore(parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = index * 2 + 1;
      let child = heap[childIndex];
      if (child === undefined) break;
      const right = heap[childIndex + 1];
      if (right?.isBefore(child)) {
        child = right;
        childIndex++;
      }
      if (!child.isBefore(last)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}
