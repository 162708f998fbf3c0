/** What the broker publishes about itself: `$SYS` every `sys_interval` seconds. */
import type { TimerHandle } from '../base/clock.ts';
import type { BrokerContext } from './context.ts';
import { Message } from './message.ts';
import { type SysSources, SysTopics } from './sys-topics.ts';

const sweepIntervalMs = 10_000;

/** What no counter knows and each Session must be asked for. */
interface SessionTotals {
  away: number;
  queued: number;
  queuedBytes: number;
  inflight: number;
}

export class StatusPublisher {
  readonly #context: BrokerContext;
  readonly #sys: SysTopics;
  #totals: SessionTotals = { away: 0, queued: 0, queuedBytes: 0, inflight: 0 };
  #timer: TimerHandle | undefined = undefined;
  #sweepTimer: TimerHandle | undefined = undefined;
  #isStarted = false;

  /** @param version text of `$SYS/broker/version` */
  constructor(context: BrokerContext, version: string) {
    this.#context = context;
    this.#sys = new SysTopics(this.#sources(version), (topicName, text, retain) => {
      // At QoS 2, like Mosquitto's, so that each subscriber gets it at the QoS it asked for.
      context.publish(new Message(topicName, Buffer.from(text), 2, retain, undefined, 0, undefined), undefined);
    });
  }

  /** Publishes everything at once, then what changed at each interval. */
  start(): void {
    this.#sweepLater();
    if (this.#context.settings.sysInterval === 0) return;
    this.#survey();
    const now = this.#context.clock.monotonic();
    if (this.#isStarted) this.#sys.update(now);
    else this.#sys.start(now);
    this.#isStarted = true;
    this.#schedule();
  }

  stop(): void {
    if (this.#timer !== undefined) this.#context.clock.clearTimer(this.#timer);
    this.#timer = undefined;
    if (this.#sweepTimer !== undefined) this.#context.clock.clearTimer(this.#sweepTimer);
    this.#sweepTimer = undefined;
  }

  /** After a change of `sys_interval`. */
  restart(): void {
    this.stop();
    this.start();
  }

  /** Retained messages that expired take no room for long, whether anyone asks for them or not. */
  #sweepLater(): void {
    this.#sweepTimer = this.#context.clock.setTimer(sweepIntervalMs, () => {
      this.#context.retained.removeExpired(this.#context.clock.now());
      this.#sweepLater();
    });
  }

  #schedule(): void {
    this.#timer = this.#context.clock.setTimer(this.#context.settings.sysInterval * 1000, () => {
      this.#survey();
      this.#sys.update(this.#context.clock.monotonic());
      this.#schedule();
    });
  }

  #survey(): void {
    const totals: SessionTotals = { away: 0, queued: 0, queuedBytes: 0, inflight: 0 };
    for (const session of this.#context.sessions.all()) {
      if (session.connection === undefined) totals.away++;
      totals.queued += session.queue.length;
      totals.queuedBytes += session.queue.bytes;
      totals.inflight += session.inflightCount;
    }
    this.#totals = totals;
    this.#context.counters.storeInTrouble = this.#context.store?.isRefusingWork === true ? 1 : 0;
  }

  #sources(version: string): SysSources {
    const { counters, routes, retained } = this.#context;
    const totals = (): SessionTotals => this.#totals;
    return {
      version,
      counters,
      get clientsDisconnected() {
        return totals().away;
      },
      get subscriptions() {
        return routes.subscriptionCount - routes.sharedSubscriptionCount;
      },
      get sharedSubscriptions() {
        return routes.sharedSubscriptionCount;
      },
      get retainedMessages() {
        return retained.count;
      },
      get storedMessages() {
        return retained.count + totals().queued;
      },
      get storedBytes() {
        return retained.bytes + totals().queuedBytes;
      },
      get inflightMessages() {
        return totals().inflight;
      },
      get heapBytes() {
        const { heapUsed, external } = process.memoryUsage();
        return heapUsed + external;
      },
    };
  }
}
