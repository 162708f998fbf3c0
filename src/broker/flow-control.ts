/**
 * Publishers are slowed to the pace of receivers that keep reading, so that a burst is delivered rather than dropped; receivers that do
 * not keep up at a fair pace are not waited for, and their limits decide what is dropped.
 *
 *     a receiver falls behind ──note──▶ the publisher whose packet it was ──hold──▶ is not read …
 *       … until the receivers it waits for have caught up, or for one of them `paceMs` went by with less than a fair pace:
 *         then that one is left behind for `leftBehindMs`, and publishers no longer wait for it.
 *
 * For what waits at QoS 1 or 2 it is `patienceMs`, because what then is dropped was promised: once for each receiver until it has
 * caught up again, and only if no other has used it up lately.
 *
 * Publishers go on one after the other, and the rest wait again as soon as the receiver is behind again: a thousand that go on at
 * once would fill its queue before it could say a word.
 *
 * A publisher that has messages of its own to acknowledge is never held for acknowledgements, or two clients could wait for each other.
 */
import type { Clock, TimerHandle } from '../base/clock.ts';
import type { Connection } from './connection.ts';
import type { Counters } from './counters.ts';
import type { SessionOutput } from './session-output.ts';

/** How often the pace of the receivers that are waited for is looked at. */
const paceMs = 50;
/** A fair pace: so many bytes taken off the unsent ones … */
const paceBytesMin = 256 * 1024;
/** … or so many messages acknowledged in that time. */
const paceAcknowledgementsMin = 20;
/** How long a receiver of QoS 1 and 2 messages may pause: a program that is busy comes back to its socket in that time, mostly. */
const patienceMs = 1000;
/** How long after such a pause there is no patience for another, so that many stuck receivers cost a tenth of the time at most. */
const impatientMs = 10_000;
/** How long a receiver without a fair pace is not waited for. */
const leftBehindMs = 1000;

/** Unsent bytes of a connection from which on publishers wait for it; they go on once it has taken them all. */
export const behindBytes = 1024 * 1024;
/** Messages queued for a connected Session from which on publishers wait for it. They go on at a quarter of it. */
export const behindMessages = 200;

/** A receiver that publishers wait for. */
interface Awaited {
  readonly publishers: Set<Connection>;
  acknowledgements: number;
  unsentBytes: number;
  /** When these were looked at, on the monotonic clock. */
  since: number;
  /** When its pace was last fair, or when it began to be waited for. */
  fairAt: number;
}

export class FlowControl {
  readonly #clock: Clock;
  readonly #counters: Counters;
  /** Receivers found behind while the packet in hand was being routed. */
  readonly #noted: SessionOutput[] = [];
  readonly #awaited = new Map<SessionOutput, Awaited>();
  /** How many receivers each held publisher waits for. */
  readonly #held = new Map<Connection, number>();
  /** Those left behind that have not caught up since: until when they are not waited for. */
  readonly #leftBehindUntil = new WeakMap<SessionOutput, number>();
  #impatientUntil = Number.NEGATIVE_INFINITY;
  #timer: TimerHandle | undefined = undefined;

  constructor(clock: Clock, counters: Counters) {
    this.#clock = clock;
    this.#counters = counters;
  }

  /** Whether the packet in hand met a receiver that is behind. */
  get hasNoted(): boolean {
    return this.#noted.length > 0;
  }

  /** What was noted while nobody was publishing, or for somebody else, is nothing to hold the next publisher for. */
  forgetNoted(): void {
    if (this.#noted.length > 0) this.#noted.length = 0;
  }

  /** The receiver is behind; whoever is publishing may be made to wait. */
  note(receiver: SessionOutput): void {
    if (this.#noted.length < 64 && !this.#noted.includes(receiver)) this.#noted.push(receiver);
  }

  /** Holds the publisher for the receivers just noted. False if none of them is worth waiting for. */
  hold(publisher: Connection): boolean {
    const now = this.#clock.monotonic();
    let waits = 0;
    const ownWork = publisher.session === undefined || publisher.session.owesAcknowledgements;
    for (const receiver of this.#noted) {
      const { connection } = receiver;
      if (connection === undefined || connection === publisher) continue;
      if ((this.#leftBehindUntil.get(receiver) ?? 0) > now) continue;
      if (ownWork && connection.unsentBytes < behindBytes) continue;
      let awaited = this.#awaited.get(receiver);
      if (awaited === undefined) {
        awaited = {
          publishers: new Set(),
          acknowledgements: receiver.acknowledgements,
          unsentBytes: connection.unsentBytes,
          since: now,
          fairAt: now,
        };
        this.#awaited.set(receiver, awaited);
      }
      awaited.publishers.add(publisher);
      waits++;
    }
    this.#noted.length = 0;
    if (waits === 0) return false;
    this.#held.set(publisher, waits);
    this.#counters.publishersHeld++;
    this.#timer ??= this.#clock.setTimer(paceMs, this.#checkPace);
    return true;
  }

  /** The receiver has caught up, or is gone: publishers go on. */
  release(receiver: SessionOutput): void {
    this.#leftBehindUntil.delete(receiver);
    this.#letGo(receiver);
  }

  #letGo(receiver: SessionOutput): void {
    const awaited = this.#awaited.get(receiver);
    if (awaited === undefined) return;
    this.#awaited.delete(receiver);
    for (const publisher of awaited.publishers) {
      const waits = (this.#held.get(publisher) ?? 1) - 1;
      if (waits > 0) {
        this.#held.set(publisher, waits);
      } else {
        this.#held.delete(publisher);
        // Not from within whatever the receiver is doing now.
        this.#clock.defer(() => this.#goOn(publisher, receiver));
      }
    }
  }

  /** Lets a publisher go on, unless those before it have put the receiver behind again. */
  #goOn(publisher: Connection, receiver: SessionOutput): void {
    this.forgetNoted();
    const isBehind = receiver.queue.length >= behindMessages || (receiver.connection?.unsentBytes ?? 0) >= behindBytes;
    if (isBehind) this.note(receiver);
    if (!isBehind || !this.hold(publisher)) publisher.goOn();
  }

  /**
   * How many publishers wait for this receiver. Each may have brought a message beyond its queue's limit before it could be stopped,
   * and brings no more.
   */
  waitingFor(receiver: SessionOutput): number {
    return this.#awaited.get(receiver)?.publishers.size ?? 0;
  }

  /** Whether publishers wait for this receiver. */
  isAwaited(receiver: SessionOutput): boolean {
    return this.#awaited.size > 0 && this.#awaited.has(receiver);
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  readonly #checkPace = (): void => {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const [receiver, awaited] of this.#awaited) {
      if (now - awaited.since < paceMs) continue;
      const { connection, acknowledgements } = receiver;
      const unsentBytes = connection?.unsentBytes ?? 0;
      const isFair =
        connection !== undefined &&
        (acknowledgements - awaited.acknowledgements >= paceAcknowledgementsMin ||
          awaited.unsentBytes - unsentBytes >= paceBytesMin);
      awaited.acknowledgements = acknowledgements;
      awaited.unsentBytes = unsentBytes;
      awaited.since = now;
      if (isFair) awaited.fairAt = now;
      const isPatient =
        receiver.queue.length >= behindMessages && now >= this.#impatientUntil && !this.#leftBehindUntil.has(receiver);
      if (connection !== undefined && now - awaited.fairAt < (isPatient ? patienceMs : paceMs)) continue;
      this.#leftBehindUntil.set(receiver, now + leftBehindMs);
      if (isPatient) this.#impatientUntil = now + impatientMs;
      this.#counters.receiversLeftBehind++;
      this.#letGo(receiver);
    }
    if (this.#awaited.size > 0) this.#timer = this.#clock.setTimer(paceMs, this.#checkPace);
  };
}
