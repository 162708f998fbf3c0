/**
 * Option files: one option in a line, with its argument after a blank; the argument goes on to the end of the line. Lines that begin
 * with `#` are comments. What the command line says comes after and so counts.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Argument } from './argument.ts';
import type { ClientCommand } from './settings.ts';

/** Bytes of an option file at most. */
export const optionFileBytesMax = 1_048_576;

/**
 * Where the options of a command are looked for if the command line names no file: `mosquitto_sub` and so on in `$XDG_CONFIG_HOME` or
 * else in `$HOME/.config`, as the classic clients do. Undefined without a home.
 */
export function defaultOptionFile(
  command: ClientCommand,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const name = `mosquitto_${command}`;
  const { XDG_CONFIG_HOME: configHome, HOME: home } = environment;
  if (configHome !== undefined) return join(configHome, name);
  return home === undefined ? undefined : join(home, '.config', name);
}

/** The lines of an option file, each as the words of a command line. A file that cannot be read throws. */
export function readOptionFile(path: string): Argument[][] {
  const content = readFileSync(path);
  if (content.length > optionFileBytesMax) throw new Error(`larger than ${optionFileBytesMax} bytes`);
  return splitLines(content).flatMap((line) => {
    const words = wordsOf(line);
    return words.length === 0 ? [] : [words];
  });
}

function splitLines(content: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  while (start < content.length) {
    const newline = content.indexOf(0x0a, start);
    const end = newline < 0 ? content.length : newline;
    lines.push(content.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

function wordsOf(line: Buffer): Argument[] {
  let end = line.length;
  while (end > 0 && line[end - 1] === 0x0d) end--;
  let start = 0;
  if (line[start] === 0x23) return [];
  while (start < end && line[start] === 0x20) start++;
  if (start === end) return [];
  const blank = line.subarray(0, end).indexOf(0x20, start);
  if (blank < 0) return [new Argument(line.subarray(start, end))];
  const option = new Argument(line.subarray(start, blank));
  return blank + 1 === end ? [option] : [option, new Argument(line.subarray(blank + 1, end))];
}

/** The words of an option file line after `-D`, which takes several: they are parted by blanks. */
export function splitWords(argument: Argument): Argument[] {
  const text = Buffer.from(argument.bytes);
  const words: Argument[] = [];
  let start = 0;
  while (start < text.length) {
    const blank = text.indexOf(0x20, start);
    const end = blank < 0 ? text.length : blank;
    if (end > start) words.push(new Argument(text.subarray(start, end)));
    start = end + 1;
  }
  return words;
}
