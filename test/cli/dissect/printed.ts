/** What `clearwing dissect` prints, without a process for each command line. */
import { createReadStream } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { Utf8Buffer } from '../../../src/base/utf8-buffer.ts';
import { CaptureDecoder } from '../../../src/capture/capture-decoder.ts';
import { CaptureFileError } from '../../../src/capture/capture-file-error.ts';
import { readCapture } from '../../../src/capture/read-capture.ts';
import { parseDissectArguments } from '../../../src/cli/dissect/arguments.ts';
import { openDissection } from '../../../src/cli/dissect/dissection.ts';
import { Rendering } from '../../../src/cli/dissect/rendering.ts';

/** The output for a capture; one that is cut gives what is there of it. */
export async function printed(path: string, args: readonly string[]): Promise<string> {
  const parsed = parseDissectArguments(['-r', path, ...args.map((arg) => inFolder(arg, dirname(path)))], 'dissect');
  if (parsed.action !== 'dissect') throw new Error(`${args.join(' ')} dissects nothing`);
  const decoder = new CaptureDecoder();
  const rendering = new Rendering(openDissection(parsed.request, decoder));
  const lines = new Utf8Buffer();
  rendering.begin(lines);
  let read = 0;
  try {
    reading: for await (const frames of readCapture(createReadStream(path), { decoder })) {
      for (const frame of frames) {
        rendering.next(frame, lines);
        if (++read === parsed.request.frameCountMax) break reading;
      }
    }
  } catch (error) {
    if (!(error instanceof CaptureFileError)) throw error;
  }
  rendering.end(lines);
  return Buffer.from(lines.view()).toString();
}

/** Key files are named from the folder of their capture. */
export function inFolder(arg: string, directory: string): string {
  const keys = /^tls\.keylog_file:(.+)$/.exec(arg)?.[1];
  return keys === undefined || isAbsolute(keys) ? arg : `tls.keylog_file:${join(directory, keys)}`;
}
