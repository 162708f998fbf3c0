/** What makes lines of frames. */
import type { Utf8Buffer } from '../../base/utf8-buffer.ts';
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import type { FieldDescriptor } from '../../dissect/field.ts';
import type { ValueSink } from '../../dissect/value-sink.ts';

export interface FramePrinter {
  /** Fields that are to be gathered for it in the sink that `frame` is given. */
  readonly fields: readonly FieldDescriptor[];
  /** Whether what it says of a frame depends on no other frame, but for `previousShown`. Default false. */
  readonly isOfFramesAlone?: boolean;
  /** Between what it says of two frames. Default nothing. */
  readonly separator?: string;
  /** Before the first frame. */
  begin(): string;
  /**
   * @param values - the values of `fields`
   * @param previousShown - the frame that was shown before this one
   */
  frame?(frame: DissectedFrame, values: ValueSink, previousShown: DissectedFrame | undefined): string;
  /** A frame that does not match the display filter, for who has to know what came before those that do. */
  passed?(frame: DissectedFrame): void;
  /** The same for printers that are in a hurry: appends the lines to `output`. Every printer has one of both. */
  write?(output: Utf8Buffer, frame: DissectedFrame, values: ValueSink, previousShown: DissectedFrame | undefined): void;
  /**
   * After the last.
   * @param hasShown - whether there was any frame that matches the display filter
   */
  end(hasShown: boolean): string;
}
