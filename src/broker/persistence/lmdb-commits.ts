/**
 * The rhythm of commits: what is staged in a turn of the event loop becomes one transaction at its end, and what comes while that is
 * under way shares the next. When something counts as safe depends on the durability.
 */
import type { Clock, TimerHandle } from '../../base/clock.ts';
import { StorageError } from '../../protocol/errors.ts';
import type { Delivery } from '../delivery.ts';
import { writeFailureText } from './data-directory.ts';
import { Batch, BatchEncoder, type EncodedBatch } from './lmdb-batch.ts';
import { LmdbEnvironment } from './lmdb-environment.ts';

/**
 * When something counts as safe. `strict`: it is on the disk. `relaxed`: the system has it, so that it survives this process; the disk
 * follows. `none`: at once; it is written within a second.
 */
export type Durability = 'strict' | 'relaxed' | 'none';

export interface CommitOptions {
  readonly directory: string;
  readonly durability: Durability;
  readonly clock: Clock;
  /** Called with each batch that was committed, before anybody is told that it is safe. */
  readonly onCommitted: (batch: Batch) => void;
  /** Called when `failure` changes. */
  readonly onFailure: () => void;
}

/** With durability `none`: how long changes are gathered, and how much of them at most. */
const gatherMs = 1000;
const gatherBytesMax = 8 * 1024 * 1024;
/** A commit that failed is tried again after this long at first, then after twice as long each time, up to the other. */
const retryMsMin = 1000;
const retryMsMax = 8000;

export class Commits {
  /** What goes into the next commit. Whoever changes it calls `touch`. */
  staged = new Batch();
  /** Grows with each thing staged. */
  stagedCount = 0;
  /** Commits that worked. */
  count = 0;
  /** Why commits fail; undefined while they do not. */
  failure: string | undefined = undefined;
  environment: LmdbEnvironment;
  readonly #options: CommitOptions;
  /** Who waits for what is staged. */
  #waiting: (() => void)[] = [];
  /** What is being committed, and who waits for it. */
  #committing: { readonly batch: Batch; readonly waiting: (() => void)[] } | undefined = undefined;
  /** Who waits for the end of the next commit, whether it works or not. */
  readonly #syncing: (() => void)[] = [];
  readonly #encoder = new BatchEncoder();
  #isScheduled = false;
  #gathering: TimerHandle | undefined = undefined;
  #retrying: TimerHandle | undefined = undefined;
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
      return;
    }
    this.#isScheduled = true;
    if (this.#gathers) this.#gathering = this.#options.clock.setTimer(gatherMs, () => this.#commitSoon());
    else this.#options.clock.defer(() => this.#commit());
  }

  /** Calls back at once, or as soon as the environment, which is opened anew after a failure, can be read; then nothing was committed between. */
  whenReadable(callback: () => void): void {
    if (this.environment.isOpen) callback();
    else this.#reopening.push(callback);
  }

  whenSafe(callback: () => void): void {
    if (this.#options.durability === 'none') callback();
    // Also behind somebody who waits for what has cancelled itself out since: the order stays.
    else if (!this.staged.isEmpty || this.#waiting.length > 0) this.#waiting.push(callback);
    else if (this.#committing !== undefined) this.#committing.waiting.push(callback);
    else callback();
  }

  /** @throws {StorageError} if a commit fails */
  async sync(): Promise<void> {
    while (!this.staged.isEmpty || this.#waiting.length > 0 || this.#committing !== undefined) {
      await this.#nextCommit();
      if (this.failure !== undefined) throw new StorageError(this.failure);
    }
    await this.environment.sync();
  }

  /** Commits what is staged and closes the environment. Rejects if the commit failed; it is closed then, too. */
  async close(): Promise<void> {
    this.#isClosing = true;
    try {
      const lastCommits = this.sync();
      if (this.#retrying !== undefined) this.#retryNow();
      await lastCommits;
    } finally {
      this.#isClosed = true;
      this.#stopTimers();
      await this.environment.close();
    }
  }

  /** Whether changes are gathered rather than committed at the end of the turn. */
  get #gathers(): boolean {
    return this.#options.durability === 'none' && !this.#isClosing;
  }

  /** Commits at the end of this turn what is gathered. */
  #commitSoon(): void {
    if (this.#gathering === undefined) return;
    this.#options.clock.clearTimer(this.#gathering);
    this.#gathering = undefined;
    this.#options.clock.defer(() => this.#commit());
  }

  /** Resolves after the commit that is under way, or the next one; also if it fails. */
  #nextCommit(): Promise<void> {
    this.#commitSoon();
    return new Promise((resolve) => {
      this.#syncing.push(resolve);
    });
  }

  /** Takes all that is staged now into one commit; what comes meanwhile goes into the next. */
  #commit(): void {
    this.#isScheduled = false;
    if (this.#isClosed) return;
    const batch = this.staged;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (batch.isEmpty) {
      this.#call(waiting);
      return;
    }
    this.staged = new Batch();
    this.#committing = { batch, waiting };
    this.#write(batch, batch.encode(this.#encoder));
  }

  #write(batch: Batch, encoded: EncodedBatch): void {
    this.environment.write(encoded).then(
      () => this.#committed(batch),
      (error) => this.#failed(batch, encoded, error),
    );
  }

  #committed(batch: Batch): void {
    if (this.failure !== undefined) {
      this.failure = undefined;
      this.#retryMs = retryMsMin;
      this.#options.onFailure();
    }
    this.count++;
    this.#encoder.reset();
    const waiting = this.#committing?.waiting ?? [];
    this.#committing = undefined;
    this.#options.onCommitted(batch);
    // The next commit is on its way before anybody is told of this one.
    if (!this.staged.isEmpty || this.#waiting.length > 0) {
      if (this.#gathers && this.#syncing.length === 0) {
        this.#isScheduled = true;
        this.#gathering = this.#options.clock.setTimer(gatherMs, () => this.#commitSoon());
      } else {
        this.#commit();
      }
    }
    this.#call(waiting);
  }

  #call(waiting: readonly (() => void)[]): void {
    for (const callback of waiting) callback();
    for (const resolve of this.#syncing.splice(0)) resolve();
  }

  #failed(batch: Batch, encoded: EncodedBatch, error: unknown): void {
    const { directory, clock } = this.#options;
    const isNew = this.failure === undefined;
    this.failure = `${directory} cannot be written: ${writeFailureText(directory, error)}`;
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
      this.environment = await LmdbEnvironment.open(directory, durability === 'strict');
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
    this.#gathering = undefined;
    this.#retrying = undefined;
  }
}
