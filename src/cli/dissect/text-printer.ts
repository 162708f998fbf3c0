/** Text as people read it: rows, trees and hex dumps, in tshark's order. */
import type { Utf8Buffer } from '../../base/utf8-buffer.ts';
import type { DataSource } from '../../capture/frame.ts';
import { describeNode } from '../../dissect/describe-node.ts';
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import type { FieldNode } from '../../dissect/field-node.ts';
import { dataFields } from '../../dissect/layers/data.ts';
import { TreeSink } from '../../dissect/tree-sink.ts';
import type { ValueSink } from '../../dissect/value-sink.ts';
import type { DissectRequest } from './arguments.ts';
import type { FramePrinter } from './frame-printer.ts';
import { hexDump } from './hex-dump.ts';
import { isShown } from './shown-nodes.ts';
import { SummaryRow } from './summary-row.ts';

/** Escape sequences around a row, by what the frame is. */
export interface RowColors {
  before(frame: DissectedFrame): string;
  readonly after: string;
}

const lineFeed = 0x0a;

export class TextPrinter implements FramePrinter {
  readonly fields = [];
  readonly isOfFramesAlone = true;
  readonly #request: DissectRequest;
  readonly #colors: RowColors | undefined;
  readonly #openProtocols: ReadonlySet<string> | undefined;
  readonly #row: SummaryRow;
  readonly #sink = new TreeSink();

  constructor(request: DissectRequest, colors: RowColors | undefined) {
    this.#request = request;
    this.#colors = colors;
    this.#row = new SummaryRow(request.timeForm, request.format === 'tabs');
    this.#openProtocols = request.openProtocols === undefined ? undefined : new Set(request.openProtocols);
  }

  begin(): string {
    return '';
  }

  end(): string {
    return '';
  }

  write(
    output: Utf8Buffer,
    frame: DissectedFrame,
    _values: ValueSink,
    previousShown: DissectedFrame | undefined,
  ): void {
    const { showsSummary, showsTree, showsHexadecimal, lineSeparator = '' } = this.#request;
    if (showsSummary) {
      if (this.#colors !== undefined) output.text(this.#colors.before(frame));
      this.#row.write(output, frame, previousShown);
      if (this.#colors !== undefined) output.text(this.#colors.after);
      output.byte(lineFeed);
    }
    if (showsTree || showsHexadecimal) {
      this.#sink.reset();
      frame.describe(this.#sink);
      const { roots } = this.#sink;
      if (showsTree) output.text(this.#tree(roots));
      if (showsHexadecimal) {
        if (showsSummary || showsTree) output.byte(lineFeed);
        output.text(dumps(frame.frame, roots));
      }
      output.text(lineSeparator);
      output.byte(lineFeed);
    }
  }

  #tree(roots: readonly FieldNode[]): string {
    let text = '';
    for (const root of roots) {
      if (!isShown(root, this.#request.showsMore)) continue;
      text += `${describeNode(root)}\n`;
      const isOpen = this.#openProtocols === undefined || this.#openProtocols.has(root.field.name);
      // Data that nothing understands is shown as bytes, unless all of the frame is.
      if (isOpen && root.field === dataFields.self && !this.#request.showsHexadecimal)
        text += `\n${hexDump(bytesOf(root))}`;
      if (isOpen) {
        text += this.#children(root, '    ');
      }
    }
    return text;
  }

  #children({ children }: FieldNode, indent: string): string {
    if (children === undefined) return '';
    let text = '';
    for (const child of children) {
      if (child.isHidden || !isShown(child, this.#request.showsMore)) continue;
      text += `${indent}${describeNode(child)}\n`;
      if (child.children !== undefined) text += this.#children(child, `${indent}    `);
    }
    return text;
  }
}

function bytesOf({ source, start, end }: FieldNode): Uint8Array {
  return source.bytes.subarray(start, end);
}

/** The bytes of the frame, and of what was put together for it, each under its name if there is more than one. */
function dumps(frame: DataSource, roots: readonly FieldNode[]): string {
  const sources = new Set<DataSource>([frame]);
  gatherSources(roots, sources);
  if (sources.size === 1) return hexDump(frame.bytes);
  let text = '';
  for (const source of sources) text += `${source.name}:\n${hexDump(source.bytes)}`;
  return text;
}

function gatherSources(nodes: readonly FieldNode[], sources: Set<DataSource>): void {
  for (const node of nodes) {
    sources.add(node.source);
    if (node.children !== undefined) gatherSources(node.children, sources);
  }
}
