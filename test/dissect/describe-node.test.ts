import { describe, expect, it } from 'vitest';
import { describeNode, fieldLine } from '../../src/dissect/describe-node.ts';
import { defineFields, TimeValue } from '../../src/dissect/field.ts';
import { FieldNode } from '../../src/dissect/field-node.ts';
import { columnText, jsonText } from '../../src/dissect/field-text.ts';
import { formatIpv6 } from '../../src/dissect/format-address.ts';
import { escapeColumn, escapeLine } from '../../src/dissect/format-text.ts';

const f = defineFields('sample', 'Sample Protocol', {
  plain: { name: 'sample.plain', label: 'Plain', type: 'uint16' },
  named: { name: 'sample.named', label: 'Named', type: 'uint8', values: { 1: 'One' } },
  bits: { name: 'sample.bits', label: 'Bits', type: 'uint8', mask: 0xf0, values: { 1: 'One' } },
  wide: { name: 'sample.wide', label: 'Wide', type: 'uint24', display: 'hexadecimal', mask: 0x0fffff, width: 24 },
  top: { name: 'sample.top', label: 'Top', type: 'boolean', mask: 0x80000000, width: 32 },
  flag: { name: 'sample.flag', label: 'Flag', type: 'boolean', mask: 0x02, values: { 0: 'Not set', 1: 'Set' } },
  hexadecimal: { name: 'sample.hex', label: 'Hex', type: 'uint16', display: 'hexadecimal' },
  both: { name: 'sample.both', label: 'Both', type: 'uint16', display: 'hexadecimal-decimal' },
  other: { name: 'sample.other', label: 'Other', type: 'uint16', display: 'decimal-hexadecimal' },
  kind: { name: 'sample.kind', label: 'Kind', type: 'uint16', display: 'hexadecimal', values: { 2048: 'IPv4' } },
  bytes: { name: 'sample.bytes', label: 'Bytes', type: 'bytes' },
  text: { name: 'sample.text', label: 'Text', type: 'string' },
  moment: { name: 'sample.moment', label: 'Moment', type: 'absolute-time' },
  span: { name: 'sample.span', label: 'Span', type: 'relative-time' },
  host: { name: 'sample.host', label: 'Host', type: 'ipv4' },
  host6: { name: 'sample.host6', label: 'Host', type: 'ipv6' },
  card: { name: 'sample.card', label: 'Card', type: 'ethernet' },
  mark: { name: 'sample.mark', label: 'There is something', type: 'none' },
});
const ipv6 = (...groups: number[]) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));

describe('the line of a field', () => {
  it.each([
    [f.plain, 7, 'Plain: 7'],
    [f.named, 1, 'Named: One (1)'],
    [f.named, 9, 'Named: Unknown (9)'],
    [f.bits, 1, '0001 .... = Bits: One (1)'],
    [f.wide, 0xb3f52, '.... 1011 0011 1111 0101 0010 = Wide: 0xb3f52'],
    [f.top, true, '1... .... .... .... .... .... .... .... = Top: True'],
    [f.flag, true, '.... ..1. = Flag: Set'],
    [f.flag, false, '.... ..0. = Flag: Not set'],
    [f.hexadecimal, 16, 'Hex: 0x0010'],
    [f.both, 21116, 'Both: 0x527c (21116)'],
    [f.other, 21116, 'Other: 21116 (0x527c)'],
    [f.kind, 2048, 'Kind: IPv4 (0x0800)'],
    [f.bytes, Uint8Array.of(1, 2, 255), 'Bytes: 0102ff'],
    [f.bytes, new Uint8Array(0), 'Bytes: <MISSING>'],
    [f.bytes, new Uint8Array(37), `Bytes: ${'00'.repeat(36)}…`],
    [f.text, 'a\tb', 'Text: a\\tb'],
    [f.span, new TimeValue(0, 300_000), 'Span: 0.000300000 seconds'],
    [f.span, new TimeValue(-1, -500_000_000), 'Span: -1.500000000 seconds'],
    [f.span, new TimeValue(0, -1), 'Span: -0.000000001 seconds'],
    [f.host, 0x7f000001, 'Host: 127.0.0.1'],
    [f.host6, ipv6(0x2001, 0xdb8, 0, 0, 1, 0, 0, 1), 'Host: 2001:db8::1:0:0:1'],
    [f.card, Uint8Array.of(0, 1, 2, 3, 4, 255), 'Card: 00:01:02:03:04:ff'],
    [f.mark, undefined, 'There is something'],
    [f.self, undefined, 'Sample Protocol'],
  ] as const)('%# is as Wireshark words it', (field, value, line) => {
    expect(fieldLine(field, value)).toBe(line);
  });

  it('gives a time with its zone', () => {
    const line = fieldLine(f.moment, new TimeValue(1_795_258_177, 972_886_000));
    expect(line).toMatch(/^Moment: Nov 2[012], 2026 \d\d:\d\d:\d\d\.972886000 .+$/);
  });

  it('is cut at 239 bytes, and says so', () => {
    expect(fieldLine(f.text, 'x'.repeat(233))).toBe(`Text: ${'x'.repeat(233)}`);
    expect(fieldLine(f.text, 'x'.repeat(234))).toBe(`Text [truncated]: ${'x'.repeat(220)}`);
    const cut = fieldLine(f.text, 'ü'.repeat(200));
    expect(new TextEncoder().encode(cut).length).toBeLessThanOrEqual(238);
    expect(cut.endsWith('ü')).toBe(true);
  });

  it('is the text that a layer gave it, in brackets if it was computed', () => {
    const source = { bytes: new Uint8Array(4), name: 'Sample' };
    expect(describeNode(new FieldNode(f.plain, 1, source, 0, 2, 'Another: line', false, true))).toBe('[Another: line]');
    expect(describeNode(new FieldNode(f.plain, 1, source, 0, 2, undefined, false, false))).toBe('Plain: 1');
  });
});

describe('the value of a field for programs', () => {
  it.each([
    [f.flag, true, '1', '1'],
    [f.flag, false, '0', '0'],
    [f.named, 1, '1', '1'],
    [f.hexadecimal, 16, '0x0010', '0x0010'],
    [f.both, 21116, '0x527c', '0x527c'],
    [f.other, 21116, '21116', '21116'],
    [f.bytes, Uint8Array.of(1, 2, 255), '0102ff', '01:02:ff'],
    [f.bytes, new Uint8Array(0), '<MISSING>', ''],
    [f.text, 'a\tb', 'a\tb', 'a\tb'],
    [f.span, new TimeValue(0, 300_000), '0.000300000', '0.000300000'],
    [f.host, 0xc0a80001, '192.168.0.1', '192.168.0.1'],
    [f.mark, undefined, '1', ''],
    [f.self, undefined, 'Sample Protocol', ''],
  ] as const)('%# is as tshark gives it', (field, value, column, json) => {
    expect(columnText(field, value)).toBe(column);
    expect(jsonText(field, value)).toBe(json);
  });
});

describe('text', () => {
  it('is escaped for lines as Wireshark escapes it', () => {
    expect(escapeLine('\u0001\u0007\b\v\f\r\u001b\u007f\\"')).toBe('\\001\\a\\b\\v\\f\\r\\033\\177\\"');
    expect(escapeLine('\u0085\u00a0\u00ad\u200b\ue000\u{e0001}\uffff')).toBe(
      '\\u0085\u00a0\\u00AD\\u200B\ue000\\U000E0001\\uFFFF',
    );
    expect(escapeLine('温度/🙂')).toBe('温度/🙂');
  });

  it('is escaped for columns only where it would break them', () => {
    expect(escapeColumn('a\tb\nc\\d\u0001')).toBe('a\\tb\\nc\\d\u0001');
  });
});

describe('IPv6 addresses', () => {
  it.each([
    [ipv6(0, 0, 0, 0, 0, 0, 0, 1), '::1'],
    [ipv6(0, 0, 0, 0, 0, 0, 0, 0), '::'],
    [ipv6(0xfe80, 0, 0, 0, 0x200, 0xfff, 0xfe00, 2), 'fe80::200:fff:fe00:2'],
    [ipv6(1, 0, 0, 2, 0, 0, 0, 3), '1:0:0:2::3'],
    [ipv6(1, 0, 2, 3, 4, 5, 6, 7), '1:0:2:3:4:5:6:7'],
    [ipv6(0, 0, 0, 0, 0, 0xffff, 0x0a00, 1), '::ffff:10.0.0.1'],
    [ipv6(1, 2, 3, 4, 5, 6, 0, 0), '1:2:3:4:5:6::'],
  ])('%# are written as short as can be', (bytes, text) => {
    expect(formatIpv6(bytes)).toBe(text);
  });
});
