/** Opens many connections, at a rate or as fast as the broker answers. */
import { Failures } from './failures.ts';
import { connectFormOf, Handshake, type SessionOptions } from './handshake.ts';
import { Latencies, type LatencySummary } from './latency.ts';
import type { Link } from './link.ts';
import { LoadError } from './load-error.ts';
import { grouped, pause, type RunControl } from './run-control.ts';
import type { Target } from './target.ts';
import type { ConnectForm } from './wire.ts';

export interface OpenLinksOptions {
  readonly target: Target;
  /** Client Identifiers are this and a number. */
  readonly namePrefix: string;
  readonly connections: number;
  /** Connections a second, each at a time of its own; undefined for as fast as the broker answers. */
  readonly rate: number | undefined;
  /** Handshakes under way at once. With a rate, one that has to wait for others is late, and that counts. */
  readonly atOnce: number;
  readonly isPersistent: boolean;
  /** Seconds; 0 for none. Who asks for one sends the PINGREQ. */
  readonly keepAlive: number;
  readonly publishBytes: number;
  /** A connection is open. */
  readonly onOpen: (link: Link) => void;
  /** A connection that was open is lost. */
  readonly onLost: (error: Error) => void;
}

export interface OpenedLinks {
  /** Those that are open. */
  readonly links: readonly Link[];
  /** From the first attempt to the last CONNACK. */
  readonly seconds: number;
  /** From when a connection was due (with a rate) or begun until its CONNACK. */
  readonly latency: LatencySummary | undefined;
  readonly failed: number;
  readonly failures: Readonly<Record<string, number>>;
}

/** Without any answer for so long nothing more is waited for. */
const silenceMs = 20_000;
const watchMs = 100;

/**
 * Resolves when every attempt has ended, or the run was ended.
 * @param links gets every connection as soon as it is begun, so that it can be closed in any case
 * @throws {LoadError} if the first connection that is tried fails
 */
export async function openLinks(
  options: OpenLinksOptions,
  links: Link[],
  control: RunControl = {},
): Promise<OpenedLinks> {
  const opening = new Opening(options, links, control);
  return opening.run();
}

class Opening {
  readonly #options: OpenLinksOptions;
  readonly #session: SessionOptions;
  readonly #connect: ConnectForm;
  readonly #links: Link[];
  readonly #control: RunControl;
  readonly #open: Link[] = [];
  readonly #latencies = new Latencies();
  readonly #failures = new Failures();
  #begun = 0;
  #settled = 0;
  #startMs = 0;
  #lastMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #firstError: Error | undefined;

  constructor(options: OpenLinksOptions, links: Link[], control: RunControl) {
    const { target, isPersistent, keepAlive, publishBytes } = options;
    this.#options = options;
    this.#session = { target, isPersistent, keepAlive, publishBytes, qos: 0, topicFilters: [] };
    this.#connect = connectFormOf(this.#session);
    this.#links = links;
    this.#control = control;
  }

  async run(): Promise<OpenedLinks> {
    const { connections } = this.#options;
    const { signal, onProgress } = this.#control;
    this.#startMs = performance.now();
    this.#lastMs = this.#startMs;
    this.#step();
    try {
      while (this.#settled < connections && !this.#isOver()) {
        await pause(watchMs, signal);
        onProgress?.({
          phase: 'connecting',
          share: this.#settled / connections,
          text: `${grouped(this.#open.length)} connections`,
        });
      }
    } finally {
      clearTimeout(this.#timer);
    }
    if (this.#firstError !== undefined) throw this.#firstError;
    this.#giveUp();
    return {
      links: this.#open,
      seconds: (this.#lastMs - this.#startMs) / 1000,
      latency: this.#latencies.summary(),
      failed: this.#failures.count,
      failures: this.#failures.byReason(),
    };
  }

  get #isStopped(): boolean {
    return this.#control.signal?.aborted === true || this.#firstError !== undefined;
  }

  #isOver(): boolean {
    if (this.#isStopped) return true;
    const isWaiting = this.#begun > this.#settled;
    return isWaiting && performance.now() - this.#lastMs > silenceMs && this.#begun === this.#startedMax();
  }

  /** Connections that may have been begun by now. */
  #startedMax(): number {
    const { connections, atOnce, rate } = this.#options;
    const startedMax = Math.min(connections, this.#settled + atOnce);
    if (rate === undefined) return startedMax;
    return Math.min(startedMax, Math.floor(((performance.now() - this.#startMs) * rate) / 1000) + 1);
  }

  /** Begins what may begin now. */
  readonly #step = (): void => {
    if (this.#isStopped) return;
    const startedMax = this.#startedMax();
    while (this.#begun < startedMax) this.#begin(this.#begun++);
    const { rate, connections } = this.#options;
    if (rate !== undefined && this.#begun < connections) {
      clearTimeout(this.#timer);
      const dueMs = this.#startMs + (this.#begun * 1000) / rate;
      this.#timer = setTimeout(this.#step, Math.max(1, dueMs - performance.now()));
    }
  };

  #begin(index: number): void {
    const { namePrefix, rate } = this.#options;
    const beganMs = rate === undefined ? performance.now() : this.#startMs + (index * 1000) / rate;
    const name = `${namePrefix}-${index}`;
    this.#links.push(new Attempt(this.#session, this.#connect, index, name, beganMs, this).link);
  }

  /** An attempt's business, as the next two. */
  opened(attempt: Attempt): void {
    const { link } = attempt;
    this.#lastMs = performance.now();
    this.#latencies.record(this.#lastMs - attempt.beganMs);
    this.#open.push(link);
    this.#options.onOpen(link);
    this.#settle();
  }

  failed(attempt: Attempt, error: Error): void {
    if (this.#open.length === 0 && this.#failures.count === 0) this.#firstError = error;
    this.#failures.add(error, attempt.name);
    this.#settle();
  }

  lost(error: Error): void {
    this.#options.onLost(error);
  }

  #settle(): void {
    this.#settled++;
    this.#step();
  }

  #giveUp(): void {
    if (this.#control.signal?.aborted) return;
    const silent = new LoadError(`no answer for ${silenceMs / 1000} s`);
    for (let left = this.#options.connections - this.#settled; left > 0; left--) this.#failures.add(silent);
  }
}

/** One connection that is being made. */
class Attempt extends Handshake {
  readonly beganMs: number;
  readonly #opening: Opening;
  #isOpen = false;

  constructor(
    session: SessionOptions,
    connect: ConnectForm,
    index: number,
    name: string,
    beganMs: number,
    opening: Opening,
  ) {
    super(session, connect, index, name);
    this.beganMs = beganMs;
    this.#opening = opening;
  }

  protected override opened(): void {
    this.#isOpen = true;
    this.#opening.opened(this);
  }

  override linkFailed(error: Error): void {
    if (this.#isOpen) this.#opening.lost(error);
    else this.#opening.failed(this, error);
  }
}
