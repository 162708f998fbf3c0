/** Items as lines of an export, and back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Message, type MessageProperties } from '../../../src/broker/message.ts';
import type { StoredItem } from '../../../src/broker/persistence/stored-item.ts';
import { ExportFileError, itemsOfExport, linesOf } from '../../../src/cli/store/export-lines.ts';
import { endLine, headerLine, itemLine } from '../../../src/cli/store/item-to-json.ts';
import { isTopicFilter, isTopicName, parseSharedFilter } from '../../../src/protocol/topics.ts';
import { sampleItems } from './sample-items.ts';

async function* pieces(text: string | Uint8Array, size: number): AsyncIterableIterator<Uint8Array> {
  const bytes = Buffer.from(text as string);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function read(text: string | Uint8Array, size = 1000): Promise<{ items: StoredItem[]; warnings: string[] }> {
  const warnings: string[] = [];
  const items: StoredItem[] = [];
  for await (const item of itemsOfExport(linesOf(pieces(text, size), 'f'), 'f', (warning) => warnings.push(warning))) {
    items.push(item);
  }
  return { items, warnings };
}

const header = headerLine('test', 0);
const wrap = (...lines: readonly string[]) => `${header}${lines.join('\n')}\n${endLine({})}`;

/** By content: bytes of any class are digits, messages are what is in them, and what is undefined is not there. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const { topicName, payload, qos, retain, properties, expiresAt, publisher } = value as Message;
  const content =
    value instanceof Message ? { topicName, payload, qos, retain, properties, expiresAt, publisher } : value;
  const entries = Object.entries(content).filter(([, member]) => member !== undefined);
  return Object.fromEntries(entries.map(([key, member]) => [key, plain(member)]));
}

describe('the lines of an export', () => {
  it('give every kind of item back as it was, however the bytes come', async () => {
    const text = header + sampleItems.map(itemLine).join('') + endLine({});
    for (const size of [1, 7, 100_000]) expect(plain((await read(text, size)).items)).toEqual(plain(sampleItems));
  });

  it('give any message, subscription and session back as it was', async () => {
    const unicode = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !text.includes('\0'));
    const topic = unicode.filter(isTopicName);
    const time = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 8.64e15 + 1000 }));
    const qos = fc.constantFrom(0, 1, 2) as fc.Arbitrary<0 | 1 | 2>;
    const properties = fc.option(
      fc.record(
        {
          payloadFormatIndicator: fc.constantFrom(0, 1),
          contentType: unicode,
          responseTopic: topic,
          correlationData: fc.uint8Array({ maxLength: 20 }),
          userProperties: fc.array(fc.tuple(unicode, unicode), { minLength: 1, maxLength: 3 }),
        },
        { requiredKeys: ['contentType'] },
      ) as fc.Arbitrary<MessageProperties>,
      { nil: undefined },
    );
    const publisher = fc.option(
      fc.record({
        clientIdentifier: unicode,
        username: fc.option(unicode, { nil: undefined }),
        listenerIndex: fc.integer({ min: 0, max: 65_535 }),
      }),
      { nil: undefined },
    );
    const message = fc
      .tuple(topic, fc.uint8Array({ maxLength: 40 }), qos, fc.boolean(), properties, time, publisher)
      .map((fields) => new Message(...fields));
    const client = unicode.filter((text) => text !== '');
    const item: fc.Arbitrary<StoredItem> = fc.oneof(
      message.map((one): StoredItem => ({ kind: 'retained', message: one })),
      fc.tuple(message, fc.nat()).map(([one, number]): StoredItem => {
        return { kind: 'message', number, references: number + 1, message: one };
      }),
      fc
        .tuple(
          client,
          unicode.filter((text) => isTopicFilter(text) && parseSharedFilter(text) === undefined),
          qos,
          fc.boolean(),
        )
        .map(([clientIdentifier, filter, subscriptionQos, noLocal]): StoredItem => {
          const rest = { shareName: '', qos: subscriptionQos, noLocal, retainAsPublished: !noLocal, identifier: 0 };
          return {
            kind: 'subscription',
            clientIdentifier,
            subscription: { requestedFilter: filter, topicFilter: filter, ...rest },
          };
        }),
      fc
        .tuple(client, time, fc.integer({ min: 0, max: 0xffff_ffff }))
        .map(([clientIdentifier, expiresAt, expiryInterval]): StoredItem => {
          const rest = { username: undefined, listenerIndex: 0, will: undefined, willDueAt: 0 };
          return { kind: 'session', session: { clientIdentifier, expiresAt, expiryInterval, ...rest } };
        }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 5 }), fc.integer({ min: 1, max: 200 }), async (items, size) => {
        expect(plain((await read(header + items.map(itemLine).join('') + endLine({}), size)).items)).toEqual(
          plain(items),
        );
      }),
      { numRuns: 200 },
    );
  });

  it('say in words what is text, and leave that out where it is not, or long', () => {
    const lineOf = (payload: Uint8Array) => {
      const message = new Message('t', payload, 0, true, undefined, 0, undefined);
      return JSON.parse(itemLine({ kind: 'retained', message })) as { payload: string; text?: string };
    };
    expect(lineOf(Buffer.from('grün'))).toMatchObject({ payload: 'Z3LDvG4=', text: 'grün' });
    expect(lineOf(Uint8Array.of(0xff))).toEqual(expect.not.objectContaining({ text: expect.anything() }));
    expect(lineOf(Buffer.alloc(65_536, 'a')).text).toHaveLength(65_536);
    expect(lineOf(Buffer.alloc(65_537, 'a')).text).toBeUndefined();
  });

  it('may give a payload as text alone, and need not be complete where the rest is clear', async () => {
    const { items } = await read(
      wrap(
        '',
        '{"kind":"retained","topicName":"t","qos":0,"text":"by hand"}',
        '{"kind":"subscription","clientIdentifier":"c","requestedFilter":"$share/g/a/+","qos":1}',
      ),
    );
    expect(items[0]).toMatchObject({ kind: 'retained', message: { topicName: 't', payload: Buffer.from('by hand') } });
    expect(items[1]).toMatchObject({
      subscription: {
        requestedFilter: '$share/g/a/+',
        topicFilter: 'a/+',
        shareName: 'g',
        noLocal: false,
        identifier: 0,
      },
    });
  });

  it('warn if there are more or fewer than the end says', async () => {
    const { warnings } = await read(
      `${header}${itemLine(sampleItems.at(-1) as StoredItem)}${endLine({ retained: 2, session: 1 })}`,
    );
    expect(warnings).toEqual([
      "f: 1 lines of kind 'retained' where its end says 2",
      "f: 0 lines of kind 'session' where its end says 1",
    ]);
  });

  const delivery = '"kind":"delivery","clientIdentifier":"c","position":1,"message":1';
  it.each([
    ['', 'f is empty'],
    ['\n\n', 'f is empty'],
    [header, 'f is cut off: after line 1 the end is missing'],
    [header + itemLine(sampleItems[0] as StoredItem).slice(0, 30), 'f, line 2: it is no JSON: '],
    ['[]\n', 'f, line 1: the line is no object'],
    ['{"kind":"session"}\n', "f, line 1: it is of kind 'session'; expected the header"],
    ['{"kind":"header","format":"x","version":1}\n', "f, line 1: format 'x'; expected 'clearwing store'"],
    ['{"kind":"header","format":"clearwing store","version":2}\n', 'f, line 1: version 2 of the export format; '],
    [wrap('{"kind":"what"}'), "f, line 2: lines of kind 'what' are not known"],
    [wrap('{"topicName":"t"}'), 'f, line 2: kind is missing; expected a text'],
    [`${wrap()}{"kind":"end"}\n`, 'f, line 4: it stands behind the end'],
    [Buffer.from(`${header}{"kind":"\xff"}\n`, 'latin1'), 'f, line 2: it is not UTF-8'],
    [wrap('{"kind":"retained","topicName":"a/#","qos":0}'), "f, line 2: topicName 'a/#' is no valid Topic Name"],
    [wrap('{"kind":"retained","topicName":"t","qos":3}'), 'f, line 2: qos is 3; expected a whole number from 0 to 2'],
    [wrap('{"kind":"retained","topicName":"t","qos":0,"payload":"?"}'), 'f, line 2: payload is no base64'],
    [
      wrap('{"kind":"retained","topicName":"t","qos":0,"payload":"YQ==","text":"b"}'),
      'f, line 2: payload and text differ',
    ],
    [wrap('{"kind":"retained","topicName":"t","qos":0,"colour":1}'), 'f, line 2: colour is not known here'],
    [
      wrap('{"kind":"retained","topicName":"t","qos":0,"expiresAt":"soon"}'),
      'f, line 2: expiresAt is "soon"; expected a time',
    ],
    [
      wrap('{"kind":"retained","topicName":"t","qos":0,"properties":{"topicAlias":1}}'),
      'properties.topicAlias is not known',
    ],
    [
      wrap('{"kind":"retained","topicName":"t","qos":0,"properties":{"__proto__":1}}'),
      'properties.__proto__ is not known',
    ],
    [
      wrap('{"kind":"retained","topicName":"t","qos":0,"properties":{"contentType":5}}'),
      'properties.contentType is 5, ',
    ],
    [wrap('{"kind":"retained","topicName":"t","qos":0,"properties":{"payloadFormatIndicator":2}}'), 'expected 0–1'],
    [
      wrap('{"kind":"retained","topicName":"t","qos":0,"properties":{"userProperties":[["a"]]}}'),
      'properties.userProperties is ["a"]',
    ],
    [
      wrap('{"kind":"retained","topicName":"t","qos":0,"properties":{"responseTopic":"+"}}'),
      'properties.responseTopic is "+"',
    ],
    [wrap('{"kind":"retained","topicName":"\\ud800","qos":0}'), 'topicName has half a surrogate pair in it'],
    [wrap('{"kind":"session","clientIdentifier":"","expiryInterval":1}'), 'clientIdentifier is empty'],
    [
      wrap('{"kind":"session","clientIdentifier":"c"}'),
      'expiryInterval is missing; expected a whole number from 0 to 4294967295',
    ],
    [wrap('{"kind":"session","clientIdentifier":"c","expiryInterval":1,"willDueAt":5}'), 'willDueAt without a will'],
    [
      wrap('{"kind":"session","clientIdentifier":"c","expiryInterval":1,"will":{"topicName":"t"}}'),
      'will.qos is missing',
    ],
    [
      wrap('{"kind":"subscription","clientIdentifier":"c","requestedFilter":"a#","qos":0}'),
      "requestedFilter 'a#' is no valid",
    ],
    [
      wrap('{"kind":"subscription","clientIdentifier":"c","requestedFilter":"a","shareName":"g","qos":0}'),
      "shareName 'g' is not",
    ],
    [wrap(`{${delivery},"qos":1,"state":"lost"}`), "state 'lost'; expected queued, awaiting-puback"],
    [wrap(`{${delivery},"qos":2,"state":"awaiting-puback","packetIdentifier":1}`), 'does not go with QoS 2'],
    [
      wrap(`{${delivery},"qos":1,"state":"queued","packetIdentifier":1}`),
      'packetIdentifier is 1; expected a whole number from 0 to 0',
    ],
    [
      wrap(`{${delivery},"qos":1,"state":"awaiting-puback"}`),
      'packetIdentifier is 0; expected a whole number from 1 to 65535',
    ],
    [
      wrap(`{${delivery},"qos":1,"state":"queued","subscriptionIdentifiers":[0]}`),
      'subscriptionIdentifiers has 0 in it',
    ],
  ])('are refused with their number: %j', async (text, expected) => {
    await expect(read(text)).rejects.toThrow(ExportFileError);
    await expect(read(text)).rejects.toThrow(expected);
  });
});
