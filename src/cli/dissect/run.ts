/** From arguments to output: frames in, dissected, filtered, printed or written. */

import { Utf8Buffer } from '../../base/utf8-buffer.ts';
import { CaptureDecoder } from '../../capture/capture-decoder.ts';
import { CaptureFileError } from '../../capture/capture-file-error.ts';
import { CaptureProgramError } from '../../capture/node/capture-program.ts';
import { readCapture } from '../../capture/read-capture.ts';
import { StandardOutput } from '../client/standard-output.ts';
import type { DissectRequest } from './arguments.ts';
import { BrokerTapError } from './broker-tap-error.ts';
import { CaptureOutput } from './capture-output.ts';
import { openDissection } from './dissection.ts';
import { readersFor } from './frame-shares.ts';
import { BlockStock, type LineBlock, readBlocks } from './line-block.ts';
import { Progress } from './progress.ts';
import { ReaderThreads } from './reader-threads.ts';
import { Rendering } from './rendering.ts';
import { rowColors } from './row-colors.ts';
import { type CaptureInput, openInput } from './sources.ts';

/** Bytes of lines that are gathered before they go to the output. */
const gatheredBytes = 32_768;

const failure = 1;
/** tshark's status where a file cannot be read, or not to its end. */
const unreadable = 2;

/**
 * Dissects and prints until the input ends, the reader of the output is gone, or somebody interrupts.
 * @returns the exit status
 */
export async function runDissection(request: DissectRequest, programFile: string): Promise<number> {
  const decoder = new CaptureDecoder();
  const readers = readersFor(request);
  const dissection = openDissection(request, decoder, { readers, reader: 0 });
  const isDivided = dissection.share !== undefined;
  const rendering = new Rendering(dissection);
  const lines = new Utf8Buffer(gatheredBytes * 2);
  const input = await openInput(request, isDivided);
  const output = new StandardOutput(process.stdout);
  const file =
    request.outputFile === undefined
      ? undefined
      : await CaptureOutput.open(request.outputFile, request.outputFileFormat, decoder);
  const stop = stopper(input, output, request.durationMs);
  const progress = request.showsProgress && !input.isLive ? new Progress(input.length) : undefined;
  let status = 0;
  let read = 0;
  const print = (): void => {
    if (lines.length > 0) output.bytes(lines.view());
    lines.clear();
  };
  const printAll = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const frames of readCapture(chunks, { decoder })) {
      for (const frame of frames) {
        read++;
        if (rendering.next(frame, lines)) file?.write(frame);
        if (lines.length >= gatheredBytes) print();
        if (read === request.frameCountMax) return;
      }
      print();
      if (input.isLive || request.isLineBuffered) {
        output.flush();
        file?.flush();
      }
      if (output.isFull) await output.drained();
      if (file?.isFull) await file.drained();
      if (output.error !== undefined || stop.isStopped) return;
    }
  };
  async function* countFrames(blocks: AsyncIterable<LineBlock>): AsyncGenerator<LineBlock, void, undefined> {
    for await (const block of blocks) {
      read += block.frames;
      yield block;
    }
  }
  rendering.begin(lines);
  const stock = new BlockStock();
  const others = isDivided
    ? new ReaderThreads(
        programFile,
        { request: forThreads(request), file: input.name, length: input.length!, readers },
        dissection.consumer.separator ?? '',
        stock,
        output,
      )
    : undefined;
  try {
    const chunks = countBytes(input, (bytes) => progress?.update(bytes, read));
    if (others === undefined) await printAll(chunks);
    else {
      print();
      await others.print(countFrames(readBlocks(chunks, decoder, rendering, request.frameCountMax, stock)));
    }
  } catch (error) {
    status = stop.isStopped || output.error !== undefined ? 0 : complain(input, error);
  } finally {
    stop.end();
    input.stop();
    progress?.end();
    await others?.stop();
  }
  rendering.end(lines, others?.hasShown);
  print();
  await file?.close();
  const remark = input.closingRemark?.();
  if (remark !== undefined) process.stderr.write(`clearwing: ${remark}.\n`);
  await output.finish();
  if (output.error !== undefined && output.error.code !== 'EPIPE') throw output.error;
  return status;
}

/** What only this thread can know of its output is said to the others. */
function forThreads(request: DissectRequest): DissectRequest {
  return { ...request, color: rowColors(request.color) === undefined ? 'never' : 'always' };
}

/**
 * Says why reading ended, as tshark does; the status.
 * @throws what is no fault of the input
 */
function complain({ name, isLive }: CaptureInput, error: unknown): number {
  if (error instanceof CaptureProgramError || error instanceof BrokerTapError) {
    process.stderr.write(`clearwing: ${error.message}\n`);
    return failure;
  }
  if (!(error instanceof CaptureFileError)) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    process.stderr.write(`clearwing: The file "${name}" could not be read: ${message}.\n`);
    return unreadable;
  }
  // What is interrupted while it happens is not damaged.
  if (isLive && error.fault === 'cut-short') return 0;
  if (isLive && error.fault === 'empty') return 0;
  process.stderr.write(`clearwing: ${faultText(name, error)}\n`);
  // To tshark a file without bytes is a capture without frames.
  return error.fault === 'empty' ? 0 : unreadable;
}

function faultText(name: string, error: CaptureFileError): string {
  switch (error.fault) {
    case 'cut-short':
      return `The file "${name}" appears to have been cut short in the middle of a packet (${error.message}).`;
    case 'damaged':
      return `The file "${name}" appears to be damaged or corrupt: ${error.message}.`;
    case 'empty':
      return `The file "${name}" is empty.`;
    case 'unknown-format':
      return `The file "${name}" isn't a capture file in a format clearwing understands: ${error.message}.`;
  }
}

async function* countBytes(
  { chunks }: CaptureInput,
  told: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0;
  for await (const chunk of chunks) {
    yield chunk;
    bytes += chunk.length;
    told(bytes);
  }
}

/** Ends what is live on Ctrl-C, on SIGTERM, after its time, and when nobody reads the output any more. */
function stopper(input: CaptureInput, output: StandardOutput, durationMs: number | undefined) {
  const state = { isStopped: false, end: (): void => {} };
  const stop = (): void => {
    // The second time it ends at once.
    if (state.isStopped || !input.isLive) process.exit(130);
    state.isStopped = true;
    input.stop();
  };
  output.onBroken = () => input.stop();
  const timer = durationMs === undefined ? undefined : setTimeout(stop, durationMs);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
  state.end = () => {
    clearTimeout(timer);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop);
  };
  return state;
}
