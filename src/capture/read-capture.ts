/** A capture file, from wherever it comes, to frames. */
import { CaptureDecoder } from './capture-decoder.ts';
import type { Frame } from './frame.ts';

/** So many bytes are looked at together at most: a batch has some hundreds of frames, which are gone before memory is tidied up. */
const sliceBytes = 65_536;
/** The same for what is packed, or may be: 16 MiB unpacked in the worst case. */
const packedSliceBytes = 16_384;

/** A whole file, as bytes or as a `Blob`, or its bytes as they come: chunks of any size, not to be written to afterwards. */
export type CaptureSource =
  | Uint8Array
  | ArrayBuffer
  | { stream(): ReadableStream<Uint8Array> }
  | AsyncIterable<Uint8Array>
  | ReadableStream<Uint8Array>;

export interface ReadCaptureOptions {
  /** Used instead of a new one, for a look at `interfaces`, `secrets`, `names` between the batches. */
  readonly decoder?: CaptureDecoder;
}

/**
 * Reads pcap or pcapng, also compressed with gzip. Batches come as the bytes come: whatever frames a chunk completes, never an empty batch.
 * Ending the loop early ends the source.
 * @throws {TypeError} if the source is none, or gives anything but bytes
 * @throws {CaptureFileError} behind the last batch, if the file is none, damaged, or ends too early; and whatever the source throws
 */
export async function* readCapture(
  source: CaptureSource,
  options: ReadCaptureOptions = {},
): AsyncGenerator<Frame[], void, undefined> {
  const decoder = options.decoder ?? new CaptureDecoder();
  for await (const chunk of chunksOf(source)) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError(`a capture came as ${nameOf(chunk)}; expected bytes`);
    for (let start = 0; start < chunk.length; ) {
      const end = start + (decoder.isCompressed === false ? sliceBytes : packedSliceBytes);
      const frames = decoder.push(chunk.subarray(start, end));
      if (frames.length > 0) yield frames;
      if (decoder.problem !== undefined) throw decoder.problem;
      start = end;
    }
  }
  const problem = decoder.end();
  if (problem !== undefined) throw problem;
}

function chunksOf(source: CaptureSource): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  if (source instanceof Uint8Array) return [source];
  if (source instanceof ArrayBuffer) return [new Uint8Array(source)];
  if (typeof source === 'object' && source !== null) {
    if (Symbol.asyncIterator in source) return source;
    if ('stream' in source) return chunksOf(source.stream());
    if ('getReader' in source) return streamChunks(source);
  }
  throw new TypeError(
    `a capture cannot be ${nameOf(source)}; expected a Uint8Array, an ArrayBuffer, a Blob or a stream`,
  );
}

/** `undefined`, `a string`, `an object`: what somebody gave instead of what was expected. */
function nameOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
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
    await reader.cancel();
  }
}
