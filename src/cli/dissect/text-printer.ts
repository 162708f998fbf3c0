/** Text as people read it: rows, trees and hex dumps, in tshark's order. */
import type { DataSource } from '../../capture/frame.ts';
import { describeNode } from '../../dissect/describe-node.ts';
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import type { FieldNode } from '../../dissect/field-node.ts';
import { TreeSink } from '../../dissect/tree-sink.ts';
import type { ValueSink } from '../../dissect/value-sink.ts';
import type { DissectRequest } from './arguments.ts';
import type { FramePrinter } from './frame-printer.ts';
import { hexDump } from './hex-dump.ts';
import { isShown } from './shown-nodes.ts';
import { summaryColumns, summaryRow, tabbedRow } from './summary-row.ts';

/** Escape sequences around a row, by what the frame is. */
export interface RowColors {
  around(frame: DissectedFrame, row: string): string;
}

export class TextPrinter implements FramePrinter {
  readonly fields = [];
  readonly #request: DissectRequest;
  readonly #colors: RowColors | undefined;
  readonly #openProtocols: ReadonlySet<string> | undefined;
  readonly #sink = new TreeSink();

  constructor(request: DissectRequest, colors: RowColors | undefined) {
    this.#request = request;
    this.#colors = colors;
    this.#openProtocols = request.openProtocols === undefined ? undefined : new Set(request.openProtocols);
  }

  begin(): string {
    return '';
  }

  end(): string {
    return '';
  }

  frame(frame: DissectedFrame, _values: ValueSink, previousShown: DissectedFrame | undefined): string {
    const { showsSummary, showsTree, showsHexadecimal, lineSeparator, format, timeForm } = this.#request;
    let text = '';
    if (showsSummary) {
      const columns = summaryColumns(frame, timeForm, previousShown);
      const row = format === 'tabs' ? tabbedRow(columns) : summaryRow(columns);
      text += `${this.#colors === undefined ? row : this.#colors.around(frame, row)}\n`;
    }
    if (showsTree || showsHexadecimal) {
      this.#sink.reset();
      frame.describe(this.#sink);
      const { roots } = this.#sink;
      if (showsTree) text += `${this.#tree(roots)}\n`;
      if (showsTree && showsHexadecimal) text += '\n';
      if (showsHexadecimal) text += `${dumps(frame.frame, roots)}\n`;
    }
    if (lineSeparator !== undefined) text += `${lineSeparator}\n`;
    return text;
  }

  #tree(roots: readonly FieldNode[]): string {
    let text = '';
    for (const root of roots) {
      if (!isShown(root, this.#request.showsMore)) continue;
      text += `${describeNode(root)}\n`;
      if (this.#openProtocols === undefined || this.#openProtocols.has(root.field.name)) {
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
