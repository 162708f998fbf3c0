/** The reader of mosquitto.db: files of the real program, and files made byte for byte where there is no such program any more. */
import { closeSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isMosquittoDatabase } from '../../../../src/broker/persistence/mosquitto-db/mosquitto-database.ts';
import { StorageError } from '../../../../src/protocol/errors.ts';
import { startBroker } from '../../../support/broker-process.ts';
import { repositoryDirectory } from '../../../support/paths.ts';
import { describeWithPeer } from '../../../support/peers.ts';
import { property } from '../../../support/raw-packets.ts';
import { testPatienceMs } from '../../../support/suite.ts';
import { temporaryFiles } from '../../config/temporary.ts';
import { DatabaseWriter } from './database-writer.ts';
import { describeItems, readDatabase } from './items.ts';
import { fillBroker } from './scenario.ts';

const fixture = join(repositoryDirectory, 'test/fixtures/mosquitto-2.0.11.db');

/** What `fillBroker` leaves behind, as far as Mosquitto 2.0.11 keeps it: wills and Shared Subscriptions it does not. */
const filled = [
  'session away-311 user undefined for 4294967295',
  "delivery away-311 1 QoS 1 idle 0: q/one 'first' QoS 1 from publisher/meter ×2",
  `delivery away-311 2 QoS 2 idle 0: q/two 'second' QoS 2 from publisher/meter {"userProperties":[["n","2"]]} ×2`,
  "delivery away-311 3 QoS 1 idle 0: q/three 'third' QoS 1 retain expires from publisher/meter ×2",
  'session away-5 user reader for 5000000, away',
  "delivery away-5 1 QoS 1 idle 0 #77: q/one 'first' QoS 1 from publisher/meter ×2",
  `delivery away-5 2 QoS 1 idle 0 #77: q/two 'second' QoS 2 from publisher/meter {"userProperties":[["n","2"]]} ×2`,
  "delivery away-5 3 QoS 1 retain idle 0 #77: q/three 'third' QoS 1 retain expires from publisher/meter ×2",
  'session plain user undefined for 4294967295',
  // Not its own name: Mosquitto gives clients without one that of a client before them, here for the second time and in the right length.
  'session busy user reader for 4294967295',
  "inbound busy 40: in/one 'not released' QoS 2 from busy/undefined ×1",
  "inbound busy 41: in/two 'nor this' QoS 2 from busy/undefined ×1",
  "delivery busy 1 QoS 1 awaiting-puback 1 #5: b/1 'b1' QoS 1 from publisher/meter ×1",
  "delivery busy 2 QoS 2 awaiting-pubrec 2 #5: b/2 'b2' QoS 2 from publisher/meter ×1",
  "delivery busy 3 QoS 2 awaiting-pubcomp 3 #5: b/3 'b3' QoS 2 from publisher/meter ×1",
  "delivery busy 4 QoS 1 awaiting-puback 4 #5: b/4 'b4' QoS 1 from publisher/meter ×1",
  "delivery busy 5 QoS 1 idle 0 #5: b/5 'b5' QoS 1 from publisher/meter ×1",
  "delivery busy 6 QoS 2 idle 0 #5: b/6 'b6' QoS 2 from publisher/meter ×1",
  'subscription away-311 q/# QoS 2',
  'subscription away-5 q/+ QoS 1 no-local as-published #77',
  'subscription away-311 only/zero QoS 0',
  'subscription away-311 +/one QoS 1',
  'subscription busy b/# QoS 2 #5',
  "retained retained/plain 'one' QoS 0 retain from publisher/meter",
  `retained retained/properties 'two' QoS 1 retain from publisher/meter {"payloadFormatIndicator":1,"contentType":"text/plain","responseTopic":"answers/here","correlationData":"00fffe800a0d","userProperties":[["k","v"],["k","ü"]]}`,
  "retained retained/expires 'three' QoS 2 retain expires from publisher/meter",
  'retained retained/binary 00fffe800a0d QoS 1 retain from publisher/meter',
  "retained ünïcode/☃ 'snow' QoS 1 retain from publisher/meter",
  "retained q/three 'third' QoS 1 retain expires from publisher/meter",
];

describe('the database of Mosquitto, version 6', () => {
  it('is read as Mosquitto 2.0.11 wrote it', () => {
    const { items, leftOut } = readDatabase(fixture);
    expect(describeItems(items)).toEqual(filled);
    expect(leftOut).toEqual([]);
    const session = items.find((item) => item.kind === 'session' && item.session.clientIdentifier === 'away-5');
    expect(session).toMatchObject({ session: { expiresAt: 1_800_273_785_000 } });
    const message = items.find((item) => item.kind === 'retained' && item.message.topicName === 'retained/expires');
    expect(message).toMatchObject({ message: { expiresAt: 1_799_273_785_000 } });
  });

  it('is told by how it begins', () => {
    const files = temporaryFiles();
    expect(isMosquittoDatabase(fixture)).toBe(true);
    expect(isMosquittoDatabase(files.write('a', '{"kind":"header"}'))).toBe(false);
    expect(isMosquittoDatabase(files.write('b', Uint8Array.of(0, 0xb5)))).toBe(false);
  });

  it(
    'gives what is before the cut, and says at which byte it is cut off, wherever that is',
    () => {
      const whole = readFileSync(fixture);
      const path = temporaryFiles().write('cut', whole);
      const all = readDatabase(fixture).items.length;
      let clean = 0;
      for (let length = whole.length - 1; length >= 0; length--) {
        truncateSync(path, length);
        try {
          // Between two chunks nothing shows that more has been there.
          expect(readDatabase(path).items.length).toBeLessThan(all);
          clean++;
        } catch (error) {
          expect(error).toBeInstanceOf(StorageError);
          expect((error as Error).message).toMatch(
            length === 0 ? / is empty$/ : /cut off at byte \d+: |does not begin as/,
          );
        }
      }
      expect(clean).toBe(chunkCount(whole) - 1);
    },
    testPatienceMs,
  );

  it(
    'with any byte changed is read, or refused with the place',
    () => {
      const whole = readFileSync(fixture);
      const path = temporaryFiles().write('changed', whole);
      // Changed in its place: a file system takes far longer to make a file than we to read it.
      const file = openSync(path, 'r+');
      const put = (byte: number, position: number) => writeSync(file, Uint8Array.of(byte), 0, 1, position);
      let refused = 0;
      for (const [position, byte] of whole.entries()) {
        for (const flip of [0xff, 0x01]) {
          put(byte ^ flip, position);
          try {
            readDatabase(path);
          } catch (error) {
            expect(error).toBeInstanceOf(StorageError);
            refused++;
          }
        }
        put(byte, position);
      }
      closeSync(file);
      expect(readFileSync(path)).toEqual(whole);
      expect(refused).toBeGreaterThan(100);
    },
    testPatienceMs,
  );

  it('may have anything for a checksum, as Mosquitto never computes one', () => {
    const bytes = new DatabaseWriter({ version: 6, checksum: 0xdead_beef }).client({ client: 'a' }).bytes;
    const { items } = readDatabase(temporaryFiles().write('db', bytes));
    expect(describeItems(items)).toEqual(['session a user undefined for 4294967295']);
  });
});

/** Every kind of chunk, as Mosquitto 1.6 writes it: SUB and RETAIN mixed, several identifiers for one message. */
function everything(options: ConstructorParameters<typeof DatabaseWriter>[0]): Buffer {
  return new DatabaseWriter(options)
    .message({ number: 1, topic: 'q/one', payload: 'first', qos: 1, sourceClient: 'p', sourceUser: 'u' })
    .message({
      number: 2,
      topic: 'q/two',
      payload: Uint8Array.of(0xff, 0),
      qos: 2,
      retain: true,
      expiresAtSeconds: 4_000_000_000,
      sourceClient: 'p',
      properties: [property.contentType('x/y'), property.userProperty('k', 'v')],
    })
    .client({ client: 'away' })
    .delivery({ message: 1, client: 'away', qos: 1, packetIdentifier: 7, state: 3 })
    .delivery({ message: 2, client: 'away', qos: 2, packetIdentifier: 8, state: 5, retain: true })
    .delivery({ message: 2, client: 'away', qos: 2, packetIdentifier: 9, state: 9 })
    .delivery({ message: 1, client: 'away', qos: 1, state: 11, properties: [property.subscriptionIdentifier(300)] })
    .client({ client: 'soon', expiryInterval: 3600, expiresAtSeconds: 4_000_000_000 })
    .delivery({ message: 2, client: 'soon', qos: 2, packetIdentifier: 3, state: 7, direction: 'in' })
    .subscription({ client: 'away', filter: 'q/#', qos: 2, identifier: 300 })
    .retained(2)
    .subscription({ client: 'soon', filter: '+', qos: 1, options: 4 | 8 }).bytes;
}

const everythingRead = [
  'session away user undefined for 4294967295',
  "delivery away 1 QoS 1 awaiting-puback 7: q/one 'first' QoS 1 from p/u ×2",
  'delivery away 2 QoS 2 retain awaiting-pubrec 8: q/two ff00 QoS 2 retain expires from p/undefined {"contentType":"x/y","userProperties":[["k","v"]]} ×3',
  'delivery away 3 QoS 2 awaiting-pubcomp 9: q/two ff00 QoS 2 retain expires from p/undefined {"contentType":"x/y","userProperties":[["k","v"]]} ×3',
  "delivery away 4 QoS 1 idle 0 #300: q/one 'first' QoS 1 from p/u ×2",
  'session soon user undefined for 3600, away',
  'inbound soon 3: q/two ff00 QoS 2 retain expires from p/undefined {"contentType":"x/y","userProperties":[["k","v"]]} ×3',
  'subscription away q/# QoS 2 #300',
  'retained q/two ff00 QoS 2 retain expires from p/undefined {"contentType":"x/y","userProperties":[["k","v"]]}',
  'subscription soon + QoS 1 no-local as-published',
];

describe('the database of Mosquitto, as other machines and releases write it', () => {
  it.each([
    ['version 5', { version: 5 }],
    ['version 6', { version: 6 }],
    ['version 5 of a big-endian machine', { version: 5, isBigEndian: true }],
    ['version 6 of a big-endian machine', { version: 6, isBigEndian: true }],
    ['version 5 of a machine without padding', { version: 5, isPadded: false }],
    ['version 6 of a machine without padding', { version: 6, isPadded: false }],
  ])('is read: %s', (_, options) => {
    const { items, leftOut } = readDatabase(temporaryFiles().write('db', everything(options)));
    expect(describeItems(items)).toEqual(everythingRead);
    expect(leftOut).toEqual([]);
  });

  it.each([
    [
      'version 4',
      new DatabaseWriter({ version: 4 }).bytes,
      /has version 4 .* which 1\.5 and older wrote\. Start Mosquitto/,
    ],
    ['version 7', new DatabaseWriter({ version: 7 }).bytes, /has version 7 .* reads 5 and 6$/],
    ['nothing', Buffer.alloc(0), / is empty$/],
    ['other content', Buffer.from('{"kind":"header"}\n'), /is no database of Mosquitto/],
    ['a part of a header', everything({ version: 6 }).subarray(0, 20), /cut off at byte 20: it ends in its header/],
    ['no chunks', everything({ version: 6 }).subarray(0, 23), /at byte 23: its first chunk is not the configuration/],
    [
      'message numbers of four bytes',
      new DatabaseWriter({ version: 6, numberBytes: 4 }).bytes,
      /at byte 23: .*message numbers of 4 bytes; expected 8/,
    ],
    [
      'a chunk longer than the file',
      everything({ version: 6 }).subarray(0, -1),
      /cut off at byte \d+: a chunk \(subscription\) of 17 bytes where 16 are left/,
    ],
    [
      'a text longer than its chunk',
      new DatabaseWriter({ version: 6 }).chunk(5, Buffer.from('0000000000ff00010000000041', 'hex')).bytes,
      /at byte 47: .*\(subscription\) is damaged: a text of 255 bytes/,
    ],
    [
      'a chunk that is too short',
      new DatabaseWriter({ version: 6 }).chunk(6, Buffer.alloc(5)).bytes,
      /\(client\) is damaged: it has 5 bytes; expected at least 24/,
    ],
  ])('is refused: %s', (_, bytes, message) => {
    const path = temporaryFiles().write('db', bytes);
    expect(() => readDatabase(path)).toThrow(StorageError);
    expect(() => readDatabase(path)).toThrow(message);
  });

  it('is taken over but for what cannot be, and each of that is told', () => {
    const bytes = new DatabaseWriter({ version: 6 })
      .message({ number: 1, topic: 'a/#', payload: 'x', qos: 1 })
      .message({ number: 2, topic: Uint8Array.of(0x61, 0xff), payload: 'x' })
      .message({ number: 3, topic: 'good', payload: 'x', qos: 1 })
      .message({ number: 4, topic: 'bad/qos', payload: 'x', qos: 3 })
      .message({ number: 5, topic: '$SYS/broker/uptime', payload: '9' })
      .message({ number: 6, topic: 'bad/property', payload: '9', properties: [Uint8Array.of(0x11, 0, 0, 0, 1)] })
      .client({ client: '' })
      .client({ client: 'c' })
      .delivery({ message: 1, client: 'c', qos: 1, state: 11 })
      .delivery({ message: 1, client: 'c', qos: 1, state: 11 })
      .delivery({ message: 99, client: 'c', qos: 1, state: 11 })
      .delivery({ message: 3, client: 'c', qos: 1, state: 12 })
      .delivery({ message: 3, client: 'c', qos: 1, state: 3, packetIdentifier: 0 })
      .delivery({ message: 3, client: 'c', qos: 1, state: 5, packetIdentifier: 4 })
      .delivery({ message: 3, client: 'c', qos: 1, state: 7, packetIdentifier: 4, direction: 'in' })
      .delivery({ message: 3, client: 'c', qos: 1, state: 11 })
      .delivery({ message: 3, client: 'c', qos: 0, state: 1 })
      .subscription({ client: 'c', filter: 'a#' })
      .subscription({ client: 'c', filter: '$share/g' })
      .subscription({ client: 'c', filter: '$share/g/ok', qos: 1 })
      .retained(2)
      .retained(4)
      .retained(5)
      .retained(6)
      .chunk(77, Buffer.from('what'))
      .retained(3).bytes;
    const { items, leftOut } = readDatabase(temporaryFiles().write('db', bytes));
    expect(describeItems(items)).toEqual([
      'session c user undefined for 4294967295',
      "delivery c 1 QoS 1 idle 0: good 'x' QoS 1 ×6",
      "delivery c 2 QoS 0 idle 0: good 'x' QoS 1 ×6",
      'subscription c $share/g/ok (ok shared by g) QoS 1',
      "retained good 'x' QoS 1 retain",
    ]);
    expect(leftOut.map((line) => line.replace(/byte \d+/, 'byte N'))).toEqual([
      'the client at byte N: it has no Client Identifier',
      "a message 'a/#': its topic is no valid Topic Name",
      "a message for 'c': message 1, which it is, was left out",
      "a message for 'c': message 99 is not in the file; it may have expired",
      "a message for 'c': state 12 does not go with QoS 1 and packet identifier 0",
      "a message for 'c': state 3 does not go with QoS 1 and packet identifier 0",
      "a message for 'c': state 5 does not go with QoS 1 and packet identifier 4",
      "a message from 'c': state 7 does not go with QoS 1 and packet identifier 4",
      "the subscription 'a#' of 'c': it is no valid Topic Filter",
      "the subscription '$share/g' of 'c': it is no valid Topic Filter",
      'the retained message at byte N: its topic is not UTF-8',
      'the retained message at byte N: its QoS is 3',
      "the retained message '$SYS/broker/uptime': the broker makes it itself",
      expect.stringMatching(/^the retained message 'bad\/property': its properties cannot be read: Session Expiry/),
      'the chunk of type 77 at byte N: this release does not know what it is',
    ]);
  });
});

describeWithPeer('mosquitto', 'the database of Mosquitto, written here and now', () => {
  const config = 'persistence true\npersistence_location {directory}/kept/\n';

  it(
    'holds what the fixture holds',
    async () => {
      const files = temporaryFiles();
      files.write('kept/.keep', '');
      const broker = await startBroker({
        program: 'mosquitto',
        config: config.replace('{directory}', files.directory),
      });
      const clients = await fillBroker(broker.port);
      await broker.stop();
      for (const client of clients) client.destroy();
      const { items, leftOut } = readDatabase(files.path('kept/mosquitto.db'));
      expect(describeItems(items)).toEqual(filled);
      expect(leftOut).toEqual([]);
    },
    testPatienceMs,
  );

  it(
    'is the same after Mosquitto 2.0 has read version 5 as it is written here',
    async () => {
      const files = temporaryFiles();
      files.write('kept/mosquitto.db', everything({ version: 5 }));
      const broker = await startBroker({
        program: 'mosquitto',
        config: config.replace('{directory}', files.directory),
      });
      await broker.stop();
      expect(readFileSync(files.path('kept/mosquitto.db')).readUInt32BE(19)).toBe(6);
      const { items, leftOut } = readDatabase(files.path('kept/mosquitto.db'));
      // It may write things in another order.
      expect(describeItems(items).sort()).toEqual([...everythingRead].sort());
      expect(leftOut).toEqual([]);
    },
    testPatienceMs,
  );
});

function chunkCount(bytes: Buffer): number {
  let count = 0;
  for (let offset = 23; offset < bytes.length; offset += 8 + bytes.readUInt32BE(offset + 4)) count++;
  return count;
}
