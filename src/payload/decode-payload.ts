/** What a payload says, in whatever format it is: one way for the clients, the console and the dissector. */
import { readCbor } from './cbor.ts';
import { hexDigits } from './hex.ts';
import { readJson } from './json-reader.ts';
import { readMessagePack } from './message-pack.ts';
import { declaredFormat, guessFormat, type PayloadFormat } from './payload-format.ts';
import { compactStyle, PayloadFault, type PayloadNode, printNode, spacedStyle } from './payload-node.ts';
import { decodeLeniently, onOneLine, utf8FaultAt } from './payload-text.ts';
import { readSparkplug } from './sparkplug.ts';

export type { PayloadFormat } from './payload-format.ts';

/** Characters of `text` unless something else is asked for. */
export const textCharactersMax = 65_536;

export interface DecodePayloadOptions {
  /** What it is to be taken for; `auto`, the default, finds out. */
  readonly format?: PayloadFormat | 'auto' | undefined;
  /** Topic Name; Sparkplug B is known by it. */
  readonly topic?: string | undefined;
  /** The property of MQTT 5.0, a MIME type. */
  readonly contentType?: string | undefined;
  /** The property Payload Format Indicator of MQTT 5.0: 1 says UTF-8. */
  readonly payloadFormat?: number | undefined;
  /** How long `text` may be, in characters; default `textCharactersMax`. */
  readonly charactersMax?: number | undefined;
}

export interface PayloadProblem {
  /** What is wrong and where: `no CBOR: text of 5, but 3 bytes left, at byte 7`. */
  readonly message: string;
  /** In bytes from the beginning of the payload. */
  readonly offset: number;
}

export interface DecodedPayload {
  /** Of `text` and `value`. With a `problem` it is not the one that was asked for or declared, but what the bytes look like without that. */
  readonly format: PayloadFormat;
  /** On one line, without control characters. JSON without white space; CBOR, MessagePack and Sparkplug B in diagnostic notation. */
  readonly text: string;
  /** `text` is not all of it and ends with `…`. */
  readonly isCut: boolean;
  /**
   * Text: a string. Hex: the bytes. Else plain values: objects (a Map where a key is no text), arrays, strings, booleans, null, undefined, numbers
   * (bigint outside ±2^53), bytes as Uint8Array, times as Date, and `TaggedValue`, `SimpleValue`, `ExtensionValue` for what has no such form.
   */
  readonly value: unknown;
  /** Why it is not what was asked for or declared. */
  readonly problem: PayloadProblem | undefined;
  /** The value with its parts and the bytes of each; undefined for text and hex. */
  readonly root: PayloadNode | undefined;
}

/** Never throws, whatever the bytes. Depth, number of values and length of text are bounded. */
export function decodePayload(bytes: Uint8Array, options: DecodePayloadOptions = {}): DecodedPayload {
  const charactersMax = options.charactersMax ?? textCharactersMax;
  const asked = options.format === 'auto' ? undefined : options.format;
  const declared = asked ?? (bytes.length === 0 ? undefined : declaredFormat(options));
  let problem: PayloadProblem | undefined;
  if (declared !== undefined) {
    try {
      return describe(bytes, declared, readAs(bytes, declared, options), charactersMax, undefined);
    } catch (error) {
      problem = problemOf(error);
      // Who asks for text shall have it, as well as it goes.
      if (declared === 'text') return describe(bytes, 'text', undefined, charactersMax, problem);
    }
  }
  const { format, root } = guessFormat(bytes);
  const isSaidToBeText = declared === undefined && options.payloadFormat === 1;
  if (!isSaidToBeText || format === 'json' || format === 'text')
    return describe(bytes, format, root, charactersMax, problem);
  return describe(bytes, 'text', undefined, charactersMax, utf8Problem(bytes));
}

/** @throws {PayloadFault} if the bytes are not of that format */
function readAs(bytes: Uint8Array, format: PayloadFormat, options: DecodePayloadOptions): PayloadNode | undefined {
  if (format === 'hex') return undefined;
  if (format === 'text' || format === 'json') {
    const problem = utf8Problem(bytes);
    if (problem !== undefined) throw new PayloadFault(problem.message, problem.offset);
    return format === 'json' ? readJson(bytes) : undefined;
  }
  if (format === 'cbor') return readCbor(bytes, isSequence(options.contentType));
  return format === 'msgpack' ? readMessagePack(bytes) : readSparkplug(bytes);
}

function describe(
  bytes: Uint8Array,
  format: PayloadFormat,
  root: PayloadNode | undefined,
  charactersMax: number,
  problem: PayloadProblem | undefined,
): DecodedPayload {
  let value: unknown = bytes;
  let printed: string;
  if (root !== undefined) {
    value = root.value;
    printed = printNode(root, format === 'json' ? compactStyle : spacedStyle, charactersMax);
  } else if (format === 'text') {
    const text = decodeLeniently(bytes, 0, bytes.length);
    value = text;
    printed = text.slice(0, charactersMax + 1);
  } else printed = hexDigits(bytes.subarray(0, Math.ceil((charactersMax + 1) / 2)));
  const line = onOneLine(printed);
  const isCut = line.length > charactersMax;
  return { format, text: isCut ? `${cut(line, charactersMax)}…` : line, isCut, value, problem, root };
}

/** Without half a character at the end. */
function cut(text: string, length: number): string {
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}

function isSequence(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/([^;]*\+)?cbor-seq\b/i.test(contentType);
}

function utf8Problem(bytes: Uint8Array): PayloadProblem | undefined {
  const offset = utf8FaultAt(bytes, 0, bytes.length);
  if (offset < 0) return undefined;
  return { message: `no UTF-8: 0x${bytes[offset]!.toString(16).padStart(2, '0')} at byte ${offset}`, offset };
}

function problemOf(error: unknown): PayloadProblem {
  if (!(error instanceof PayloadFault)) throw error;
  return { message: error.message, offset: error.offset };
}
