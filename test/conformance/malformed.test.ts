/** Packets that are none: each ends the connection, in MQTT 5 with a DISCONNECT that says what kind of fault it was. */
import { describe, expect } from 'vitest';
import { openClient } from '../support/raw-client.ts';
import {
  join,
  packet,
  property,
  publish5,
  subscribe5,
  text,
  uint16,
  unsubscribe5,
  utf8,
} from '../support/raw-packets.ts';
import { rule, useBroker } from '../support/suite.ts';

type Row = readonly [title: string, bytes: Uint8Array | string, mosquitto?: string];

/** Malformed in every version that has the packet; the bytes are those of MQTT 3.1.1. */
const malformed311: readonly Row[] = [
  ['[MQTT311-2.2.2-2] a packet of the reserved type 0', '00 00'],
  ['[MQTT311-2.2.2-2] a packet of the reserved type 15', 'f0 00'],
  ['[MQTT311-2.2.2-1] PINGREQ with flags', 'c1 00', 'answers it'],
  ['PINGREQ with a body', 'c0 01 00', 'answers it'],
  ['[MQTT311-2.2.2-1] PUBACK with flags', '42 02 00 01', 'takes it'],
  ['[MQTT311-2.2.2-1] PUBREC with flags', '51 02 00 01', 'takes it'],
  ['[MQTT311-3.6.1-1] PUBREL with flags 0000', '60 02 00 01'],
  ['[MQTT311-3.6.1-1] PUBREL with flags 0011', '63 02 00 01'],
  ['[MQTT311-2.2.2-1] PUBCOMP with flags', '71 02 00 01', 'takes it'],
  ['[MQTT311-3.8.1-1] SUBSCRIBE with flags 0000', '80 06 00 01 00 01 61 00'],
  ['[MQTT311-3.8.1-1] SUBSCRIBE with flags 0011', '83 06 00 01 00 01 61 00'],
  ['[MQTT311-3.10.1-1] UNSUBSCRIBE with flags 0000', 'a0 05 00 01 00 01 61'],
  ['[MQTT311-2.2.2-1] DISCONNECT with flags', 'e4 00'],
  ['DISCONNECT with a body', 'e0 01 00'],
  ['a Remaining Length of five bytes', '30 80 80 80 80 01'],
  ['a Remaining Length that goes on', '30 ff ff ff ff', 'waits for a fifth byte'],
  ['CONNACK, which only a Server sends', '20 02 00 00'],
  ['SUBACK, which only a Server sends', '90 03 00 01 00', 'takes it'],
  ['UNSUBACK, which only a Server sends', 'b0 02 00 01', 'takes it'],
  ['PINGRESP, which only a Server sends', 'd0 00', 'takes it'],
  ['[MQTT311-2.3.1-1] SUBSCRIBE with identifier 0', '82 06 00 00 00 01 61 00'],
  ['[MQTT311-2.3.1-1] UNSUBSCRIBE with identifier 0', 'a2 05 00 00 00 01 61'],
  ['[MQTT311-2.3.1-1] PUBLISH at QoS 1 with identifier 0', '32 06 00 01 61 00 00 78'],
  ['PUBACK with identifier 0', '40 02 00 00'],
  ['[MQTT311-3.8.3-3] SUBSCRIBE without a filter', '82 02 00 01'],
  ['[MQTT311-3.10.3-2] UNSUBSCRIBE without a filter', 'a2 02 00 01'],
  ['[MQTT311-3.8.3-4] SUBSCRIBE with QoS 3', '82 06 00 01 00 01 61 03'],
  ['[MQTT311-3.8.3-4] SUBSCRIBE with reserved option bits', '82 06 00 01 00 01 61 04'],
  ['SUBSCRIBE whose last filter has no options', '82 05 00 01 00 01 61'],
  ['SUBSCRIBE whose filter is longer than the packet', '82 06 00 01 00 09 61 00'],
  ['SUBSCRIBE of one byte', '82 01 00'],
  ['PUBLISH of no bytes', '30 00'],
  ['PUBLISH whose topic is longer than the packet', '30 04 00 09 61 62'],
  ['PUBLISH at QoS 1 without room for an identifier', '32 03 00 01 61'],
  ['PUBACK of one byte', '40 01 00'],
  ['PUBACK with more than an identifier', '40 03 00 01 00', 'takes it'],
  ['PUBREL of no bytes', '62 00'],
  ['[MQTT311-1.5.3-1] a topic of ill-formed UTF-8', '30 05 00 03 61 c3 28'],
  ['[MQTT311-1.5.3-1] a topic with a surrogate', '30 06 00 03 ed a0 80 78'],
  ['[MQTT311-1.5.3-1] a topic with an overlong form', '30 05 00 02 c0 af 78'],
  ['[MQTT311-1.5.3-1] a topic above U+10FFFF', '30 07 00 04 f4 90 80 80 78'],
  ['[MQTT311-1.5.3-2] [MQTT311-4.7.3-2] a topic with U+0000', '30 05 00 03 61 00 62'],
  ['[MQTT311-3.8.3-1] a filter of ill-formed UTF-8', '82 07 00 01 00 02 c3 28 00'],
  ['[MQTT311-3.10.3-1] a filter to unsubscribe of ill-formed UTF-8', 'a2 06 00 01 00 02 c3 28'],
];

const alone = 'sends no DISCONNECT';
const malformed5: readonly Row[] = [
  ['[MQTT-2.1.3-1] PINGREQ with flags', 'c1 00', 'answers it'],
  ['[MQTT-2.1.3-1] PUBACK with flags', '42 02 00 01', 'takes it'],
  ['[MQTT-2.1.3-1] PUBREC with flags', '51 02 00 01', 'takes it'],
  ['[MQTT-3.6.1-1] PUBREL with flags 0000', '60 02 00 01', 'takes it'],
  ['[MQTT-2.1.3-1] PUBCOMP with flags', '71 02 00 01', 'takes it'],
  ['[MQTT-3.8.1-1] SUBSCRIBE with flags 0000', '80 07 00 01 00 00 01 61 00'],
  ['[MQTT-3.10.1-1] UNSUBSCRIBE with flags 0000', 'a0 06 00 01 00 00 01 61'],
  ['[MQTT-3.14.1-1] DISCONNECT with flags', 'e1 00', alone],
  ['[MQTT-3.15.1-1] AUTH with flags', 'f1 00', alone],
  ['a packet of the reserved type 0', '00 00'],
  ['[MQTT-1.5.5-1] a Remaining Length longer than it need be', 'c0 80 00', 'answers it'],
  ['[MQTT-1.5.5-1] a Property Length longer than it need be', '30 06 00 01 61 80 00 78'],
  ['[MQTT-1.5.5-1] a Subscription Identifier longer than it need be', '82 0a 00 01 03 0b 81 00 00 01 61 00'],
  ['a Remaining Length of five bytes', '30 80 80 80 80 01', alone],
  ['[MQTT-2.2.1-3] SUBSCRIBE with identifier 0', subscribe5(0, [['a', 0]])],
  ['[MQTT-2.2.1-3] UNSUBSCRIBE with identifier 0', unsubscribe5(0, ['a'])],
  ['[MQTT-2.2.1-3] PUBLISH at QoS 1 with identifier 0', publish5('a', 'x', { qos: 1, id: 0 })],
  ['PUBACK with identifier 0', '40 02 00 00', alone],
  ['[MQTT-3.8.3-2] SUBSCRIBE without a filter', subscribe5(1, [])],
  ['[MQTT-3.10.3-2] UNSUBSCRIBE without a filter', unsubscribe5(1, [])],
  ['SUBSCRIBE with QoS 3', subscribe5(1, [['a', 3]])],
  ['[MQTT-3.8.3-5] SUBSCRIBE with reserved option bit 6', subscribe5(1, [['a', 0x40]])],
  ['[MQTT-3.8.3-5] SUBSCRIBE with reserved option bit 7', subscribe5(1, [['a', 0x80]])],
  ['SUBSCRIBE with Retain Handling 3', subscribe5(1, [['a', 0x30]])],
  ['SUBSCRIBE with Subscription Identifier 0', subscribe5(1, [['a', 0]], [property.subscriptionIdentifier(0)])],
  [
    'SUBSCRIBE with two Subscription Identifiers',
    subscribe5(1, [['a', 0]], [property.subscriptionIdentifier(1), property.subscriptionIdentifier(2)]),
    alone,
  ],
  ['SUBSCRIBE with a property that is none of its own', subscribe5(1, [['a', 0]], [property.topicAlias(1)])],
  ['UNSUBSCRIBE with a property that is none of its own', unsubscribe5(1, ['a'], [property.contentType('x')])],
  ['an unknown property', publish5('a', 'x', { properties: [join('7f 00')] })],
  ['a property whose identifier is 0', publish5('a', 'x', { properties: [join('00 00')] })],
  ['a Property Length beyond the packet', '30 05 00 01 61 7f 78'],
  ['a property beyond the Property Length', '30 0a 00 01 61 03 03 00 05 61 62 63'],
  ['a text property cut short', '30 08 00 01 61 03 03 00 02 61'],
  ['[MQTT-3.4.2-1] PUBACK with Reason Code 0x01', '40 03 00 01 01', alone],
  ['[MQTT-3.5.2-1] PUBREC with Reason Code 0x92', '50 03 00 01 92', alone],
  ['[MQTT-3.6.2-1] PUBREL with Reason Code 0x10', '62 03 00 01 10', alone],
  ['[MQTT-3.7.2-1] PUBCOMP with Reason Code 0x80', '70 03 00 01 80', alone],
  ['DISCONNECT with an unknown Reason Code', 'e0 01 7f', 'takes it'],
  ['PUBACK with a Session Expiry Interval', '40 09 00 01 00 05 11 00 00 00 01', 'takes it'],
  ['PUBACK with bytes after its properties', '40 05 00 01 00 00 00', 'takes it'],
  ['PINGREQ with a body', 'c0 01 00', 'answers it'],
  ['CONNACK, which only a Server sends', '20 03 00 00 00', alone],
  ['SUBACK, which only a Server sends', '90 04 00 01 00 00', 'takes it'],
  ['UNSUBACK, which only a Server sends', 'b0 04 00 01 00 00', 'takes it'],
  ['PINGRESP, which only a Server sends', 'd0 00', 'takes it'],
  ['PUBLISH of no bytes', '30 00'],
  ['PUBLISH without properties', '30 03 00 01 61'],
  ['SUBSCRIBE of one byte', '82 01 00'],
  ['[MQTT-1.5.4-1] a topic of ill-formed UTF-8', packet(0x30, '00 02 c3 28', 0, text('x'))],
  ['[MQTT-1.5.4-1] a topic with a surrogate', packet(0x30, '00 03 ed a0 80', 0, text('x'))],
  ['[MQTT-1.5.4-2] [MQTT-4.7.3-2] a topic with U+0000', packet(0x30, '00 03 61 00 62', 0)],
  ['[MQTT-3.8.3-1] a filter of ill-formed UTF-8', packet(0x82, uint16(1), 0, '00 02 c3 28', 0)],
  ['[MQTT-1.5.4-2] a filter with U+0000', packet(0x82, uint16(1), 0, '00 01 00', 0)],
  ['[MQTT-3.10.3-1] a filter to unsubscribe of ill-formed UTF-8', packet(0xa2, uint16(1), 0, '00 02 c3 28')],
  ['[MQTT-1.5.7-1] a User Property with U+0000', subscribe5(1, [['a', 0]], [join(0x26, utf8('a'), '00 01 00')]), alone],
];

/** Titles lead with a statement: their own, or the one about all malformed packets. */
const withNumber = (title: string, general: string) => (title.startsWith('[') ? title : `${general} ${title}`);

describe('malformed packets', () => {
  const broker = useBroker();

  for (const [title, bytes, mosquitto] of malformed311) {
    rule(
      `${withNumber(title, '[MQTT311-4.8.0-1]')}: 3.1.1 closes`,
      async () => {
        const client = await openClient(broker.port, { version: 4 });
        client.send(bytes);
        await client.expectClosed();
      },
      mosquitto ? { mosquitto } : {},
    );
  }

  for (const [title, bytes, mosquitto] of malformed5) {
    rule(
      `${withNumber(title, '[MQTT-4.13.1-1] [MQTT-4.13.2-1]')}: 5.0 says 0x81 or 0x82 and closes`,
      async () => {
        const client = await openClient(broker.port);
        client.send(bytes);
        await client.expectRefusal(0x81, 0x82);
      },
      mosquitto ? { mosquitto } : {},
    );
  }

  for (const [title, bytes] of [
    ['a Reason Code that is the Server’s alone', 'e0 01 8d'],
    ['a Server Reference, which is the Server’s alone', 'e0 07 00 05 1c 00 02 61 62'],
  ] as const) {
    rule(`[MQTT-3.14.2-1] DISCONNECT with ${title}: closes, and need not answer a goodbye`, async () => {
      const client = await openClient(broker.port);
      client.send(bytes);
      const answer = await client.nextOrEnd();
      if (answer) expect(answer.name).toBe('DISCONNECT');
      await client.expectClosed();
    });
  }

  rule('others are not disturbed', async () => {
    const client = await openClient(broker.port);
    await client.expectNothing();
    expect(client.ending).toBeUndefined();
  });
});
