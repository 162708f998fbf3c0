/** `-T json` and `jsonraw`: an array with a document for each frame, keys in the order of the tree, repeated keys repeated. */
import { describeNode } from '../../dissect/describe-node.ts';
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import { expert } from '../../dissect/expert.ts';
import type { FieldDescriptor, FieldType } from '../../dissect/field.ts';
import type { FieldNode } from '../../dissect/field-node.ts';
import { jsonText } from '../../dissect/field-text.ts';
import { formatBytes } from '../../dissect/format-address.ts';
import { TreeSink } from '../../dissect/tree-sink.ts';
import type { ValueSink } from '../../dissect/value-sink.ts';
import type { DissectRequest } from './arguments.ts';
import type { FramePrinter } from './frame-printer.ts';
import { indexName } from './index-name.ts';
import type { OutputColumns } from './output-columns.ts';
import { nodeName, ProtocolChoice } from './protocol-choice.ts';
import { isShown } from './shown-nodes.ts';

/** Wireshark's numbers of types, the last element of raw values. */
const typeNumbers: Readonly<Record<FieldType, number>> = {
  none: 0,
  protocol: 1,
  boolean: 2,
  uint8: 4,
  uint16: 5,
  uint24: 6,
  uint32: 7,
  uint64: 11,
  int8: 12,
  int16: 13,
  int32: 15,
  int64: 19,
  float: 22,
  double: 23,
  'absolute-time': 24,
  'relative-time': 25,
  string: 26,
  ethernet: 29,
  bytes: 30,
  ipv4: 32,
  ipv6: 33,
  'frame-number': 35,
};

/** A value of the document: text that is JSON already, or an object of them. */
type Entry = string | Entries | RepeatedValues;
type Entries = Array<readonly [key: string, value: Entry]>;

export class JsonPrinter implements FramePrinter {
  readonly fields: readonly FieldDescriptor[];
  readonly isOfFramesAlone = true;
  readonly separator = ',';
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
    return '[';
  }

  end(hasShown: boolean): string {
    return hasShown ? '\n]\n' : ']\n';
  }

  frame(frame: DissectedFrame, values: ValueSink): string {
    const layers = this.#columns === undefined ? this.#tree(frame) : this.#columnEntries(this.#columns, frame, values);
    const source: Entries = [['layers', layers]];
    const document: Entries = [
      ['_index', JSON.stringify(indexName(frame.frame))],
      ['_type', '"doc"'],
      ['_score', 'null'],
      ['_source', source],
    ];
    return `\n  ${write(document, '  ')}`;
  }

  #columnEntries(columns: OutputColumns, frame: DissectedFrame, values: ValueSink): Entries {
    const entries: Entries = [];
    for (let at = 0; at < columns.columns.length; at++) {
      const texts = columns.texts(at, frame, values, undefined);
      if (texts.length === 0) continue;
      entries.push([
        (columns.columns[at] as { name: string }).name,
        list(
          texts.map((text) => JSON.stringify(text)),
          '        ',
        ),
      ]);
    }
    return entries;
  }

  #tree(frame: DissectedFrame): Entries {
    this.#sink.reset();
    frame.describe(this.#sink);
    return this.#entries(this.#sink.roots, false, true, false);
  }

  #entries(nodes: readonly FieldNode[], isInsideChosen: boolean, isTop: boolean, isRemark: boolean): Entries {
    const entries: Entries = [];
    const showsRaw = this.#request.showsHexadecimal || this.#request.format === 'jsonraw';
    const showsValues = this.#request.format !== 'jsonraw';
    for (const node of nodes) {
      if (!isShown(node, this.#request.showsMore)) continue;
      const name = nodeName(node);
      const { field, children } = node;
      const isAboutIt = isRemark || field === expert.self;
      if (showsRaw && field.name !== '' && (!showsValues || (node.end > node.start && !isAboutIt))) {
        entries.push([`${name}_raw`, raw(node, isAboutIt)]);
      }
      const opens = this.#choice.opens(name, isInsideChosen);
      // A layer without fields says no more by its line than that it is there.
      if (isTop && !opens && name !== 'raw') {
        entries.push([name, filtered(name)]);
        continue;
      }
      const hasChildren = children?.some((child) => isShown(child, this.#request.showsMore)) === true;
      const isObject = field.type === 'protocol' || field.type === 'none';
      if (!hasChildren) {
        const text = field.type === 'protocol' ? describeNode(node) : jsonText(field, node.value);
        if (showsValues) entries.push([name, JSON.stringify(text)]);
        continue;
      }
      const below: Entries = opens
        ? this.#entries(children as FieldNode[], isTop || isInsideChosen || opens, false, isAboutIt)
        : filtered(name);
      if (isObject) entries.push([name, below]);
      else {
        if (showsValues) entries.push([name, JSON.stringify(jsonText(field, node.value))]);
        entries.push([`${name}_tree`, below]);
      }
    }
    return this.#request.mergesDuplicateKeys ? merged(entries) : entries;
  }
}

function filtered(name: string): Entries {
  return [['filtered', JSON.stringify(name)]];
}

/** `["00ff", start, length, mask, type]`; of bits in a byte the value is shown instead of the byte, of remarks nothing. */
function raw({ field, value, source, start, end }: FieldNode, isRemark: boolean): RepeatedValues {
  const type = typeNumbers[field.type];
  if (isRemark) return new RepeatedValues(['0', '0', '0', String(type)]);
  const bytes = source.bytes.subarray(start, Math.max(start, end));
  const digits = field.mask === undefined ? formatBytes(bytes, '') : Number(value).toString(16).toUpperCase();
  return new RepeatedValues([JSON.stringify(digits), ...[start, bytes.length, field.mask ?? 0, type].map(String)]);
}

/** Values of the same key in an array, where the first of them stands. */
function merged(entries: Entries): Entries {
  const byKey = new Map<string, Entry[]>();
  for (const [key, value] of entries) {
    const values = byKey.get(key);
    if (values === undefined) byKey.set(key, [value]);
    else values.push(value);
  }
  const result: Entries = [];
  for (const [key, values] of byKey) {
    result.push([key, values.length === 1 ? (values[0] as Entry) : new RepeatedValues(values)]);
  }
  return result;
}

/** Several values of one key. */
class RepeatedValues {
  readonly values: readonly Entry[];
  constructor(values: readonly Entry[]) {
    this.values = values;
  }
}

function list(texts: readonly string[], indent: string): string {
  return `[\n${texts.map((text) => `${indent}  ${text}`).join(',\n')}\n${indent}]`;
}

function write(value: Entry, indent: string): string {
  if (typeof value === 'string') return value;
  if (value instanceof RepeatedValues) {
    return list(
      value.values.map((one) => write(one, `${indent}  `)),
      indent,
    );
  }
  if (value.length === 0) return '{\n'.concat(indent, '}');
  let text = '{\n';
  for (let at = 0; at < value.length; at++) {
    const [key, entry] = value[at] as Entries[number];
    text += `${indent}  ${JSON.stringify(key)}: ${write(entry, `${indent}  `)}${at + 1 < value.length ? ',' : ''}\n`;
  }
  return `${text}${indent}}`;
}
