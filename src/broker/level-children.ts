/**
 * The literal children of one node in a tree of topic levels: a linked list while they are few, a Map once they are many.
 *
 * Most nodes have one child (`device/123456` → `telemetry`) and a few have a million (`device`). A list costs a node one
 * pointer; a Map of one entry costs about 200 bytes, and a list of nine is slower to walk than a Map is to ask.
 */

/** A node as its parent sees it. */
export interface LevelNode<N> {
  /** The text between two slashes; may be empty. */
  readonly level: string;
  /** The next child of the same parent while they are a list. */
  sibling: N | undefined;
}

/** A node as its children see it. */
export interface LevelParent<N> {
  children: N | Map<string, N> | undefined;
}

/** With one more child a list becomes a Map. */
const listLengthMax = 8;
/** With this many left a Map becomes a list; lower, so that one child coming and going does not rebuild it each time. */
const mapSizeMin = 4;

export function findChild<N extends LevelNode<N>>(parent: LevelParent<N>, level: string): N | undefined {
  const { children } = parent;
  if (children instanceof Map) return children.get(level);
  let child = children;
  while (child !== undefined && child.level !== level) child = child.sibling;
  return child;
}

/** Adds a child whose level the parent does not have yet. */
export function addChild<N extends LevelNode<N>>(parent: LevelParent<N>, node: N): void {
  const { children } = parent;
  if (children instanceof Map) {
    children.set(node.level, node);
    return;
  }
  let length = 1;
  for (let child = children; child !== undefined; child = child.sibling) length++;
  if (length <= listLengthMax) {
    node.sibling = children;
    parent.children = node;
    return;
  }
  const map = new Map<string, N>();
  for (const child of oldestFirst(children)) {
    child.sibling = undefined;
    map.set(child.level, child);
  }
  map.set(node.level, node);
  parent.children = map;
}

/** The children of a list in the order in which they came. */
export function oldestFirst<N extends LevelNode<N>>(list: N | undefined): N[] {
  const children: N[] = [];
  for (let child = list; child !== undefined; child = child.sibling) children.push(child);
  return children.reverse();
}

/** Takes a child out; it must be one. */
export function removeChild<N extends LevelNode<N>>(parent: LevelParent<N>, node: N): void {
  const { children } = parent;
  if (children instanceof Map) {
    children.delete(node.level);
    if (children.size > mapSizeMin) return;
    let list: N | undefined;
    for (const child of children.values()) {
      child.sibling = list;
      list = child;
    }
    parent.children = list;
    return;
  }
  if (children === node) {
    parent.children = node.sibling;
  } else {
    let previous = children as N;
    while (previous.sibling !== node) previous = previous.sibling as N;
    previous.sibling = node.sibling;
  }
  node.sibling = undefined;
}

/** Puts another node of the same level in a child's place. */
export function replaceChild<N extends LevelNode<N>>(parent: LevelParent<N>, node: N, replacement: N): void {
  const { children } = parent;
  if (children instanceof Map) {
    children.set(node.level, replacement);
    return;
  }
  replacement.sibling = node.sibling;
  if (children === node) {
    parent.children = replacement;
  } else {
    let previous = children as N;
    while (previous.sibling !== node) previous = previous.sibling as N;
    previous.sibling = replacement;
  }
  node.sibling = undefined;
}

/** Level names remembered at once; about what one burst of subscriptions repeats. */
const recentLevelsMax = 1024;
const recentLevels = new Map<string, string>();

/**
 * Gives the same string for the same recently used level name, so that a million nodes called `telemetry` share one
 * instead of keeping 32 bytes each.
 */
export function sharedLevelName(level: string): string {
  const known = recentLevels.get(level);
  if (known !== undefined) return known;
  if (recentLevels.size === recentLevelsMax) recentLevels.clear();
  recentLevels.set(level, level);
  return level;
}
