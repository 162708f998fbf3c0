/** Reads an export line by line, from a file or a pipe. */
import type { StoredItem } from '../../broker/persistence/stored-item.ts';
import { exportFormat, exportVersion } from './export-format.ts';
import { itemOfJson } from './item-of-json.ts';
import { JsonFault, JsonFields } from './json-fields.ts';

/** Bytes of the longest line that is read: a payload of the largest packet takes 358 million. */
const lineBytesMax = 400 * 1024 * 1024;
const newline = 0x0a;

/** The file is no export, or one that is damaged; says in which line. */
export class ExportFileError extends Error {}

export interface Line {
  /** From 1. */
  readonly number: number;
  readonly text: string;
}

/** The lines of a stream, of well-formed UTF-8. @throws {ExportFileError} */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>, path: string): AsyncIterableIterator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let number = 0;
  let parts: Uint8Array[] = [];
  let length = 0;
  const take = (): Line => {
    const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts, length);
    parts = [];
    length = 0;
    number++;
    try {
      return { number, text: decoder.decode(bytes) };
    } catch {
      throw new ExportFileError(`${path}, line ${number}: it is not UTF-8`);
    }
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      parts.push(chunk.subarray(start, end));
      length += end - start;
      start = end + 1;
      yield take();
    }
    if (start === chunk.length) continue;
    parts.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > lineBytesMax) {
      throw new ExportFileError(`${path}, line ${number + 1}: it is longer than ${lineBytesMax} bytes`);
    }
  }
  if (length > 0) yield take();
}

/**
 * The items of an export.
 * @param warn told if the file has other numbers of things than it says at its end: somebody has edited it
 * @throws {ExportFileError} with the line
 */
export async function* itemsOfExport(
  lines: AsyncIterable<Line>,
  path: string,
  warn: (text: string) => void,
): AsyncIterableIterator<StoredItem> {
  const counts = new Map<string, number>();
  let state: 'header' | 'items' | 'ended' = 'header';
  let last = 0;
  for await (const { number, text } of lines) {
    last = number;
    if (text.trim() === '') continue;
    try {
      const fields = new JsonFields(parse(text));
      const kind = fields.text('kind');
      if (state === 'ended') throw new JsonFault('it stands behind the end');
      if (state === 'header') {
        readHeader(kind, fields);
        state = 'items';
      } else if (kind === 'end') {
        compareCounts(fields, counts, (difference) => warn(`${path}: ${difference}`));
        state = 'ended';
      } else {
        const item = itemOfJson(kind, fields);
        counts.set(kind, (counts.get(kind) ?? 0) + 1);
        yield item;
      }
    } catch (error) {
      if (!(error instanceof JsonFault)) throw error;
      throw new ExportFileError(`${path}, line ${number}: ${error.message}`);
    }
  }
  if (state === 'header') throw new ExportFileError(`${path} is empty`);
  if (state === 'items') throw new ExportFileError(`${path} is cut off: after line ${last} the end is missing`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new JsonFault(`it is no JSON: ${(error as Error).message}`);
  }
}

function readHeader(kind: string, fields: JsonFields): void {
  if (kind !== 'header') throw new JsonFault(`it is of kind '${kind}'; expected the header`);
  const format = fields.text('format');
  if (format !== exportFormat) throw new JsonFault(`format '${format}'; expected '${exportFormat}'`);
  const version = fields.number('version', 1, Number.MAX_SAFE_INTEGER);
  if (version !== exportVersion) {
    throw new JsonFault(`version ${version} of the export format; this release of Clearwing reads ${exportVersion}`);
  }
}

function compareCounts(fields: JsonFields, found: ReadonlyMap<string, number>, warn: (text: string) => void): void {
  const said = fields.object('counts');
  if (said === undefined) return;
  for (const kind of new Set([...said.left, ...found.keys()])) {
    const expected = said.number(kind, 0, Number.MAX_SAFE_INTEGER, 0);
    const count = found.get(kind) ?? 0;
    if (count !== expected) warn(`${count} lines of kind '${kind}' where its end says ${expected}`);
  }
}
