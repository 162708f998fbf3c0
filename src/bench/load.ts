/** Drives one load against one broker, and counts. */
import { type Flow, filterOf, receiversPerMessage, topicOf } from './flow.ts';
import { Budget } from './budget.ts';
import { openLink } from './handshake.ts';
import type { Link } from './link.ts';
import { LoadError } from './load-error.ts';
import { coreBusySeconds, processCpuSeconds } from './process-cpu.ts';
import { type Publisher, StreamPublisher, WindowPublisher } from './publisher.ts';
import { Subscriber } from './subscriber.ts';
import { Turn } from './turn.ts';
import { disconnectPacket, type Protocol, type PublishForm, publishForm, type QoS } from './wire.ts';

export interface LoadOptions {
  readonly host: string;
  readonly port: number;
  readonly protocol: Protocol;
  readonly flow: Flow;
  readonly qos: QoS;
  /** Whether the subscribers' Sessions outlive their connections; publishers' never do. */
  readonly isDurable: boolean;
  /** Topics of each publisher, which take turns; 1 to `topicsMax`. */
  readonly topics: number;
  /** `payloadHeadBytes` to `payloadBytesMax`. */
  readonly payloadBytes: number;
  /** Seconds under load before counting begins; 0 or more. */
  readonly warmUpSeconds: number;
  /** Seconds that are counted; above 0. */
  readonly seconds: number;
  /** QoS 1 and 2: unacknowledged messages per publisher, 1 to 65,535. The broker's Receive Maximum may lower it. */
  readonly publishWindow: number;
  /** Deliveries under way at once, over all connections; see `Budget`. */
  readonly deliveryWindow: number;
  /** Process whose processor time is taken. */
  readonly brokerProcessId: number | undefined;
  /** The core that each side runs on alone, as far as it knows. */
  readonly cores: { readonly broker: number; readonly generator: number } | undefined;
}

export interface LoadResult {
  /** Seconds that were counted in fact. */
  readonly seconds: number;
  /** Within these seconds: PUBLISH packets that subscribers received, and that publishers sent. */
  readonly deliveries: number;
  readonly publishes: number;
  /** Within these seconds; undefined where the system does not tell. */
  readonly brokerCpuSeconds: number | undefined;
  readonly generatorCpuSeconds: number;
  /** Within these seconds: what other programs (and the machine under this one) took of either core, whichever is more. */
  readonly foreignCpuSeconds: number | undefined;
  /** From the first message to the last, warm-up and drain included. */
  readonly total: {
    readonly published: number;
    /** Deliveries that these should lead to. */
    readonly expected: number;
    /** Deliveries that came, repeated ones too. */
    readonly received: number;
    readonly lost: number;
    /** Deliveries that had not come when waiting ended, though the broker was still at work. */
    readonly late: number;
    readonly duplicates: number;
    readonly outOfOrder: number;
  };
  /** What is left of `deliveryWindow` after losses. */
  readonly deliveryWindow: number;
}

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
 * @throws {LoadError} if the broker refuses, misbehaves or goes away
 */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const load = new Load(options);
  try {
    return await load.run();
  } finally {
    load.close();
  }
}

class Load {
  readonly #options: LoadOptions;
  readonly #links: Link[] = [];
  readonly #publishers: Publisher[] = [];
  readonly #subscribers: Subscriber[] = [];
  readonly #budget: Budget;
  #late = 0;
  readonly #turn = new Turn((error) => this.#fail(error));
  readonly #failure: Promise<never>;
  #fail: (error: unknown) => void = () => {};

  constructor(options: LoadOptions) {
    this.#options = options;
    const { flow, deliveryWindow } = options;
    this.#budget = new Budget(deliveryWindow, flow.publishers * receiversPerMessage(flow));
    this.#failure = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    // It is waited for in races only, and may fail between two of them.
    this.#failure.catch(() => {});
  }

  async run(): Promise<LoadResult> {
    const { warmUpSeconds, seconds } = this.#options;
    await this.#connect();
    for (const publisher of this.#publishers) publisher.resume();
    await this.#watch(warmUpSeconds);
    const before = this.#snapshot();
    await this.#watch(seconds);
    const after = this.#snapshot();
    await this.#drain();
    return {
      seconds: after.seconds - before.seconds,
      deliveries: after.received - before.received,
      publishes: after.published - before.published,
      ...this.#times(before, after),
      total: this.#total(),
      deliveryWindow: this.#budget.deliveriesMax,
    };
  }

  close(): void {
    for (const link of this.#links) link.destroy();
  }

  /** Subscribers first, so that nothing is published that they miss. */
  async #connect(): Promise<void> {
    const { flow, topics } = this.#options;
    const forms = Array.from({ length: flow.publishers * topics }, (_, stream) => this.#formOf(stream));
    const subscribers = Array.from({ length: flow.subscribers }, (_, index) => this.#subscribe(index, forms));
    this.#subscribers.push(...(await this.#inTime(Promise.all(subscribers))));
    const publishers = Array.from({ length: flow.publishers }, (_, publisher) => {
      return this.#publish(publisher, forms.slice(publisher * topics, (publisher + 1) * topics));
    });
    this.#publishers.push(...(await this.#inTime(Promise.all(publishers))));
  }

  #formOf(stream: number): PublishForm {
    const { protocol, qos, topics, payloadBytes } = this.#options;
    return publishForm(protocol, topicOf(stream, topics), qos, stream, payloadBytes);
  }

  async #subscribe(index: number, forms: readonly PublishForm[]): Promise<Subscriber> {
    const { flow, qos, topics } = this.#options;
    const isPair = flow.shape === 'pairs';
    // All forms have the same lengths and offsets.
    const form = forms[0]!;
    const { link } = await this.#open(`bench-sub-${index}`, filterOf(flow, index, topics), form, () => {});
    const subscriber = new Subscriber({
      link,
      turn: this.#turn,
      form,
      qos,
      firstStream: isPair ? index * topics : 0,
      streams: (isPair ? 1 : flow.publishers) * topics,
      onGap: () => {
        if (qos === 0) this.#budget.shrink();
      },
      onProgress: isPair ? () => this.#publishers[index]?.resume() : () => this.#resumeAll(),
    });
    link.receiver = subscriber;
    return subscriber;
  }

  async #publish(publisher: number, forms: readonly PublishForm[]): Promise<Publisher> {
    const { flow, qos, topics, publishWindow } = this.#options;
    let created: Publisher | undefined;
    const onDrain = () => created?.resume();
    const { link, receiveMaximum } = await this.#open(`bench-pub-${publisher}`, undefined, forms[0]!, onDrain);
    const options = {
      link,
      turn: this.#turn,
      forms,
      firstStream: publisher * topics,
      publishers: flow.publishers,
      budget: this.#budget,
      receivers: flow.shape === 'pairs' ? [this.#subscribers[publisher]!] : this.#subscribers,
    };
    created =
      qos === 0
        ? new StreamPublisher(options)
        : new WindowPublisher(options, qos, Math.min(publishWindow, receiveMaximum));
    link.receiver = created;
    return created;
  }

  #open(clientIdentifier: string, topicFilter: string | undefined, form: PublishForm, onDrain: () => void) {
    const { host, port, protocol, qos, isDurable } = this.#options;
    const publishBytes = form.template.length;
    const isPersistent = isDurable && topicFilter !== undefined;
    const onFailure = (error: Error) => this.#fail(error);
    return openLink(
      { host, port, protocol, clientIdentifier, topicFilter, qos, isPersistent, publishBytes, onFailure, onDrain },
      (link) => this.#links.push(link),
    );
  }

  #resumeAll(): void {
    for (const publisher of this.#publishers) publisher.resume();
  }

  /** Waits while messages flow. */
  async #watch(seconds: number): Promise<void> {
    const endMs = performance.now() + seconds * 1000;
    let received = this.#received();
    let movedAtMs = performance.now();
    for (let now = movedAtMs; now < endMs; now = performance.now()) {
      await this.#race(wait(Math.min(endMs - now, watchMs)));
      if (this.#received() !== received) {
        received = this.#received();
        movedAtMs = performance.now();
      } else if (performance.now() - movedAtMs > nudgeMs) {
        for (const publisher of this.#publishers) publisher.nudge();
        movedAtMs = performance.now();
      }
    }
  }

  /** Stops publishing and waits for what is under way, as long as the broker does something. */
  async #drain(): Promise<void> {
    for (const publisher of this.#publishers) publisher.stop();
    const endMs = performance.now() + drainMaxMs;
    let active = this.#activity();
    while (this.#unfinished() > 0 && performance.now() < endMs) {
      await this.#race(wait(drainMs));
      const now = this.#activity();
      const hasWorked = now.cpuSeconds - active.cpuSeconds > idleCpuSecondsMax;
      if (now.receivedBytes > active.receivedBytes || hasWorked) {
        active = now;
      } else if (now.ms - active.ms > silenceMs) {
        for (const publisher of this.#publishers) publisher.giveUp();
        break;
      }
    }
    this.#late = this.#publishers.reduce((sum, publisher) => sum + publisher.outstanding, 0);
    await this.#race(wait(graceMs));
    for (const link of this.#links) link.end(disconnectPacket);
    await wait(drainMs);
  }

  /** What the broker has done up to now, and when that is. */
  #activity() {
    const { brokerProcessId } = this.#options;
    return {
      ms: performance.now(),
      receivedBytes: this.#links.reduce((sum, link) => sum + link.receivedBytes, 0),
      cpuSeconds: (brokerProcessId === undefined ? undefined : processCpuSeconds(brokerProcessId)) ?? 0,
    };
  }

  /** Deliveries and acknowledgements that are still to come. */
  #unfinished(): number {
    return this.#publishers.reduce((sum, publisher) => sum + publisher.outstanding + publisher.unacknowledged, 0);
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
      brokerCpuSeconds: brokerProcessId === undefined ? undefined : processCpuSeconds(brokerProcessId),
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
      expected: published * receiversPerMessage(this.#options.flow),
      received: this.#received(),
      late: this.#late,
      lost: ledgers.reduce((sum, ledger) => sum + ledger.lost, 0),
      duplicates: ledgers.reduce((sum, ledger) => sum + ledger.duplicates, 0),
      outOfOrder: ledgers.reduce((sum, ledger) => sum + ledger.outOfOrder, 0),
    };
  }

  #race<T>(step: Promise<T>): Promise<T> {
    return Promise.race([step, this.#failure]);
  }

  async #inTime<T>(step: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      const error = new LoadError(`the broker has not answered for ${connectTimeoutMs / 1000} s`);
      timer = setTimeout(() => reject(error), connectTimeoutMs);
    });
    try {
      return await this.#race(Promise.race([step, timeout]));
    } finally {
      clearTimeout(timer);
    }
  }
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

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
