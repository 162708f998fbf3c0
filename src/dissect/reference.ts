/** docs/reference/fields.md, made from the tables of fields. */
import type { FieldDescriptor, FieldType } from './field.ts';
import { allFields } from './registry.ts';

const introduction = `# Fields

<!-- Made from the tables in src/dissect by \`npx vitest run test/dissect/registry.test.ts -u\`. -->

What display filters, \`-T fields -e\`, columns and trees can name. Names, labels and types are those of Wireshark 4.0; what it does not have is
marked *ours*. A protocol's own name says in a filter that a frame has it.

| type | what a filter compares it with |
|---|---|
| protocol, none | nothing: only that it is there; a protocol's bytes by slices |
| boolean | 1, 0, True, False |
| integer, frame number | a number, decimal or hexadecimal; or the name in quotes, where it has names: \`mqtt.msgtype == "Publish Message"\` |
| string | text in quotes |
| bytes, hardware address | bytes: \`aa:bb:cc\` |
| IPv4, IPv6 | an address or a network: \`10.0.0.0/8\` |
| time | a date and time in quotes |
| duration | seconds: \`0.5\` |
`;

/** What readers call a type. */
function typeName(type: FieldType): string {
  switch (type) {
    case 'ethernet':
      return 'hardware address';
    case 'ipv4':
      return 'IPv4';
    case 'ipv6':
      return 'IPv6';
    case 'absolute-time':
      return 'time';
    case 'relative-time':
      return 'duration';
    case 'frame-number':
      return 'frame number';
    case 'uint8':
    case 'uint16':
    case 'uint24':
    case 'uint32':
    case 'uint64':
      return `integer, ${type.slice(4)} bits`;
    case 'int8':
    case 'int16':
    case 'int32':
    case 'int64':
      return `integer, ${type.slice(3)} bits, signed`;
    default:
      return type;
  }
}

/** The page as Markdown, ending in a line feed. */
export function fieldReference(): string {
  const protocols = [...new Set(allFields.map((field) => field.protocol))];
  return `${introduction}\n${protocols.map(section).join('\n')}`;
}

function section(protocol: FieldDescriptor): string {
  const rows = allFields.filter((field) => field.protocol === protocol && field !== protocol);
  const head = `## ${escapeCell(protocol.label)}: \`${protocol.name}\`\n`;
  if (rows.length === 0) return head;
  const table = ['| name | label | type | about |', '|---|---|---|---|', ...rows.map(row)];
  return `${head}\n${table.join('\n')}\n`;
}

function row(field: FieldDescriptor): string {
  const about = [field.isOurs === true ? '*ours*' : '', field.about ?? ''].filter((part) => part !== '').join('. ');
  return `| \`${field.name}\` | ${escapeCell(field.label)} | ${typeName(field.type)} | ${escapeCell(about)} |`;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}
