/**
 * Where a layer puts its fields. A layer describes itself once, in one way; the sink decides what becomes of it: a whole tree (`TreeSink`), or the
 * values of a few fields that a filter or a list of columns asks for (`ValueSink`), for which nothing else is computed.
 *
 *     if (!sink.wants(protocol)) return;              // none of its fields is asked for
 *     sink.enter(fields.self, source, start, end);
 *     sink.add(fields.length, source, at, at + 2, length);
 *     sink.addString(fields.topic, source, at, end);  // decoded only if asked for
 *     if (sink.wantsText) sink.setText(`…`);          // the line of the last added or entered, where it is a special one
 *     sink.leave();
 */
import type { DataSource } from '../capture/frame.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { FieldDescriptor, FieldValue } from './field.ts';

export interface FieldSink {
  /** Whether lines of text are of use: only a tree shows them. */
  readonly wantsText: boolean;
  /** Whether a field, or anything of a protocol (asked with its own field), is of use. To be asked where finding the value costs something. */
  wants(field: FieldDescriptor): boolean;
  add(field: FieldDescriptor, source: DataSource, start: number, end: number, value: FieldValue): void;
  /** As `add`, with the bytes from `start` to `end` as UTF-8, what is not UTF-8 as U+FFFD. */
  addString(field: FieldDescriptor, source: DataSource, start: number, end: number): void;
  /** As `add`, with the bytes from `start` to `end` as they are. */
  addBytes(field: FieldDescriptor, source: DataSource, start: number, end: number): void;
  /** Computed, not in the bytes: shown in brackets. The range may be empty, or that of what it was computed from. */
  addGenerated(field: FieldDescriptor, source: DataSource, start: number, end: number, value: FieldValue): void;
  /** Found by filters, not shown. */
  addHidden(field: FieldDescriptor, source: DataSource, start: number, end: number, value: FieldValue): void;
  /** As `add`, and what follows until `leave` belongs to it. A protocol's own field has no value. */
  enter(field: FieldDescriptor, source: DataSource, start: number, end: number, value?: FieldValue): void;
  /** As `enter`, shown in brackets. */
  enterGenerated(field: FieldDescriptor, source: DataSource, start: number, end: number, value?: FieldValue): void;
  leave(): void;
  /**
   * The protocol that was just entered was given bytes up to `end`, beyond its header: `contains` and `matches` of filters search all of them.
   * Otherwise they search those of its node.
   * @param isWhole - whether `len`, slices and comparisons look at all of them, too
   */
  setReach(source: DataSource, end: number, isWhole: boolean): void;
  /** The line of what was added or entered last, instead of label and value. */
  setText(text: string): void;
  /** Something to be said of what was added or entered last: shown below it, and found by `field` and by `_ws.expert`. */
  addDiagnostic(field: FieldDescriptor, source: DataSource, start: number, end: number, diagnostic: Diagnostic): void;
  /** A line of its own that is no field, such as `[Timestamps]`; what follows until `leave` belongs to it. Only trees show it. */
  enterText(text: string, source: DataSource, start: number, end: number): void;
}

/** What a frame consists of, from the bottom up: each describes itself when asked, as often as asked, and changes nothing. */
export interface Layer {
  /** The protocol's own field. */
  readonly protocol: FieldDescriptor;
  describe(sink: FieldSink): void;
}
