/** From files to lines with a key: comments, blanks and the order of `include_dir`. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { OptionError } from '../../protocol/errors.ts';
import { readTextLines, reasonOf, TextFileError } from './text-file.ts';
import { splitWord } from './values.ts';

/** Something in a configuration file cannot be used. The message names it with file and line and says what was expected. */
export class ConfigurationError extends OptionError {
  readonly file: string;
  /** 0 if it is about the file as a whole. */
  readonly line: number;
  constructor(message: string, file: string, line: number) {
    super(message);
    this.file = file;
    this.line = line;
  }
}

/** Where something stands. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** A line that is neither empty nor a comment. */
export interface ConfigurationLine extends Place {
  readonly key: string;
  /** The rest of the line without the blanks around it; empty if there is none. */
  readonly value: string;
}

/** `file:line`, as messages name a place. */
export function describePlace(place: Place): string {
  return `${place.file}:${place.line}`;
}

/**
 * Lines whose first character other than blanks is `#` are comments; key and value are parted by blanks.
 * @throws {ConfigurationError} if the file cannot be read or a line is not UTF-8 or has a NUL
 */
export function readConfigurationLines(file: string): ConfigurationLine[] {
  const lines: ConfigurationLine[] = [];
  try {
    for (const { number, text, isWellFormed } of readTextLines(file, 'config file')) {
      const trimmed = text.trim();
      if (trimmed === '' || trimmed.startsWith('#')) continue;
      if (!isWellFormed || trimmed.includes('\0')) {
        throw new ConfigurationError(`Malformed UTF-8 at ${file}:${number}.`, file, number);
      }
      const [key, value] = splitWord(trimmed);
      lines.push({ file, line: number, key, value });
    }
  } catch (error) {
    if (error instanceof TextFileError) throw new ConfigurationError(error.message, file, 0);
    throw error;
  }
  return lines;
}

/**
 * The files that `include_dir` reads, in order. [mosquitto.conf(5) include_dir]
 * @throws {ConfigurationError} if the directory cannot be read
 */
export function listIncluded(directory: string, place: Place): string[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    const message = `Unable to open include_dir "${directory}" at ${describePlace(place)}: ${reasonOf(error)}.`;
    throw new ConfigurationError(message, place.file, place.line);
  }
  return names
    .filter((name) => name.endsWith('.conf') && name !== '.conf')
    .sort(compareNames)
    .map((name) => join(directory, name));
}

/** Alphabetical, the upper case of each letter before its lower case: `A.conf`, `a.conf`, `B.conf`. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const ofA = a.charAt(index);
    const ofB = b.charAt(index);
    if (ofA === ofB) continue;
    const upperA = ofA.toUpperCase();
    const upperB = ofB.toUpperCase();
    if (upperA !== upperB) return upperA < upperB ? -1 : 1;
    return ofA < ofB ? -1 : 1;
  }
  return a.length - b.length;
}
