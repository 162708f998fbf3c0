import { describe, expect, it } from 'vitest';
import { decodePayload } from '../../src/payload/decode-payload.ts';

/** Protocol Buffers, written by hand: [field number, value] pairs. */
type Written = readonly (readonly [
  number: number,
  value: number | bigint | boolean | string | Uint8Array | Float | Double,
])[];
class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}
class Double extends Float {}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

function message(fields: Written): Uint8Array {
  const bytes: number[] = [];
  for (const [number, value] of fields) {
    const tag = (wireType: number) => varint(BigInt(number * 8 + wireType));
    if (value instanceof Float) {
      const isDouble = value instanceof Double;
      const view = new DataView(new ArrayBuffer(isDouble ? 8 : 4));
      if (isDouble) view.setFloat64(0, value.value, true);
      else view.setFloat32(0, value.value, true);
      bytes.push(...tag(isDouble ? 1 : 5), ...new Uint8Array(view.buffer));
    } else if (typeof value === 'string' || value instanceof Uint8Array) {
      const content = typeof value === 'string' ? new TextEncoder().encode(value) : value;
      bytes.push(...tag(2), ...varint(BigInt(content.length)), ...content);
    } else bytes.push(...tag(0), ...varint(BigInt(value)));
  }
  return Uint8Array.from(bytes);
}

const topic = 'spBv1.0/Plant 1/NBIRTH/Edge 4';
const decode = (fields: Written) => decodePayload(message(fields), { topic });
/** The text of a metric's value. */
function metricValue(datatype: number, field: number, value: Written[number][1]): unknown {
  const { value: payload, problem } = decode([
    [
      2,
      message([
        [4, datatype],
        [field, value],
      ]),
    ],
  ]);
  expect(problem).toBeUndefined();
  return (payload as { metrics: { value: unknown }[] }).metrics[0]!.value;
}

describe('Sparkplug B', () => {
  it('is known by its topic', () => {
    const payload = message([
      [1, 1486144502122n],
      [3, 7],
    ]);
    expect(decodePayload(payload, { topic })).toMatchObject({
      format: 'sparkplug',
      text: '{"timestamp": 1486144502122, "seq": 7}',
      value: { timestamp: 1486144502122, seq: 7 },
      problem: undefined,
    });
    expect(decodePayload(payload, { topic: 'spBv1.0x/g/NDATA/e' }).format).toBe('hex');
    expect(decodePayload(payload, { format: 'sparkplug' }).format).toBe('sparkplug');
  });

  it('has JSON on the topics of host states', () => {
    const state = new TextEncoder().encode('{"online": true}');
    expect(decodePayload(state, { topic: 'spBv1.0/STATE/host' })).toMatchObject({ format: 'json', problem: undefined });
  });

  it('is shown with names, aliases, types, and everything else a metric may have', () => {
    const metadata = message([
      [1, true],
      [2, 'text/plain'],
      [3, 10],
      [4, 1],
      [5, 'f'],
      [6, 't'],
      [7, 'm'],
      [8, 'd'],
    ]);
    const property = (type: number, field: number, value: Written[number][1]) =>
      message([
        [1, type],
        [field, value],
      ]);
    const properties = message([
      [1, 'engUnit'],
      [1, 'Quality'],
      [1, 'none'],
      [2, property(12, 8, '°C')],
      [2, property(3, 3, 192)],
      [
        2,
        message([
          [1, 3],
          [2, true],
        ]),
      ],
    ]);
    const metric = message([
      [1, 'Inputs/A'],
      [2, 42],
      [3, 1486144502123n],
      [4, 10],
      [5, true],
      [6, false],
      [8, metadata],
      [9, properties],
      [13, new Double(21.5)],
    ]);
    const { text, value } = decode([
      [1, 1],
      [2, metric],
      [
        2,
        message([
          [2, 43],
          [4, 3],
          [7, true],
        ]),
      ],
      [3, 0],
      [4, 'id'],
      [5, Uint8Array.of(1, 2)],
    ]);
    expect(value).toEqual({
      timestamp: 1,
      metrics: [
        {
          name: 'Inputs/A',
          alias: 42,
          timestamp: 1486144502123,
          datatype: 'Double',
          is_historical: true,
          is_transient: false,
          metadata: {
            is_multi_part: true,
            content_type: 'text/plain',
            size: 10,
            seq: 1,
            file_name: 'f',
            file_type: 't',
            md5: 'm',
            description: 'd',
          },
          properties: { engUnit: '°C', Quality: 192, none: null },
          value: 21.5,
        },
        { alias: 43, datatype: 'Int32', is_null: true },
      ],
      seq: 0,
      uuid: 'id',
      body: Uint8Array.of(1, 2),
    });
    expect(text).toContain('"properties": {"engUnit": "°C", "Quality": 192, "none": null}, "value": 21.5}');
    expect(text).toContain(`"uuid": "id", "body": h'0102'}`);
  });

  it.each([
    ['Int8 in one byte', 1, 10, 0xff, -1],
    ['Int8 in four bytes', 1, 10, 0xffffffff, -1],
    ['Int16', 2, 10, 0x8000, -32768],
    ['Int32', 3, 10, 0xfffffffe, -2],
    ['Int64', 4, 11, 0xffffffffffffffffn, -1],
    ['Int64 beyond 2^53', 4, 11, 0x8000000000000000n, -9223372036854775808n],
    ['UInt8', 5, 10, 255, 255],
    ['UInt32', 7, 10, 0xffffffff, 4294967295],
    ['UInt64', 8, 11, 0xffffffffffffffffn, 18446744073709551615n],
    ['Float', 9, 12, new Float(0.5), 0.5],
    ['Double', 10, 13, new Double(0.1), 0.1],
    ['Boolean', 11, 14, true, true],
    ['String', 12, 15, 'grün', 'grün'],
    ['DateTime', 13, 11, 1486144502122n, 1486144502122],
    ['Bytes', 17, 16, Uint8Array.of(0, 1), Uint8Array.of(0, 1)],
    ['Int8Array', 22, 16, Uint8Array.of(0xff, 1), [-1, 1]],
    ['Int16Array', 23, 16, Uint8Array.of(0x30, 0x8a, 0x7b, 0x79), [-30160, 31099]],
    ['Int32Array', 24, 16, Uint8Array.of(0xff, 0xff, 0xff, 0xff), [-1]],
    ['Int64Array', 25, 16, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), [-1]],
    ['UInt8Array', 26, 16, Uint8Array.of(23, 250), [23, 250]],
    ['UInt16Array', 27, 16, Uint8Array.of(0x1e, 0x00), [30]],
    ['UInt32Array', 28, 16, Uint8Array.of(0x34, 0, 0, 0x80), [2147483700]],
    ['FloatArray', 30, 16, Uint8Array.of(0, 0, 0, 0x3f), [0.5]],
    ['DoubleArray', 31, 16, Uint8Array.of(0, 0, 0, 0, 0, 0, 0xe0, 0x3f), [0.5]],
    [
      'BooleanArray',
      32,
      16,
      Uint8Array.of(12, 0, 0, 0, 0x34, 0xd0),
      [false, false, true, true, false, true, false, false, true, true, false, true],
    ],
    ['StringArray', 33, 16, new TextEncoder().encode('ABC\0hello\0'), ['ABC', 'hello']],
    ['DateTimeArray', 34, 16, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), [1]],
    ['an array of the wrong length', 24, 16, Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 3)],
  ] as const)('%s has its value', (_, datatype, field, value, expected) => {
    expect(metricValue(datatype, field, value)).toEqual(expected);
  });

  it('shows data sets by rows, each value as its column means it', () => {
    const element = (field: number, value: Written[number][1]) => [1, message([[field, value]])] as const;
    const row = (number: number, name: string) => message([element(1, number), element(6, name), [1, message([])]]);
    const dataSet = message([
      [1, 3],
      [2, 'n'],
      [2, 'name'],
      [2, 'x'],
      [3, 1],
      [3, 12],
      [3, 9],
      [4, row(255, 'a')],
      [4, row(2, 'b')],
    ]);
    const { text } = decode([
      [
        2,
        message([
          [4, 16],
          [17, dataSet],
        ]),
      ],
    ]);
    expect(text).toBe(
      '{"metrics": [{"datatype": "DataSet", "value": {"num_of_columns": 3, "columns": ["n", "name", "x"], ' +
        '"types": ["Int8", "String", "Float"], "rows": [[-1, "a", null], [2, "b", null]]}}]}',
    );
  });

  it('shows templates with their metrics and parameters', () => {
    const parameter = message([
      [1, 'p'],
      [2, 1],
      [3, 0xff],
    ]);
    const template = message([
      [1, 'v1'],
      [
        2,
        message([
          [1, 'm'],
          [4, 3],
          [10, 5],
        ]),
      ],
      [3, parameter],
      [4, 'ref'],
      [5, true],
    ]);
    const { value } = decode([
      [
        2,
        message([
          [4, 19],
          [18, template],
        ]),
      ],
    ]);
    expect(value).toEqual({
      metrics: [
        {
          datatype: 'Template',
          value: {
            version: 'v1',
            metrics: [{ name: 'm', datatype: 'Int32', value: 5 }],
            parameters: [{ name: 'p', type: 'Int8', value: -1 }],
            template_ref: 'ref',
            is_definition: true,
          },
        },
      ],
    });
  });

  it('shows property sets in property sets and lists of them', () => {
    const inner = message([
      [1, 'low'],
      [
        2,
        message([
          [1, 9],
          [5, new Float(0.5)],
        ]),
      ],
    ]);
    const list = message([
      [1, inner],
      [1, inner],
    ]);
    const properties = message([
      [1, 'set'],
      [1, 'list'],
      [
        2,
        message([
          [1, 20],
          [9, inner],
        ]),
      ],
      [
        2,
        message([
          [1, 21],
          [10, list],
        ]),
      ],
    ]);
    const { value } = decode([[2, message([[9, properties]])]]);
    expect(value).toEqual({ metrics: [{ properties: { set: { low: 0.5 }, list: [{ low: 0.5 }, { low: 0.5 }] } }] });
  });

  it('shows extensions by their number', () => {
    expect(
      decode([
        [3, 1],
        [9, 'x'],
        [10, 5],
      ]).text,
    ).toBe(`{"seq": 1, "field 9": h'78', "field 10": 5}`);
  });

  it('shows an empty payload as empty text', () => {
    expect(decodePayload(new Uint8Array(0), { topic })).toMatchObject({ format: 'text', text: '', problem: undefined });
  });

  it.each([
    [
      'cut in a field',
      message([[4, 'abcdef']]).subarray(0, 4),
      'no Protocol Buffers message: field 4 of 6, but 2 bytes left, at byte 0',
    ],
    [
      'cut in a number',
      Uint8Array.of(8, 0x80),
      'no Protocol Buffers message: it ends in the middle of a number, at byte 1',
    ],
    [
      'a number without end',
      new Uint8Array(20).fill(0x80),
      'no Protocol Buffers message: a number of more than ten bytes, at byte 0',
    ],
    ['a group', Uint8Array.of(0x0b), 'no Protocol Buffers message: field 1 of the wire type 3, at byte 0'],
    ['the field 0', Uint8Array.of(0x02, 0), 'no Protocol Buffers message: a field with the tag 2, at byte 0'],
    ['text where a number should be', message([[1, 'x']]), 'no Sparkplug B: timestamp of the wire type 2, at byte 0'],
    [
      'a name that is no UTF-8',
      message([[2, message([[1, Uint8Array.of(0x61, 0xff)]])]]),
      'no Sparkplug B: name that is not UTF-8, at byte 5',
    ],
  ])('says what is wrong: %s', (_, bytes, problem) => {
    const decoded = decodePayload(bytes, { topic });
    expect(decoded.problem?.message).toBe(problem);
    expect(decoded.problem?.offset).toBe(Number(/\d+$/.exec(problem)![0]));
    expect(decoded.format).not.toBe('sparkplug');
  });
});
