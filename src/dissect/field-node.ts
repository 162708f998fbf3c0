/** The tree of a frame: what was found, where, and what it means. */
import type { DataSource } from '../capture/frame.ts';
import type { FieldDescriptor, FieldValue } from './field.ts';

export class FieldNode {
  readonly field: FieldDescriptor;
  readonly value: FieldValue;
  /** What `start` and `end` count in. */
  readonly source: DataSource;
  /** First byte, and the one after the last. Equal for what is computed and not in the bytes. */
  readonly start: number;
  /** Grows while a subtree is open whose end is not known when it begins. */
  end: number;
  /** The line of the tree where it is more than label and value; undefined: made from them by `describeNode`. */
  text: string | undefined;
  /** Not shown in trees but found by filters, as `ip.addr`. */
  readonly isHidden: boolean;
  /** In brackets: computed, not in the bytes. */
  readonly isGenerated: boolean;
  children: FieldNode[] | undefined = undefined;

  constructor(
    field: FieldDescriptor,
    value: FieldValue,
    source: DataSource,
    start: number,
    end: number,
    text: string | undefined,
    isHidden: boolean,
    isGenerated: boolean,
  ) {
    this.field = field;
    this.value = value;
    this.source = source;
    this.start = start;
    this.end = end;
    this.text = text;
    this.isHidden = isHidden;
    this.isGenerated = isGenerated;
  }
}
