/** One word of a command line, as text and as the bytes it was given as. */

import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';

export class Argument {
  /** Bytes that are no UTF-8 have become U+FFFD. */
  readonly text: string;
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array, text = Buffer.from(bytes).toString()) {
    this.bytes = bytes;
    this.text = text;
  }

  /** Whether it can be an MQTT string: well-formed UTF-8 without control characters and non-characters. [MQTT 5.0 §1.5.4] */
  get isMqttString(): boolean {
    return isUtf8(this.bytes) && !forbidden.test(this.text);
  }
}

const forbidden = /[\p{Cc}\p{Noncharacter_Code_Point}]/u;

/**
 * The words given to this process. Node decodes them as UTF-8; where that lost something the bytes are taken from the system (Linux),
 * so that `-m` can send any bytes but NUL.
 */
export function commandLineArguments(words: readonly string[]): Argument[] {
  const isLossy = words.some((word) => word.includes('\ufffd'));
  const raw = isLossy ? rawCommandLine(words.length) : undefined;
  return words.map((word, index) => {
    const bytes = raw?.[index];
    return bytes !== undefined && bytes.toString() === word
      ? new Argument(bytes, word)
      : new Argument(Buffer.from(word), word);
  });
}

/** The last words of this process's command line; undefined where the system does not tell. */
function rawCommandLine(count: number): Buffer[] | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync('/proc/self/cmdline');
  } catch {
    return undefined;
  }
  const words: Buffer[] = [];
  let start = 0;
  for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, start)) {
    words.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return words.length >= count ? words.slice(words.length - count) : undefined;
}
