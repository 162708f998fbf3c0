/** What `-e` names: fields, and columns of the summary row (`_ws.col.Info`). */
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import type { FieldDescriptor } from '../../dissect/field.ts';
import { columnText } from '../../dissect/field-text.ts';
import { registry } from '../../dissect/registry.ts';
import type { ValueSink } from '../../dissect/value-sink.ts';
import { nearestName } from '../nearest-name.ts';
import { DissectArgumentError, type TimeForm } from './arguments.ts';
import { type SummaryColumns, summaryColumns } from './summary-row.ts';

const rowColumns: Readonly<Record<string, keyof SummaryColumns>> = {
  '_ws.col.No.': 'number',
  '_ws.col.Time': 'time',
  '_ws.col.Source': 'source',
  '_ws.col.Destination': 'destination',
  '_ws.col.Protocol': 'protocol',
  '_ws.col.Length': 'length',
  '_ws.col.Info': 'info',
};

interface OutputColumn {
  readonly name: string;
  /** Undefined for a column of the summary row. */
  readonly field: FieldDescriptor | undefined;
  readonly rowColumn: keyof SummaryColumns | undefined;
}

export class OutputColumns {
  readonly columns: readonly OutputColumn[];
  /** What is to be gathered in the sink. */
  readonly fields: readonly FieldDescriptor[];
  readonly #timeForm: TimeForm;

  /** @throws {DissectArgumentError} naming every field that there is not */
  constructor(names: readonly string[], timeForm: TimeForm) {
    this.#timeForm = timeForm;
    this.columns = names.map((name) => ({ name, field: registry.find(name)?.[0], rowColumn: rowColumns[name] }));
    const unknown = this.columns.filter(({ field, rowColumn }) => field === undefined && rowColumn === undefined);
    if (unknown.length > 0) {
      const lines = unknown.map(({ name }) => {
        const meant = nearestName(name, [...registry.names()]);
        return `\t${name}${meant === undefined ? '' : ` (did you mean ${meant}?)`}`;
      });
      throw new DissectArgumentError(`Some fields aren't valid:\n${lines.join('\n')}`);
    }
    this.fields = this.columns.flatMap(({ field }) => (field === undefined ? [] : [field]));
  }

  /** The values of a column; empty if the field does not occur. */
  texts(at: number, frame: DissectedFrame, values: ValueSink, previousShown: DissectedFrame | undefined): string[] {
    const { field, rowColumn } = this.columns[at] as OutputColumn;
    if (field === undefined) {
      return [summaryColumns(frame, this.#timeForm, previousShown)[rowColumn as keyof SummaryColumns]];
    }
    const found = values.valuesOf(field);
    if (found === undefined || found.length === 0) return [];
    const lines = values.textsOf(field);
    const texts = new Array<string>(found.length);
    for (let value = 0; value < found.length; value++) texts[value] = columnText(field, found[value], lines?.[value]);
    return texts;
  }
}
