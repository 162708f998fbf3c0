/** What messages take that wait for a client that is away, and how fast it gets them when it is back. */
import { forgetSessions } from './clean-up.ts';
import { type OpenLink, openLink } from './handshake.ts';
import type { Link } from './link.ts';
import { NumberedReceiver } from './numbered-receiver.ts';
import { processCpuSeconds } from './process-cpu.ts';
import { growthOf, type MemoryGrowth, residentBytes } from './process-memory.ts';
import { RetainedWriter, retainedForm } from './retained-store.ts';
import { pause } from './run-control.ts';
import type { Target } from './target.ts';
import { disconnectPacket } from './wire.ts';

export interface QueuedMessagesOptions {
  readonly target: Target;
  readonly prefix: string;
  readonly clientPrefix: string;
  /** 1 to `numberedTopicsMax`, each on a topic of its own. */
  readonly messages: number;
  /** `payloadHeadBytes` to `payloadBytesMax`. */
  readonly payloadBytes: number;
  /** Unacknowledged messages of the publisher. */
  readonly publishWindow: number;
  readonly brokerProcessId: number | undefined;
}

export interface QueuedMessagesResult {
  readonly queuedSeconds: number;
  readonly memory: MemoryGrowth | undefined;
  /** From CONNECT to the last message. */
  readonly seconds: number;
  readonly received: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly brokerCpuSeconds: number | undefined;
  readonly generatorCpuSeconds: number;
}

/** Silent for so long, a broker will send nothing more. */
const silenceMs = 20_000;
const watchMs = 20;
const settleMs = 200;

/**
 * Leaves a Session with a subscription at QoS 1, fills its queue, comes back and counts.
 * @throws {LoadError} if the broker refuses, misbehaves or goes away
 */
export async function runQueuedMessages(options: QueuedMessagesOptions): Promise<QueuedMessagesResult> {
  const { target, prefix, clientPrefix, messages, payloadBytes, publishWindow, brokerProcessId } = options;
  const absentName = `${clientPrefix}-absent`;
  const links: Link[] = [];
  let fail: (error: Error) => void = () => {};
  const failure = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  failure.catch(() => {});
  const open = (
    clientIdentifier: string,
    topicFilters: readonly string[],
    isPersistent: boolean,
    onDrain: () => void,
    receiverFor?: (link: Link) => NumberedReceiver,
  ): Promise<OpenLink> =>
    openLink(
      {
        ...{ target, clientIdentifier, topicFilters, isPersistent, onDrain, receiverFor, publishBytes: payloadBytes },
        ...{ index: links.length, qos: 1, onFailure: fail },
      },
      (link) => links.push(link),
    );
  try {
    const leaving = await open(absentName, [`${prefix}/#`], true, () => {});
    leaving.link.end(disconnectPacket);
    await pause(settleMs);
    const beforeBytes = residentBytes(brokerProcessId);
    const beganMs = performance.now();
    const form = retainedForm(target.protocol, prefix, 1, payloadBytes, false);
    let writer: RetainedWriter | undefined;
    const publisher = await open(`${clientPrefix}-publisher`, [], false, () => writer?.resume());
    writer = new RetainedWriter(publisher, form, 1, publishWindow, 0, messages);
    writer.resume();
    await Promise.race([writer.finished, failure]);
    const queuedSeconds = (performance.now() - beganMs) / 1000;
    await pause(settleMs);
    const memory = growthOf(beforeBytes, residentBytes(brokerProcessId), messages);
    publisher.link.end(disconnectPacket);

    const beforeCpu = processCpuSeconds(brokerProcessId);
    const cpu = process.cpuUsage();
    const backMs = performance.now();
    let receiver: NumberedReceiver | undefined;
    const { link } = await open(
      absentName,
      [],
      true,
      () => {},
      (created) => {
        receiver = new NumberedReceiver(created, form.form, 0, 1, messages, target.protocol);
        return receiver;
      },
    );
    const taken = receiver!;
    let active = { ms: backMs, bytes: 0 };
    while (taken.distinct < messages) {
      await Promise.race([taken.finished, pause(watchMs), failure]);
      const now = { ms: performance.now(), bytes: link.receivedBytes };
      if (now.bytes > active.bytes) active = now;
      else if (now.ms - active.ms > silenceMs) break;
    }
    const afterCpu = processCpuSeconds(brokerProcessId);
    const { user, system } = process.cpuUsage(cpu);
    link.end(disconnectPacket);
    await pause(settleMs);
    await forgetSessions(target, [absentName]).catch(() => {});
    return {
      queuedSeconds,
      memory,
      seconds: (taken.lastMs - backMs) / 1000,
      received: taken.received,
      lost: messages - taken.distinct,
      duplicates: taken.received - taken.distinct,
      brokerCpuSeconds: beforeCpu === undefined || afterCpu === undefined ? undefined : afterCpu - beforeCpu,
      generatorCpuSeconds: (user + system) / 1e6,
    };
  } finally {
    for (const link of links) link.destroy();
  }
}
