import { OptionError } from '../../protocol/errors.ts';

/** A password or ACL file cannot be used. The message names it, with the line if it is about one. */
export class AccessFileError extends OptionError {
  readonly file: string;
  /** Counts from 1; 0 if it is about the file as a whole. */
  readonly line: number;
  constructor(message: string, file: string, line: number) {
    super(message);
    this.file = file;
    this.line = line;
  }
}
