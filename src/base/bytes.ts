/**
 * Text as UTF-8 bytes and back, strictly: a decoder that refuses what is ill-formed, an encoder that says how long it will be.
 * Where the runtime has Node's Buffer its C++ routines are used; everywhere else TextEncoder and TextDecoder. Which one is
 * decided once, when this module is loaded.
 */

/** The undocumented but long-standing methods behind `buffer.toString` and `buffer.write`; they work on any Uint8Array. */
interface BufferPrototype {
  latin1Slice?(this: Uint8Array, start: number, end: number): string;
  utf8Write?(this: Uint8Array, text: string, offset: number, length: number): number;
}
interface Runtime {
  readonly Buffer?: { readonly prototype: BufferPrototype; byteLength(text: string): number };
  readonly TextEncoder: new () => { encodeInto(text: string, target: Uint8Array): { written: number } };
  readonly TextDecoder: new (
    label: string,
    options: { fatal: boolean; ignoreBOM: boolean },
  ) => { decode(bytes: Uint8Array): string };
}
const runtime = globalThis as unknown as Runtime;
const latin1Slice = runtime.Buffer?.prototype.latin1Slice;
const utf8Write = runtime.Buffer?.prototype.utf8Write;
const byteLength = runtime.Buffer?.byteLength;

const encoder = new runtime.TextEncoder();
/** `ignoreBOM` keeps a leading U+FEFF, as [MQTT-1.5.4-3] asks. */
const strictDecoder = new runtime.TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Up to this many bytes a loop over them costs less than the fixed price of TextDecoder. Node 20, two cores, per string:
 * 25 bytes: scan + latin1Slice 67 ns, TextDecoder 101 ns; 55 bytes: 160 and 108 ns; bare utf8Slice, which checks nothing, 61 and 85.
 */
const scannedBytesMax = 36;

/** A Uint8Array of length 0, shared because it cannot be changed. */
export const emptyBytes = new Uint8Array(0);

/**
 * Decodes `bytes[start..end)`. `undefined` if they are ill-formed UTF-8, which includes encoded surrogates, or hold U+0000.
 * [MQTT-1.5.4-1] [MQTT-1.5.4-2]
 */
export const decodeUtf8: (bytes: Uint8Array, start: number, end: number) => string | undefined =
  latin1Slice === undefined
    ? decodeStrictly
    : (bytes, start, end) => {
        if (end - start > scannedBytesMax) return decodeStrictly(bytes, start, end);
        for (let position = start; position < end; position++) {
          const byte = bytes[position]!;
          if (byte === 0) return undefined;
          if (byte > 0x7f) return decodeStrictly(bytes, start, end);
        }
        return latin1Slice.call(bytes, start, end);
      };

function decodeStrictly(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    const text = strictDecoder.decode(bytes.subarray(start, end));
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

/** How many bytes `text` has in UTF-8; a lone surrogate counts as U+FFFD, three bytes. */
export const utf8Length: (text: string) => number =
  byteLength ??
  ((text) => {
    let length = text.length;
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7f) length++;
      if (unit > 0x7ff) length++;
      // A surrogate pair is two units and four bytes: one more for each of its two units, of which the second is skipped here.
      if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(index + 1))) index++;
    }
    return length;
  });

/** Writes `text` at `position` of `bytes`, which has room for it, and returns the number of bytes written. */
export const writeUtf8: (text: string, bytes: Uint8Array, position: number) => number =
  utf8Write === undefined
    ? (text, bytes, position) => encoder.encodeInto(text, bytes.subarray(position)).written
    : (text, bytes, position) => utf8Write.call(bytes, text, position, bytes.length - position);

/** Whether `text` has no surrogate without its partner, so that it can be written as UTF-8 at all. */
export function isWellFormed(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    if (unit > 0xdbff || !isLowSurrogate(text.charCodeAt(index + 1))) return false;
    index++;
  }
  return true;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
