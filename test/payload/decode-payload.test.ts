import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePayload } from '../../src/payload/decode-payload.ts';
import { type PayloadFormat, payloadFormats } from '../../src/payload/payload-format.ts';
import type { PayloadNode } from '../../src/payload/payload-node.ts';
import { utf8FaultAt } from '../../src/payload/payload-text.ts';
import { encodeCbor, encodeMessagePack, plainValues } from './encoders.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const bytesOf = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));

describe('what a payload is taken for', () => {
  it.each<[title: string, bytes: Uint8Array, format: PayloadFormat, text: string]>([
    ['nothing', new Uint8Array(0), 'text', ''],
    ['a number', utf8('21.5'), 'text', '21.5'],
    ['a word', utf8('true'), 'text', 'true'],
    ['text in quotation marks', utf8('"a"'), 'text', '"a"'],
    ['text with umlauts', utf8('Grüße'), 'text', 'Grüße'],
    ['lines', utf8('a\tb\r\nc'), 'text', 'a\\tb\\r\\nc'],
    ['text with colours', utf8('\x1b[31mred'), 'text', '\\u001b[31mred'],
    ['text that turns around', utf8('a\u202eb\u2028c\u0085'), 'text', 'a\\u202eb\\u2028c\\u0085'],
    ['an object', utf8(' {"a": [1, 2.50, "x\\ny"], "b": {}} '), 'json', '{"a":[1,2.50,"x\\ny"],"b":{}}'],
    ['an array', utf8('[]'), 'json', '[]'],
    ['an object after a byte order mark', utf8('\ufeff{"a":1}'), 'json', '{"a":1}'],
    ['what begins like an object', utf8('{"a":1'), 'text', '{"a":1'],
    ['a bracket', utf8('[INFO] started'), 'text', '[INFO] started'],
    ['a control character', Uint8Array.of(0x41, 0x01), 'hex', '4101'],
    ['a zero behind text', utf8('21.5\0'), 'hex', '32312e3500'],
    ['Latin-1', Uint8Array.of(0x47, 0x72, 0xfc, 0xdf), 'hex', '4772fcdf'],
    ['a float', Uint8Array.of(0x41, 0xac, 0, 0), 'hex', '41ac0000'],
    ['CBOR that says so', bytesOf('d9d9f7820102'), 'cbor', '55799([1, 2])'],
    ['an object in CBOR', bytesOf('a26474656d70fb40358000000000006268750a'), 'cbor', '{"temp": 21.5, "hu": 10}'],
    [
      'an object in MessagePack',
      bytesOf('82a474656d70cb4035800000000000a268750a'),
      'msgpack',
      '{"temp": 21.5, "hu": 10}',
    ],
    ['an array in CBOR', bytesOf('82010a'), 'hex', '82010a'],
    ['an object whose keys are numbers', bytesOf('a10102'), 'hex', 'a10102'],
  ])('%s', (_, bytes, format, text) => {
    expect(decodePayload(bytes)).toMatchObject({ format, text, problem: undefined, isCut: false });
  });

  it.each<[contentType: string, hex: string, format: PayloadFormat]>([
    ['application/json', '31', 'json'],
    ['application/json; charset=utf-8', '31', 'json'],
    ['Application/SenML+JSON', '31', 'json'],
    ['text/json', '31', 'json'],
    ['application/cbor', '01', 'cbor'],
    ['application/senml+cbor', '820102', 'cbor'],
    ['application/msgpack', '01', 'msgpack'],
    ['application/x-msgpack', '01', 'msgpack'],
    ['application/vnd.msgpack', '01', 'msgpack'],
    ['text/plain', '7b7d', 'text'],
    ['text/csv', '41', 'text'],
    ['application/octet-stream', '7b7d', 'json'],
    ['', '7b7d', 'json'],
  ])('what the content type %j says', (contentType, hex, format) => {
    expect(decodePayload(bytesOf(hex), { contentType })).toMatchObject({ format, problem: undefined });
  });

  it('what the user says goes before what the content type and the topic say', () => {
    const options = { contentType: 'application/json', topic: 'spBv1.0/g/NDATA/e', format: 'cbor' } as const;
    expect(decodePayload(Uint8Array.of(1), options)).toMatchObject({ format: 'cbor', text: '1' });
  });

  it('text, if the Payload Format Indicator says UTF-8', () => {
    expect(decodePayload(Uint8Array.of(0x41, 1), { payloadFormat: 1 })).toMatchObject({
      format: 'text',
      text: 'A\\u0001',
      problem: undefined,
    });
    expect(decodePayload(utf8('{}'), { payloadFormat: 1 }).format).toBe('json');
    expect(decodePayload(Uint8Array.of(0x41, 0xff), { payloadFormat: 1 })).toMatchObject({
      format: 'text',
      text: 'A\ufffd',
      problem: { message: 'no UTF-8: 0xff at byte 1', offset: 1 },
    });
    expect(decodePayload(Uint8Array.of(0x41, 0xff), { payloadFormat: 0 })).toMatchObject({
      format: 'hex',
      problem: undefined,
    });
  });

  it('what it looks like, with the reason, if it is not what it was said to be', () => {
    expect(decodePayload(utf8('{"a": tru}'), { format: 'json' })).toMatchObject({
      format: 'text',
      text: '{"a": tru}',
      value: '{"a": tru}',
      problem: { message: 'no JSON: t at byte 6; expected a value', offset: 6 },
    });
    expect(decodePayload(utf8('{}'), { contentType: 'application/cbor' })).toMatchObject({
      format: 'json',
      problem: { message: 'no CBOR: number of 8, but 1 bytes left, at byte 1', offset: 1 },
    });
    expect(decodePayload(Uint8Array.of(0xff), { format: 'text' })).toMatchObject({ format: 'text', text: '\ufffd' });
  });
});

describe('JSON', () => {
  it.each([
    ['{"a":1,}', '} at byte 7; expected a name in quotation marks'],
    ['{a:1}', 'a at byte 1; expected a name in quotation marks'],
    ['[1 2]', '2 at byte 3; expected a comma or ]'],
    ['[01]', '0 at byte 1; expected a value'],
    ['[1.]', '1 at byte 1; expected a value'],
    ['[.5]', '. at byte 1; expected a value'],
    ['[NaN]', 'N at byte 1; expected a value'],
    ['["a', 'the end at byte 3; expected a quotation mark'],
    ['["\\x"]', 'x at byte 3; expected an escape of JSON'],
    ['["\\u12g4"]', 'u at byte 3; expected four hexadecimal digits'],
    ['["a\tb"]', '0x09 at byte 3; expected an escape instead of a control character'],
    ['{"a" 1}', '1 at byte 5; expected a colon'],
    ['{} x', 'x at byte 3; expected the end'],
    ['', 'the end at byte 0; expected a value'],
    ['"ü" ]', '] at byte 5; expected the end'],
  ])('%j is none: %s', (text, message) => {
    expect(decodePayload(utf8(text), { format: 'json' }).problem?.message).toBe(`no JSON: ${message}`);
  });

  it('agrees with JSON.parse on what JSON is and means', () => {
    const texts = fc.oneof(
      fc.json(),
      fc.json().map((text) => JSON.stringify(JSON.parse(text), null, 2)),
      fc.tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '\\', '0', '}', ' ')).map(([text, at, extra]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + extra + text.slice(place + 1);
      }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const { value, problem } = decodePayload(utf8(text), { format: 'json' });
        let expected: unknown;
        let isJson = true;
        try {
          expected = JSON.parse(new TextDecoder().decode(utf8(text)));
        } catch {
          isJson = false;
        }
        expect(problem === undefined).toBe(isJson);
        if (isJson) expect(value).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps numbers as they were written, and says where each value is', () => {
    const { root, text } = decodePayload(utf8('{"n": 12345678901234567890.10, "ü": "é"}'));
    expect(text).toBe('{"n":12345678901234567890.10,"ü":"é"}');
    expect(root!.children.map(({ name, start, end }) => [name, start, end])).toEqual([
      ['"n"', 6, 29],
      ['"ü"', 37, 41],
    ]);
  });

  it('has no members that change the object', () => {
    const { value } = decodePayload(utf8('{"__proto__": {"x": 1}}'));
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value as object)).toEqual(['__proto__']);
  });
});

describe('text of a payload', () => {
  it('is as long as was asked for, and ends with an ellipsis then', () => {
    expect(decodePayload(utf8('abcdef'), { charactersMax: 6 })).toMatchObject({ text: 'abcdef', isCut: false });
    expect(decodePayload(utf8('abcdefg'), { charactersMax: 6 })).toMatchObject({ text: 'abcdef…', isCut: true });
    expect(decodePayload(utf8('abcde😀'), { charactersMax: 6 })).toMatchObject({ text: 'abcde…', isCut: true });
    expect(decodePayload(Uint8Array.of(1, 2, 3, 4), { charactersMax: 6 })).toMatchObject({
      text: '010203…',
      isCut: true,
    });
    expect(decodePayload(utf8('[1,2,3,4]'), { charactersMax: 5 })).toMatchObject({
      text: '[1,2,…',
      isCut: true,
      value: [1, 2, 3, 4],
    });
    expect(decodePayload(new Uint8Array(1_000_000), { format: 'hex' }).text).toHaveLength(65_537);
  });

  it('says exactly where UTF-8 ends to be some', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const isUtf8 = (bytes: Uint8Array) => {
      try {
        strict.decode(bytes);
        return true;
      } catch {
        return false;
      }
    };
    const lead = fc.constantFrom(
      0x41,
      0x80,
      0xbf,
      0xc1,
      0xc2,
      0xdf,
      0xe0,
      0xed,
      0xef,
      0xf0,
      0xf4,
      0xf5,
      0xff,
      0x9f,
      0xa0,
      0x90,
      0x8f,
    );
    fc.assert(
      fc.property(fc.array(lead, { maxLength: 6 }), (list) => {
        const bytes = Uint8Array.from(list);
        const fault = utf8FaultAt(bytes, 0, bytes.length);
        expect(fault < 0).toBe(isUtf8(bytes));
        if (fault >= 0) expect(isUtf8(bytes.subarray(0, fault))).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('decoding', () => {
  it.each([
    ['cbor', encodeCbor],
    ['msgpack', encodeMessagePack],
  ] as const)('%s gives back what was encoded', (format, encode) => {
    fc.assert(
      fc.property(plainValues, (value) => {
        expect(decodePayload(encode(value), { format })).toMatchObject({ format, problem: undefined });
        expect(decodePayload(encode(value), { format }).value).toEqual(value);
      }),
      { numRuns: 300 },
    );
  });

  it('never throws, whatever the bytes; parts lie inside their wholes, problems inside the payload', () => {
    const structured = fc.array(
      fc.constantFrom(
        0x81,
        0x82,
        0x9f,
        0xa1,
        0xbf,
        0xff,
        0x61,
        0x41,
        0xc2,
        0xd8,
        0x18,
        0xf9,
        0x0a,
        0x12,
        0x02,
        0x7b,
        0x22,
        0x3a,
        0x5b,
        0x5d,
        0,
        1,
      ),
      { maxLength: 40 },
    );
    const arbitrary = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      structured.map((list) => Uint8Array.from(list)),
    );
    fc.assert(
      fc.property(arbitrary, fc.constantFrom('auto' as const, ...payloadFormats), (bytes, format) => {
        const { root, text, problem } = decodePayload(bytes, { format });
        if (root !== undefined) checkRanges(root, bytes.length);
        if (problem !== undefined) expect(problem.offset).toBeLessThanOrEqual(bytes.length);
        expect(text).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
      }),
      { numRuns: 5000 },
    );
  });
});

function checkRanges(node: PayloadNode, length: number): void {
  expect(node.start).toBeLessThanOrEqual(node.end);
  expect(node.end).toBeLessThanOrEqual(length);
  for (const child of node.children) {
    expect(child.start).toBeGreaterThanOrEqual(node.start);
    expect(child.end).toBeLessThanOrEqual(node.end);
    checkRanges(child, length);
  }
}
