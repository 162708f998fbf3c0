/** Prints nothing: `-q`, and `-w` without `-P`. */
import type { FramePrinter } from './frame-printer.ts';

export class QuietPrinter implements FramePrinter {
  readonly fields = [];

  begin(): string {
    return '';
  }

  frame(): string {
    return '';
  }

  end(): string {
    return '';
  }
}
