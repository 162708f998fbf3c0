/** Sends what happens to those who subscribed to `$clearwing/tap`, as long as there are any. */
import type { TimerHandle } from '../../base/clock.ts';
import type { Connection } from '../connection.ts';
import type { BrokerContext } from '../context.ts';
import { Message } from '../message.ts';
import { ConnectionRecorder } from './connection-recorder.ts';
import { RecordBuffer } from './record-buffer.ts';
import { tapTopic } from './tap-topic.ts';

/** Milliseconds between messages while something happens. */
const intervalMs = 50;
/** Bytes gathered between two messages; what is more is lost, and counted. */
const gatheredBytesMax = 8 * 1024 * 1024;

export class TapFeed {
  readonly #context: BrokerContext;
  readonly #records: RecordBuffer;
  readonly #recorder: ConnectionRecorder;
  #timer: TimerHandle | undefined = undefined;

  constructor(context: BrokerContext) {
    this.#context = context;
    this.#records = new RecordBuffer(context.counters, gatheredBytesMax);
    this.#recorder = new ConnectionRecorder(this.#records, context.clock, {
      isDecrypting: () => context.settings.captureDecrypted,
    });
  }

  /** The connection has subscribed. What it is sent from now on is not watched itself. */
  watch(connection: Connection): void {
    const { tap } = this.#context;
    tap.ignore(connection);
    if (this.#timer !== undefined) return;
    tap.add(this.#recorder);
    this.#schedule();
  }

  stop(): void {
    if (this.#timer === undefined) return;
    this.#context.clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#context.tap.remove(this.#recorder);
    this.#recorder.forget();
    this.#records.end();
  }

  #schedule(): void {
    this.#timer = this.#context.clock.setTimer(intervalMs, () => this.#send());
  }

  #send(): void {
    const context = this.#context;
    const route = context.routes.of(tapTopic);
    const isWanted =
      route.receivers.some(({ session }) => session.connection !== undefined) || route.sharedGroups.length > 0;
    if (!isWanted) {
      this.stop();
      return;
    }
    if (!this.#records.isEmpty) {
      context.publish(new Message(tapTopic, this.#records.end(), 0, false, undefined, 0, undefined), undefined);
    }
    this.#schedule();
  }
}
