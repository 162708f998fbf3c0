/** What a request makes of frames: the lines of those that its filter shows. */
import type { Utf8Buffer } from '../../base/utf8-buffer.ts';
import type { Frame } from '../../capture/frame.ts';
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import { ValueSink } from '../../dissect/value-sink.ts';
import type { Dissection } from './dissection.ts';

export class Rendering {
  readonly #dissection: Dissection;
  readonly #sink: ValueSink;
  /** Whether anything is to be gathered in the sink. */
  readonly #gathers: boolean;
  #previousShown: DissectedFrame | undefined = undefined;

  constructor(dissection: Dissection) {
    this.#dissection = dissection;
    const { filter, consumer } = dissection;
    this.#sink = new ValueSink([...(filter?.fields ?? []), ...consumer.fields], {
      bytesFields: filter?.bytesFields ?? [],
      layeredFields: filter?.layeredFields ?? [],
      keepsTexts: consumer.fields.some(({ type }) => type === 'protocol'),
    });
    this.#gathers = (filter?.fields.length ?? 0) + consumer.fields.length > 0;
  }

  /** Appends what stands before all frames. */
  begin(output: Utf8Buffer): void {
    output.text(this.#dissection.consumer.begin());
  }

  /**
   * Takes the next frame of the capture, and appends its lines.
   * @returns whether the filter shows it
   */
  next(frame: Frame, output: Utf8Buffer): boolean {
    const { dissector, filter, consumer } = this.#dissection;
    const dissected = dissector.next(frame);
    if (this.#gathers) {
      this.#sink.reset();
      dissected.describe(this.#sink);
    }
    if (filter !== undefined && !filter.matches(this.#sink)) return false;
    if (consumer.write === undefined) output.text(consumer.frame(dissected, this.#sink, this.#previousShown));
    else consumer.write(output, dissected, this.#sink, this.#previousShown);
    dissector.displayed(frame);
    this.#previousShown = dissected;
    return true;
  }

  /** Appends what stands behind all frames. */
  end(output: Utf8Buffer): void {
    output.text(this.#dissection.consumer.end());
  }
}
