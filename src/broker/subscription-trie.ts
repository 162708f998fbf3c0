/**
 * Which subscriptions a Topic Name matches, by a tree with one node per Topic Filter level.
 *
 *   a/b, a/+, a/+/c, #
 *
 *   (root) ─ a ─ b ●                ● values of the filter that ends here
 *     │      └ wildcards: + ● ─ c ●
 *     └ wildcards: # ●
 *
 * No step recurses, for a filter may have 32,768 levels. Matching visits a node at most once, and only nodes whose path
 * matches a beginning of the Topic Name, so many `+` cost no more than the subscriptions that contain them.
 * [MQTT 5.0 §4.7]
 */
import { assert } from '../base/assert.ts';
import { addChild, findChild, removeChild, sharedLevelName } from './level-children.ts';

/** More than one value under the same filter: a Set, so that a hundred thousand subscribers of one topic can leave quickly. */
class Several<T> {
  readonly values = new Set<T>();
}

/** What ends at a place of the tree: nothing, one value, or several. */
type Values<T> = T | Several<T> | undefined;

/** Separate from the node, because most have none. Never empty. */
class Wildcards<T> {
  plus: TrieNode<T> | undefined = undefined;
  /** Values of the filter that goes on with `#` here. */
  hashValues: Values<T> = undefined;
}

/** Eight words, which is what a million subscriptions feel. */
class TrieNode<T> {
  readonly level: string;
  sibling: TrieNode<T> | undefined = undefined;
  children: TrieNode<T> | Map<string, TrieNode<T>> | undefined = undefined;
  wildcards: Wildcards<T> | undefined = undefined;
  values: Values<T> = undefined;

  constructor(level: string) {
    this.level = level;
  }

  get isEmpty(): boolean {
    return this.values === undefined && this.children === undefined && this.wildcards === undefined;
  }
}

const dollar = 0x24;

/**
 * Values by Topic Filter. Values are objects and compared by identity; the same one may stand under several filters.
 * Filters must be valid (`protocol/topics.ts` says which are) and without `$share/…/`.
 */
export class SubscriptionTrie<T extends object> {
  readonly #root = new TrieNode<T>('');
  #size = 0;
  #nodeCount = 0;
  // Scratch space of `match`, kept because it runs for every Topic Name that is not cached; empty between calls.
  readonly #levels: string[] = [];
  readonly #pendingNodes: TrieNode<T>[] = [];
  readonly #pendingDepths: number[] = [];

  /** Pairs of filter and value. */
  get size(): number {
    return this.#size;
  }

  /** Nodes below the root: none when nothing is subscribed. */
  get nodeCount(): number {
    return this.#nodeCount;
  }

  /** Adds a value under a filter; nothing happens if it is there already. */
  add(topicFilter: string, value: T): void {
    let node = this.#root;
    for (let start = 0; start >= 0; ) {
      const end = topicFilter.indexOf('/', start);
      const level = topicFilter.slice(start, end < 0 ? undefined : end);
      start = end < 0 ? -1 : end + 1;
      if (level === '#') {
        assert(start < 0, `# is not the last level of ${topicFilter}`);
        node.wildcards ??= new Wildcards();
        node.wildcards.hashValues = this.#withValue(node.wildcards.hashValues, value);
        return;
      }
      node = level === '+' ? this.#plusOf(node) : this.#childOf(node, level);
    }
    node.values = this.#withValue(node.values, value);
  }

  /** Takes a value away from under a filter. Returns whether it was there. */
  remove(topicFilter: string, value: T): boolean {
    const path = [this.#root];
    let node = this.#root;
    const sizeBefore = this.#size;
    for (let start = 0; start >= 0; ) {
      const end = topicFilter.indexOf('/', start);
      const level = topicFilter.slice(start, end < 0 ? undefined : end);
      start = end < 0 ? -1 : end + 1;
      if (level === '#' && start < 0) {
        const { wildcards } = node;
        if (wildcards === undefined) return false;
        wildcards.hashValues = this.#withoutValue(wildcards.hashValues, value);
        if (wildcards.hashValues === undefined && wildcards.plus === undefined) node.wildcards = undefined;
        this.#prune(path);
        return this.#size < sizeBefore;
      }
      const next = level === '+' ? node.wildcards?.plus : findChild(node, level);
      if (next === undefined) return false;
      node = next;
      path.push(node);
    }
    node.values = this.#withoutValue(node.values, value);
    this.#prune(path);
    return this.#size < sizeBefore;
  }

  /**
   * Appends the values of all filters that match a Topic Name to `into`, one for each pair of filter and value.
   * Filters that start with a wildcard do not match a Topic Name that starts with `$`. [MQTT-4.7.2-1]
   */
  match(topicName: string, into: T[]): void {
    const levels = this.#levels;
    const pendingNodes = this.#pendingNodes;
    const pendingDepths = this.#pendingDepths;
    // Levels are cut from the Topic Name only as far as the tree goes: it may have 32,000 and the tree three.
    let levelCount = 0;
    let nextStart = 0;
    let node = this.#root;
    let depth = 0;
    let mayUseWildcards = topicName.charCodeAt(0) !== dollar;
    for (;;) {
      // `node` matches the first `depth` levels.
      const isEnd = depth === levelCount && nextStart < 0;
      const { wildcards } = node;
      if (wildcards !== undefined && mayUseWildcards) {
        if (wildcards.hashValues !== undefined) collect(wildcards.hashValues, into);
        if (wildcards.plus !== undefined && !isEnd) {
          pendingNodes.push(wildcards.plus);
          pendingDepths.push(depth + 1);
        }
      }
      mayUseWildcards = true;
      let next: TrieNode<T> | undefined;
      if (isEnd) {
        if (node.values !== undefined) collect(node.values, into);
      } else {
        if (depth === levelCount) {
          const end = topicName.indexOf('/', nextStart);
          levels[levelCount++] = end < 0 ? topicName.slice(nextStart) : topicName.slice(nextStart, end);
          nextStart = end < 0 ? -1 : end + 1;
        }
        if (node.children !== undefined) next = findChild(node, levels[depth] as string);
      }
      if (next !== undefined) {
        node = next;
        depth++;
        continue;
      }
      const pending = pendingNodes.pop();
      if (pending === undefined) break;
      node = pending;
      depth = pendingDepths.pop() as number;
    }
    if (levelCount > 64) levels.length = 0;
    else for (let index = 0; index < levelCount; index++) levels[index] = '';
  }

  /** Calls back for each pair of filter and value. The trie must not be changed meanwhile. */
  forEach(callback: (topicFilter: string, value: T) => void): void {
    const nodes = [this.#root];
    const prefixes = [''];
    for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
      const path = prefixes.pop() as string;
      const isRoot = node === this.#root;
      const prefix = isRoot ? '' : `${path}/`;
      const { wildcards, children } = node;
      if (!isRoot) report(path, node.values, callback);
      if (wildcards !== undefined) {
        report(`${prefix}#`, wildcards.hashValues, callback);
        if (wildcards.plus !== undefined) {
          nodes.push(wildcards.plus);
          prefixes.push(`${prefix}+`);
        }
      }
      if (children instanceof Map) {
        for (const child of children.values()) {
          nodes.push(child);
          prefixes.push(prefix + child.level);
        }
      } else {
        for (let child = children; child !== undefined; child = child.sibling) {
          nodes.push(child);
          prefixes.push(prefix + child.level);
        }
      }
    }
  }

  #plusOf(node: TrieNode<T>): TrieNode<T> {
    node.wildcards ??= new Wildcards();
    if (node.wildcards.plus === undefined) {
      node.wildcards.plus = new TrieNode('+');
      this.#nodeCount++;
    }
    return node.wildcards.plus;
  }

  #childOf(node: TrieNode<T>, level: string): TrieNode<T> {
    let child = findChild(node, level);
    if (child === undefined) {
      child = new TrieNode<T>(sharedLevelName(level));
      addChild(node, child);
      this.#nodeCount++;
    }
    return child;
  }

  #withValue(values: Values<T>, value: T): Values<T> {
    if (values === undefined) {
      this.#size++;
      return value;
    }
    if (values === value) return values;
    let several: Several<T>;
    if (values instanceof Several) {
      several = values;
    } else {
      several = new Several();
      several.values.add(values);
    }
    const before = several.values.size;
    several.values.add(value);
    this.#size += several.values.size - before;
    return several;
  }

  #withoutValue(values: Values<T>, value: T): Values<T> {
    if (values instanceof Several) {
      if (!values.values.delete(value)) return values;
      this.#size--;
      if (values.values.size > 1) return values;
      const [last] = values.values;
      return last;
    }
    if (values !== value) return values;
    this.#size--;
    return undefined;
  }

  /** Takes away the nodes at the end of a path, from the root, that lead to nothing any more. */
  #prune(path: readonly TrieNode<T>[]): void {
    for (let index = path.length - 1; index > 0; index--) {
      const node = path[index] as TrieNode<T>;
      if (!node.isEmpty) return;
      const parent = path[index - 1] as TrieNode<T>;
      const { wildcards } = parent;
      if (wildcards !== undefined && wildcards.plus === node) {
        wildcards.plus = undefined;
        if (wildcards.hashValues === undefined) parent.wildcards = undefined;
      } else {
        removeChild(parent, node);
      }
      this.#nodeCount--;
    }
  }
}

function collect<T extends object>(values: T | Several<T>, into: T[]): void {
  if (values instanceof Several) for (const value of values.values) into.push(value);
  else into.push(values);
}

function report<T extends object>(
  topicFilter: string,
  values: Values<T>,
  callback: (topicFilter: string, value: T) => void,
): void {
  if (values instanceof Several) for (const value of values.values) callback(topicFilter, value);
  else if (values !== undefined) callback(topicFilter, values);
}
