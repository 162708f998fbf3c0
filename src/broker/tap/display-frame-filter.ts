/** `capture_filter`: a display filter over the frames of the tap. Loaded only where there is one. */
import { type CaptureInterface, Frame } from '../../capture/frame.ts';
import { linkTypes } from '../../capture/link-types.ts';
import { Dissector } from '../../dissect/dissector.ts';
import { compileFilter } from '../../dissect/filter/display-filter.ts';
import { registry } from '../../dissect/registry.ts';
import { ValueSink } from '../../dissect/value-sink.ts';
import type { FrameFilter } from './capture-file.ts';

const tapInterface: CaptureInterface = {
  index: 0,
  linkType: linkTypes.ethernet,
  snapLength: 0,
  name: 'clearwing',
  description: undefined,
};

/** @throws {FilterSyntaxError} */
export function createFrameFilter(text: string): FrameFilter {
  const filter = compileFilter(text, registry);
  const sink = new ValueSink(filter.fields, filter);
  const dissector = new Dissector();
  let count = 0;
  return {
    matches(seconds, nanoseconds, bytes) {
      const frame = new Frame(++count, seconds, nanoseconds, bytes.length, bytes, tapInterface, undefined);
      sink.reset();
      dissector.next(frame).describe(sink);
      return filter.matches(sink);
    },
  };
}
