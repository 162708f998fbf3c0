import { describe, expect, it } from 'vitest';
import { Argument } from '../../../src/cli/client/argument.ts';
import type { ByteSink, PrintableMessage } from '../../../src/cli/client/byte-sink.ts';
import { compileFormat, FormatRefusal } from '../../../src/cli/client/format.ts';
import { MessagePrinter } from '../../../src/cli/client/message-printer.ts';
import { parseOptions } from '../../../src/cli/client/parse-options.ts';
import { type ClientSettings, defaultSettings } from '../../../src/cli/client/settings.ts';

class Collected implements ByteSink {
  readonly parts: Buffer[] = [];
  text(text: string): void {
    this.parts.push(Buffer.from(text));
  }
  bytes(bytes: Uint8Array): void {
    this.parts.push(Buffer.from(bytes));
  }
}

const cbor = Buffer.from('a26474656d70fb403580000000000063726177420102', 'hex');

function print(
  settings: Partial<ClientSettings>,
  message: Partial<PrintableMessage>,
): { text: string; complaints: string } {
  const sink = new Collected();
  let complaints = '';
  const printer = new MessagePrinter({ ...defaultSettings('sub'), ...settings }, sink, (text) => {
    complaints += text;
  });
  printer.print({
    topicName: 't',
    payload: cbor,
    qos: 0,
    retain: false,
    packetIdentifier: 0,
    properties: undefined,
    ...message,
  });
  return { text: Buffer.concat(sink.parts).toString(), complaints };
}

function formatted(format: string) {
  const compiled = compileFormat(format);
  if (compiled instanceof FormatRefusal) throw new Error(compiled.text);
  return compiled;
}

describe('--decode', () => {
  it('prints what a payload says, plainly, with its topic, and for %p', () => {
    const expected = `{"temp": 21.5, "raw": h'0102'}`;
    expect(print({ decode: 'cbor' }, {}).text).toBe(`${expected}\n`);
    expect(print({ decode: 'auto', isVerbose: true }, {}).text).toBe(`t ${expected}\n`);
    expect(print({ decode: 'auto', format: formatted('<%p> %l') }, {}).text).toBe(`<${expected}> 22\n`);
    expect(print({ decode: 'auto', format: formatted('%10p|') }, {}).text).toBe('{"temp": 2|\n');
  });

  it('goes by the Content Type, the Payload Format Indicator and the topic', () => {
    const payload = Uint8Array.of(1);
    expect(print({ decode: 'auto' }, { payload, properties: { contentType: 'application/cbor' } }).text).toBe('1\n');
    expect(print({ decode: 'auto' }, { payload, properties: { payloadFormatIndicator: 1 } }).text).toBe('\\u0001\n');
    expect(print({ decode: 'auto' }, { payload: Uint8Array.of(0x18, 7), topicName: 'spBv1.0/g/NDATA/e' }).text).toBe(
      '{"seq": 7}\n',
    );
    expect(print({ decode: 'auto' }, { payload }).text).toBe('01\n');
  });

  it('warns of what is not what it was asked to be, and prints it all the same', () => {
    expect(print({ decode: 'json' }, { payload: Buffer.from('{"a":\n') })).toEqual({
      text: '{"a":\\n\n',
      complaints:
        'Warning: Message payload on topic t printed as text: no JSON: the end at byte 6; expected a value.\n',
    });
  });

  it('leaves empty payloads and other conversions alone', () => {
    expect(print({ decode: 'hex' }, { payload: Buffer.alloc(0) }).text).toBe('');
    expect(print({ decode: 'hex', isVerbose: true }, { payload: Buffer.alloc(0) }).text).toBe('t (null)\n');
    expect(print({ decode: 'text', format: formatted('%x') }, { payload: Buffer.from('A') }).text).toBe('41\n');
  });

  it('wants a format that there is', () => {
    const parse = (...words: string[]) =>
      parseOptions(
        'sub',
        words.map((word) => new Argument(Buffer.from(word))),
        {},
      );
    expect(parse('-t', 'a', '--decode', 'yaml')).toMatchObject({
      text: 'Error: --decode must be one of auto, text, json, cbor, msgpack, sparkplug, hex.\n\n',
    });
    expect(parse('-t', 'a', '--decode', 'msgpack')).toMatchObject({ settings: { decode: 'msgpack' } });
  });
});
