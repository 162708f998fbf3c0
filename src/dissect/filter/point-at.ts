/** Where in a filter something is wrong. */
import { FilterSyntaxError } from '../../protocol/errors.ts';

/** A part of a filter's text: `end` is the one after its last character. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export function syntaxError(message: string, span: Span): FilterSyntaxError {
  return new FilterSyntaxError(message, span.start, Math.max(span.end - span.start, 1));
}

/**
 * Two lines that show the place:
 *
 *     mqtt.qos = 1
 *              ^
 *
 * Whatever moves the cursor counts as one blank, so that the columns agree.
 */
export function pointAt(text: string, error: FilterSyntaxError): string {
  const shown = text.replaceAll(/\p{Cc}/gu, ' ');
  const before = textWidth(shown.slice(0, error.position));
  const marked = Math.max(textWidth(shown.slice(error.position, error.position + error.length)), 1);
  return `${shown}\n${' '.repeat(before)}^${'~'.repeat(marked - 1)}`;
}

/** Columns of a terminal: pairs of surrogates are one character, of which those for East Asia and pictures take two columns. */
function textWidth(text: string): number {
  let width = 0;
  for (const character of text)
    width += /[\u1100-\u115f\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff01-\uff60\u{1f300}-\u{1faff}]/u.test(character)
      ? 2
      : 1;
  return width;
}
