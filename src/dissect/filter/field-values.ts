/** What a display filter looks at: the values of one frame's fields, as `ValueSink` gathers them. */
import type { FieldDescriptor, FieldValue } from '../field.ts';

/**
 * All three lists go in step: one entry per occurrence of the field in the frame, hidden and generated ones included, in the order in which they
 * were added. undefined or an empty list: the field does not occur. The lists are only read, and only until the next frame.
 */
export interface FieldValues {
  /** Entries of `protocol` and `none` fields are undefined: that there is one says that the field is present. */
  valuesOf(field: FieldDescriptor): readonly FieldValue[] | undefined;
  /**
   * For `protocol` fields: the bytes from `start` to `end` of their node, or up to where `FieldSink.setReach` says, if these are `isWhole`, a view.
   * Asked only of fields in `DisplayFilter.bytesFields`.
   */
  bytesOf(field: FieldDescriptor): readonly Uint8Array[] | undefined;
  /** As `bytesOf`, up to where `FieldSink.setReach` says: what `contains` and `matches` search. */
  reachesOf(field: FieldDescriptor): readonly Uint8Array[] | undefined;
  /**
   * How many layers of the field's protocol the frame had up to the occurrence, its own included: 1 for the first TCP header, 2 for one inside
   * it. Asked only of fields in `DisplayFilter.layeredFields`.
   */
  layersOf(field: FieldDescriptor): readonly number[] | undefined;
}

/** What names mean; `dissect/registry.ts` is one. */
export interface FieldRegistry {
  /** All fields that have this name: Wireshark lets several share one. */
  find(name: string): readonly FieldDescriptor[] | undefined;
  /** Every name, for suggestions and completion. */
  names(): Iterable<string>;
}

/** A compiled filter. Holds no state: may be used for any number of frames. */
export interface DisplayFilter {
  readonly text: string;
  /** Whose values are to be gathered, without repetition. Protocols that are only tested for presence are among them. */
  readonly fields: readonly FieldDescriptor[];
  /** The `protocol` fields of `fields` whose bytes it looks at. */
  readonly bytesFields: readonly FieldDescriptor[];
  /** The ones of `fields` that it restricts to layers, `ip.addr#2`. */
  readonly layeredFields: readonly FieldDescriptor[];
  matches(values: FieldValues): boolean;
}
