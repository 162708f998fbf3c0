import { describe, expect, it } from 'vitest';
import { TimeValue } from '../../../src/dissect/field.ts';
import { Conversations } from '../../../src/dissect/mqtt/conversations.ts';
import { connack, connect, Feed, opened, valuesOf, violationsOf } from './streams.ts';

const milliseconds = (count: number) => new TimeValue(0, count * 1_000_000);

/** CONNECT of 3.1.1 with this identifier. */
function connectAs(identifier: string, flags = '02'): string {
  const text = Buffer.from(identifier).toString('hex');
  const length = (identifier.length + 12).toString(16).padStart(2, '0');
  return `10${length} 00044d51545404 ${flags} 003c 00${identifier.length.toString(16).padStart(2, '0')} ${text}`;
}

describe('the client of a connection', () => {
  it('is named on every packet, with the frame of its CONNECT', () => {
    const feed = opened(4);
    for (const packet of [feed.client('c000'), feed.server('d000')]) {
      expect(valuesOf(packet, 'mqtt.client')).toEqual(['client']);
      expect(valuesOf(packet, 'mqtt.connect_frame')).toEqual([1]);
      expect(valuesOf(packet, 'mqtt.version')).toEqual([4]);
    }
    expect(valuesOf(feed.client('c000'), 'mqtt.direction')).toEqual(['client']);
    expect(valuesOf(feed.server('d000'), 'mqtt.direction')).toEqual(['server']);
  });

  it('has the identifier that the server assigns, from CONNACK on', () => {
    const feed = new Feed();
    const first = feed.client('100d 00044d51545405 02 003c 00 0000');
    const answer = feed.server('2009 00 00 06 12 0003 616263');
    expect(valuesOf(first, 'mqtt.client')).toEqual(['']);
    expect(valuesOf(answer, 'mqtt.client')).toEqual(['abc']);
    expect(valuesOf(feed.client('c000'), 'mqtt.client')).toEqual(['abc']);
  });
});

describe('a delivery', () => {
  it('at QoS 1 is published and complete, with the time between', () => {
    const feed = opened(4);
    const publish = feed.client('3207 0003 612f62 0007');
    const puback = feed.server('4002 0007');
    expect(valuesOf(publish, 'mqtt.qos_state')).toEqual(['published']);
    expect(valuesOf(puback, 'mqtt.qos_state')).toEqual(['complete']);
    expect(valuesOf(puback, 'mqtt.ack_to_frame')).toEqual([3]);
    expect(valuesOf(puback, 'mqtt.ack_time')).toEqual([milliseconds(1)]);
    expect(valuesOf(puback, 'mqtt.handshake_time')).toEqual([milliseconds(1)]);
  });

  it('at QoS 2 goes through received and released, each answering the one before', () => {
    const feed = opened(5);
    const packets = [
      feed.server('3408 0003 612f62 0007 00'),
      feed.client('5002 0007'),
      feed.server('6202 0007'),
      feed.client('7002 0007'),
    ];
    expect(packets.flatMap((packet) => valuesOf(packet, 'mqtt.qos_state'))).toEqual([
      'published',
      'received',
      'released',
      'complete',
    ]);
    expect(packets.map((packet) => valuesOf(packet, 'mqtt.ack_to_frame'))).toEqual([[], [3], [4], [5]]);
    expect(packets.map((packet) => valuesOf(packet, 'mqtt.publish_frame'))).toEqual([[], [3], [3], [3]]);
    expect(packets.map((packet) => valuesOf(packet, 'mqtt.handshake_time'))).toEqual([[], [], [], [milliseconds(3)]]);
    expect(packets.flatMap(violationsOf)).toEqual([]);
  });

  it('both ways with the same Packet Identifier is two', () => {
    const feed = opened(4);
    feed.client('3207 0003 612f62 0001');
    feed.server('3207 0003 632f64 0001');
    expect(valuesOf(feed.client('4002 0001'), 'mqtt.ack_to_frame')).toEqual([4]);
    expect(valuesOf(feed.server('4002 0001'), 'mqtt.ack_to_frame')).toEqual([3]);
  });

  it('may be refused, and is over then', () => {
    const feed = opened(5);
    feed.client('3408 0003 612f62 0007 00');
    const pubrec = feed.server('5003 0007 87');
    expect(valuesOf(pubrec, 'mqtt.qos_state')).toEqual(['refused']);
    const next = feed.client('3408 0003 612f62 0007 00');
    expect(valuesOf(next, 'mqtt.identifier_reused')).toEqual([]);
  });

  it('is repeated with DUP, and answered as the repetition', () => {
    const feed = opened(4);
    feed.client('3207 0003 612f62 0007');
    const again = feed.client('3a07 0003 612f62 0007');
    expect(valuesOf(again, 'mqtt.repeated')).toEqual([true]);
    expect(valuesOf(again, 'mqtt.repeats_frame')).toEqual([3]);
    const puback = feed.server('4002 0007');
    expect(valuesOf(puback, 'mqtt.ack_to_frame')).toEqual([4]);
    expect(valuesOf(puback, 'mqtt.publish_frame')).toEqual([3]);
  });

  it('with an identifier that is in use says so', () => {
    const feed = opened(5);
    feed.client('3208 0003 612f62 0007 00');
    const other = feed.client('3208 0003 632f64 0007 00');
    expect(valuesOf(other, 'mqtt.identifier_reused')).toEqual([true]);
    expect(valuesOf(other, 'mqtt.identifier_frame')).toEqual([3]);
    expect(violationsOf(other).map(({ rule }) => rule)).toEqual(['MQTT-2.2.1-3']);
    const subscribe = feed.client('8209 0007 00 0003 612f62 01');
    expect(valuesOf(subscribe, 'mqtt.identifier_frame')).toEqual([4]);
  });

  it('that nobody published is acknowledged to no frame', () => {
    const feed = opened(4);
    const puback = feed.client('4002 0009');
    expect(valuesOf(puback, 'mqtt.qos_state')).toEqual(['unknown']);
    expect(valuesOf(puback, 'mqtt.ack_to_frame')).toEqual([]);
    expect(violationsOf(puback)).toHaveLength(1);
    // What was sent before the capture began is another matter.
    expect(violationsOf(new Feed({}).client('4002 0009'))).toEqual([]);
  });

  it('is acknowledged by what its QoS asks for', () => {
    const feed = opened(4);
    feed.client('3207 0003 612f62 0007');
    expect(violationsOf(feed.server('5002 0007')).map(({ message }) => message)).toEqual([
      'The PUBLISH has another QoS than this acknowledgement is for',
    ]);
  });
});

describe('requests and answers', () => {
  it('belong together by their Packet Identifier', () => {
    const feed = opened(4);
    feed.client('8208 0001 0003 612f62 01');
    feed.client('a207 0002 0003 612f62');
    const unsuback = feed.server('b002 0002');
    const suback = feed.server('9003 0001 01');
    expect(valuesOf(unsuback, 'mqtt.ack_to_frame')).toEqual([4]);
    expect(valuesOf(suback, 'mqtt.ack_to_frame')).toEqual([3]);
    expect(valuesOf(suback, 'mqtt.qos_state')).toEqual(['answered']);
    expect(valuesOf(suback, 'mqtt.ack_time')).toEqual([milliseconds(3)]);
  });

  it('have as many codes as filters', () => {
    const feed = opened(4);
    feed.client('820e 0001 0003 612f62 01 0003 632f64 00');
    expect(violationsOf(feed.server('9003 0001 01')).map(({ rule }) => rule)).toEqual(['MQTT311-3.8.4-5']);
    feed.client('820e 0001 0003 612f62 01 0003 632f64 00');
    expect(violationsOf(feed.server('9004 0001 01 00'))).toEqual([]);
  });

  it('may come before the CONNACK', () => {
    for (const connack of ['20020000', '2009 00 00 06 12 0003 616263']) {
      const feed = new Feed();
      feed.client(connack.length > 8 ? '100d 00044d51545405 02 003c 00 0000' : connectAs('ada', '00'));
      feed.client(connack.length > 8 ? '8209 0001 00 0003 612f62 01' : '8208 0001 0003 612f62 01');
      feed.server(connack);
      const suback = feed.server(connack.length > 8 ? '9004 0001 00 01' : '9003 0001 01');
      expect(valuesOf(suback, 'mqtt.ack_to_frame')).toEqual([2]);
    }
  });

  it('of CONNECT and PINGREQ are CONNACK and PINGRESP', () => {
    const feed = new Feed();
    feed.client(connect[4]);
    expect(valuesOf(feed.server(connack[4]), 'mqtt.ack_to_frame')).toEqual([1]);
    feed.client('c000');
    feed.client('c000');
    expect(valuesOf(feed.server('d000'), 'mqtt.ack_to_frame')).toEqual([3]);
    expect(valuesOf(feed.server('d000'), 'mqtt.ack_to_frame')).toEqual([4]);
    expect(violationsOf(feed.server('d000'))).toHaveLength(1);
  });

  it('that are missing are told by the packet that ends the connection', () => {
    const feed = opened(4);
    feed.client('3207 0003 612f62 0007');
    feed.client('3207 0003 612f62 0008');
    feed.client('c000');
    feed.server('4002 0007');
    expect(valuesOf(feed.client('e000'), 'mqtt.unanswered')).toEqual([4, 5]);
  });
});

describe('topic aliases', () => {
  it('stand for the topic that they were last sent with, in their direction', () => {
    const feed = opened(5);
    feed.client('3009 0003 612f62 03 230001');
    feed.server('3009 0003 782f79 03 230001');
    const byClient = feed.client('3006 0000 03 230001');
    const byServer = feed.server('3006 0000 03 230001');
    expect(valuesOf(byClient, 'mqtt.topic')).toEqual(['a/b']);
    expect(valuesOf(byServer, 'mqtt.topic')).toEqual(['x/y']);
    expect(byClient.info()).toBe('Publish Message [a/b]');
    feed.client('3009 0003 632f64 03 230001');
    expect(valuesOf(feed.client('3006 0000 03 230001'), 'mqtt.topic')).toEqual(['c/d']);
    // Packets keep what they meant when they came.
    expect(valuesOf(byClient, 'mqtt.topic')).toEqual(['a/b']);
  });

  it('are as many as the other end allows', () => {
    const feed = new Feed();
    feed.client('1016 00044d51545405 02 003c 03 220002 0006 636c69656e74');
    feed.server('2006 00 00 03 220001');
    const rules = (packet: ReturnType<Feed['client']>) => violationsOf(packet).map(({ rule }) => rule);
    expect(rules(feed.client('3009 0003 612f62 03 230001'))).toEqual([]);
    expect(rules(feed.client('3009 0003 612f62 03 230002'))).toEqual(['MQTT-3.3.2-9']);
    expect(rules(feed.server('3009 0003 612f62 03 230002'))).toEqual([]);
    expect(rules(feed.server('3009 0003 612f62 03 230003'))).toEqual(['MQTT-3.3.2-11']);
    expect(rules(feed.client('3009 0003 612f62 03 230000'))).toEqual(['MQTT-3.3.2-8']);
  });

  it('end with the connection', () => {
    const conversations = new Conversations();
    const clock = { frames: 0 };
    opened(5, conversations, clock).client('3009 0003 612f62 03 230001');
    const packet = opened(5, conversations, clock).client('3006 0000 03 230001');
    expect(valuesOf(packet, 'mqtt.topic')).toEqual(['']);
    expect(valuesOf(packet, 'mqtt.unknown_topic_alias')).toHaveLength(1);
  });
});

describe('a Session', () => {
  it('that the client resumes goes on with its deliveries', () => {
    const conversations = new Conversations();
    const clock = { frames: 0 };
    const first = new Feed({ isFromStart: true }, conversations, clock);
    first.client(connectAs('ada', '00'));
    first.server('20020000');
    first.client('3407 0003 612f62 0007');
    first.end(0);
    const second = new Feed({ isFromStart: true }, conversations, clock);
    const again = second.client(connectAs('ada', '00'));
    expect(valuesOf(again, 'mqtt.unanswered')).toEqual([3]);
    second.server('20020100');
    const repeated = second.client('3c07 0003 612f62 0007');
    expect(valuesOf(repeated, 'mqtt.repeats_frame')).toEqual([3]);
    expect(valuesOf(second.server('5002 0007'), 'mqtt.publish_frame')).toEqual([3]);
  });

  it('of another client, or begun anew, knows nothing of them', () => {
    for (const [identifier, flags, present] of [
      ['ben', '00', '01'],
      ['ada', '02', '00'],
      ['ada', '00', '00'],
    ] as const) {
      const conversations = new Conversations();
      const clock = { frames: 0 };
      const first = new Feed({ isFromStart: true }, conversations, clock);
      first.client(connectAs('ada', '00'));
      first.client('3407 0003 612f62 0007');
      const second = new Feed({ isFromStart: true }, conversations, clock);
      second.client(connectAs(identifier, flags));
      second.server(`2002${present}00`);
      expect(valuesOf(second.client('3407 0003 632f64 0007'), 'mqtt.identifier_reused')).toEqual([]);
    }
  });

  it('is forgotten when there are too many, with its handshakes', () => {
    const conversations = new Conversations({ sessionsMax: 3, handshakesMax: 5 });
    for (let index = 0; index < 10; index++) {
      const feed = new Feed({ isFromStart: true }, conversations);
      feed.client(connectAs(`c${index}`, '00'));
      feed.server('20020100');
      for (const identifier of ['0001', '0002', '0003']) feed.client(`3207 0003 612f62 ${identifier}`);
      expect(conversations.sessionCount).toBeLessThanOrEqual(3);
      expect(conversations.handshakes.count).toBeLessThanOrEqual(5);
      // What was forgotten is not held against anybody.
      expect(violationsOf(feed.server('4002 0001'))).toEqual([]);
      expect(valuesOf(feed.server('4002 0003'), 'mqtt.qos_state')).toEqual(['complete']);
    }
  });
});

describe('the order of a connection', () => {
  const rulesOf = (feed: Feed, direction: 0 | 1, hex: string) =>
    feed.send(direction, hex).flatMap((layer) => violationsOf(layer).map(({ rule }) => rule));

  it('begins with CONNECT', () => {
    expect(rulesOf(new Feed(), 0, '3005 0003 612f62')).toEqual(['MQTT311-3.1.0-1']);
    expect(rulesOf(new Feed({}), 0, '3005 0003 612f62')).toEqual([]);
  });

  it('proves nothing once bytes are missing', () => {
    const feed = new Feed();
    feed.send(0, '3005 0003 612f62', 100);
    expect(feed.layers.flatMap(violationsOf)).toEqual([]);
  });

  it('goes on with CONNACK, and has one of each', () => {
    const feed = new Feed();
    expect(rulesOf(feed, 0, connect[5])).toEqual([]);
    expect(rulesOf(feed, 1, '3006 0003 612f62 00')).toEqual(['MQTT-3.2.0-1']);
    expect(rulesOf(feed, 1, connack[5])).toEqual([]);
    expect(rulesOf(feed, 1, connack[5])).toEqual(['MQTT-3.2.0-2']);
    expect(rulesOf(feed, 0, connect[5])).toEqual(['MQTT-3.1.0-2']);
  });

  it('ends with DISCONNECT', () => {
    const feed = opened(5);
    expect(rulesOf(feed, 0, 'e000')).toEqual([]);
    expect(rulesOf(feed, 0, 'c000')).toEqual(['MQTT-3.14.4-1']);
  });

  it('has packets of the client and packets of the server', () => {
    const feed = opened(4);
    const messages = (hex: string) => violationsOf(feed.server(hex)).map(({ message }) => message);
    expect(messages('8208 0001 0003 612f62 01')).toEqual(['A server does not send this packet']);
    expect(messages('e000')).toEqual(['A server does not send this packet']);
    expect(violationsOf(opened(5).server('e000'))).toEqual([]);
  });
});

describe('payloads', () => {
  it('are decoded by their Content Type, or by what they look like', () => {
    const feed = opened(5);
    const json = feed.client('3010 0003 612f62 00 7b2261223a5b312c325d7d'.replace('3010', '3011'));
    expect(valuesOf(json, 'mqtt.payload.format')).toEqual(['json']);
    expect(valuesOf(json, 'mqtt.payload.text')).toEqual(['{"a":[1,2]}']);
    const cbor = feed.client(
      '301c 0003 612f62 13 03 0010 6170706c69636174696f6e2f63626f72 a16161 01'.replace('301c', '301d'),
    );
    expect(valuesOf(cbor, 'mqtt.payload.format')).toEqual(['cbor']);
    expect(valuesOf(cbor, 'mqtt.payload.text')).toEqual(['{"a": 1}']);
    const bytes = feed.client('300a 0003 612f62 00 fffe0001');
    expect(valuesOf(bytes, 'mqtt.payload.format')).toEqual(['hex']);
  });

  it('are text instead of bytes where that is asked for', () => {
    const feed = new Feed({ isFromStart: true }, new Conversations({ showsMessagesAsText: true }));
    feed.client(connect[4]);
    const packet = feed.client('300a 0003 612f62 68656c6c6f');
    expect(valuesOf(packet, 'mqtt.msg_text')).toEqual(['hello']);
    expect(valuesOf(packet, 'mqtt.msg')).toEqual([]);
  });
});
