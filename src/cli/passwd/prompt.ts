/** Asks for a new password, twice: on a terminal without showing it, otherwise as two lines of standard input. */

/** No password came. */
export class PasswordPromptError extends Error {
  readonly exitStatus: number;
  constructor(message: string, exitStatus: number) {
    super(message);
    this.exitStatus = exitStatus;
  }
}

const lineLengthMax = 65_536;
/** Statuses of mosquitto_passwd, and what shells give for a program ended by Ctrl-C. */
const emptyStatus = 1;
const mismatchStatus = 2;
const interruptedStatus = 130;

/** @throws {PasswordPromptError} if nothing is typed, the two differ, or the person gives up */
export async function promptForNewPassword(): Promise<string> {
  const input = process.stdin;
  const reader = new LineReader(input);
  try {
    process.stdout.write('Password: ');
    const first = await reader.next();
    if (first === undefined || first === '') throw new PasswordPromptError('Empty password.', emptyStatus);
    process.stdout.write('\nReenter password: ');
    const second = await reader.next();
    if (second === undefined || second === '') throw new PasswordPromptError('Empty password.', emptyStatus);
    process.stdout.write('\n');
    if (first !== second) throw new PasswordPromptError('Passwords do not match.', mismatchStatus);
    return first;
  } finally {
    reader.close();
  }
}

/** Lines of an input, typed or piped. On a terminal it takes the keys one by one, so that they are not shown. */
class LineReader {
  readonly #input: typeof process.stdin;
  readonly #isTerminal: boolean;
  #text = '';
  #lines: string[] = [];
  #hasEnded = false;
  #wasInterrupted = false;
  #wake: (() => void) | undefined;

  constructor(input: typeof process.stdin) {
    this.#input = input;
    this.#isTerminal = input.isTTY === true;
    if (this.#isTerminal) input.setRawMode(true);
    input.setEncoding('utf8');
    input.on('data', (chunk: string) => {
      if (this.#isTerminal) this.#type(chunk);
      else this.#add(chunk);
      this.#wake?.();
    });
    const end = () => {
      this.#hasEnded = true;
      this.#wake?.();
    };
    input.on('end', end);
    input.on('error', end);
  }

  /** The next line without its end; undefined after the last. */
  async next(): Promise<string | undefined> {
    while (this.#lines.length === 0 && !this.#hasEnded && !this.#wasInterrupted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#wasInterrupted) throw new PasswordPromptError('Interrupted.', interruptedStatus);
    if (this.#lines.length > 0) return this.#lines.shift();
    const rest = this.#text;
    this.#text = '';
    return rest === '' ? undefined : rest;
  }

  close(): void {
    if (this.#isTerminal) this.#input.setRawMode(false);
    this.#input.pause();
    this.#input.removeAllListeners('data');
    // A pipe whose writer goes on must not keep the program.
    this.#input.unref?.();
  }

  #add(chunk: string): void {
    const parts = (this.#text + chunk).split('\n');
    this.#text = parts.pop()!.slice(0, lineLengthMax);
    for (const part of parts) this.#lines.push(part.replace(/\r$/, ''));
  }

  #type(keys: string): void {
    for (const key of keys) {
      if (key === '\r' || key === '\n') {
        this.#lines.push(this.#text);
        this.#text = '';
      } else if (key === '\x03') {
        this.#wasInterrupted = true;
      } else if (key === '\x04') {
        this.#hasEnded = true;
      } else if (key === '\x7f' || key === '\b') {
        this.#text = [...this.#text].slice(0, -1).join('');
      } else if (key === '\x15') {
        this.#text = '';
      } else if (key >= ' ' && this.#text.length < lineLengthMax) {
        this.#text += key;
      }
    }
  }
}
