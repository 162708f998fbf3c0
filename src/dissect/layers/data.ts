/** Bytes that nothing here understands. */
import type { DataSource } from '../../capture/frame.ts';
import { defineFields } from '../field.ts';
import type { FieldSink } from '../field-sink.ts';
import { plural } from './wording.ts';

export const dataFields = defineFields('data', 'Data', {
  data: { name: 'data.data', label: 'Data', type: 'bytes' },
  length: { name: 'data.len', label: 'Length', type: 'int32' },
});

export function describeData(sink: FieldSink, source: DataSource, start: number, end: number): void {
  if (end <= start || !sink.wants(dataFields.self)) return;
  sink.enter(dataFields.self, source, start, end);
  if (sink.wantsText) sink.setText(`Data (${plural(end - start, 'byte')})`);
  sink.addBytes(dataFields.data, source, start, end);
  sink.addGenerated(dataFields.length, source, start, start, end - start);
  sink.leave();
}
