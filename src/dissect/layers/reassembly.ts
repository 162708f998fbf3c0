/** The lines about bytes that were put together: `[2 Reassembled TCP Segments (134 bytes): #16(58), #17(76)]`. */
import type { DataSource } from '../../capture/frame.ts';
import type { FieldDescriptor } from '../field.ts';
import type { FieldSink } from '../field-sink.ts';
import { plural } from './wording.ts';

export interface ReassemblyFields {
  readonly whole: FieldDescriptor;
  readonly part: FieldDescriptor;
  readonly count: FieldDescriptor;
  readonly length: FieldDescriptor;
  readonly data: FieldDescriptor;
  /** `Reassembled TCP Segments`. */
  readonly title: string;
}

/**
 * Names the frames that a stretch of a source came from.
 * @param start - of the stretch: segments outside it are not named, those that reach over its ends are named with what is in it
 */
export function describeReassembly(
  sink: FieldSink,
  fields: ReassemblyFields,
  source: DataSource,
  start: number,
  end: number,
): void {
  const segments = (source.segments ?? []).filter((segment) => segment.end > start && segment.start < end);
  if (segments.length === 0) return;
  sink.enterGenerated(
    fields.whole,
    source,
    start,
    end,
    fields.whole.type === 'bytes' ? source.bytes.subarray(start, end) : undefined,
  );
  if (sink.wantsText) {
    const parts = segments.map(
      (segment) => `#${segment.frame}(${Math.min(segment.end, end) - Math.max(segment.start, start)})`,
    );
    sink.setText(`${segments.length} ${fields.title} (${plural(end - start, 'byte')}): ${parts.join(', ')}`);
  }
  for (const segment of segments) {
    const from = Math.max(segment.start, start);
    const to = Math.min(segment.end, end);
    sink.addGenerated(fields.part, source, from, to, segment.frame);
    if (sink.wantsText) {
      const range = `${from - start}-${to - start - 1}`;
      sink.setText(`Frame: ${segment.frame}, payload: ${range} (${plural(to - from, 'byte')})`);
    }
  }
  sink.addGenerated(fields.count, source, start, start, segments.length);
  sink.addGenerated(fields.length, source, start, start, end - start);
  sink.addGenerated(fields.data, source, start, end, source.bytes.subarray(start, end));
  sink.leave();
}
