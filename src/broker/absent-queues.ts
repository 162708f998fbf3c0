/**
 * The queues of absent Sessions, seen together. Few of their deliveries stay in memory: beyond a number the rest of them rest in the store,
 * those of the Sessions first that have been noted longest. And what has expired goes, whether its client comes back or not.
 */
import { WheelTimer } from '../base/timer-wheel.ts';
import { StorageError } from '../protocol/errors.ts';
import type { BrokerContext } from './context.ts';
import { removeRestingExpired } from './resting-expiry.ts';
import type { SessionOutput } from './session-output.ts';

/** Between two looks at what has expired. */
const sweepIntervalMs = 10_000;
/** Such a look makes a pause after so long, and goes on after the other. */
const sliceMs = 5;
const pauseMs = 250;
/** Sessions in vain asked to rest, one after the other, before it is left for later: their deliveries are not committed yet. */
const refusalsMax = 64;

class SweepTimer extends WheelTimer {
  readonly #sweep: () => void;
  constructor(sweep: () => void) {
    super();
    this.#sweep = sweep;
  }
  override onExpire(): void {
    this.#sweep();
  }
}

export class AbsentQueues {
  readonly #context: BrokerContext;
  /** How many deliveries of each are in memory, as noted last; the Session noted first is the first. */
  readonly #resident = new Map<SessionOutput, number>();
  #residentCount = 0;
  /** Deliveries in memory from which on some are to rest. */
  #tooMany = 0;
  #isResting = false;
  /** Absent Sessions with something queued that expires. */
  readonly #expiring = new Set<SessionOutput>();
  readonly #timer = new SweepTimer(() => this.#sweep());
  #sweeping: Iterator<void> | undefined = undefined;

  constructor(context: BrokerContext) {
    this.#context = context;
  }

  /** Deliveries of absent Sessions that are in memory and could rest. */
  get residentCount(): number {
    return this.#residentCount;
  }

  /** The queue of an absent Session has changed, or it has become absent. */
  note(session: SessionOutput): void {
    const { wheel } = this.#context;
    if (session.queue.firstExpiry !== 0 && !this.#expiring.has(session)) {
      this.#expiring.add(session);
      if (!this.#timer.isScheduled && this.#sweeping === undefined) wheel.schedule(this.#timer, sweepIntervalMs);
    }
    const { store } = session;
    if (store === undefined) return;
    this.#count(session, session.residentCount);
    this.#tooMany = Math.max(this.#tooMany, store.residentDeliveriesMax);
    if (this.#residentCount <= this.#tooMany || this.#isResting) return;
    this.#isResting = true;
    store.whenSafe(() => this.#haveSomeRest(store.residentDeliveriesMax));
  }

  /** The Session is absent no more, or has ended. */
  forget(session: SessionOutput): void {
    this.#count(session, 0);
    this.#expiring.delete(session);
  }

  #count(session: SessionOutput, count: number): void {
    const before = this.#resident.get(session) ?? 0;
    if (count === before) return;
    this.#residentCount += count - before;
    if (count === 0) this.#resident.delete(session);
    else this.#resident.set(session, count);
  }

  #haveSomeRest(residentMax: number): void {
    this.#isResting = false;
    const enough = residentMax - (residentMax >> 2);
    let refusals = 0;
    for (const session of this.#resident.keys()) {
      if (this.#residentCount <= enough || refusals === refusalsMax) break;
      if (session.rest()) this.#count(session, 0);
      else refusals++;
    }
    // What could not rest now may when as much again has come.
    this.#tooMany = Math.max(residentMax, this.#residentCount + (residentMax >> 3));
  }

  #sweep(): void {
    const { clock, wheel } = this.#context;
    this.#sweeping ??= this.#removeExpired(clock.now());
    const deadline = clock.monotonic() + sliceMs;
    while (!this.#sweeping.next().done) {
      if (clock.monotonic() < deadline) continue;
      wheel.schedule(this.#timer, pauseMs);
      return;
    }
    this.#sweeping = undefined;
    if (this.#expiring.size > 0) wheel.schedule(this.#timer, sweepIntervalMs);
  }

  *#removeExpired(now: number): IterableIterator<void> {
    for (const session of this.#expiring) {
      // In trouble it can neither be read surely nor forget anything; that is for later.
      if (this.#context.store?.isRefusingWork === true) return;
      const { queue } = session;
      if (queue.firstExpiry !== 0 && queue.firstExpiry <= now) {
        session.removeExpired(now);
        try {
          yield* removeRestingExpired(this.#context, session, now);
        } catch (error) {
          if (error instanceof StorageError) return;
          throw error;
        }
      }
      if (queue.firstExpiry === 0) this.#expiring.delete(session);
      yield;
    }
  }
}
