/** `-T fields`: a line for each frame with the values of the fields asked for. */
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import type { FieldDescriptor } from '../../dissect/field.ts';
import { escapeColumn } from '../../dissect/format-text.ts';
import type { ValueSink } from '../../dissect/value-sink.ts';
import type { ColumnOptions } from './arguments.ts';
import type { FramePrinter } from './frame-printer.ts';
import type { OutputColumns } from './output-columns.ts';

export class FieldsPrinter implements FramePrinter {
  readonly fields: readonly FieldDescriptor[];
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

  frame(frame: DissectedFrame, values: ValueSink, previousShown: DissectedFrame | undefined): string {
    const { separator, quote, occurrence, aggregator } = this.#options;
    const count = this.#columns.columns.length;
    let line = '';
    for (let at = 0; at < count; at++) {
      if (at > 0) line += separator;
      const texts = this.#columns.texts(at, frame, values, previousShown);
      if (texts.length === 0) continue;
      line += quote;
      if (occurrence === 'last') line += escapeColumn(texts[texts.length - 1] as string);
      else {
        line += escapeColumn(texts[0] as string);
        if (occurrence === 'all')
          for (let more = 1; more < texts.length; more++) line += aggregator + escapeColumn(texts[more] as string);
      }
      line += quote;
    }
    return `${line}\n`;
  }

  end(): string {
    return '';
  }
}
