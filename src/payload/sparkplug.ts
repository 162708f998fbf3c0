/**
 * Sparkplug B, as nodes: a message of Protocol Buffers with the layout of Eclipse Tahu's `sparkplug_b.proto`. Values are shown as their data
 * type means them, keys and values of a property set as members, rows of a data set as arrays.
 */
import { quoteJson } from './json-string.ts';
import { NodeBudget, PayloadFault, PayloadNode } from './payload-node.ts';
import { bytesText, decodeExactly, floatText, utf8FaultAt } from './payload-text.ts';
import { type ProtocolField, ProtocolReader, wireTypes } from './protocol-buffer.ts';
import { arrayElements, type SparkplugType, sparkplugTypes, wholeNumber } from './sparkplug-types.ts';

type MessageKind =
  | 'Payload'
  | 'Metric'
  | 'MetaData'
  | 'Template'
  | 'Parameter'
  | 'DataSet'
  | 'DataSetValue'
  | 'Row'
  | 'PropertySet'
  | 'PropertySetList'
  | 'PropertyValue';
type FieldKind = 'whole' | 'boolean' | 'text' | 'bytes' | 'float' | 'double' | 'type' | MessageKind;

interface FieldRow {
  readonly name: string;
  readonly kind: FieldKind;
  readonly isRepeated?: boolean;
}

/** The same order of kinds of value in every message that has one, from its first number on. */
function values(first: number, kinds: readonly FieldKind[]): Record<number, FieldRow> {
  return Object.fromEntries(kinds.map((kind, index) => [first + index, { name: 'value', kind }]));
}
const basicKinds: readonly FieldKind[] = ['whole', 'whole', 'float', 'double', 'boolean', 'text'];

/** Fields of each kind of message by their numbers. What is not here is an extension, and shown by its number. */
const layouts: Readonly<Record<MessageKind, Readonly<Record<number, FieldRow>>>> = {
  Payload: {
    1: { name: 'timestamp', kind: 'whole' },
    2: { name: 'metrics', kind: 'Metric', isRepeated: true },
    3: { name: 'seq', kind: 'whole' },
    4: { name: 'uuid', kind: 'text' },
    5: { name: 'body', kind: 'bytes' },
  },
  Metric: {
    1: { name: 'name', kind: 'text' },
    2: { name: 'alias', kind: 'whole' },
    3: { name: 'timestamp', kind: 'whole' },
    4: { name: 'datatype', kind: 'type' },
    5: { name: 'is_historical', kind: 'boolean' },
    6: { name: 'is_transient', kind: 'boolean' },
    7: { name: 'is_null', kind: 'boolean' },
    8: { name: 'metadata', kind: 'MetaData' },
    9: { name: 'properties', kind: 'PropertySet' },
    ...values(10, [...basicKinds, 'bytes', 'DataSet', 'Template']),
  },
  MetaData: {
    1: { name: 'is_multi_part', kind: 'boolean' },
    2: { name: 'content_type', kind: 'text' },
    3: { name: 'size', kind: 'whole' },
    4: { name: 'seq', kind: 'whole' },
    5: { name: 'file_name', kind: 'text' },
    6: { name: 'file_type', kind: 'text' },
    7: { name: 'md5', kind: 'text' },
    8: { name: 'description', kind: 'text' },
  },
  Template: {
    1: { name: 'version', kind: 'text' },
    2: { name: 'metrics', kind: 'Metric', isRepeated: true },
    3: { name: 'parameters', kind: 'Parameter', isRepeated: true },
    4: { name: 'template_ref', kind: 'text' },
    5: { name: 'is_definition', kind: 'boolean' },
  },
  Parameter: { 1: { name: 'name', kind: 'text' }, 2: { name: 'type', kind: 'type' }, ...values(3, basicKinds) },
  DataSet: {
    1: { name: 'num_of_columns', kind: 'whole' },
    2: { name: 'columns', kind: 'text', isRepeated: true },
    3: { name: 'types', kind: 'type', isRepeated: true },
    4: { name: 'rows', kind: 'Row', isRepeated: true },
  },
  Row: { 1: { name: 'elements', kind: 'DataSetValue', isRepeated: true } },
  DataSetValue: values(1, basicKinds),
  PropertySet: {
    1: { name: 'keys', kind: 'text', isRepeated: true },
    2: { name: 'values', kind: 'PropertyValue', isRepeated: true },
  },
  PropertySetList: { 1: { name: 'propertyset', kind: 'PropertySet', isRepeated: true } },
  PropertyValue: {
    1: { name: 'type', kind: 'type' },
    2: { name: 'is_null', kind: 'boolean' },
    ...values(3, [...basicKinds, 'PropertySet', 'PropertySetList']),
  },
};

const wireTypeOf: Readonly<Partial<Record<FieldKind, number>>> = {
  whole: wireTypes.varint,
  boolean: wireTypes.varint,
  type: wireTypes.varint,
  float: wireTypes.fixed32,
  double: wireTypes.fixed64,
};

/** Whether messages on that topic carry Sparkplug B; those of a host's state are JSON. [Sparkplug 3.0 §4] */
export function isSparkplugTopic(topicName: string): boolean {
  return topicName.startsWith('spBv1.0/') && !topicName.startsWith('spBv1.0/STATE/');
}

/**
 * The Payload that all of `bytes` are.
 * @throws {PayloadFault}
 */
export function readSparkplug(bytes: Uint8Array): PayloadNode {
  return new SparkplugReader(bytes).payload();
}

/** A field with the row that says what it is. */
interface KnownField {
  readonly field: ProtocolField;
  readonly row: FieldRow;
}

class SparkplugReader {
  private readonly bytes: Uint8Array;
  private readonly budget = new NodeBudget();

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  payload(): PayloadNode {
    return this.message('Payload', undefined, 0, 0, this.bytes.length, undefined, 1);
  }

  /** @param types of the columns, in a row of a data set */
  private message(
    kind: MessageKind,
    name: string | undefined,
    start: number,
    contentStart: number,
    end: number,
    types: readonly (SparkplugType | undefined)[] | undefined,
    depth: number,
  ): PayloadNode {
    const fields = this.fieldsOf(kind, contentStart, end, depth);
    const declared = fields.findLast(({ row }) => row.kind === 'type' && row.isRepeated !== true);
    const type = declared === undefined ? types?.[0] : typeOf(declared.field);
    const columns =
      kind === 'DataSet' ? fields.filter(({ row }) => row.kind === 'type').map(({ field }) => typeOf(field)) : types;
    const groups = new Map<string, { row: FieldRow; nodes: PayloadNode[] }>();
    for (const { field, row } of fields) {
      let group = groups.get(row.name);
      if (group === undefined) {
        group = { row, nodes: [] };
        groups.set(row.name, group);
      }
      const memberName = row.isRepeated === true ? undefined : quoteJson(row.name);
      const columnType = kind === 'Row' ? [columns?.[group.nodes.length]] : columns;
      const node = this.field(
        field,
        row,
        memberName,
        kind === 'DataSetValue' ? types?.[0] : type,
        columnType,
        depth + 1,
      );
      if (row.isRepeated === true) group.nodes.push(node);
      else group.nodes[0] = node;
    }
    const nodesOf = (member: string) => groups.get(member)?.nodes ?? [];
    if (kind === 'Row') return arrayNode(name, start, end, nodesOf('elements'));
    if (kind === 'PropertySetList') return arrayNode(name, start, end, nodesOf('propertyset'));
    if (kind === 'DataSetValue') {
      const value = nodesOf('value')[0];
      return value === undefined ? new PayloadNode(name, start, end, null, 'null') : renamed(value, name, start, end);
    }
    if (kind === 'PropertySet')
      return objectNode(name, start, end, this.properties(nodesOf('keys'), nodesOf('values')));
    const members = [...groups.values()].map(({ row, nodes }) =>
      row.isRepeated === true
        ? arrayNode(quoteJson(row.name), nodes[0]!.start, nodes[nodes.length - 1]!.end, nodes)
        : nodes[0]!,
    );
    return objectNode(name, start, end, members);
  }

  private fieldsOf(kind: MessageKind, contentStart: number, end: number, depth: number): KnownField[] {
    const fields: KnownField[] = [];
    const reader = new ProtocolReader(this.bytes, contentStart, end);
    for (let field = reader.next(); field !== undefined; field = reader.next()) {
      this.budget.take(depth, field.start);
      fields.push({ field, row: layouts[kind][field.number] ?? extensionRow(field) });
    }
    return fields;
  }

  private field(
    field: ProtocolField,
    row: FieldRow,
    name: string | undefined,
    type: SparkplugType | undefined,
    types: readonly (SparkplugType | undefined)[] | undefined,
    depth: number,
  ): PayloadNode {
    const { start, contentStart, end } = field;
    if (field.wireType !== (wireTypeOf[row.kind] ?? wireTypes.bytes)) {
      throw this.fault(`${row.name} of the wire type ${field.wireType}`, start);
    }
    const leaf = (value: unknown, text: string) => new PayloadNode(name, start, end, value, text);
    switch (row.kind) {
      case 'whole': {
        const value = row.name === 'value' ? wholeNumber(field.varint, type) : field.varint;
        return leaf(value, String(value));
      }
      case 'boolean':
        return leaf(Number(field.varint) !== 0, String(Number(field.varint) !== 0));
      case 'type': {
        const typeName = typeOf(field);
        return typeName === undefined ? leaf(field.varint, String(field.varint)) : leaf(typeName, quoteJson(typeName));
      }
      case 'float':
      case 'double': {
        const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + contentStart, end - contentStart);
        const value = row.kind === 'float' ? view.getFloat32(0, true) : view.getFloat64(0, true);
        return leaf(value, floatText(value));
      }
      case 'text': {
        const text = decodeExactly(this.bytes, contentStart, end);
        if (text === undefined) {
          throw this.fault(`${row.name} that is not UTF-8`, utf8FaultAt(this.bytes, contentStart, end));
        }
        return leaf(text, quoteJson(text));
      }
      case 'bytes': {
        const value = this.bytes.subarray(contentStart, end);
        const elements = arrayElements(value, type);
        return elements === undefined ? leaf(value, bytesText(value)) : leaf(elements, elementsText(elements, type));
      }
      default:
        return this.message(row.kind, name, start, contentStart, end, types, depth);
    }
  }

  /** Keys and values stand in two lists, in the same order. */
  private properties(keys: readonly PayloadNode[], propertyValues: readonly PayloadNode[]): PayloadNode[] {
    return propertyValues.map((property, index) => {
      const value = property.children.find(({ name }) => name === '"value"');
      const name = keys[index]?.opening ?? `"${index}"`;
      if (value === undefined) return new PayloadNode(name, property.start, property.end, null, 'null');
      return renamed(value, name, property.start, property.end);
    });
  }

  private fault(what: string, offset: number): PayloadFault {
    return new PayloadFault(`no Sparkplug B: ${what}, at byte ${offset}`, offset);
  }
}

function typeOf(field: ProtocolField): SparkplugType | undefined {
  return sparkplugTypes[Number(field.varint)];
}

function extensionRow(field: ProtocolField): FieldRow {
  const kinds = new Map<number, FieldKind>([
    [wireTypes.varint, 'whole'],
    [wireTypes.fixed32, 'float'],
    [wireTypes.fixed64, 'double'],
  ]);
  return { name: `field ${field.number}`, kind: kinds.get(field.wireType) ?? 'bytes' };
}

function arrayNode(name: string | undefined, start: number, end: number, nodes: readonly PayloadNode[]): PayloadNode {
  const values = nodes.map(({ value }) => value);
  return new PayloadNode(name, start, end, values, '[', ']', nodes);
}

function objectNode(
  name: string | undefined,
  start: number,
  end: number,
  members: readonly PayloadNode[],
): PayloadNode {
  const value = Object.fromEntries(members.map((member) => [JSON.parse(member.name ?? '""'), member.value]));
  return new PayloadNode(name, start, end, value, '{', '}', members);
}

function renamed(node: PayloadNode, name: string | undefined, start: number, end: number): PayloadNode {
  const { value, opening, closing, children, showsChildren } = node;
  return new PayloadNode(name, start, end, value, opening, closing, children, showsChildren);
}

function elementsText(elements: readonly unknown[], type: SparkplugType | undefined): string {
  const isFloat = type === 'FloatArray' || type === 'DoubleArray';
  const texts = elements.map((element) => {
    if (typeof element === 'string') return quoteJson(element);
    return isFloat ? floatText(element as number) : String(element);
  });
  return `[${texts.join(', ')}]`;
}
