/** Who sends to whom in a run. */

/**
 * - `pairs`: publisher i has a topic of its own, which subscriber i alone receives (1→1, 50→50).
 * - `fan-out`: one publisher and one topic, which all subscribers receive (1→100).
 * - `fan-in`: publisher i has a topic of its own, and the one subscriber receives all of them through `bench/+` (50→1).
 */
export type FlowShape = 'pairs' | 'fan-out' | 'fan-in';

export interface Flow {
  /** As people write it: `1→100`. */
  readonly name: string;
  readonly shape: FlowShape;
  /** 1 to `connectionsMax`. */
  readonly publishers: number;
  /** 1 to `connectionsMax`. */
  readonly subscribers: number;
}

/** Connections on either side. More would measure the system's limits on open files. */
export const connectionsMax = 1000;

/**
 * Reads `1-100`, `1→100` or `1->100`: publishers, then subscribers; one of them is 1, or they are as many.
 * @throws {RangeError} that says what was expected
 */
export function parseFlow(text: string): Flow {
  const match = /^(\d{1,9})(?:-|→|->)(\d{1,9})$/.exec(text.trim());
  if (match === null) throw new RangeError(`'${text}' is no flow; expected PUBLISHERS-SUBSCRIBERS, such as 1-100`);
  const publishers = Number(match[1]);
  const subscribers = Number(match[2]);
  for (const count of [publishers, subscribers]) {
    if (count < 1 || count > connectionsMax) {
      throw new RangeError(`the flow '${text}' has ${count} connections on one side; expected 1 to ${connectionsMax}`);
    }
  }
  const name = `${publishers}→${subscribers}`;
  if (publishers === subscribers) return { name, shape: 'pairs', publishers, subscribers };
  if (publishers === 1) return { name, shape: 'fan-out', publishers, subscribers };
  if (subscribers === 1) return { name, shape: 'fan-in', publishers, subscribers };
  throw new RangeError(`the flow '${text}' is not even; expected one publisher, one subscriber, or as many of both`);
}

/** Subscribers that receive each message. */
export function receiversPerMessage(flow: Flow): number {
  return flow.shape === 'fan-out' ? flow.subscribers : 1;
}

/** Topics of one publisher. More would measure the broker's topic table, not the way of its messages. */
export const topicsMax = 64;

/**
 * The topic of a stream; streams are numbered through, `topics` of them per publisher. All topics of a run have the same length,
 * so that all its packets have.
 */
export function topicOf(stream: number, topics: number): string {
  const publisher = `bench/${String(Math.floor(stream / topics)).padStart(4, '0')}`;
  return topics === 1 ? publisher : `${publisher}/${String(stream % topics).padStart(2, '0')}`;
}

/** What a subscriber subscribes to: a topic by name if its publisher has one only, all of a publisher's or all there are otherwise. */
export function filterOf(flow: Flow, subscriber: number, topics: number): string {
  if (flow.shape === 'fan-in') return topics === 1 ? 'bench/+' : 'bench/+/+';
  const publisher = flow.shape === 'pairs' ? subscriber : 0;
  return topics === 1 ? topicOf(publisher, 1) : `bench/${String(publisher).padStart(4, '0')}/+`;
}
