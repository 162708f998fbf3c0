/** Gathers the whole tree of a frame: every field that its layers describe, with its range and line. */
import type { DataSource } from '../capture/frame.ts';
import type { Diagnostic } from './diagnostic.ts';
import { expert, expertLine, groups, severities, severityName } from './expert.ts';
import { defineFields, type FieldDescriptor, type FieldValue } from './field.ts';
import { FieldNode } from './field-node.ts';
import type { FieldSink } from './field-sink.ts';
import { decodeText } from './format-text.ts';

/** Lines that are no field, such as `[Timestamps]`, belong to this one, which has no name. */
export const textField: FieldDescriptor = defineFields('', '', {}).self;

/** Subtrees within subtrees; deeper ones become siblings. No layer comes near. */
const depthMax = 64;

/**
 *     const sink = new TreeSink();
 *     frame.describe(sink);
 *     for (const node of sink.roots) print(node);
 */
export class TreeSink implements FieldSink {
  readonly wantsText = true;
  /** The layers, from Frame up. */
  roots: FieldNode[] = [];
  readonly #open: FieldNode[] = [];
  /** What was added or entered last; undefined before anything was. */
  #last: FieldNode | undefined = undefined;

  /** Begins another frame; the tree so far is no longer touched. */
  reset(): void {
    this.roots = [];
    this.#open.length = 0;
    this.#last = undefined;
  }

  wants(_field: FieldDescriptor): boolean {
    return true;
  }

  add(field: FieldDescriptor, source: DataSource, start: number, end: number, value: FieldValue): void {
    this.#place(new FieldNode(field, value, source, start, end, undefined, false, false));
  }

  addString(field: FieldDescriptor, source: DataSource, start: number, end: number): void {
    this.add(field, source, start, end, decodeText(source.bytes, start, end));
  }

  addBytes(field: FieldDescriptor, source: DataSource, start: number, end: number): void {
    this.add(field, source, start, end, source.bytes.subarray(start, end));
  }

  addGenerated(field: FieldDescriptor, source: DataSource, start: number, end: number, value: FieldValue): void {
    this.#place(new FieldNode(field, value, source, start, end, undefined, false, true));
  }

  addHidden(field: FieldDescriptor, source: DataSource, start: number, end: number, value: FieldValue): void {
    this.#place(new FieldNode(field, value, source, start, end, undefined, true, false));
  }

  enter(field: FieldDescriptor, source: DataSource, start: number, end: number, value?: FieldValue): void {
    this.#enter(new FieldNode(field, value, source, start, end, undefined, false, false));
  }

  enterGenerated(field: FieldDescriptor, source: DataSource, start: number, end: number, value?: FieldValue): void {
    this.#enter(new FieldNode(field, value, source, start, end, undefined, false, true));
  }

  enterText(text: string, source: DataSource, start: number, end: number): void {
    this.#enter(new FieldNode(textField, undefined, source, start, end, text, false, false));
  }

  leave(): void {
    const left = this.#open.pop();
    if (left === undefined) return;
    this.#last = this.#open.at(-1);
    // A range that was not known when the subtree began covers what is in it.
    if (left.end < left.start) left.end = Math.max(left.start, endOfChildren(left));
  }

  setReach(): void {}

  setText(text: string): void {
    if (this.#last !== undefined) this.#last.text = text;
  }

  addDiagnostic(field: FieldDescriptor, source: DataSource, start: number, end: number, diagnostic: Diagnostic): void {
    const node = new FieldNode(expert.self, undefined, source, start, end, undefined, false, true);
    node.text = expertLine(diagnostic);
    const said = new FieldNode(field, undefined, source, start, start, diagnostic.message, false, true);
    const message = generated(expert.message, diagnostic.message, source, start, true);
    const level = generated(expert.severity, severities[diagnostic.severity], source, start, false);
    level.text = `Severity level: ${severityName(diagnostic.severity)}`;
    const group = generated(expert.group, groups[diagnostic.group], source, start, false);
    group.text = `Group: ${diagnostic.group}`;
    node.children = [said, message, level, group];
    if (diagnostic.rule !== undefined)
      node.children.push(generated(expert.rule, diagnostic.rule, source, start, false));
    const parent = this.#last ?? this.#open.at(-1);
    if (parent === undefined) this.roots.push(node);
    else this.#adopt(parent, node);
  }

  #enter(node: FieldNode): void {
    this.#place(node);
    if (this.#open.length < depthMax) this.#open.push(node);
    else this.#open.push(this.#open.at(-1)!);
  }

  #place(node: FieldNode): void {
    const parent = this.#open.at(-1);
    if (parent === undefined) this.roots.push(node);
    else this.#adopt(parent, node);
    this.#last = node;
  }

  #adopt(parent: FieldNode, node: FieldNode): void {
    if (parent.children === undefined) parent.children = [node];
    else parent.children.push(node);
  }
}

function generated(
  field: FieldDescriptor,
  value: FieldValue,
  source: DataSource,
  start: number,
  isHidden: boolean,
): FieldNode {
  return new FieldNode(field, value, source, start, start, undefined, isHidden, true);
}

function endOfChildren(node: FieldNode): number {
  let end = 0;
  for (const child of node.children ?? []) if (child.source === node.source && child.end > end) end = child.end;
  return end;
}
