/**
 * Retained messages by topic level.
 *
 *   device/17, device/17/state, device/18      (root) ─ device ┬ 17 (branch with a record) ─ state (record)
 *                                                              └ 18 (record)
 *
 * A record stands in the tree itself where nothing lies below it, which is nearly everywhere, and in a `Branch` where
 * something does. The record object stays the same when it moves between the two: a cursor in the middle of the tree depends on
 * that.
 */
import { assert } from '../base/assert.ts';
import type { QoS } from '../protocol/version.ts';
import type { Expiry } from './expiry-heap.ts';
import { addChild, findChild, removeChild, replaceChild, sharedLevelName } from './level-children.ts';
import type { MessageProperties, Publisher } from './message.ts';

/** A retained message at rest: eleven words, and what its topic and payload take. */
export class RetainedRecord {
  readonly topicName: string;
  readonly level: string;
  sibling: RetainedNode | undefined = undefined;
  /** Bytes, or a string with one character per byte for the short ones; undefined once the record is removed. */
  payload: Uint8Array | string | undefined = undefined;
  qos: QoS = 0;
  properties: MessageProperties | undefined = undefined;
  publisher: Publisher | undefined = undefined;
  expiry: Expiry<RetainedRecord> | undefined = undefined;

  constructor(topicName: string) {
    this.topicName = topicName;
    this.level = sharedLevelName(topicName.slice(topicName.lastIndexOf('/') + 1));
  }
}

export class Branch {
  readonly level: string;
  sibling: RetainedNode | undefined = undefined;
  children: RetainedNode | Map<string, RetainedNode> | undefined = undefined;
  /** The message on the topic that ends here. It stays set when a branch that lost its children leaves the tree. */
  record: RetainedRecord | undefined = undefined;

  constructor(level: string) {
    this.level = level;
  }
}

export type RetainedNode = Branch | RetainedRecord;

export class RetainedTree {
  readonly root = new Branch('');
  /** Where the last record was put, by the part of its topic before the last level: a start brings neighbours one after the other. */
  #lastParent: { readonly path: string; readonly branch: Branch } | undefined = undefined;

  find(topicName: string): RetainedRecord | undefined {
    let branch = this.root;
    for (let start = 0; ; ) {
      const end = topicName.indexOf('/', start);
      const child = findChild(branch, end < 0 ? topicName.slice(start) : topicName.slice(start, end));
      if (end < 0) return child instanceof Branch ? child.record : child;
      if (!(child instanceof Branch)) return undefined;
      branch = child;
      start = end + 1;
    }
  }

  /** Adds a record. False, and nothing happens, if its topic has one. */
  insert(record: RetainedRecord): boolean {
    const branch = this.#parentOf(record.topicName);
    const child = findChild(branch, record.level);
    if (child === undefined) {
      addChild<RetainedNode>(branch, record);
    } else {
      if (!(child instanceof Branch) || child.record !== undefined) return false;
      child.record = record;
    }
    return true;
  }

  /** The branch that a topic hangs on, made if it is missing. */
  #parentOf(topicName: string): Branch {
    const pathEnd = topicName.lastIndexOf('/') + 1;
    const last = this.#lastParent;
    if (last !== undefined && last.path.length === pathEnd && topicName.startsWith(last.path)) return last.branch;
    let branch = this.root;
    for (let start = 0; start < pathEnd; ) {
      const end = topicName.indexOf('/', start);
      branch = branchBelow(branch, topicName.slice(start, end));
      start = end + 1;
    }
    this.#lastParent = { path: topicName.slice(0, pathEnd), branch };
    return branch;
  }

  /** Takes a record out, and the branches that led to nothing else. */
  remove(record: RetainedRecord): void {
    const { topicName } = record;
    this.#lastParent = undefined;
    const path = [this.root];
    let branch = this.root;
    let start = 0;
    for (let end = topicName.indexOf('/'); end >= 0; end = topicName.indexOf('/', start)) {
      branch = findChild(branch, topicName.slice(start, end)) as Branch;
      path.push(branch);
      start = end + 1;
    }
    const child = findChild(branch, record.level);
    if (child instanceof Branch) {
      assert(child.record === record, `another retained message is on ${topicName}`);
      child.record = undefined;
      return;
    }
    assert(child === record, `another retained message is on ${topicName}`);
    removeChild<RetainedNode>(branch, record);
    for (let index = path.length - 1; index > 0; index--) {
      const empty = path[index] as Branch;
      if (empty.children !== undefined) return;
      const parent = path[index - 1] as Branch;
      if (empty.record !== undefined) {
        replaceChild<RetainedNode>(parent, empty, empty.record);
        return;
      }
      removeChild<RetainedNode>(parent, empty);
    }
  }
}

/** The child as a branch: found, made, or put in the place of a record that gets something below it. */
function branchBelow(parent: Branch, level: string): Branch {
  const child = findChild(parent, level);
  if (child instanceof Branch) return child;
  const branch = new Branch(child === undefined ? sharedLevelName(level) : child.level);
  if (child === undefined) {
    addChild<RetainedNode>(parent, branch);
  } else {
    replaceChild<RetainedNode>(parent, child, branch);
    branch.record = child;
  }
  return branch;
}
