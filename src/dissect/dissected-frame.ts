/** What a frame turned out to be. Made by `Dissector.next`; nothing in it changes afterwards, so it may be described at any time. */
import type { Utf8Buffer } from '../base/utf8-buffer.ts';
import type { SegmentAnalysis } from '../capture/flow.ts';
import type { Frame } from '../capture/frame.ts';
import type { FrameHeaders } from '../capture/frame-headers.ts';
import type { TimeValue } from './field.ts';
import type { FieldSink } from './field-sink.ts';
import type { UpperLayer } from './stream-dissector.ts';

export interface DissectedFrame {
  readonly frame: Frame;
  readonly headers: FrameHeaders;
  /** undefined if it is no TCP segment. */
  readonly segment: SegmentAnalysis | undefined;
  /** What lies above TCP and was completed by this frame. */
  readonly layers: readonly UpperLayer[];
  /** Time of the first frame of the capture. */
  readonly first: TimeValue;
  /** Nanoseconds since the first frame of the capture, and since the frame before. Below 2^53: 104 days. */
  readonly sinceFirstNs: number;
  readonly sincePreviousNs: number;
  /** The columns of a summary row, as tshark's: `127.0.0.1`, `MQTT`, `Connect Command`. */
  source(): string;
  destination(): string;
  protocol(): string;
  info(): string;
  /** `info()`, appended as UTF-8: for what prints millions of rows. */
  writeInfo(output: Utf8Buffer): void;
  /** Every layer, from Frame up, into the sink. */
  describe(sink: FieldSink): void;
}
