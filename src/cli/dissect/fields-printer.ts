/** `-T fields`: a line for each frame with the values of the fields asked for. */
import type { Utf8Buffer } from '../../base/utf8-buffer.ts';
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import type { FieldDescriptor, FieldValue, TimeValue } from '../../dissect/field.ts';
import { columnText } from '../../dissect/field-text.ts';
import { escapeColumn } from '../../dissect/format-text.ts';
import type { ValueSink } from '../../dissect/value-sink.ts';
import type { ColumnOptions } from './arguments.ts';
import type { FramePrinter } from './frame-printer.ts';
import type { OutputColumns } from './output-columns.ts';

export class FieldsPrinter implements FramePrinter {
  readonly fields: readonly FieldDescriptor[];
  readonly isOfFramesAlone = true;
  readonly #columns: OutputColumns;
  readonly #options: ColumnOptions;

  constructor(columns: OutputColumns, options: ColumnOptions) {
    this.#columns = columns;
    this.#options = options;
    this.fields = columns.fields;
  }

  begin(): string {
    const { hasByteOrderMark, hasHeader, separator } = this.#options;
    const header = hasHeader ? `${this.#columns.columns.map(({ name }) => name).join(separator)}\n` : '';
    return (hasByteOrderMark ? '\uFEFF' : '') + header;
  }

  write(output: Utf8Buffer, frame: DissectedFrame, values: ValueSink, previousShown: DissectedFrame | undefined): void {
    const { columns } = this.#columns;
    const separator = this.#options.separator;
    for (let at = 0; at < columns.length; at++) {
      if (at > 0) output.text(separator);
      const { field } = columns[at]!;
      if (field === undefined) this.#writeTexts(output, this.#columns.texts(at, frame, values, previousShown));
      else this.#writeValues(output, field, values);
    }
    output.byte(0x0a);
  }

  #writeValues(output: Utf8Buffer, field: FieldDescriptor, sink: ValueSink): void {
    const values = sink.valuesOf(field);
    if (values === undefined || values.length === 0) return;
    const { quote, occurrence, aggregator } = this.#options;
    const lines = sink.textsOf(field);
    if (quote !== '') output.text(quote);
    const last = values.length - 1;
    const from = occurrence === 'last' ? last : 0;
    const to = occurrence === 'first' ? 0 : last;
    for (let index = from; index <= to; index++) {
      if (index > from) output.text(aggregator);
      writeColumn(output, field, values[index], lines?.[index]);
    }
    if (quote !== '') output.text(quote);
  }

  #writeTexts(output: Utf8Buffer, texts: readonly string[]): void {
    if (texts.length === 0) return;
    const { quote, occurrence, aggregator } = this.#options;
    const shown = occurrence === 'first' ? texts.slice(0, 1) : occurrence === 'last' ? texts.slice(-1) : texts;
    output.text(quote + shown.map(escapeColumn).join(aggregator) + quote);
  }

  end(): string {
    return '';
  }
}

/** As `columnText`, escaped; numbers and the usual texts are written without making strings of them. */
function writeColumn(output: Utf8Buffer, field: FieldDescriptor, value: FieldValue, line: string | undefined): void {
  switch (field.type) {
    case 'uint8':
    case 'uint16':
    case 'uint24':
    case 'uint32':
    case 'frame-number':
      if (field.display !== undefined && field.display !== 'decimal') break;
      output.decimal(value as number);
      return;
    case 'relative-time': {
      const { seconds, nanoseconds } = value as TimeValue;
      if (seconds < 0 || nanoseconds < 0) break;
      output.decimal(seconds);
      output.byte(0x2e);
      output.decimal(nanoseconds, 9);
      return;
    }
    case 'ipv4': {
      const address = value as number;
      output.decimal(address >>> 24);
      output.byte(0x2e);
      output.decimal((address >>> 16) & 255);
      output.byte(0x2e);
      output.decimal((address >>> 8) & 255);
      output.byte(0x2e);
      output.decimal(address & 255);
      return;
    }
  }
  output.text(escapeColumn(columnText(field, value, line)));
}
