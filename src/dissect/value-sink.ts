/**
 * Gathers the values of a few fields, and computes nothing else: what filters and `-T fields` look at. One sink serves all frames; it makes no
 * objects of its own per frame.
 *
 *     const sink = new ValueSink([...filter.fields, ...columns]);
 *     sink.reset();
 *     frame.describe(sink);
 *     sink.valuesOf(field);                    // undefined or empty: the field does not occur
 */
import type { DataSource } from '../capture/frame.ts';
import type { Diagnostic } from './diagnostic.ts';
import { expert, expertLine, groups, severities } from './expert.ts';
import { countFields, type FieldDescriptor, type FieldValue } from './field.ts';
import { allGroups, type FieldGroup, type GroupingSink } from './field-group.ts';
import type { FieldValues } from './filter/field-values.ts';
import { decodeText } from './format-text.ts';

export interface ValueSinkOptions {
  /** Fields of type `protocol` whose bytes are asked for by `bytesOf`. */
  readonly bytesFields?: readonly FieldDescriptor[];
  /** Fields whose layers are asked for by `layersOf`. */
  readonly layeredFields?: readonly FieldDescriptor[];
  /** Whether `textsOf` is asked for the lines of protocols. Default false. */
  readonly keepsTexts?: boolean;
  /** Whether `_ws.expert` and its fields leave out what only we remark, such as violations of the protocol. Default false. */
  readonly omitsOurRemarks?: boolean;
}

const noValues: readonly FieldValue[] = [];

/**
 * What is gathered of one field. Nearly always that is one value per frame: it has an array to itself, of length 1, so that nothing grows or shrinks.
 */
class Slot {
  readonly field: FieldDescriptor;
  count = 0;
  readonly #one: FieldValue[] = [undefined];
  readonly #many: FieldValue[] = [];
  readonly bytes: Uint8Array[] | undefined;
  /** In step with `bytes`. */
  readonly reaches: Uint8Array[] | undefined;
  readonly layers: number[] | undefined;
  readonly texts: string[] | undefined;

  constructor(
    field: FieldDescriptor,
    bytes: Uint8Array[] | undefined,
    layers: number[] | undefined,
    texts: string[] | undefined,
  ) {
    this.field = field;
    this.bytes = bytes;
    this.reaches = bytes === undefined ? undefined : [];
    this.layers = layers;
    this.texts = texts;
  }

  get values(): readonly FieldValue[] {
    return this.count === 0 ? noValues : this.count === 1 ? this.#one : this.#many;
  }

  push(value: FieldValue): void {
    if (this.count === 0) this.#one[0] = value;
    else {
      if (this.count === 1) {
        this.#many.length = 0;
        this.#many.push(this.#one[0]);
      }
      this.#many.push(value);
    }
    this.count++;
  }

  clear(): void {
    this.count = 0;
    if (this.bytes !== undefined) this.bytes.length = this.reaches!.length = 0;
    if (this.layers !== undefined) this.layers.length = 0;
    if (this.texts !== undefined) this.texts.length = 0;
  }
}

export class ValueSink implements GroupingSink, FieldValues {
  readonly wantsText: boolean;
  /** By field index; undefined: not wanted. */
  readonly #slots: Array<Slot | undefined>;
  readonly #used: Slot[] = [];
  /** By field index: 1 if it, or of a protocol any field, is wanted. */
  readonly #wanted: Uint8Array;
  /** By index of a protocol's own field: how many of its layers the frame has had so far. Empty if nobody asks for layers. */
  readonly #layerCounts: Uint16Array;
  /** For `wantsGroup`. */
  readonly wantedGroups: Uint8Array;
  readonly #wantsExpert: boolean;
  readonly #omitsOurRemarks: boolean;
  /** Protocol slot that `setText` is about. */
  #last: Slot | undefined = undefined;

  /** @param wanted - fields in any order; repetition does no harm */
  constructor(wanted: Iterable<FieldDescriptor>, options: ValueSinkOptions = {}) {
    const bytesFields = new Set(options.bytesFields);
    const layeredFields = new Set(options.layeredFields);
    const keepsTexts = options.keepsTexts === true;
    this.wantsText = keepsTexts;
    this.#omitsOurRemarks = options.omitsOurRemarks === true;
    this.#slots = new Array<Slot | undefined>(countFields()).fill(undefined);
    this.#wanted = new Uint8Array(countFields());
    this.#layerCounts = new Uint16Array(layeredFields.size > 0 ? countFields() : 0);
    let wantsExpert = false;
    for (const field of [...wanted, ...bytesFields, ...layeredFields]) {
      if (this.#slots[field.index] !== undefined) continue;
      const slot = new Slot(
        field,
        bytesFields.has(field) ? [] : undefined,
        layeredFields.has(field) ? [] : undefined,
        keepsTexts && field.type === 'protocol' ? [] : undefined,
      );
      this.#slots[field.index] = slot;
      this.#used.push(slot);
      this.#wanted[field.index] = 1;
      this.#wanted[field.protocol.index] = 1;
      wantsExpert ||= field.protocol === expert.self;
    }
    this.#wantsExpert = wantsExpert;
    // Diagnostics are everybody's: whoever asks for them asks for every layer.
    if (wantsExpert) this.#wanted.fill(1);
    const wantsAny = (group: FieldGroup) => group.fields.some((field) => this.#wanted[field.index] === 1);
    this.wantedGroups = Uint8Array.from(allGroups(), (group) => Number(wantsAny(group)));
  }

  /** Forgets the values of the frame before; to be called before each frame. */
  reset(): void {
    for (let index = 0; index < this.#used.length; index++) {
      const slot = this.#used[index]!;
      if (slot.count > 0) slot.clear();
    }
    if (this.#layerCounts.length > 0) this.#layerCounts.fill(0);
    this.#last = undefined;
  }

  valuesOf(field: FieldDescriptor): readonly FieldValue[] | undefined {
    return this.#slots[field.index]?.values;
  }

  bytesOf(field: FieldDescriptor): readonly Uint8Array[] | undefined {
    return this.#slots[field.index]?.bytes;
  }

  reachesOf(field: FieldDescriptor): readonly Uint8Array[] | undefined {
    return this.#slots[field.index]?.reaches;
  }

  layersOf(field: FieldDescriptor): readonly number[] | undefined {
    return this.#slots[field.index]?.layers;
  }

  /** Lines of a protocol's layers, in step with `valuesOf`: only with `keepsTexts`. */
  textsOf(field: FieldDescriptor): readonly string[] | undefined {
    return this.#slots[field.index]?.texts;
  }

  wants(field: FieldDescriptor): boolean {
    return this.#wanted[field.index] === 1;
  }

  add(field: FieldDescriptor, source: DataSource, start: number, end: number, value: FieldValue): void {
    const slot = this.#slots[field.index];
    this.#last = slot;
    if (slot !== undefined) this.#keep(slot, source, start, end, value);
  }

  addString(field: FieldDescriptor, source: DataSource, start: number, end: number): void {
    const slot = this.#slots[field.index];
    this.#last = slot;
    if (slot !== undefined) this.#keep(slot, source, start, end, decodeText(source.bytes, start, end));
  }

  addBytes(field: FieldDescriptor, source: DataSource, start: number, end: number): void {
    const slot = this.#slots[field.index];
    this.#last = slot;
    if (slot !== undefined) this.#keep(slot, source, start, end, source.bytes.subarray(start, end));
  }

  addGenerated(field: FieldDescriptor, source: DataSource, start: number, end: number, value: FieldValue): void {
    this.add(field, source, start, end, value);
  }

  addHidden(field: FieldDescriptor, source: DataSource, start: number, end: number, value: FieldValue): void {
    this.add(field, source, start, end, value);
  }

  enter(field: FieldDescriptor, source: DataSource, start: number, end: number, value?: FieldValue): void {
    if (field.type === 'protocol' && this.#layerCounts.length > 0) {
      this.#layerCounts[field.index] = this.#layerCounts[field.index]! + 1;
    }
    this.add(field, source, start, end, value);
  }

  enterGenerated(field: FieldDescriptor, source: DataSource, start: number, end: number, value?: FieldValue): void {
    this.enter(field, source, start, end, value);
    if (this.wantsText && field.type === 'protocol') this.#writeLine(`[${field.label}]`, true);
  }

  leave(): void {}

  setReach(source: DataSource, end: number, isWhole: boolean): void {
    const last = this.#last;
    if (last === undefined || last.bytes === undefined || last.count === 0) return;
    const index = last.count - 1;
    const start = last.bytes[index]!.byteOffset - source.bytes.byteOffset;
    const reach = source.bytes.subarray(start, Math.max(start, end));
    last.reaches![index] = reach;
    if (isWhole) last.bytes[index] = reach;
  }

  setText(text: string): void {
    this.#writeLine(text, false);
  }

  /** Lines of what is computed keep the brackets that they have in trees. */
  #writeLine(text: string, isGenerated: boolean): void {
    const texts = this.#last?.texts;
    if (texts === undefined || texts.length === 0) return;
    const isBracketed = !isGenerated && texts[texts.length - 1]!.startsWith('[');
    texts[texts.length - 1] = isBracketed ? `[${text}]` : text;
  }

  addDiagnostic(field: FieldDescriptor, source: DataSource, start: number, end: number, diagnostic: Diagnostic): void {
    const last = this.#last;
    if (this.#wantsExpert && !(this.#omitsOurRemarks && field.isOurs === true)) {
      this.add(expert.self, source, start, end, undefined);
      if (this.wantsText) this.setText(expertLine(diagnostic));
      this.add(expert.message, source, start, end, diagnostic.message);
      this.add(expert.severity, source, start, end, severities[diagnostic.severity]);
      this.add(expert.group, source, start, end, groups[diagnostic.group]);
    }
    if (diagnostic.rule !== undefined) this.add(expert.rule, source, start, end, diagnostic.rule);
    this.add(field, source, start, end, undefined);
    this.#last = last;
  }

  enterText(_text: string, _source: DataSource, _start: number, _end: number): void {
    this.#last = undefined;
  }

  #keep(slot: Slot, source: DataSource, start: number, end: number, value: FieldValue): void {
    slot.push(value);
    if (slot.bytes !== undefined) {
      const bytes = source.bytes.subarray(start, Math.max(start, end));
      slot.bytes.push(bytes);
      slot.reaches!.push(bytes);
    }
    if (slot.layers !== undefined) slot.layers.push(this.#layerCounts[slot.field.protocol.index]!);
    if (slot.texts !== undefined) slot.texts.push(slot.field.label);
  }
}
