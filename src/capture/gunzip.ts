/** gzip, as the platform unpacks it. */
import { CaptureFileError } from './capture-file-error.ts';

/** Packed bytes that are handed over at once: where one of them is damaged, what the others of its portion hold is lost. */
const portionBytes = 4096;
/** Checksum and length at the end of a member: handed over by themselves, so that a wrong one costs nothing of what it is about. */
const trailerBytes = 8;

/** Whether bytes begin as a gzip file does. [RFC 1952 §2.3.1] */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Unpacks, as it comes. Several members behind each other are one file where the platform knows of that (Node does).
 * @throws {CaptureFileError} `cut-short` or `damaged`, after all that could be unpacked; `offset` counts the packed bytes
 */
export async function* gunzip(packed: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const { readable, writable } = new DecompressionStream('gzip');
  const writer = writable.getWriter();
  const reader = readable.getReader();
  let written = 0;
  let isComplete = false;
  let sourceError: unknown;
  const write = async (chunk: Uint8Array) => {
    for (let start = 0; start < chunk.length; start += portionBytes) {
      await writer.ready;
      const portion = chunk.slice(start, start + portionBytes);
      written += portion.length;
      // A failure shows at the readable side.
      writer.write(portion).catch(() => {});
    }
  };
  const feed = async () => {
    try {
      let held = new Uint8Array(0);
      for (let next = await packed.next(); next.done !== true; next = await packed.next()) {
        const chunk = next.value;
        const end = Math.max(0, chunk.length - trailerBytes);
        await write(held);
        await write(chunk.subarray(0, end));
        held = chunk.slice(end);
      }
      await write(held);
      isComplete = true;
    } catch (error) {
      sourceError = error;
    }
    writer.close().catch(() => {});
  };
  writer.closed.catch(() => {});
  void feed();
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) break;
      yield value;
    }
  } catch (error) {
    if (sourceError === undefined) throw unpackingError(error, isComplete, written);
  } finally {
    reader.cancel().catch(() => {});
    writer.abort().catch(() => {});
    packed.return?.()?.catch(() => {});
  }
  if (sourceError !== undefined) throw sourceError;
}

function unpackingError(error: unknown, isComplete: boolean, written: number): CaptureFileError {
  const code = (error as { code?: unknown }).code;
  // Node says by a code what it was; elsewhere a file that ends too early is found out only when it has ended.
  const isCut = typeof code === 'string' ? code === 'Z_BUF_ERROR' : isComplete;
  const reason = error instanceof Error ? error.message : String(error);
  if (isCut) return new CaptureFileError('cut-short', written, `its gzip data ends too early: ${reason}`, error);
  return new CaptureFileError('damaged', written, `its gzip data cannot be unpacked: ${reason}`, error);
}
