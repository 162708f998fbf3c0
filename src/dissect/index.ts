/**
 * `clearwing/dissect`: captures of MQTT, packet by packet, in Node and in browsers.
 *
 *     import { compileFilter, dissect, printTree } from 'clearwing/dissect';
 *
 *     for await (const frame of dissect(bytes, { filter: 'mqtt.msgtype == 3 && mqtt.qos > 0' })) {
 *       console.log(frame.frame.number, frame.source(), frame.destination(), frame.protocol(), frame.info());
 *       console.log(printTree(frame));
 *     }
 *
 * Who wants to steer the steps takes them one by one: `readCapture` gives batches of frames, a `Dissector` takes them in order, `describe` puts the
 * fields of a frame into a `TreeSink`, for all of them, or a `ValueSink`, for a few.
 */
import { Frame } from '../capture/frame.ts';
import { type CaptureSource, readCapture } from '../capture/read-capture.ts';
import { describeNode } from './describe-node.ts';
import type { DissectedFrame } from './dissected-frame.ts';
import { Dissector, type DissectorOptions } from './dissector.ts';
import type { FieldNode } from './field-node.ts';
import { compileFilter as compile } from './filter/display-filter.ts';
import type { DisplayFilter } from './filter/field-values.ts';
import { registry } from './registry.ts';
import { TreeSink } from './tree-sink.ts';
import { ValueSink } from './value-sink.ts';

export { CaptureDecoder } from '../capture/capture-decoder.ts';
export { CaptureFileError } from '../capture/capture-file-error.ts';
export type { Direction, Endpoint, Flow, SegmentAnalysis } from '../capture/flow.ts';
export { segmentMarks } from '../capture/flow.ts';
export type { CaptureInterface, DataSource, SourceSegment } from '../capture/frame.ts';
export { Frame } from '../capture/frame.ts';
export { linkTypes } from '../capture/link-types.ts';
export { type CaptureSource, type ReadCaptureOptions, readCapture } from '../capture/read-capture.ts';
export { FilterSyntaxError } from '../protocol/errors.ts';
export { type ApplicationName, DecodeAsError, type DecodeAsRule, parseDecodeAs } from './decode-as.ts';
export { describeNode, fieldLine } from './describe-node.ts';
export type { Diagnostic } from './diagnostic.ts';
export type { DissectedFrame } from './dissected-frame.ts';
export { Dissector, type DissectorOptions } from './dissector.ts';
export { type FieldDescriptor, type FieldType, type FieldValue, TimeValue } from './field.ts';
export { FieldNode } from './field-node.ts';
export type { FieldSink, Layer } from './field-sink.ts';
export { columnText, jsonText } from './field-text.ts';
export { completeFilter } from './filter/complete-filter.ts';
export type { DisplayFilter, FieldRegistry, FieldValues } from './filter/field-values.ts';
export { pointAt } from './filter/point-at.ts';
export { allFields, registry } from './registry.ts';
export type { UpperLayer } from './stream-dissector.ts';
export type { DecryptedRecord, TlsDecryption, TlsDecryptor } from './tls-decryption.ts';
export { TreeSink } from './tree-sink.ts';
export { ValueSink, type ValueSinkOptions } from './value-sink.ts';

export interface DissectOptions extends DissectorOptions {
  /** A display filter, or its text: only frames that match are given. Default: all. */
  readonly filter?: string | DisplayFilter | undefined;
}

/**
 * Compiles a display filter in Wireshark's language, over all fields of `registry`.
 * @throws {FilterSyntaxError} with the position of what was not expected, and what was
 */
export function compileFilter(text: string): DisplayFilter {
  if (typeof text !== 'string') throw new TypeError(`a filter is a string, not ${typeof text}`);
  return compile(text, registry);
}

/** Makes a function that says whether frames match; they are looked at without building their trees. */
export function frameMatcher(filter: DisplayFilter): (frame: DissectedFrame) => boolean {
  const sink = new ValueSink(filter.fields, {
    bytesFields: filter.bytesFields,
    layeredFields: filter.layeredFields,
  });
  return (frame) => {
    sink.reset();
    frame.describe(sink);
    return filter.matches(sink);
  };
}

/**
 * Dissects a capture: pcap or pcapng, also compressed with gzip, whole or as its bytes come; or frames that somebody else read.
 * @throws {TypeError} if there is no capture in what is given
 * @throws {FilterSyntaxError} before the first frame, if the filter is none
 * @throws {CaptureFileError} behind the last frame that could be read, if the file is none, damaged, or ends too early
 */
export async function* dissect(
  capture: CaptureSource | Iterable<Frame>,
  options: DissectOptions = {},
): AsyncGenerator<DissectedFrame, void, undefined> {
  const { filter } = options;
  const matches =
    filter === undefined ? undefined : frameMatcher(typeof filter === 'string' ? compileFilter(filter) : filter);
  const dissector = new Dissector(options);
  for await (const frames of batchesOf(capture)) {
    for (const frame of frames) {
      if (!(frame instanceof Frame))
        throw new TypeError('a list to be dissected is one of frames, as readCapture gives them');
      const dissected = dissector.next(frame);
      if (matches?.(dissected) === false) continue;
      dissector.displayed(frame);
      yield dissected;
    }
  }
}

function batchesOf(
  capture: CaptureSource | Iterable<Frame>,
): AsyncIterable<Iterable<Frame>> | Iterable<Iterable<Frame>> {
  const isList = typeof capture === 'object' && capture !== null && Symbol.iterator in capture;
  return isList && !(capture instanceof Uint8Array) ? [capture] : readCapture(capture as CaptureSource);
}

/** The tree of a frame: a node per layer, from Frame up. */
export function treeOf(frame: DissectedFrame): readonly FieldNode[] {
  const sink = new TreeSink();
  frame.describe(sink);
  return sink.roots;
}

/** The tree of a frame as text, as `tshark -V` prints it: a line per field, four blanks deeper per level, ending in a line feed. */
export function printTree(frame: DissectedFrame): string {
  let text = '';
  const print = (node: FieldNode, indent: string) => {
    if (node.isHidden) return;
    text += `${indent}${describeNode(node)}\n`;
    for (const child of node.children ?? []) print(child, `${indent}    `);
  };
  for (const node of treeOf(frame)) print(node, '');
  return text;
}
