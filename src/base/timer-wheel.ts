/**
 * Timers by the hundred thousand, most of which are moved or cancelled before they are due.
 *
 * Time is counted in ticks. A timer sits in a slot of one of seven wheels of 64 slots each; wheel L turns by one slot every
 * 64^L ticks. It is put on the lowest wheel on which its tick and the current one differ in no higher digit (base 64):
 *
 *   current tick    … 0 12 07        on wheel 0: the slots after 07, one tick each
 *   due 0 12 40     wheel 0, slot 40
 *   due 0 15 03     wheel 1, slot 15; when wheel 1 reaches it, it moves to wheel 0, slot 03
 *   due 2 00 00     wheel 2, slot 2
 *
 * So every timer on a wheel is due before any on the next one, only slots after the current digit are in use, and the next
 * slot with something in it is found by looking at no more than 7 × 64 of them: the host's timer is set for that moment
 * only, and there is none while the wheels are empty.
 */
import { assert } from './assert.ts';
import type { Clock, TimerHandle } from './clock.ts';

const slotsPerWheel = 64;
const wheelCount = 7;

/** The longest delay: 2^32 seconds. */
export const timerDelayMaxMs = 2 ** 32 * 1000;

/**
 * A timer inside the object that it is for: extend it, or hold one that knows its owner. It is a link of its slot's list,
 * so scheduling, moving and cancelling cost the same for one timer as for a million and allocate nothing.
 */
export abstract class WheelTimer {
  /** The wheel's business. */
  wheelNext: WheelTimer | undefined = undefined;
  /** The wheel's business. */
  wheelPrevious: WheelTimer | undefined = undefined;
  /** The wheel's business: the tick at which it is due. */
  wheelTick = 0;

  /** Called when the time is up; the timer is not scheduled any more then and may be scheduled again. */
  abstract onExpire(): void;

  /** Whether it is waiting on a wheel. */
  get isScheduled(): boolean {
    return this.wheelNext !== undefined;
  }
}

/** The head of a slot's circular list; links to itself when the slot is empty. */
class Slot extends WheelTimer {
  constructor() {
    super();
    this.wheelNext = this;
    this.wheelPrevious = this;
  }

  override onExpire(): void {
    assert(false, 'the head of a slot is no timer');
  }
}

export class TimerWheel {
  readonly #clock: Clock;
  readonly #tickMs: number;
  /** The clock's monotonic time at tick 0. */
  readonly #originMs: number;
  /** All wheels, one after the other. */
  readonly #slots: Slot[] = Array.from({ length: wheelCount * slotsPerWheel }, () => new Slot());
  /** What is due up to this tick has been called. */
  #tick = 0;
  #size = 0;
  #hostTimer: TimerHandle | undefined;
  /** The tick for which the host's timer is set. */
  #hostTick = Number.POSITIVE_INFINITY;
  /** While `onExpire` is being called; the host's timer is set once, afterwards. */
  #isTurning = false;
  readonly #onHostTimer = (): void => {
    this.#hostTimer = undefined;
    this.#hostTick = Number.POSITIVE_INFINITY;
    this.#turn();
  };

  /** @param tickMs how exact it is: timers fire up to this much late, never early; milliseconds, 1 or more; default 250 */
  constructor(clock: Clock, tickMs = 250) {
    assert(tickMs >= 1, `a tick of ${tickMs} ms; at least 1 ms is expected`);
    this.#clock = clock;
    this.#tickMs = tickMs;
    this.#originMs = clock.monotonic();
  }

  /** Timers that are scheduled. */
  get size(): number {
    return this.#size;
  }

  /**
   * Has `onExpire` called after at least `delayMs` milliseconds, 0 to 2^32 seconds. A timer that is already scheduled (on
   * this wheel) is moved.
   */
  schedule(timer: WheelTimer, delayMs: number): void {
    assert(delayMs >= 0 && delayMs <= timerDelayMaxMs, `a delay of ${delayMs} ms; expected 0 to 2^32 seconds`);
    if (timer.wheelNext !== undefined) this.#unlink(timer);
    const elapsedMs = this.#clock.monotonic() - this.#originMs;
    if (this.#size === 0 && !this.#isTurning) this.#tick = Math.floor(elapsedMs / this.#tickMs);
    timer.wheelTick = Math.max(Math.ceil((elapsedMs + delayMs) / this.#tickMs), this.#tick + 1);
    this.#size++;
    const wakeTick = this.#place(timer);
    if (wakeTick < this.#hostTick && !this.#isTurning) this.#setHostTimer(wakeTick);
  }

  /** Takes a timer off; nothing happens if it is not scheduled. */
  cancel(timer: WheelTimer): void {
    if (timer.wheelNext === undefined) return;
    this.#unlink(timer);
    if (this.#size === 0) this.#clearHostTimer();
  }

  /** Forgets all timers. The wheel can be used again. */
  stop(): void {
    for (const slot of this.#slots) {
      while (slot.wheelNext !== slot) this.#unlink(slot.wheelNext as WheelTimer);
    }
    assert(this.#size === 0, `${this.#size} timers are counted but on no slot`);
    this.#clearHostTimer();
  }

  /** Puts a timer on its slot and returns the tick at which that slot wants attention. */
  #place(timer: WheelTimer): number {
    let wheel = 0;
    let ticksPerSlot = 1;
    let dueDigits = timer.wheelTick;
    let currentDigits = this.#tick;
    // Ticks outgrow 32 bits, so digits are taken by division.
    for (;;) {
      const dueRest = Math.floor(dueDigits / slotsPerWheel);
      const currentRest = Math.floor(currentDigits / slotsPerWheel);
      if (dueRest === currentRest) break;
      wheel++;
      ticksPerSlot *= slotsPerWheel;
      dueDigits = dueRest;
      currentDigits = currentRest;
    }
    assert(wheel < wheelCount, `tick ${timer.wheelTick} is beyond the last wheel`);
    const slot = this.#slots[wheel * slotsPerWheel + (dueDigits % slotsPerWheel)] as Slot;
    const last = slot.wheelPrevious as WheelTimer;
    timer.wheelPrevious = last;
    timer.wheelNext = slot;
    last.wheelNext = timer;
    slot.wheelPrevious = timer;
    return dueDigits * ticksPerSlot;
  }

  #unlink(timer: WheelTimer): void {
    const next = timer.wheelNext as WheelTimer;
    const previous = timer.wheelPrevious as WheelTimer;
    previous.wheelNext = next;
    next.wheelPrevious = previous;
    timer.wheelNext = undefined;
    timer.wheelPrevious = undefined;
    this.#size--;
  }

  /** Does all that has come due, then waits for what comes next. */
  #turn(): void {
    const nowTick = Math.floor((this.#clock.monotonic() - this.#originMs) / this.#tickMs);
    this.#isTurning = true;
    try {
      let tick = this.#nextTick();
      while (tick <= nowTick) {
        this.#tick = tick;
        this.#cascade();
        this.#expire();
        tick = this.#nextTick();
      }
      // Nothing lies between, so the invariant of `#place` holds for the later tick too.
      this.#tick = Math.max(this.#tick, nowTick);
    } finally {
      this.#isTurning = false;
      // Also after `onExpire` threw: where uncaught exceptions are survived, the other timers are.
      const next = this.#nextTick();
      if (next !== Number.POSITIVE_INFINITY) this.#setHostTimer(next);
    }
  }

  /** The first tick, from the current one on, at which a slot wants attention; infinite if all are empty. */
  #nextTick(): number {
    if (this.#size === 0) return Number.POSITIVE_INFINITY;
    let ticksPerSlot = 1;
    let currentDigits = this.#tick;
    for (let wheel = 0; wheel < wheelCount; wheel++) {
      const digit = currentDigits % slotsPerWheel;
      for (let index = digit; index < slotsPerWheel; index++) {
        const slot = this.#slots[wheel * slotsPerWheel + index] as Slot;
        if (slot.wheelNext !== slot) return (currentDigits - digit + index) * ticksPerSlot;
      }
      currentDigits = Math.floor(currentDigits / slotsPerWheel);
      ticksPerSlot *= slotsPerWheel;
    }
    assert(false, `${this.#size} timers are counted but on no slot`);
  }

  /** Moves the timers of each higher wheel's slot that starts with this tick down to where they belong now. */
  #cascade(): void {
    let ticksPerSlot = 1;
    for (let wheel = 1; wheel < wheelCount; wheel++) {
      ticksPerSlot *= slotsPerWheel;
      if (this.#tick % ticksPerSlot !== 0) return;
      const slot = this.#slots[wheel * slotsPerWheel + ((this.#tick / ticksPerSlot) % slotsPerWheel)] as Slot;
      let timer = slot.wheelNext as WheelTimer;
      slot.wheelNext = slot;
      slot.wheelPrevious = slot;
      while (timer !== slot) {
        const next = timer.wheelNext as WheelTimer;
        this.#place(timer);
        timer = next;
      }
    }
  }

  /** Calls what is due at the current tick. What that schedules is due later. */
  #expire(): void {
    const slot = this.#slots[this.#tick % slotsPerWheel] as Slot;
    while (slot.wheelNext !== slot) {
      const timer = slot.wheelNext as WheelTimer;
      this.#unlink(timer);
      timer.onExpire();
    }
  }

  #setHostTimer(tick: number): void {
    if (this.#hostTimer !== undefined) this.#clock.clearTimer(this.#hostTimer);
    this.#hostTick = tick;
    const delayMs = this.#originMs + tick * this.#tickMs - this.#clock.monotonic();
    this.#hostTimer = this.#clock.setTimer(Math.max(0, Math.ceil(delayMs)), this.#onHostTimer);
  }

  #clearHostTimer(): void {
    if (this.#hostTimer !== undefined) this.#clock.clearTimer(this.#hostTimer);
    this.#hostTimer = undefined;
    this.#hostTick = Number.POSITIVE_INFINITY;
  }
}
