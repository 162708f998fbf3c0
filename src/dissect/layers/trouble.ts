/** Frames that end before they should: cut by the capture, or shorter than what they say they carry. */
import type { DataSource, Frame } from '../../capture/frame.ts';
import type { Diagnostic } from '../diagnostic.ts';
import { defineFields } from '../field.ts';
import type { FieldSink } from '../field-sink.ts';
import { malformed as malformedFields } from '../mqtt/malformed.ts';

export const shortFields = defineFields('_ws.short', 'Short Frame', {});

const malformed: Diagnostic = {
  severity: 'error',
  group: 'Malformed',
  message: malformedFields.expert.label,
  rule: undefined,
};

/** What the Info column has of it. */
export const shortInfo = '[Packet size limited during capture]';

/** Says that a protocol's header does not end within the frame; `protocol` is its short name. */
export function describeTrouble(sink: FieldSink, frame: Frame, protocol: string): void {
  const end = frame.bytes.length;
  if (isCut(frame)) {
    describeShort(sink, frame, end, protocol);
    return;
  }
  if (!sink.wants(malformedFields.self)) return;
  sink.enterGenerated(malformedFields.self, frame, end, end);
  if (sink.wantsText) sink.setText(`Malformed Packet: ${protocol}`);
  sink.addDiagnostic(malformedFields.expert, frame, end, end, malformed);
  sink.leave();
}

/** Says that the capture cut a frame within a protocol. */
export function describeShort(sink: FieldSink, source: DataSource, end: number, protocol: string): void {
  if (!sink.wants(shortFields.self)) return;
  sink.enterGenerated(shortFields.self, source, end, end);
  if (sink.wantsText) sink.setText(`Packet size limited during capture: ${protocol} truncated`);
  sink.leave();
}

/** Whether the capture kept less of a frame than there was. */
export function isCut(frame: Frame): boolean {
  return frame.bytes.length < frame.length;
}
