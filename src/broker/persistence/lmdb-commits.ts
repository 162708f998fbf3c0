/**
 * The rhythm of commits: what is staged in a turn of the event loop becomes one transaction at its end, and what comes while that is
 * under way shares the next. When something counts as safe depends on the durability.
 *
 * Deliveries whose clients are likely to acknowledge them at once are held for a moment, and with them what nobody waits for: what is over
 * by then is never written. Anything else that comes takes them along, so that what is written is always all there was up to some moment.
 */
import type { Clock, TimerHandle } from '../../base/clock.ts';
import { StorageError } from '../../protocol/errors.ts';
import type { Delivery } from '../delivery.ts';
import { writeFailureText } from './data-directory.ts';
import { Journal } from './journal.ts';
import { Batch, BatchEncoder, type EncodedBatch } from './lmdb-batch.ts';
import { LmdbEnvironment } from './lmdb-environment.ts';

/**
 * When something counts as safe. `strict`: it is on the disk. `relaxed`: the system has it, so that it survives this process; the disk
 * has all but the page that makes it count. `none`: at once; it is written within a second.
 */
export type Durability = 'strict' | 'relaxed' | 'none';

export interface CommitOptions {
  readonly directory: string;
  readonly durability: Durability;
  readonly clock: Clock;
  /** A commit that has not come back after this long counts as failing until it does; Infinity: never. */
  readonly patienceMs: number;
  /** Called with each batch that was committed, before anybody is told that it is safe. */
  readonly onCommitted: (batch: Batch) => void;
  /** Called when `failure` changes. */
  readonly onFailure: () => void;
}

/** With durability `none`: how long changes are gathered, and how much of them at most. */
const gatherMs = 1000;
const gatherBytesMax = 8 * 1024 * 1024;
/**
 * What is held is written when it has been there for half of a time to all of it. That time is about what a commit takes, so that a publisher
 * waits no more than twice as long as without, but within these bounds.
 */
const holdMsMin = 3;
const holdMsMax = 50;
/** Of what a commit takes, the last one makes this much. */
const commitMsWeight = 1 / 8;
/** A commit that failed is tried again after this long at first, then after twice as long each time, up to the other. */
const retryMsMin = 1000;
const retryMsMax = 8000;

export class Commits {
  /** What goes into the next commit. Whoever changes it calls `touch`. */
  staged: Batch;
  readonly journal: Journal;
  /** Grows with each thing staged. */
  stagedCount = 0;
  /** Commits that worked. */
  count = 0;
  /** Why commits fail; undefined while they do not. */
  failure: string | undefined = undefined;
  environment: LmdbEnvironment;
  /** The longest that something is held. Milliseconds. */
  holdMs = holdMsMin;
  readonly #options: CommitOptions;
  #commitMs = 0;
  #commitBegan = 0;
  /** Who waits for what is staged. */
  #waiting: (() => void)[] = [];
  /** What is being committed, and who waits for it. */
  #committing: { readonly batch: Batch; readonly waiting: (() => void)[] } | undefined = undefined;
  /** Who waits for the end of the next commit, whether it works or not. */
  readonly #syncing: (() => void)[] = [];
  readonly #encoder = new BatchEncoder();
  #isScheduled = false;
  #gathering: TimerHandle | undefined = undefined;
  #holding: TimerHandle | undefined = undefined;
  /** Messages up to this one, and changes of what was written, were there already at the last step. */
  #heldUpTo = 0;
  #heldChanges = false;
  #retrying: TimerHandle | undefined = undefined;
  /** Looks whether the commit that is under way is overdue. */
  #watching: TimerHandle | undefined = undefined;
  #retryMs = retryMsMin;
  /** Tries the commit that failed again at once. */
  #retryNow: () => void = () => {};
  /** What waits for an environment that can be read. */
  readonly #reopening: (() => void)[] = [];
  #isClosing = false;
  #isClosed = false;

  constructor(options: CommitOptions, environment: LmdbEnvironment) {
    this.#options = options;
    this.environment = environment;
    // Where nobody waits for commits they are few and large, and what is over soon never gets into one.
    this.journal = new Journal(options.durability !== 'none');
    this.staged = new Batch(this.journal);
  }

  /** Whether what is staged or being committed changes a delivery. */
  changes(delivery: Delivery): boolean {
    return this.staged.hasDelivery(delivery) || this.#committing?.batch.hasDelivery(delivery) === true;
  }

  /** Positions of a session's deliveries that are deleted, though their records can still be read. */
  deletedPositions(session: number): ReadonlySet<number> {
    const deleted = new Set<number>();
    this.staged.collectDeleted(session, deleted);
    this.#committing?.batch.collectDeleted(session, deleted);
    return deleted;
  }

  /** Something was staged: it is to be committed. */
  touch(): void {
    this.stagedCount++;
    if (this.#isScheduled || this.#committing !== undefined) {
      if (this.#gathering !== undefined && this.staged.bytes > gatherBytesMax) this.#commitSoon();
    } else if (this.#gathers) {
      this.#gather();
    } else {
      this.#scheduleOrHold();
    }
  }

  /** Calls back at once, or as soon as the environment, which is opened anew after a failure, can be read; then nothing was committed between. */
  whenReadable(callback: () => void): void {
    if (this.environment.isOpen) callback();
    else this.#reopening.push(callback);
  }

  whenSafe(callback: () => void): void {
    if (this.#options.durability === 'none') callback();
    // Also behind somebody who waits for what has cancelled itself out since: the order stays.
    else if (!this.staged.isEmpty || this.#waiting.length > 0) {
      this.#waiting.push(callback);
      this.#schedule();
    } else if (this.#committing !== undefined) this.#committing.waiting.push(callback);
    else callback();
  }

  /** @throws {StorageError} if a commit fails */
  async sync(): Promise<void> {
    while (this.#hasWork || this.#committing !== undefined) {
      await this.#nextCommit();
      if (this.failure !== undefined) throw new StorageError(this.failure);
    }
    await this.environment.sync();
  }

  /** Commits what is staged and closes the environment. Rejects if the commit failed; it is closed then, too. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const isAllSafe = !this.#hasWork && this.#committing === undefined;
    // So that whoever comes next need not carry the journal out.
    this.journal.wantsCheckpoint = true;
    try {
      const lastCommits = this.sync();
      if (this.#retrying !== undefined) this.#retryNow();
      await lastCommits;
    } catch (error) {
      // What is in the journal is as safe there.
      if (!(isAllSafe && error instanceof StorageError)) throw error;
    } finally {
      this.#isClosed = true;
      this.#stopTimers();
      await this.environment.close();
    }
  }

  /** Whether there is something to commit, or somebody waits for a commit. */
  get #hasWork(): boolean {
    return !this.staged.isEmpty || this.#waiting.length > 0 || this.journal.isDue;
  }

  /** Whether changes are gathered rather than committed at the end of the turn. */
  get #gathers(): boolean {
    return this.#options.durability === 'none' && !this.#isClosing;
  }

  #gather(): void {
    this.#isScheduled = true;
    this.#gathering = this.#options.clock.setTimer(gatherMs, () => this.#commitSoon());
  }

  #scheduleOrHold(): void {
    if (this.staged.isUrgent || this.#waiting.length > 0) this.#schedule();
    else this.#holding ??= this.#options.clock.setTimer(this.holdMs / 2, () => this.#step());
  }

  /** Commits at the end of this turn, or once the commit that is under way has ended. */
  #schedule(): void {
    if (this.#isScheduled || this.#committing !== undefined) return;
    this.#isScheduled = true;
    this.#options.clock.defer(() => this.#commit());
  }

  /** Commits at the end of this turn what is gathered or held. */
  #commitSoon(): void {
    if (this.#gathering === undefined) {
      if (!this.staged.isEmpty || this.journal.isDue) this.#schedule();
      return;
    }
    this.#options.clock.clearTimer(this.#gathering);
    this.#gathering = undefined;
    this.#options.clock.defer(() => this.#commit());
  }

  /** What has been held since the last step is written now, what came later at the next. */
  #step(): void {
    this.#holding = undefined;
    const { staged } = this;
    if (this.#isScheduled || this.#committing !== undefined || this.#isClosed || staged.isEmpty) return;
    const upTo = this.#heldUpTo;
    const isOverdue = staged.firstSequence <= upTo || (this.#heldChanges && staged.changesWritten);
    this.#heldUpTo = staged.lastSequence;
    this.#heldChanges = !isOverdue && staged.changesWritten;
    if (isOverdue) this.#commit(upTo);
    else this.#scheduleOrHold();
  }

  /** Resolves after the commit that is under way, or the next one; also if it fails. */
  #nextCommit(): Promise<void> {
    this.#commitSoon();
    return new Promise((resolve) => {
      this.#syncing.push(resolve);
    });
  }

  /**
   * Takes what is staged now into one commit; what comes meanwhile goes into the next.
   * @param upTo the last message that has been held too long; without, all is taken
   */
  #commit(upTo = Number.POSITIVE_INFINITY): void {
    this.#isScheduled = false;
    if (this.#isClosed) return;
    const batch = this.staged;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (batch.isEmpty && !this.journal.isDue) {
      this.#call(waiting);
      return;
    }
    this.staged = batch.splitAfter(upTo);
    if (upTo !== Number.POSITIVE_INFINITY) batch.noteMissed();
    this.#committing = { batch, waiting };
    this.#write(batch, batch.encode(this.#encoder));
  }

  #write(batch: Batch, encoded: EncodedBatch): void {
    const { clock } = this.#options;
    this.#commitBegan = clock.monotonic();
    this.#watchFor(this.#options.patienceMs);
    this.environment.write(encoded).then(
      () => this.#committed(batch),
      (error) => this.#failed(batch, encoded, error),
    );
  }

  #watchFor(ms: number): void {
    if (ms < Number.POSITIVE_INFINITY) this.#watching ??= this.#options.clock.setTimer(ms, () => this.#watch());
  }

  #watch(): void {
    this.#watching = undefined;
    // A commit that failed is told of already.
    if (this.#committing === undefined || this.#retrying !== undefined || this.#isClosed) return;
    const { clock, directory, patienceMs, onFailure } = this.#options;
    const leftMs = this.#commitBegan + patienceMs - clock.monotonic();
    if (leftMs > 0) {
      this.#watchFor(leftMs);
    } else if (this.failure === undefined) {
      this.failure = `${directory} does not answer: a commit has taken more than ${patienceMs / 1000} seconds so far`;
      onFailure();
    }
  }

  #committed(batch: Batch): void {
    if (this.failure !== undefined) {
      this.failure = undefined;
      this.#retryMs = retryMsMin;
      this.#options.onFailure();
    }
    this.count++;
    this.#commitMs += (this.#options.clock.monotonic() - this.#commitBegan - this.#commitMs) * commitMsWeight;
    this.holdMs = Math.min(Math.max(this.#commitMs, holdMsMin), holdMsMax);
    this.#encoder.reset();
    const waiting = this.#committing?.waiting ?? [];
    this.#committing = undefined;
    this.#options.onCommitted(batch);
    // The next commit is on its way before anybody is told of this one.
    if (this.#hasWork) {
      if (this.#gathers && this.#syncing.length === 0) this.#gather();
      else if (this.staged.isUrgent || this.#waiting.length > 0 || this.#syncing.length > 0) this.#commit();
      else this.#scheduleOrHold();
    }
    for (const entry of batch.messages.keys()) entry.callKept();
    this.#call(waiting);
  }

  #call(waiting: readonly (() => void)[]): void {
    for (const callback of waiting) callback();
    for (const resolve of this.#syncing.splice(0)) resolve();
  }

  #failed(batch: Batch, encoded: EncodedBatch, error: unknown): void {
    const { directory, clock } = this.#options;
    const failure = `${directory} cannot be written: ${writeFailureText(directory, error)}`;
    const isNew = this.failure !== failure;
    this.failure = failure;
    if (isNew) this.#options.onFailure();
    for (const resolve of this.#syncing.splice(0)) resolve();
    if (this.#isClosed) return;
    this.#retryNow = () => {
      if (this.#retrying !== undefined) clock.clearTimer(this.#retrying);
      this.#retrying = undefined;
      this.#retry(batch, encoded);
    };
    this.#retrying = clock.setTimer(this.#retryMs, () => this.#retryNow());
    this.#retryMs = Math.min(2 * this.#retryMs, retryMsMax);
  }

  /** LMDB may refuse everything after a write error until its file is opened anew. */
  async #retry(batch: Batch, encoded: EncodedBatch): Promise<void> {
    const { directory, durability } = this.#options;
    try {
      await this.environment.close();
      this.environment = await LmdbEnvironment.open(directory, durability);
    } catch (error) {
      this.#failed(batch, encoded, error);
      return;
    }
    for (const callback of this.#reopening.splice(0)) callback();
    this.#write(batch, encoded);
  }

  #stopTimers(): void {
    const { clock } = this.#options;
    if (this.#gathering !== undefined) clock.clearTimer(this.#gathering);
    if (this.#retrying !== undefined) clock.clearTimer(this.#retrying);
    if (this.#holding !== undefined) clock.clearTimer(this.#holding);
    if (this.#watching !== undefined) clock.clearTimer(this.#watching);
    this.#gathering = undefined;
    this.#holding = undefined;
    this.#watching = undefined;
    this.#retrying = undefined;
  }
}
