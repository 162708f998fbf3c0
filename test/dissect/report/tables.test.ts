import { describe, expect, it } from 'vitest';
import { compileCondition } from '../../../src/dissect/report/table-filter.ts';
import { openTable, tableNames } from '../../../src/dissect/report/tables.ts';
import { FilterSyntaxError } from '../../../src/protocol/errors.ts';
import { disconnect, hex, puback, pubcomp, publish, pubrec, pubrel, unsubscribe } from '../../support/raw-packets.ts';
import { Scene } from './scene.ts';

describe('connections', () => {
  it('say how they began and ended', () => {
    const scene = new Scene();
    scene.client('normal', { username: 'ada', keepAlive: 15 }).client(disconnect()).fin();
    const refused = scene.connection();
    refused.client(hex('1010 0004 4d515454 04 02 003c 0004 65766961')).server(hex('20 02 00 05')).fin('server');
    const old = scene.connection();
    old.client(hex('100e 0006 4d5149736470 03 02 003c 0000')).server(hex('20 02 00 00')).rst('server');
    scene.connection().fin();
    scene.connection().client(hex('100c 0004 4d515454 04 02 003c 0000'));
    const columns = ['client', 'version', 'outcome', 'reason', 'ended', 'ended_by', 'user_name', 'keep_alive'];
    expect(scene.table('connections', columns)).toEqual(
      [
        ['normal', '3.1.1', 'accepted', undefined, 'DISCONNECT', 'client', 'ada', 15],
        ['evia', '3.1.1', 'refused', 'not authorized', 'FIN', 'broker', undefined, 60],
        ['10.0.0.1:40002', '3.1', 'accepted', undefined, 'RST', 'broker', undefined, 60],
        ['10.0.0.1:40003', undefined, 'no CONNECT', undefined, 'FIN', 'client', undefined, undefined],
        ['10.0.0.1:40004', '3.1.1', 'no CONNACK', undefined, 'open', undefined, undefined, 60],
      ].map((values) => Object.fromEntries(values.map((value, index) => [columns[index], value]))),
    );
  });

  it('are two on one TCP connection with a second CONNECT', () => {
    const scene = new Scene();
    const line = scene.client('first');
    line.client(hex('1012 0004 4d515454 04 02 003c 0006 7365636f6e64'));
    expect(scene.table('connections', ['client', 'stream', 'ended'])).toEqual([
      { client: 'first', stream: 0, ended: 'replaced' },
      { client: 'second', stream: 0, ended: 'open' },
    ]);
  });

  it('have the identifier that the broker assigns', () => {
    const scene = new Scene();
    scene.connection().client(hex('100d 0004 4d515454 05 02 003c 00 0000')).server(hex('2009 00 00 06 12 0003 616263'));
    expect(scene.table('clients', ['client', 'connections'])).toEqual([{ client: 'abc', connections: 1 }]);
  });
});

describe('subscriptions', () => {
  it('end by UNSUBSCRIBE, by the same again, and with their session', () => {
    const scene = new Scene();
    const client = scene.client('client').subscribe([
      ['a', 0],
      ['b/+', 1],
      ['c/#', 2],
    ]);
    client.client(unsubscribe(9, ['a'])).server(hex('b0 02 0009'));
    client.subscribe([['b/+', 0]]);
    client.client(disconnect());
    expect(scene.table('subscriptions', ['filter', 'wildcards', 'qos', 'granted', 'ended'])).toEqual([
      { filter: 'a', wildcards: ['none'], qos: 0, granted: 0, ended: 'unsubscribed' },
      { filter: 'b/+', wildcards: ['single'], qos: 1, granted: 1, ended: 'replaced' },
      { filter: 'c/#', wildcards: ['multi'], qos: 2, granted: 2, ended: 'session ended' },
      { filter: 'b/+', wildcards: ['single'], qos: 0, granted: 0, ended: 'session ended' },
    ]);
  });

  it('that are refused, or granted less, say so', () => {
    const scene = new Scene();
    scene.client('client').subscribe(
      [
        ['secret', 1],
        ['open', 2],
      ],
      [0x80, 1],
    );
    expect(scene.table('subscriptions', ['filter', 'qos', 'granted', 'reason'])).toEqual([
      { filter: 'secret', qos: 1, granted: undefined, reason: 'Unspecified error' },
      { filter: 'open', qos: 2, granted: 1, reason: undefined },
    ]);
  });

  it('have their group, options and identifier', () => {
    const scene = new Scene();
    const client = scene.client('client', { version: 5 });
    client.client(hex('82 12 0001 02 0b07 000a 24736861 72652f67 2f2b 2d')).server(hex('90 04 0001 00 01'));
    const columns = [
      'filter',
      'wildcards',
      'group',
      'identifier',
      'no_local',
      'retain_as_published',
      'retain_handling',
    ];
    expect(scene.table('subscriptions', columns)).toEqual([
      {
        filter: '$share/g/+',
        wildcards: ['single'],
        group: 'g',
        identifier: 7,
        no_local: true,
        retain_as_published: true,
        retain_handling: 2,
      },
    ]);
  });
});

describe('handshakes', () => {
  it('have every step, and stop where they stopped', () => {
    const scene = new Scene();
    const client = scene.client('client');
    const first = scene.frames.length + 1;
    client.client(publish('t', 'x', { qos: 2, id: 5 }));
    client.client(publish('t', 'x', { qos: 2, id: 5, dup: true }));
    client.server(pubrec(5)).client(pubrel(5)).server(pubcomp(5));
    client.server(publish('u', 'y', { qos: 1, id: 5 })).client(puback(5));
    client.server(publish('u', 'y', { qos: 2, id: 6 })).client(pubrec(6));
    client.server(puback(99));
    const columns = ['direction', 'id', 'qos', 'state', 'publish_frame', 'pubrel_frame', 'duration', 'repeats'];
    expect(scene.table('handshakes', columns)).toEqual(
      [
        ['in', 5, 2, 'complete', first, first + 3, 0.004, 1],
        ['out', 5, 1, 'complete', first + 5, undefined, 0.001, 0],
        ['out', 6, 2, 'received', first + 7, undefined, undefined, 0],
        ['in', 99, undefined, 'unknown', undefined, undefined, undefined, 0],
      ].map((values) => Object.fromEntries(values.map((value, index) => [columns[index], value]))),
    );
  });
});

describe('topics', () => {
  it('count both ways, and keep the last value', () => {
    const scene = new Scene();
    const subscriber = scene.client('subscriber').subscribe([['#', 0]]);
    scene.client('one').client(publish('a/b', 'first', { qos: 1, id: 1 }));
    scene.client('two').client(publish('a/b', '{"value": 2}', { retain: true }));
    subscriber.server(publish('a/b', 'first'), publish('a/b', '{"value": 2}'));
    const columns = [
      'topic',
      'first_level',
      'levels',
      'publishes_in',
      'publishes_out',
      'qos_in',
      'retained_in',
      'publishers',
      'value',
    ];
    expect(scene.table('topics', columns)).toEqual([
      {
        topic: 'a/b',
        first_level: 'a',
        levels: 2,
        publishes_in: 2,
        publishes_out: 2,
        qos_in: [0, 1],
        retained_in: 1,
        publishers: ['one', 'two'],
        value: '{"value":2}',
      },
    ]);
  });
});

describe('names', () => {
  it('come from answers to DNS queries: A, AAAA, PTR, and through aliases', () => {
    const scene = new Scene();
    const bytes = (text: string) => hex(text);
    // Question www.example, then: www.example CNAME host.example (compressed), host.example A 10.0.0.1.
    const question = '03777777 07 6578616d706c65 00 0001 0001';
    const alias = 'c00c 0005 0001 0000003c 0007 04686f7374 c010';
    const address = 'c029 0001 0001 0000003c 0004 0a000001';
    scene.datagram(53, bytes(`0001 8180 0001 0002 0000 0000 ${question} ${alias} ${address}`));
    const reversed = '0131 0130 0130 023130 07 696e2d61646472 04 61727061 00';
    scene.datagram(5353, bytes(`0000 8400 0000 0001 0000 0000 ${reversed} 000c 0001 00000078 0007 0573656c6631 00`));
    scene.client('client');
    expect(scene.table('clients', ['names'])).toEqual([{ names: ['www.example', 'self1'] }]);
  });

  it('are not read out of rubbish', () => {
    const scene = new Scene();
    const message = hex('0001 8180 0001 0001 0000 0000 c00c 0001 0001 c00c 0001 0001 0000003c 0004 0a000001');
    for (let end = 0; end <= message.length; end++) scene.datagram(53, message.subarray(0, end));
    scene.client('client');
    expect(scene.table('clients', ['names'])).toEqual([{ names: [] }]);
  });
});

describe('conditions on columns', () => {
  const { columns } = openTable('deliveries');

  it('are checked as display filters are, with the place of a mistake', () => {
    const wrong = (text: string) => {
      try {
        compileCondition(text, columns);
      } catch (error) {
        expect(error).toBeInstanceOf(FilterSyntaxError);
        const { message, position } = error as FilterSyntaxError;
        return `${position}: ${message}`;
      }
      return 'nothing is wrong';
    };
    expect(wrong('topik == "a"')).toContain('did you mean topic');
    expect(wrong('in_qos == "a"')).toMatch(/^10: /);
    expect(wrong('in_qos > 0 && (topic contains "temp"')).toMatch(/^\d+: /);
    expect(wrong('in_qos > 0 && topic contains "temp" && latency < 0.5 && wildcards == "none"')).toBe(
      'nothing is wrong',
    );
  });

  it('may use every column of every table', () => {
    for (const name of tableNames) {
      const table = openTable(name);
      for (const column of table.columns) {
        expect(() => compileCondition(`${column.name} || !(${column.name})`, table.columns), column.name).not.toThrow();
      }
    }
  });
});
