/**
 * Fields that are found together, so that a layer can ask once whether any of them is of use, and pass over them all if not: what makes the values of
 * five fields cheap where a layer has eighty.
 */
import type { FieldDescriptor } from './field.ts';
import type { FieldSink } from './field-sink.ts';

let groupCount = 0;
const groups: FieldGroup[] = [];

export class FieldGroup {
  readonly fields: readonly FieldDescriptor[];
  /** Dense, over all groups. */
  readonly index: number = groupCount++;

  /** To be made where a module is loaded, once per group. */
  constructor(fields: readonly FieldDescriptor[]) {
    this.fields = fields;
    groups.push(this);
  }
}

/** Every group there is, once every module is loaded. */
export function allGroups(): readonly FieldGroup[] {
  return groups;
}

/** A sink that has worked out its answers beforehand. */
export interface GroupingSink extends FieldSink {
  /** By group index: 1 if any of its fields is wanted. */
  readonly wantedGroups: Uint8Array;
}

/** Whether any field of the group is of use to a sink. One that does not say is taken to want them all. */
export function wantsGroup(sink: FieldSink, group: FieldGroup): boolean {
  const answers = (sink as Partial<GroupingSink>).wantedGroups;
  return answers === undefined || answers[group.index] === 1;
}
