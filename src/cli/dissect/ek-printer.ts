/** `-T ek`: two lines for each frame, an action and a document, as Elasticsearch takes them in bulk. */
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import { expert } from '../../dissect/expert.ts';
import type { FieldDescriptor, TimeValue } from '../../dissect/field.ts';
import type { FieldNode } from '../../dissect/field-node.ts';
import { jsonText } from '../../dissect/field-text.ts';
import { TreeSink, textField } from '../../dissect/tree-sink.ts';
import type { ValueSink } from '../../dissect/value-sink.ts';
import type { DissectRequest } from './arguments.ts';
import type { FramePrinter } from './frame-printer.ts';
import { indexName } from './index-name.ts';
import type { OutputColumns } from './output-columns.ts';
import { ProtocolChoice } from './protocol-choice.ts';
import { isShown } from './shown-nodes.ts';

export class EkPrinter implements FramePrinter {
  readonly fields: readonly FieldDescriptor[];
  readonly isOfFramesAlone = true;
  readonly #request: DissectRequest;
  readonly #columns: OutputColumns | undefined;
  readonly #choice: ProtocolChoice;
  readonly #sink = new TreeSink();

  /** @param columns - of `-e`; undefined for whole trees */
  constructor(request: DissectRequest, columns: OutputColumns | undefined) {
    this.#request = request;
    this.#columns = columns;
    this.fields = columns?.fields ?? [];
    this.#choice = new ProtocolChoice(request);
  }

  begin(): string {
    return '';
  }

  end(): string {
    return '';
  }

  frame(frame: DissectedFrame, values: ValueSink): string {
    const { seconds, nanoseconds } = frame.frame;
    const action = `{"index":{"_index":"${indexName(frame.frame)}","_type":"doc"}}`;
    const timestamp = `${seconds}${String(Math.floor(nanoseconds / 1e6)).padStart(3, '0')}`;
    const layers = this.#columns === undefined ? this.#tree(frame) : this.#columnTexts(this.#columns, frame, values);
    return `${action}\n{"timestamp":"${timestamp}","layers":{${layers}}}\n`;
  }

  #columnTexts(columns: OutputColumns, frame: DissectedFrame, values: ValueSink): string {
    const parts: string[] = [];
    for (let at = 0; at < columns.columns.length; at++) {
      const texts = columns.texts(at, frame, values, undefined);
      const { name } = columns.columns[at] as { name: string };
      if (texts.length > 0) parts.push(`"${plain(name)}":[${texts.map((text) => JSON.stringify(text)).join(',')}]`);
    }
    return parts.join(',');
  }

  #tree(frame: DissectedFrame): string {
    this.#sink.reset();
    frame.describe(this.#sink);
    return this.#level(this.#sink.roots, undefined);
  }

  /** The fields of one level: those of a name together, followed by what is below all of them. */
  #level(nodes: readonly FieldNode[], layer: FieldNode | undefined): string {
    const parts: string[] = [];
    for (const [name, group] of grouped(nodes, layer, this.#request.showsMore)) {
      const { field } = group[0] as FieldNode;
      const isObject = field === expert.self || (layer === undefined && field.type === 'protocol');
      if (!this.#choice.opens(field.name, layer !== undefined)) {
        parts.push(
          entry(
            name,
            group.map((node) => `{"filtered":${JSON.stringify(node.field.name || 'text')}}`),
          ),
        );
      } else if (isObject) {
        parts.push(
          entry(
            name,
            group.map((node) => `{${this.#level(node.children ?? [], layer ?? node)}}`),
          ),
        );
      } else {
        parts.push(entry(name, group.map(bulkValue)));
        const below = group.flatMap((node) => node.children ?? []);
        const text = below.length > 0 ? this.#level(below, layer ?? group[0]) : '';
        if (text !== '') parts.push(text);
      }
    }
    return parts.join(',');
  }
}

/** A key with its value, or with an array of several. */
function entry(name: string, values: readonly string[]): string {
  return `${JSON.stringify(name)}:${values.length === 1 ? values[0] : `[${values.join(',')}]`}`;
}

/** By key, in the order in which keys first come. */
function grouped(
  nodes: readonly FieldNode[],
  layer: FieldNode | undefined,
  showsMore: boolean,
): Map<string, FieldNode[]> {
  const groups = new Map<string, FieldNode[]>();
  for (const node of nodes) {
    if (!isShown(node, showsMore)) continue;
    const key = keyOf(node, layer);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [node]);
    else group.push(node);
  }
  return groups;
}

/** TCP options are protocols of their own to Wireshark. */
const optionName = /^tcp\.options\.(eol|nop|mss|wscale|sack_perm|sack|timestamp|md5|user_to|tfo|unknown)$/;

/** `tcp_tcp_port`: protocol and field; a protocol by its name alone. */
function keyOf({ field }: FieldNode, layer: FieldNode | undefined): string {
  if (field === textField) return 'text';
  if (field.type === 'protocol' || field === expert.self || optionName.test(field.name)) return plain(field.name);
  // The version of IPv6 is IPv4's field.
  const protocol = field.name === 'ip.version' && layer !== undefined ? layer.field : field.protocol;
  return plain(`${protocol.name}_${field.name}`);
}

function plain(name: string): string {
  return name.replaceAll('.', '_');
}

function bulkValue(node: FieldNode): string {
  const { field, value, text } = node;
  if (field === textField) return JSON.stringify((text ?? '').replace(/^\[(.*)\]$/s, '$1'));
  switch (field.type) {
    case 'none':
      return 'null';
    case 'boolean':
      return value === true || value === 1 ? 'true' : 'false';
    case 'absolute-time': {
      const { seconds, nanoseconds } = value as TimeValue;
      return `"${new Date(seconds * 1000).toISOString().slice(0, -5)}.${String(nanoseconds).padStart(9, '0')}Z"`;
    }
    default:
      return JSON.stringify(jsonText(field, value));
  }
}
