/** A capture file, from wherever it comes, to frames. */
import { CaptureDecoder } from './capture-decoder.ts';
import { CaptureFileError } from './capture-file-error.ts';
import type { Frame } from './frame.ts';
import { gunzip, isGzip } from './gunzip.ts';

/** Of bytes in memory so many are looked at together, so that a batch has some thousands of frames and no more. */
const sliceBytes = 262_144;

/** A whole file, or its bytes as they come: chunks of any size, not to be written to afterwards. */
export type CaptureSource = Uint8Array | AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

export interface ReadCaptureOptions {
  /** Used instead of a new one, for a look at `interfaces`, `secrets`, `names` between the batches. */
  readonly decoder?: CaptureDecoder;
}

/**
 * Reads pcap or pcapng, also compressed with gzip. Batches come as the bytes come: whatever frames a chunk completes, never an empty batch.
 * Ending the loop early ends the source.
 * @throws {CaptureFileError} behind the last batch, if the file is none, damaged, or ends too early; and whatever the source throws
 */
export async function* readCapture(
  source: CaptureSource,
  options: ReadCaptureOptions = {},
): AsyncGenerator<Frame[], void, undefined> {
  const decoder = options.decoder ?? new CaptureDecoder();
  const chunks = await unpacked(chunksOf(source));
  let unpackingProblem: CaptureFileError | undefined;
  try {
    while (decoder.problem === undefined) {
      const next = await chunks.next();
      if (next.done === true) break;
      const frames = decoder.push(next.value);
      if (frames.length > 0) yield frames;
    }
  } catch (error) {
    if (!(error instanceof CaptureFileError)) throw error;
    unpackingProblem = error;
  } finally {
    // Not waited for: a source that waits for bytes would not end before they come.
    chunks.return?.()?.catch(() => {});
  }
  const problem = unpackingProblem?.fault === 'damaged' ? unpackingProblem : (decoder.end() ?? unpackingProblem);
  if (problem !== undefined) throw problem;
}

function chunksOf(source: CaptureSource): AsyncIterator<Uint8Array> {
  if (source instanceof Uint8Array) return slices(source);
  if (Symbol.asyncIterator in source) return source[Symbol.asyncIterator]();
  return streamChunks(source);
}

async function* slices(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  for (let start = 0; start < bytes.length; start += sliceBytes) yield bytes.subarray(start, start + sliceBytes);
}

/** For platforms whose streams cannot be looped over. */
async function* streamChunks(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** The chunks themselves, or what they unpack to if they begin as gzip does. */
async function unpacked(chunks: AsyncIterator<Uint8Array>): Promise<AsyncIterator<Uint8Array>> {
  let start: Uint8Array = new Uint8Array(0);
  while (start.length < 2) {
    const next = await chunks.next();
    if (next.done === true) break;
    start = start.length === 0 ? next.value : joined(start, next.value);
  }
  const all = new Preceded(start, chunks);
  return isGzip(start) ? gunzip(all) : all;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Chunks with one before them that was looked at already. */
class Preceded implements AsyncIterator<Uint8Array> {
  private first: Uint8Array | undefined;
  private readonly rest: AsyncIterator<Uint8Array>;

  constructor(first: Uint8Array, rest: AsyncIterator<Uint8Array>) {
    this.first = first;
    this.rest = rest;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const { first } = this;
    if (first === undefined || first.length === 0) return this.rest.next();
    this.first = undefined;
    return Promise.resolve({ done: false, value: first });
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    await this.rest.return?.();
    return { done: true, value: undefined };
  }
}
