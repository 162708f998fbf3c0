/** Captures dissected from beginning to end, as text. */
import { readFileSync } from 'node:fs';
import { CaptureFileError } from '../../src/capture/capture-file-error.ts';
import type { Frame } from '../../src/capture/frame.ts';
import { readCapture } from '../../src/capture/read-capture.ts';
import { type DecodeAsRule, parseDecodeAs } from '../../src/dissect/decode-as.ts';
import { describeNode } from '../../src/dissect/describe-node.ts';
import type { DissectedFrame } from '../../src/dissect/dissected-frame.ts';
import { Dissector, type DissectorOptions } from '../../src/dissect/dissector.ts';
import { expert } from '../../src/dissect/expert.ts';
import type { FieldNode } from '../../src/dissect/field-node.ts';
import { treeOf } from '../../src/dissect/index.ts';

/** The frames of a file, also of one that ends too early. */
export async function framesOf(path: string): Promise<Frame[]> {
  const frames: Frame[] = [];
  try {
    for await (const batch of readCapture(readFileSync(path))) frames.push(...batch);
  } catch (error) {
    if (!(error instanceof CaptureFileError)) throw error;
  }
  return frames;
}

/** The rules among the arguments for tshark. */
export function rulesOf(args: readonly string[]): DecodeAsRule[] {
  return args.flatMap((argument, index) => (args[index - 1] === '-d' ? [parseDecodeAs(argument)] : []));
}

export async function dissectFile(path: string, options: DissectorOptions = {}): Promise<DissectedFrame[]> {
  const dissector = new Dissector(options);
  return (await framesOf(path)).map((frame) => dissector.next(frame));
}

/** A row as tshark prints it, without the time, blanks not counted. */
export function rowOf(frame: DissectedFrame): string {
  const { number, length } = frame.frame;
  return tidy(`${number} ${frame.source()} → ${frame.destination()} ${frame.protocol()} ${length} ${frame.info()}`);
}

export function tidy(row: string): string {
  return row.replace(/ +/g, ' ').trim();
}

/** Lines of a layer and of what lies below it, without what Wireshark has no field for. */
export interface Layer {
  readonly title: string;
  readonly lines: readonly string[];
}

export function layersOf(frame: DissectedFrame): Layer[] {
  const layers: Layer[] = [];
  for (const root of treeOf(frame)) {
    if (root.isHidden || isOurs(root)) continue;
    const lines: string[] = [];
    collect(root, '', lines);
    layers.push({ title: lines[0]!, lines });
  }
  return layers;
}

function collect(node: FieldNode, indent: string, lines: string[]): void {
  if (node.isHidden || isOurs(node)) return;
  lines.push(indent + describeNode(node));
  for (const child of node.children ?? []) collect(child, `${indent}    `, lines);
}

function isOurs(node: FieldNode): boolean {
  if (node.field === expert.self) return node.children?.[0]?.field.isOurs === true;
  return node.field.isOurs === true;
}

/** The same of what `tshark -V` prints. */
export function layersOfText(text: string): Layer[][] {
  const frames: Layer[][] = [];
  let layers: Layer[] = [];
  let lines: string[] = [];
  const close = () => {
    if (lines.length > 0) layers.push({ title: lines[0]!, lines });
    lines = [];
  };
  let hadFrame = false;
  for (const line of text.split('\n')) {
    // Data is also shown as digits and characters, by the printer.
    if (line === '' || /^[0-9a-f]{4} {2}([0-9a-f]{2} )+/.test(line)) continue;
    if (line.startsWith(' ')) {
      lines.push(line);
      continue;
    }
    close();
    const begins = /^(Packet comments|PCAPNG )/.test(line) || (line.startsWith('Frame ') && !isAfterComments(layers));
    if (begins && hadFrame) {
      frames.push(layers);
      layers = [];
    }
    hadFrame = true;
    lines = [line];
  }
  close();
  if (layers.length > 0) frames.push(layers);
  return frames;
}

function isAfterComments(layers: readonly Layer[]): boolean {
  return layers.length === 1 && layers[0]!.title === 'Packet comments';
}
