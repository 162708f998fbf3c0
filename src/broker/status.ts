/** What the broker publishes about itself: `$SYS`, and what is done now and then along with it. */
import type { TimerHandle } from '../base/clock.ts';
import type { BrokerContext } from './context.ts';

export class StatusPublisher {
  readonly #context: BrokerContext;
  #timer: TimerHandle | undefined = undefined;

  constructor(context: BrokerContext, _version: string) {
    this.#context = context;
  }

  start(): void {
    const { sysInterval } = this.#context.settings;
    if (sysInterval === 0) return;
    this.#timer = this.#context.clock.setTimer(sysInterval * 1000, () => {
      this.start();
    });
  }

  stop(): void {
    if (this.#timer !== undefined) this.#context.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  restart(): void {
    this.stop();
    this.start();
  }
}
