import { describe, expect, it } from 'vitest';
import {
  disconnect,
  hex,
  property,
  puback,
  pubcomp,
  publish,
  publish5,
  pubrec,
  pubrel,
} from '../../support/raw-packets.ts';
import { Scene } from './scene.ts';

const pairs = ['in_frame', 'publisher', 'receiver', 'out_frame', 'way'] as const;

describe('a PUBLISH into the broker', () => {
  it('is paired with every PUBLISH out that it led to, with QoS, filter and latency', () => {
    const scene = new Scene();
    const first = scene.client('first').subscribe([['a/+', 1]]);
    const second = scene.client('second').subscribe([['a/b', 0]]);
    const publisher = scene.client('publisher');
    publisher.client(publish('a/b', 'x', { qos: 1, id: 7 }));
    const frame = scene.frames.length;
    second.server(publish('a/b', 'x'));
    first.server(publish('a/b', 'x', { qos: 1, id: 3 }));
    expect(
      scene.table('deliveries', [...pairs, 'in_qos', 'out_qos', 'in_id', 'out_id', 'latency', 'filters', 'wildcards']),
    ).toEqual([
      {
        in_frame: frame,
        publisher: 'publisher',
        receiver: 'second',
        out_frame: frame + 1,
        way: 'live',
        in_qos: 1,
        out_qos: 0,
        in_id: 7,
        out_id: undefined,
        latency: 0.001,
        filters: ['a/b'],
        wildcards: ['none'],
      },
      {
        in_frame: frame,
        publisher: 'publisher',
        receiver: 'first',
        out_frame: frame + 2,
        way: 'live',
        in_qos: 1,
        out_qos: 1,
        in_id: 7,
        out_id: 3,
        latency: 0.002,
        filters: ['a/+'],
        wildcards: ['single'],
      },
    ]);
  });

  it('is told from others with the same payload by their order', () => {
    const scene = new Scene();
    const one = scene.client('one').subscribe([['lamp', 0]]);
    const two = scene.client('two').subscribe([['#', 0]]);
    const publisher = scene.client('publisher');
    const first = scene.frames.length + 1;
    for (const payload of ['on', 'off', 'on', 'on']) publisher.client(publish('lamp', payload));
    for (const payload of ['on', 'off', 'on', 'on']) one.server(publish('lamp', payload));
    // The first one did not come to this client.
    for (const payload of ['off', 'on', 'on']) two.server(publish('lamp', payload));
    expect(scene.table('deliveries', ['in_frame'], { where: 'receiver == "one"' })).toEqual(
      [0, 1, 2, 3].map((index) => ({ in_frame: first + index })),
    );
    expect(scene.table('deliveries', ['in_frame'], { where: 'receiver == "two"' })).toEqual(
      [1, 2, 3].map((index) => ({ in_frame: first + index })),
    );
  });

  it('goes to one member of a shared subscription', () => {
    const scene = new Scene();
    const members = ['a', 'b'].map((name) => scene.client(name, { version: 5 }));
    for (const member of members) {
      member.client(hex('82 13 0001 00 000d 247368617265 2f 67 2f 6c616d70 00')).server(hex('90 04 0001 00 00'));
    }
    const publisher = scene.client('publisher', { version: 5 });
    const first = scene.frames.length + 1;
    for (let count = 0; count < 4; count++) publisher.client(publish5('lamp', 'on'));
    for (let count = 0; count < 4; count++) members[count % 2]!.server(publish5('lamp', 'on'));
    expect(scene.table('subscriptions', ['group', 'deliveries'])).toEqual([
      { group: 'g', deliveries: 2 },
      { group: 'g', deliveries: 2 },
    ]);
    expect(scene.table('deliveries', ['in_frame', 'receiver'])).toEqual(
      ['a', 'b', 'a', 'b'].map((receiver, index) => ({ in_frame: first + index, receiver })),
    );
  });

  it('at QoS 2 may come out after its PUBREL, behind a later one at QoS 0', () => {
    const scene = new Scene();
    const subscriber = scene.client('subscriber').subscribe([['t', 2]]);
    const publisher = scene.client('publisher');
    const first = scene.frames.length + 1;
    publisher.client(publish('t', 'slow', { qos: 2, id: 1 })).client(publish('t', 'fast'));
    subscriber.server(publish('t', 'fast'));
    publisher.server(pubrec(1)).client(pubrel(1));
    subscriber.server(publish('t', 'slow', { qos: 2, id: 1 }));
    publisher.server(pubcomp(1));
    expect(scene.table('deliveries', ['payload', 'in_frame', 'receiver'])).toEqual([
      { payload: 'slow', in_frame: first, receiver: 'subscriber' },
      { payload: 'fast', in_frame: first + 1, receiver: 'subscriber' },
    ]);
  });

  it('that is sent again is the same message, and so is a copy that is sent again', () => {
    const scene = new Scene();
    const subscriber = scene.client('subscriber').subscribe([['t', 1]]);
    const publisher = scene.client('publisher');
    publisher.client(publish('t', 'x', { qos: 1, id: 1 }));
    publisher.client(publish('t', 'x', { qos: 1, id: 1, dup: true }));
    subscriber.server(publish('t', 'x', { qos: 1, id: 1 }));
    subscriber.server(publish('t', 'x', { qos: 1, id: 1, dup: true }));
    subscriber.server(publish('t', 'x', { qos: 1, id: 1, dup: true }));
    subscriber.client(puback(1));
    expect(scene.table('deliveries', ['receiver', 'in_repeats', 'out_repeats'])).toEqual([
      { receiver: 'subscriber', in_repeats: 1, out_repeats: 2 },
    ]);
  });

  it('stands alone if nobody got it, and so does what came from nowhere', () => {
    const scene = new Scene();
    const subscriber = scene.client('subscriber').subscribe([['#', 0]]);
    const publisher = scene.client('publisher');
    publisher.client(publish('in', 'x'));
    subscriber.server(publish('out', 'y'));
    subscriber.server(publish('in', 'another payload'));
    expect(scene.table('deliveries', ['topic', 'origin', 'publisher', 'receiver'])).toEqual([
      { topic: 'in', origin: 'publish', publisher: 'publisher', receiver: undefined },
      { topic: 'out', origin: 'unseen', publisher: undefined, receiver: 'subscriber' },
      { topic: 'in', origin: 'unseen', publisher: undefined, receiver: 'subscriber' },
    ]);
  });

  it('belongs to the broker it was sent to', () => {
    const scene = new Scene();
    const here = scene.client('here', {}, { broker: 2 }).subscribe([['t', 0]]);
    const there = scene.client('there', {}, { broker: 3 }).subscribe([['t', 0]]);
    scene.client('publisher', {}, { broker: 3 }).client(publish('t', 'x'));
    here.server(publish('t', 'x'));
    there.server(publish('t', 'x'));
    expect(scene.table('deliveries', ['broker', 'publisher', 'receiver'])).toEqual([
      { broker: '10.0.0.3:1883', publisher: 'publisher', receiver: 'there' },
      { broker: '10.0.0.2:1883', publisher: undefined, receiver: 'here' },
    ]);
  });
});

describe('the way of a delivery', () => {
  it('is retained where RETAIN says so, of the last retained message of the topic', () => {
    const scene = new Scene();
    const publisher = scene.client('publisher');
    publisher.client(publish('t', 'old', { retain: true }), publish('t', 'new', { retain: true }));
    const late = scene.client('late').subscribe([['t', 0]]);
    late.server(publish('t', 'new', { retain: true }));
    expect(scene.table('deliveries', ['payload', 'receiver', 'way', 'latency'], { where: 'receiver' })).toEqual([
      { payload: 'new', receiver: 'late', way: 'retained', latency: undefined },
    ]);
  });

  it('is queued if it was published while the client was away', () => {
    const scene = new Scene();
    const kept = { cleanStart: false };
    scene
      .client('away', kept)
      .subscribe([['t', 1]])
      .client(disconnect());
    scene
      .client('publisher')
      .client(publish('t', 'lost'))
      .client(publish('t', 'kept', { qos: 1, id: 1 }));
    const back = scene.connection();
    back.client(hex('1010 0004 4d515454 04 00 003c 0004 61776179')).server(hex('20 02 01 00'));
    back.server(publish('t', 'kept', { qos: 1, id: 1 }));
    expect(scene.table('deliveries', ['payload', 'receiver', 'way', 'filters'])).toEqual([
      { payload: 'lost', receiver: undefined, way: undefined, filters: undefined },
      { payload: 'kept', receiver: 'away', way: 'queued', filters: ['t'] },
    ]);
  });

  it('is none to the publisher itself where No Local is set', () => {
    const scene = new Scene();
    const self = scene.client('self', { version: 5 });
    self.client(hex('82 07 0001 00 0001 74 04')).server(hex('90 04 0001 00 00'));
    const other = scene.client('other', { version: 5 });
    self.client(publish5('t', 'x'));
    const frame = scene.frames.length;
    other.client(publish5('t', 'x'));
    self.server(publish5('t', 'x'));
    expect(scene.table('deliveries', ['in_frame', 'receiver'], { where: 'receiver' })).toEqual([
      { in_frame: frame + 1, receiver: 'self' },
    ]);
  });

  it('through several subscriptions is told by their identifiers', () => {
    const scene = new Scene();
    const client = scene.client('client', { version: 5 });
    client.client(hex('82 09 0001 02 0b01 0001 74 00')).server(hex('90 04 0001 00 00'));
    client.client(hex('82 09 0002 02 0b02 0001 23 00')).server(hex('90 04 0002 00 00'));
    scene.client('publisher').client(publish('t', 'x'));
    for (const identifier of [2, 1]) {
      client.server(publish5('t', 'x', { properties: [property.subscriptionIdentifier(identifier)] }));
    }
    expect(scene.table('deliveries', ['publisher', 'filters'])).toEqual([
      { publisher: 'publisher', filters: ['#'] },
      { publisher: 'publisher', filters: ['t'] },
    ]);
  });
});

describe('what is too much', () => {
  it('is left out of the rows, and said', () => {
    const scene = new Scene();
    const publisher = scene.client('publisher');
    for (let count = 0; count < 10; count++) publisher.client(publish(`t/${count}`, 'x'));
    expect(scene.table('deliveries', ['topic'], { limits: { rowsMax: 4 } })).toHaveLength(4);
    expect(scene.notes('deliveries', { rowsMax: 4 })).toEqual([
      '6 more messages are left out: 4 are the limit; -Y makes a choice among packets',
    ]);
    expect(scene.notes('topics', { rowsMax: 4 })).toEqual([
      '6 PUBLISHes to more topics are left out: 4 topics are the limit; -Y makes a choice among packets',
    ]);
  });

  it('is forgotten oldest first while copies are looked for', () => {
    const scene = new Scene();
    const subscriber = scene.client('subscriber').subscribe([['#', 0]]);
    const publisher = scene.client('publisher');
    for (let count = 0; count < 10; count++) publisher.client(publish('t', String(count)));
    for (let count = 0; count < 10; count++) subscriber.server(publish('t', String(count)));
    const limits = { sourcesMax: 3 };
    expect(scene.table('deliveries', ['payload'], { limits, where: 'publisher && receiver' })).toEqual(
      ['7', '8', '9'].map((payload) => ({ payload })),
    );
    expect(scene.notes('deliveries', limits)[0]).toMatch(/^7 older messages were forgotten/);
  });
});

describe('packets that a filter chooses', () => {
  it('count, and the others are known all the same', () => {
    const scene = new Scene();
    const subscriber = scene.client('subscriber').subscribe([['+/b', 0]]);
    const publisher = scene.client('publisher');
    publisher.client(publish('a/b', 'x'));
    subscriber.server(publish('a/b', 'x'));
    publisher.client(publish('c/b', 'y'));
    const chosen = scene.frames.length - 1;
    const counts = ({ frame }: { frame: { number: number } }) => frame.number === chosen;
    expect(scene.table('deliveries', ['topic', 'publisher', 'filters'], { counts })).toEqual([
      { topic: 'a/b', publisher: 'publisher', filters: ['+/b'] },
    ]);
    expect(scene.table('clients', ['client', 'packets_out', 'subscriptions'], { counts })).toEqual([
      { client: 'subscriber', packets_out: 1, subscriptions: 0 },
    ]);
  });
});
