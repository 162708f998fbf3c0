import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ByteSink, PrintableMessage } from '../../../src/cli/client/byte-sink.ts';
import { compileFormat, FormatRefusal } from '../../../src/cli/client/format.ts';
import { fieldWidthMax } from '../../../src/cli/client/format-field.ts';
import type { LocalTime } from '../../../src/cli/client/local-time.ts';

/** Gathers what is written. */
class Collected implements ByteSink {
  readonly #chunks: Buffer[] = [];
  text(text: string): void {
    this.#chunks.push(Buffer.from(text));
  }
  bytes(bytes: Uint8Array): void {
    this.#chunks.push(Buffer.from(bytes));
  }
  toString(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}

const time: LocalTime = { date: new Date(1_700_000_000_123), epochSeconds: 1_700_000_000, nanoseconds: 123_000_789 };

const plain: PrintableMessage = {
  topicName: 'a/b',
  payload: Buffer.from('hello'),
  qos: 0,
  retain: false,
  packetIdentifier: 0,
  properties: undefined,
};

function print(format: string, message: Partial<PrintableMessage> = {}): { text: string; complaints: string } {
  const compiled = compileFormat(format);
  if (compiled instanceof FormatRefusal) throw new Error(compiled.text);
  const sink = new Collected();
  let complaints = '';
  const complain = (text: string): void => {
    complaints += text;
  };
  compiled({ sink, message: { ...plain, ...message }, time, isPretty: false, complain });
  return { text: String(sink), complaints };
}

describe('-F', () => {
  it.each([
    ['%.2x', '68 65 6c 6c 6f'],
    ['%.2:x', '68:65:6c:6c:6f'],
    ['%.4-X', '6865-6C6C-6F'],
    ['%.3x', '686 56c 6c6 f'],
    ['%.x', '68656c6c6f'],
    ['%.0x', '68656c6c6f'],
    ['%14.2x', '      68 65 6c 6c 6f'],
    ['%014.2x', '00 00 68 65 6c 6c 6f'],
    ['%-14.2x|', '68 65 6c 6c 6f    |'],
    ['%2.2x', '68 65'],
    ['%.2 x', '68 65 6c 6c 6f'],
    ['%.2;p', null],
    ['%.2x:', '68 65 6c 6c 6f:'],
  ])('groups hexadecimal digits as release 2.1 does: %s', (format, expected) => {
    if (expected === null) expect(compileFormat(format)).toBeInstanceOf(FormatRefusal);
    else expect(print(format).text).toBe(expected);
  });

  it('prints payloads as floating-point numbers', () => {
    const double = Buffer.alloc(8);
    double.writeDoubleLE(-1234.5678);
    const float = Buffer.alloc(4);
    float.writeFloatLE(0.5);
    expect(print('%d|%.2d|%12.1d|%-12.1d|%012.1d|%.0d', { payload: double }).text).toBe(
      '-1234.567800|-1234.57|     -1234.6|-1234.6     |-000001234.6|-1235',
    );
    expect(print('%f|%.1f|%5.1f', { payload: float }).text).toBe('0.500000|0.5|  0.5');
    double.writeDoubleLE(1e23);
    expect(print('%.1d', { payload: double }).text).toBe('99999999999999991611392.0');
    for (const [value, text] of [
      [Number.NaN, 'nan'],
      [Number.POSITIVE_INFINITY, 'inf'],
      [Number.NEGATIVE_INFINITY, '-inf'],
      [-0, '-0.000000'],
    ] as const) {
      double.writeDoubleLE(value);
      expect(print('%d', { payload: double }).text).toBe(text);
    }
    expect(print('<%f>')).toEqual({
      text: '<>',
      complaints: 'Error: requested float printing, but non-float data received on topic a/b.\n',
    });
    expect(print('<%d>').complaints).toMatch(/double/);
  });

  it('counts widths in bytes of UTF-8', () => {
    expect(print('%5t|%-5t|%.3t|', { topicName: 'é' }).text).toBe('   é|é   |é|');
  });

  it('prints big numbers without a sign', () => {
    expect(
      print('%E|%S', {
        properties: { messageExpiryInterval: 4_294_967_295, subscriptionIdentifiers: [268_435_455, 2] },
      }).text,
    ).toBe('4294967295|268435455');
  });

  it('refuses a width that nobody can want', () => {
    expect(print(`%${fieldWidthMax}t`).text.length).toBe(fieldWidthMax);
    for (const format of [`%${fieldWidthMax + 1}t`, '%99999999999p', '%.99999999t']) {
      expect(compileFormat(format)).toMatchObject({ text: expect.stringMatching(/too large/) });
    }
  });

  it('has one time for all of a message', () => {
    expect(print('%U|@s.@N').text).toBe('1700000000.123000789|1700000000.123000789');
  });

  it('takes or refuses any string, and what it takes it can print', () => {
    const alphabet = fc.constantFrom(...'%@\\-0123459.ACDEFIjJlmPpqRrStUxXdfaenrtvN:é😀 ');
    fc.assert(
      fc.property(fc.string({ unit: alphabet, maxLength: 12 }), fc.uint8Array({ maxLength: 20 }), (format, payload) => {
        const compiled = compileFormat(format);
        if (compiled instanceof FormatRefusal) expect(compiled.text).toMatch(/^Error: .*\n$/);
        else print(format, { payload });
      }),
    );
  });
});
