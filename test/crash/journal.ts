/** What the publishers were promised and what the subscribers got, and the judgement of it. */

/** One topic of one publisher: its messages are numbered from 1. */
export interface TopicRecord {
  readonly topic: string;
  readonly qos: 1 | 2;
  sent: number;
  /** Numbers whose message the broker has taken over: PUBACK, or PUBREC. */
  readonly acknowledged: Set<number>;
  /** The largest number that has been published to the end: PUBACK, or PUBCOMP. */
  completed: number;
  /** Retained topics: the numbers that took the retained message away. */
  readonly clears: Set<number>;
}

/** What one subscriber received on one topic, in the order in which its application saw it. */
export interface Received {
  readonly subscriber: string;
  /** The QoS it asked for. */
  readonly qos: 1 | 2;
  readonly byTopic: Map<string, number[]>;
}

export function newTopic(topic: string, qos: 1 | 2): TopicRecord {
  return { topic, qos, sent: 0, acknowledged: new Set(), completed: 0, clears: new Set() };
}

/** Whatever one subscriber was acknowledged to get and did not, or got twice or out of order. */
export function judge(topics: readonly TopicRecord[], received: Received): string[] {
  const complaints: string[] = [];
  for (const { topic, qos, sent, acknowledged } of topics) {
    const numbers = received.byTopic.get(topic) ?? [];
    const where = `${received.subscriber}, ${topic}`;
    const seen = new Set<number>();
    let last = 0;
    for (const number of numbers) {
      if (seen.has(number)) {
        if (qos === 2 && received.qos === 2) complaints.push(`${where}: ${number} came twice at QoS 2`);
        continue;
      }
      seen.add(number);
      if (number < last) complaints.push(`${where}: ${number} came after ${last}`);
      if (number > sent) complaints.push(`${where}: ${number} was never sent`);
      last = Math.max(last, number);
    }
    const missing = [...acknowledged].filter((number) => !seen.has(number)).sort((a, b) => a - b);
    if (missing.length > 0) {
      const some = `${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ', …' : ''}`;
      complaints.push(`${where}: ${missing.length} acknowledged messages were lost: ${some}`);
    }
  }
  return complaints;
}

/**
 * Whether a retained message may be what the broker has.
 * @param found its number; undefined if there is none
 * @param completed the record's before the broker was asked
 */
export function judgeRetained(record: TopicRecord, found: number | undefined, completed: number): string | undefined {
  const { topic, sent, clears } = record;
  if (found === undefined) {
    if (completed === 0) return undefined;
    for (let number = completed; number <= sent; number++) if (clears.has(number)) return undefined;
    return `${topic}: the retained message is gone; ${completed} was acknowledged`;
  }
  if (found < completed) return `${topic}: retained is ${found}, though ${completed} was acknowledged`;
  if (found > sent) return `${topic}: retained is ${found}, which was never sent`;
  if (clears.has(found)) return `${topic}: retained is ${found}, which was empty`;
  return undefined;
}
