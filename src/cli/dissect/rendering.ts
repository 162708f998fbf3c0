/** What a request makes of frames: the lines of those that its filter shows. */
import type { Utf8Buffer } from '../../base/utf8-buffer.ts';
import type { Frame } from '../../capture/frame.ts';
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import { fields } from '../../dissect/mqtt/fields.ts';
import { ValueSink } from '../../dissect/value-sink.ts';
import type { Dissection } from './dissection.ts';

export class Rendering {
  readonly #dissection: Dissection;
  readonly #sink: ValueSink;
  /** Whether anything is to be gathered in the sink. */
  readonly #gathers: boolean;
  /** Whether everything gathered is of MQTT, so that only the layers above TCP can have some of it. */
  readonly #isAboveTcp: boolean;
  /** Whether the filter shows a frame that has nothing of what it asks for. */
  readonly #showsEmpty: boolean;
  readonly #separator: string;
  #hasShown = false;
  #previousShown: DissectedFrame | undefined = undefined;

  constructor(dissection: Dissection) {
    this.#dissection = dissection;
    const { filter, consumer, omitsOurRemarks } = dissection;
    this.#sink = new ValueSink([...(filter?.fields ?? []), ...consumer.fields], {
      bytesFields: filter?.bytesFields ?? [],
      layeredFields: filter?.layeredFields ?? [],
      omitsOurRemarks,
      keepsTexts: consumer.fields.some(({ type }) => type === 'protocol'),
    });
    this.#gathers = (filter?.fields.length ?? 0) + consumer.fields.length > 0;
    this.#isAboveTcp = [...(filter?.fields ?? []), ...consumer.fields].every(
      ({ protocol }) => protocol === fields.self,
    );
    this.#showsEmpty = filter === undefined || filter.matches(this.#sink);
    // Who puts the lines of several readers together separates them, too.
    this.#separator = dissection.share === undefined ? (consumer.separator ?? '') : '';
  }

  /** Appends what stands before all frames. */
  begin(output: Utf8Buffer): void {
    output.text(this.#dissection.consumer.begin());
  }

  /**
   * Takes the next frame of the capture, and appends its lines.
   * @returns whether the filter shows it, and it is not for another reader to show
   */
  next(frame: Frame, output: Utf8Buffer): boolean {
    const { dissector, filter, consumer } = this.#dissection;
    const dissected = dissector.nextOurs(frame);
    if (dissected === undefined) return false;
    if (this.#gathers) {
      this.#sink.reset();
      if (!this.#isAboveTcp) dissected.describe(this.#sink);
      else {
        const { layers } = dissected;
        if (layers.length === 0 && !this.#showsEmpty) return this.#pass(dissected);
        for (let index = 0; index < layers.length; index++) layers[index]!.describe(this.#sink);
      }
    }
    if (filter !== undefined && !filter.matches(this.#sink)) return this.#pass(dissected);
    if (this.#hasShown && this.#separator !== '') output.text(this.#separator);
    if (consumer.write !== undefined) consumer.write(output, dissected, this.#sink, this.#previousShown);
    else if (consumer.frame !== undefined) output.text(consumer.frame(dissected, this.#sink, this.#previousShown));
    // Without a filter that is the frame before anyway, also if another reader shows it.
    if (filter !== undefined) dissector.displayed(frame);
    this.#hasShown = true;
    this.#previousShown = dissected;
    return true;
  }

  /** A frame that is not shown. */
  #pass(frame: DissectedFrame): false {
    this.#dissection.consumer.passed?.(frame);
    return false;
  }

  /**
   * Appends what stands behind all frames.
   * @param hasShown - whether there were lines of any; default: of those that were given here
   */
  end(output: Utf8Buffer, hasShown = this.#hasShown): void {
    output.text(this.#dissection.consumer.end(hasShown));
  }
}
