import { findChild, oldestFirst } from './level-children.ts';
import { Branch, type RetainedNode, type RetainedRecord } from './retained-tree.ts';

/** Nodes looked at by one call that finds nothing; about a fifth of a millisecond. */
const visitsMin = 1000;
/** Nodes looked at by one call for each message it may give. */
const visitsPerMessage = 16;

/** The children of one branch that are still to be looked at. */
class Frame {
  readonly children: Iterator<RetainedNode>;
  /** Levels of the Topic Filter that each of them has matched. */
  readonly depth: number;
  /** The root's children that start with `$` match no leading wildcard. [MQTT-4.7.2-1] */
  readonly skipsDollar: boolean;

  constructor(children: Iterator<RetainedNode>, depth: number, skipsDollar: boolean) {
    this.children = children;
    this.depth = depth;
    this.skipsDollar = skipsDollar;
  }
}

/**
 * Goes through the retained messages that match a Topic Filter, some at a time, while others publish.
 *
 * Below each level those come first whose topics were first published to. Every message that is there all the time is given exactly once. One that is removed
 * before is not given; one that is added meanwhile may or may not be; one that is removed and published again may come twice. Iterators
 * of a Map go on rightly when it changes, a list of siblings is copied when it is reached, and records and branches know when
 * they are out of the tree.
 */
export class RetainedCursor {
  readonly #filterLevels: readonly string[];
  readonly #frames: Frame[] = [];
  readonly #isAlive: (record: RetainedRecord, now: number) => boolean;
  readonly #root: Branch;
  #isStarted = false;

  /** @param isAlive whether a record is to be given; if it has expired, it may be removed on that occasion */
  constructor(root: Branch, topicFilter: string, isAlive: (record: RetainedRecord, now: number) => boolean) {
    this.#filterLevels = topicFilter.split('/');
    this.#root = root;
    this.#isAlive = isAlive;
  }

  /**
   * Appends up to `limit` records to `into`. It may give fewer, even none, when it had to look at many that do not match, so
   * that no call takes long.
   * @param now milliseconds since the epoch, to leave out what has expired
   * @returns whether there may be more
   */
  next(limit: number, into: RetainedRecord[], now: number = Date.now()): boolean {
    let messagesLeft = limit;
    if (!this.#isStarted) {
      this.#isStarted = true;
      if (this.#visit(this.#root, 0, into, now)) messagesLeft--;
    }
    for (let visitsLeft = visitsMin + visitsPerMessage * limit; visitsLeft > 0; visitsLeft--) {
      if (messagesLeft <= 0) break;
      const frame = this.#frames.at(-1);
      if (frame === undefined) break;
      const { value, done } = frame.children.next();
      if (done) this.#frames.pop();
      else if (frame.skipsDollar && value.level.startsWith('$')) continue;
      else if (this.#visit(value, frame.depth, into, now)) messagesLeft--;
    }
    return this.#frames.length > 0;
  }

  /** Looks at a node that matches the first `depth` levels of the filter; returns whether it gave a message. */
  #visit(start: RetainedNode, startDepth: number, into: RetainedRecord[], now: number): boolean {
    let node = start;
    for (let depth = startDepth; depth < this.#filterLevels.length; depth++) {
      const level = this.#filterLevels[depth] as string;
      if (level === '#') {
        if (node instanceof Branch) this.#pushChildren(node, depth);
        return this.#give(node, into, now);
      }
      if (!(node instanceof Branch)) return false;
      if (level === '+') {
        this.#pushChildren(node, depth + 1);
        return false;
      }
      const child = findChild<RetainedNode>(node, level);
      if (child === undefined) return false;
      node = child;
    }
    return this.#give(node, into, now);
  }

  #give(node: RetainedNode, into: RetainedRecord[], now: number): boolean {
    const record = node instanceof Branch ? node.record : node;
    if (record?.payload === undefined || !this.#isAlive(record, now)) return false;
    into.push(record);
    return true;
  }

  #pushChildren(branch: Branch, depth: number): void {
    const { children } = branch;
    let iterator: Iterator<RetainedNode> | undefined;
    if (children instanceof Map) {
      iterator = children.values();
    } else if (children !== undefined) {
      iterator = oldestFirst<RetainedNode>(children).values();
    }
    if (iterator !== undefined) this.#frames.push(new Frame(iterator, depth, branch === this.#root));
  }
}
