/** Where the frames come from: a file, the standard input, an interface, or a broker's tap. */
import { createReadStream, statSync } from 'node:fs';
import { CaptureProgram } from '../../capture/node/capture-program.ts';
import { DissectArgumentError, type DissectRequest } from './arguments.ts';

/** Bytes that are read at a time. */
export const chunkBytes = 256 * 1024;

export interface CaptureInput {
  /** As messages name it: the file's name. */
  readonly name: string;
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Bytes of the whole; undefined where nobody knows. */
  readonly length: number | undefined;
  /** Whether frames come as they happen, and go on until somebody stops it. */
  readonly isLive: boolean;
  /** Ends what is live; the frames so far are still handed out. */
  stop(): void;
  /** What is to be said at the end, of what is missing; undefined: nothing. */
  closingRemark?(): string | undefined;
}

/** The file cannot be opened. */
export class CaptureInputError extends Error {}

/** @param isDivided - a file is read by several: then each reads as much of it as there is now, although it may grow */
export async function openInput(request: DissectRequest, isDivided = false): Promise<CaptureInput> {
  if (request.brokerUrl !== undefined) {
    const { openBrokerTap } = await import('./broker-tap.ts');
    return openBrokerTap(request.brokerUrl);
  }
  if (request.interfaceName !== undefined) return openInterface(request, request.interfaceName);
  const { file } = request;
  if (file === undefined)
    throw new DissectArgumentError('-r FILE is missing: the capture to read, - for the standard input');
  if (file === '-') {
    return { name: '-', chunks: process.stdin, length: undefined, isLive: false, stop: () => process.stdin.destroy() };
  }
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined) throw new CaptureInputError(`The file "${file}" doesn't exist.`);
  if (stats.isDirectory()) throw new CaptureInputError(`"${file}" is a directory (folder), not a file.`);
  const end = isDivided ? stats.size - 1 : Number.POSITIVE_INFINITY;
  const chunks = createReadStream(file, { highWaterMark: chunkBytes, end });
  return {
    name: file,
    chunks,
    length: stats.isFile() ? stats.size : undefined,
    isLive: false,
    stop: () => chunks.destroy(),
  };
}

function openInterface(
  { captureFilter, snapLength, isPromiscuous }: DissectRequest,
  interfaceName: string,
): CaptureInput {
  const program = CaptureProgram.start({ interfaceName, filter: captureFilter, snapLength, isPromiscuous });
  return { name: interfaceName, chunks: program, length: undefined, isLive: true, stop: () => program.stop() };
}
