import type { FilterSyntaxError } from '../../protocol/errors.ts';

/** A filter, or a condition, that cannot be used, with its text for pointing at the place. */
export class FilterError extends Error {
  readonly text: string;
  override readonly cause: FilterSyntaxError;

  constructor(text: string, cause: FilterSyntaxError) {
    super(cause.message);
    this.text = text;
    this.cause = cause;
  }
}
