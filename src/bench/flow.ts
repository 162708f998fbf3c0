/** Who sends to whom in a run. */

/**
 * - `pairs`: publisher i has topics of its own, which subscriber i alone receives (1→1, 50→50).
 * - `fan-out`: one publisher, whose messages all subscribers receive (1→100).
 * - `fan-in`: the one subscriber receives what all publishers send, through a wildcard (50→1).
 * - `mix`: subscribers of three kinds in given shares, see `FilterShares`.
 */
export type FlowShape = 'pairs' | 'fan-out' | 'fan-in' | 'mix';

/** What a subscriber of a mix subscribes to. */
export type FilterKind = 'exact' | 'plus' | 'hash';

/**
 * Parts of the subscribers, in any unit. Subscriber i of P publishers:
 * - `exact`: the topics of publisher i mod P by name,
 * - `plus`: the same topics through `+` instead of their first level,
 * - `hash`: everything, through `#`.
 */
export type FilterShares = Readonly<Record<FilterKind, number>>;

export interface Flow {
  /** As people write it: `1→100`. */
  readonly name: string;
  readonly shape: FlowShape;
  /** 1 to `connectionsMax`. */
  readonly publishers: number;
  /** 1 to `connectionsMax`. */
  readonly subscribers: number;
  /** Of a mix: the kind of each subscriber. Empty otherwise. */
  readonly kinds: readonly FilterKind[];
}

/** Connections on either side: topics have four digits. */
export const connectionsMax = 10_000;

/**
 * Reads `1-100`, `1→100` or `1->100`: publishers, then subscribers; one of them is 1, or they are as many.
 * @param shares makes it a mix, where both may be anything
 * @throws {RangeError} that says what was expected
 */
export function parseFlow(text: string, shares?: FilterShares): Flow {
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
  const plain = { publishers, subscribers, kinds: [] };
  if (shares !== undefined) {
    const kinds = distribute(shares, subscribers);
    return { name: `${name} ${describeKinds(kinds)}`, shape: 'mix', publishers, subscribers, kinds };
  }
  if (publishers === subscribers) return { name, shape: 'pairs', ...plain };
  if (publishers === 1) return { name, shape: 'fan-out', ...plain };
  if (subscribers === 1) return { name, shape: 'fan-in', ...plain };
  throw new RangeError(`the flow '${text}' is not even; expected one publisher, one subscriber, or as many of both`);
}

const filterKinds: readonly FilterKind[] = ['exact', 'plus', 'hash'];

/**
 * Reads `exact=80,plus=15,hash=5`; what is not named has no part.
 * @throws {RangeError} that says what was expected
 */
export function parseShares(text: string): FilterShares {
  const shares: Record<FilterKind, number> = { exact: 0, plus: 0, hash: 0 };
  for (const entry of text.split(',')) {
    const match = /^\s*(exact|plus|hash)=(\d{1,6})\s*$/.exec(entry);
    if (match === null) throw new RangeError(`'${text}' is no mix; expected shares such as exact=80,plus=15,hash=5`);
    shares[match[1] as FilterKind] = Number(match[2]);
  }
  if (filterKinds.every((kind) => shares[kind] === 0)) throw new RangeError(`the mix '${text}' has no subscribers`);
  return shares;
}

/** Gives each of `count` a kind so that every beginning of the list has about the shares of the whole. */
export function distribute(shares: FilterShares, count: number): FilterKind[] {
  const total = filterKinds.reduce((sum, kind) => sum + shares[kind], 0);
  const given: Record<FilterKind, number> = { exact: 0, plus: 0, hash: 0 };
  return Array.from({ length: count }, (_, index) => {
    // Whoever is furthest behind its share is next.
    const missing = (kind: FilterKind) => (shares[kind] * (index + 1)) / total - given[kind];
    const next = filterKinds.reduce((best, kind) => (missing(kind) > missing(best) ? kind : best));
    given[next]++;
    return next;
  });
}

function describeKinds(kinds: readonly FilterKind[]): string {
  const counts = filterKinds.map((kind) => [kind, kinds.filter((each) => each === kind).length] as const);
  return counts
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(' ');
}

/** Topics of one publisher. More would measure the broker's topic table, not the way of its messages. */
export const topicsMax = 64;
/** Topics of all publishers: payloads have 16 bits for the number. */
export const streamsMax = 65_536;

/** What topics begin with when nobody says otherwise. */
export const defaultPrefix = 'bench';

/**
 * The topic of a stream; streams are numbered through, `topics` of them per publisher. All topics of a run have the same length,
 * so that all its packets have.
 */
export function topicOf(stream: number, topics: number, prefix: string = defaultPrefix): string {
  const publisher = `${prefix}/${fourDigits(Math.floor(stream / topics))}`;
  return topics === 1 ? publisher : `${publisher}/${String(stream % topics).padStart(2, '0')}`;
}

/** The publisher that a subscriber hears, or all. */
export function sourceOf(flow: Flow, subscriber: number): number | 'all' {
  switch (flow.shape) {
    case 'pairs':
      return subscriber;
    case 'fan-out':
      return 0;
    case 'fan-in':
      return 'all';
    case 'mix':
      return flow.kinds[subscriber] === 'hash' ? 'all' : subscriber % flow.publishers;
  }
}

/** The streams that a subscriber hears: the first, and how many from there on. */
export function streamsOf(flow: Flow, subscriber: number, topics: number): { readonly first: number; count: number } {
  const source = sourceOf(flow, subscriber);
  return source === 'all' ? { first: 0, count: flow.publishers * topics } : { first: source * topics, count: topics };
}

/** Subscribers that hear each publisher, by publisher. */
export function receiversOf(flow: Flow): number[][] {
  const receivers: number[][] = Array.from({ length: flow.publishers }, () => []);
  for (let subscriber = 0; subscriber < flow.subscribers; subscriber++) {
    const source = sourceOf(flow, subscriber);
    if (source !== 'all') receivers[source]!.push(subscriber);
    else for (const list of receivers) list.push(subscriber);
  }
  return receivers;
}

/**
 * What a subscriber subscribes to. Outside of a mix: a topic by name if its publisher has one only, all of a publisher's or all
 * there are otherwise.
 */
export function filtersOf(flow: Flow, subscriber: number, topics: number, prefix: string = defaultPrefix): string[] {
  const source = sourceOf(flow, subscriber);
  const streams = streamsOf(flow, subscriber, topics);
  if (flow.shape === 'mix') {
    if (source === 'all') return [`${prefix}/#`];
    const names = Array.from({ length: streams.count }, (_, topic) => topicOf(streams.first + topic, topics, prefix));
    return flow.kinds[subscriber] === 'exact' ? names : names.map((name) => name.replace(/^[^/]*/, '+'));
  }
  if (source === 'all') return [topics === 1 ? `${prefix}/+` : `${prefix}/+/+`];
  return [topics === 1 ? topicOf(source, 1, prefix) : `${prefix}/${fourDigits(source)}/+`];
}

function fourDigits(value: number): string {
  return String(value).padStart(4, '0');
}
