/** Drives one load against one broker, and counts. */
import { Budget } from './budget.ts';
import { clearRetained, forgetSessions } from './clean-up.ts';
import { filtersOf, receiversOf, streamsOf, topicOf } from './flow.ts';
import { openLink } from './handshake.ts';
import type { Link } from './link.ts';
import { LoadError } from './load-error.ts';
import type { LoadOptions, LoadResult } from './load-options.ts';
import { Pacer } from './pacer.ts';
import { coreBusySeconds, processCpuSeconds } from './process-cpu.ts';
import { type Publisher, StreamPublisher, WindowPublisher } from './publisher.ts';
import { grouped, pause, type RunControl } from './run-control.ts';
import { Subscriber } from './subscriber.ts';
import { Turn } from './turn.ts';
import { disconnectPacket, type PublishForm, publishForm } from './wire.ts';

export type { LatencyResult, LoadOptions, LoadResult } from './load-options.ts';

/** For the broker to answer all connections, and then all publishers. */
const connectTimeoutMs = 20_000;
/**
 * At the end: when the broker has sent nothing for so long, and has not been at work either, what is under way counts as lost. A
 * broker with a long backlog of acknowledgements may deliver nothing for many seconds and still deliver everything.
 */
const silenceMs = 3_000;
/** Processor time within `silenceMs` that a broker may use while it has nothing to do. */
const idleCpuSecondsMax = 0.15;
/** At the end: what a broker that is still at work has not delivered by then counts as late. */
const drainMaxMs = 30_000;
/** Under load: without any delivery for so long, a message more than allowed shows whether those before it were dropped. */
const nudgeMs = 200;
/** Time for what should not come any more, such as a repetition. */
const graceMs = 20;
const watchMs = 100;
const drainMs = 10;

/**
 * Connects, publishes, counts, waits until everything has arrived, and disconnects.
 * @throws {LoadError} if the broker refuses, misbehaves or goes away, or the run is ended before messages flow
 */
export async function runLoad(options: LoadOptions, control: RunControl = {}): Promise<LoadResult> {
  const { isRetained, flow, topics, prefix, target } = options;
  const names = isRetained
    ? Array.from({ length: flow.publishers * topics }, (_, at) => topicOf(at, topics, prefix))
    : [];
  await clearRetained(target, options.clientPrefix, names);
  const load = new Load(options, control);
  try {
    return await load.run();
  } finally {
    load.close();
    await load.cleanUp(names);
  }
}

class Load {
  readonly #options: LoadOptions;
  readonly #control: RunControl;
  readonly #links: Link[] = [];
  readonly #publishers: Publisher[] = [];
  readonly #subscribers: Subscriber[] = [];
  readonly #receivers: readonly (readonly number[])[];
  readonly #budget: Budget;
  readonly #pacer: Pacer | undefined;
  #late = 0;
  /** Whether sessions were begun that outlive their connections. */
  #hasConnected = false;
  readonly #turn = new Turn((error) => this.#fail(error));
  readonly #failure: Promise<never>;
  #fail: (error: unknown) => void = () => {};

  constructor(options: LoadOptions, control: RunControl) {
    this.#options = options;
    this.#control = control;
    const { flow, deliveryWindow, rate, topics } = options;
    this.#receivers = receiversOf(flow);
    this.#budget = new Budget(
      deliveryWindow,
      flow.publishers * Math.max(...this.#receivers.map((list) => list.length)),
    );
    this.#pacer = rate === undefined ? undefined : new Pacer(rate, flow.publishers, topics);
    this.#failure = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    // It is waited for in races only, and may fail between two of them.
    this.#failure.catch(() => {});
  }

  async run(): Promise<LoadResult> {
    const { warmUpSeconds, seconds } = this.#options;
    const { signal } = this.#control;
    await this.#connect();
    if (signal?.aborted) throw endedEarly();
    this.#pacer?.start(this.#publishers, warmUpSeconds, seconds, (error) => this.#fail(error));
    for (const publisher of this.#publishers) publisher.resume();
    await this.#watch('warm-up', warmUpSeconds);
    const before = this.#snapshot();
    await this.#watch('measuring', seconds);
    const after = this.#snapshot();
    const isPartial = signal?.aborted === true;
    await this.#drain();
    return {
      seconds: after.seconds - before.seconds,
      deliveries: after.received - before.received,
      publishes: after.published - before.published,
      ...this.#times(before, after),
      total: this.#total(),
      deliveryWindow: this.#budget.deliveriesMax,
      latency: this.#pacer?.result(this.#published()),
      isPartial,
    };
  }

  close(): void {
    this.#pacer?.stop();
    for (const link of this.#links) link.destroy();
  }

  /** Leaves nothing behind in a broker that goes on. One that is gone has nothing to leave. */
  async cleanUp(retainedTopics: readonly string[]): Promise<void> {
    const { target, flow, isDurable, clientPrefix } = this.#options;
    try {
      if (isDurable && this.#hasConnected) {
        const names = Array.from({ length: flow.subscribers }, (_, index) => `${clientPrefix}-sub-${index}`);
        await forgetSessions(target, names);
      }
      if (this.#hasConnected) await clearRetained(target, clientPrefix, retainedTopics);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
    }
  }

  /** Subscribers first, so that nothing is published that they miss. */
  async #connect(): Promise<void> {
    const { flow, topics } = this.#options;
    const forms = Array.from({ length: flow.publishers * topics }, (_, stream) => this.#formOf(stream));
    this.#report('connecting', undefined, `${flow.publishers + flow.subscribers} connections`);
    const subscribers = Array.from({ length: flow.subscribers }, (_, index) => this.#subscribe(index, forms));
    this.#subscribers.push(...(await this.#inTime(Promise.all(subscribers))));
    this.#hasConnected = true;
    const publishers = Array.from({ length: flow.publishers }, (_, publisher) => {
      return this.#publish(publisher, forms.slice(publisher * topics, (publisher + 1) * topics));
    });
    this.#publishers.push(...(await this.#inTime(Promise.all(publishers))));
  }

  #formOf(stream: number): PublishForm {
    const { target, qos, topics, payloadBytes, prefix, isRetained } = this.#options;
    return publishForm(target.protocol, topicOf(stream, topics, prefix), qos, stream, payloadBytes, isRetained);
  }

  async #subscribe(index: number, forms: readonly PublishForm[]): Promise<Subscriber> {
    const { flow, qos, topics, prefix, clientPrefix } = this.#options;
    const isPair = flow.shape === 'pairs';
    // All forms have the same lengths and offsets.
    const form = forms[0]!;
    const filters = filtersOf(flow, index, topics, prefix);
    const { link } = await this.#open(flow.publishers + index, `${clientPrefix}-sub-${index}`, filters, form, () => {});
    const streams = streamsOf(flow, index, topics);
    const subscriber = new Subscriber({
      link,
      turn: this.#turn,
      form,
      qos,
      firstStream: streams.first,
      streams: streams.count,
      arrivals: this.#pacer,
      onGap: () => {
        if (qos === 0) this.#budget.shrink();
      },
      onProgress: isPair ? () => this.#publishers[index]?.resume() : () => this.#resumeAll(),
    });
    link.receiver = subscriber;
    return subscriber;
  }

  async #publish(publisher: number, forms: readonly PublishForm[]): Promise<Publisher> {
    const { flow, qos, topics, publishWindow, clientPrefix } = this.#options;
    let created: Publisher | undefined;
    const onDrain = () => created?.resume();
    const { link, receiveMaximum } = await this.#open(
      publisher,
      `${clientPrefix}-pub-${publisher}`,
      [],
      forms[0]!,
      onDrain,
    );
    const options = {
      link,
      turn: this.#turn,
      forms,
      firstStream: publisher * topics,
      publishers: flow.publishers,
      budget: this.#budget,
      receivers: this.#receivers[publisher]!.map((index) => this.#subscribers[index]!),
      pace: this.#pacer?.paceOf(publisher),
    };
    created =
      qos === 0
        ? new StreamPublisher(options)
        : new WindowPublisher(options, qos, Math.min(publishWindow, receiveMaximum));
    link.receiver = created;
    return created;
  }

  #open(
    index: number,
    clientIdentifier: string,
    topicFilters: readonly string[],
    form: PublishForm,
    onDrain: () => void,
  ) {
    const { target, qos, isDurable, receiveMaximum } = this.#options;
    const isSubscriber = topicFilters.length > 0;
    return openLink(
      {
        ...{ target, index, clientIdentifier, topicFilters, qos, onDrain },
        isPersistent: isDurable && isSubscriber,
        receiveMaximum: isSubscriber ? receiveMaximum : undefined,
        publishBytes: form.template.length,
        onFailure: (error) => this.#fail(error),
      },
      (link) => this.#links.push(link),
    );
  }

  #resumeAll(): void {
    for (const publisher of this.#publishers) publisher.resume();
  }

  /** Waits while messages flow. */
  async #watch(phase: string, seconds: number): Promise<void> {
    const { signal } = this.#control;
    const beganMs = performance.now();
    const endMs = beganMs + seconds * 1000;
    let received = this.#received();
    let movedAtMs = beganMs;
    for (let now = beganMs; now < endMs && signal?.aborted !== true; now = performance.now()) {
      this.#report(phase, (now - beganMs) / (endMs - beganMs), `${grouped(received)} deliveries`);
      await this.#race(pause(Math.min(endMs - now, watchMs), signal));
      if (this.#received() !== received) {
        received = this.#received();
        movedAtMs = performance.now();
      } else if (performance.now() - movedAtMs > nudgeMs) {
        for (const publisher of this.#publishers) publisher.nudge();
        movedAtMs = performance.now();
      }
    }
    if (signal?.aborted) this.#pacer?.cut();
  }

  /** Stops publishing, but for what was due, and waits for what is under way, as long as the broker does something. */
  async #drain(): Promise<void> {
    if (this.#pacer === undefined) for (const publisher of this.#publishers) publisher.stop();
    const endMs = performance.now() + drainMaxMs;
    let active = this.#activity();
    while (this.#unfinished() > 0 && performance.now() < endMs) {
      this.#report('draining', undefined, `${grouped(this.#unfinished())} messages under way`);
      await this.#race(pause(drainMs));
      const now = this.#activity();
      const hasWorked = now.cpuSeconds - active.cpuSeconds > idleCpuSecondsMax;
      if (now.receivedBytes > active.receivedBytes || hasWorked) {
        active = now;
      } else if (now.ms - active.ms > silenceMs) {
        for (const publisher of this.#publishers) publisher.giveUp();
        break;
      }
    }
    for (const publisher of this.#publishers) publisher.stop();
    this.#pacer?.stop();
    this.#late = this.#publishers.reduce((sum, publisher) => sum + publisher.outstanding, 0);
    await this.#race(pause(graceMs));
    for (const link of this.#links) link.end(disconnectPacket);
    await pause(drainMs);
  }

  /** What the broker has done up to now, and when that is. */
  #activity() {
    const { brokerProcessId } = this.#options;
    return {
      ms: performance.now(),
      receivedBytes: this.#links.reduce((sum, link) => sum + link.receivedBytes, 0),
      cpuSeconds: processCpuSeconds(brokerProcessId) ?? 0,
    };
  }

  /** Deliveries and acknowledgements that are still to come, and messages that are still to be sent. */
  #unfinished(): number {
    return this.#publishers.reduce((sum, publisher) => {
      return sum + publisher.outstanding + publisher.unacknowledged + Math.max(0, publisher.due);
    }, 0);
  }

  #received(): number {
    return this.#subscribers.reduce((sum, subscriber) => sum + subscriber.received, 0);
  }

  #published(): number {
    return this.#publishers.reduce((sum, publisher) => sum + publisher.sent, 0);
  }

  #times(before: Snapshot, after: Snapshot) {
    const brokerCpuSeconds = difference(before.brokerCpuSeconds, after.brokerCpuSeconds);
    const generatorCpuSeconds = after.generatorCpuSeconds - before.generatorCpuSeconds;
    const brokerCoreSeconds = difference(before.brokerCoreSeconds, after.brokerCoreSeconds);
    const generatorCoreSeconds = difference(before.generatorCoreSeconds, after.generatorCoreSeconds);
    const foreignCpuSeconds =
      brokerCpuSeconds === undefined || brokerCoreSeconds === undefined || generatorCoreSeconds === undefined
        ? undefined
        : Math.max(0, brokerCoreSeconds - brokerCpuSeconds, generatorCoreSeconds - generatorCpuSeconds);
    return { brokerCpuSeconds, generatorCpuSeconds, foreignCpuSeconds };
  }

  #snapshot(): Snapshot {
    const { brokerProcessId, cores } = this.#options;
    const { user, system } = process.cpuUsage();
    return {
      seconds: performance.now() / 1000,
      received: this.#received(),
      published: this.#published(),
      brokerCpuSeconds: processCpuSeconds(brokerProcessId),
      generatorCpuSeconds: (user + system) / 1e6,
      brokerCoreSeconds: cores === undefined ? undefined : coreBusySeconds(cores.broker),
      generatorCoreSeconds: cores === undefined ? undefined : coreBusySeconds(cores.generator),
    };
  }

  #total(): LoadResult['total'] {
    const ledgers = this.#subscribers.map((subscriber) => subscriber.ledger);
    const published = this.#published();
    return {
      published,
      expected: this.#publishers.reduce((sum, { sent }, index) => sum + sent * this.#receivers[index]!.length, 0),
      received: this.#received(),
      late: this.#late,
      lost: ledgers.reduce((sum, ledger) => sum + ledger.lost, 0),
      duplicates: ledgers.reduce((sum, ledger) => sum + ledger.duplicates, 0),
      outOfOrder: ledgers.reduce((sum, ledger) => sum + ledger.outOfOrder, 0),
    };
  }

  #report(phase: string, share: number | undefined, text: string): void {
    this.#control.onProgress?.({ phase, share, text });
  }

  #race<T>(step: Promise<T>): Promise<T> {
    return Promise.race([step, this.#failure]);
  }

  /** Waits no longer than brokers may take to answer, nor beyond the end of the run. */
  async #inTime<T>(step: Promise<T>): Promise<T> {
    const { signal } = this.#control;
    let timer: NodeJS.Timeout | undefined;
    let end = (): void => {};
    const timeout = new Promise<never>((_resolve, reject) => {
      const error = new LoadError(`the broker has not answered for ${connectTimeoutMs / 1000} s`);
      timer = setTimeout(() => reject(error), connectTimeoutMs);
      end = () => reject(endedEarly());
      if (signal?.aborted) end();
      signal?.addEventListener('abort', end);
    });
    try {
      return await this.#race(Promise.race([step, timeout]));
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    }
  }
}

function endedEarly(): LoadError {
  return new LoadError('ended before messages flowed');
}

interface Snapshot {
  readonly seconds: number;
  readonly received: number;
  readonly published: number;
  readonly brokerCpuSeconds: number | undefined;
  readonly generatorCpuSeconds: number;
  readonly brokerCoreSeconds: number | undefined;
  readonly generatorCoreSeconds: number | undefined;
}

function difference(before: number | undefined, after: number | undefined): number | undefined {
  return before === undefined || after === undefined ? undefined : after - before;
}
