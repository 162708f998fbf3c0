import { describe, expect, it } from 'vitest';
import { type LadderArrow, LadderCollector, type LadderDiagram } from '../../../src/dissect/report/ladder.ts';
import { layOutLadder } from '../../../src/dissect/report/ladder-layout.ts';
import { ladderSvg } from '../../../src/dissect/report/ladder-svg.ts';
import { disconnect, puback, publish, pubrec, pubrel, text } from '../../support/raw-packets.ts';
import { Scene } from './scene.ts';

function draw(scene: Scene, arrowsMax?: number) {
  const collector = new LadderCollector(arrowsMax);
  for (const frame of scene.frames) collector.next(frame, true);
  return collector.ladder();
}

const rowsOf = ({ arrows }: LadderDiagram, lanes = 4) =>
  layOutLadder({ arrows, clients: [], broker: '' }, lanes).rows.map((row) =>
    row.arrows.map((index) => arrows[index]!.type + (arrows[index]!.isByClient ? '>' : '<')).join(' '),
  );

describe('a ladder', () => {
  it('has every packet with what it answers and what led to it, and the end without DISCONNECT', () => {
    const scene = new Scene();
    const watcher = scene.client('watcher').subscribe([['#', 1]]);
    const sensor = scene.client('sensor', { will: { topic: 'w', payload: text('gone') } });
    sensor.client(publish('t', '21', { qos: 1, id: 4, retain: true }));
    watcher.server(publish('t', '21', { qos: 1, id: 1 })).client(puback(1));
    sensor.server(puback(4)).fin();
    watcher.server(publish('w', 'gone'));
    const { diagrams, leftOut } = draw(scene);
    expect(leftOut).toBe(0);
    expect(diagrams).toHaveLength(1);
    const { arrows, clients, broker } = diagrams[0]!;
    expect(broker).toBe('10.0.0.2:1883');
    expect(clients).toEqual(['watcher', 'sensor']);
    const short = ({ type, identifier, answers, cause }: LadderArrow) => [type, identifier, answers > 0, cause];
    expect(arrows.slice(6).map(short)).toEqual([
      ['PUBLISH', 4, false, -1],
      ['PUBLISH', 1, false, 6],
      ['PUBACK', 1, true, -1],
      ['PUBACK', 4, true, -1],
      ['FIN', 0, false, -1],
      ['PUBLISH', 0, false, 10],
    ]);
    expect(arrows[10]!.details).toBe('will w is due');
    expect(arrows[6]).toMatchObject({ qos: 1, retain: true, topic: 't', payload: '21' });
  });

  it('puts a PUBLISH beside the first that it led to; at QoS 2 it is beside the PUBREL', () => {
    const scene = new Scene();
    const subscriber = scene.client('subscriber').subscribe([['#', 2]]);
    const publisher = scene.client('publisher');
    publisher.client(publish('a', 'x')).client(disconnect());
    subscriber.server(publish('a', 'x'));
    const second = scene.client('second');
    second
      .client(publish('b', 'y', { qos: 2, id: 1 }))
      .server(pubrec(1))
      .client(pubrel(1));
    subscriber.server(publish('b', 'y', { qos: 2, id: 1 }));
    expect(rowsOf(draw(scene).diagrams[0]!).slice(6)).toEqual([
      'PUBLISH> PUBLISH<',
      'DISCONNECT>',
      'CONNECT>',
      'CONNACK<',
      'PUBLISH>',
      'PUBREC<',
      'PUBREL> PUBLISH<',
    ]);
  });

  it('gives lanes again to others, and lets clients share where there are too few', () => {
    const scene = new Scene();
    for (let number = 0; number < 3; number++) scene.client(`p${number}`).client(publish('t', 'x'), disconnect()).fin();
    const { arrows, clients, broker } = draw(scene).diagrams[0]!;
    const apart = layOutLadder({ arrows, clients, broker }, 4);
    expect(apart).toMatchObject({ lanesLeft: 1, lanesRight: 0 });
    expect(apart.places.every(({ isShared }) => !isShared)).toBe(true);

    const crowd = new Scene();
    const all = ['a', 'b', 'c', 'd'].map((name) => crowd.client(name));
    for (const client of all) client.client(publish('t', 'x'));
    const crowded = draw(crowd).diagrams[0]!;
    expect(layOutLadder(crowded, 4)).toMatchObject({ lanesLeft: 4, lanesRight: 0 });
    const shared = layOutLadder(crowded, 2);
    expect(shared.lanesLeft + shared.lanesRight).toBe(2);
    expect(shared.places.map(({ lane }) => lane)).toEqual([0, 1, 1, 1]);
    expect(shared.places.map(({ isShared }) => isShared)).toEqual([false, true, true, true]);
  });

  it('keeps brokers apart, and stops at its limit with a word about the rest', () => {
    const scene = new Scene();
    scene.client('a', {}, { broker: 2 });
    scene.client('b', {}, { broker: 3 });
    expect(draw(scene).diagrams.map(({ broker, clients }) => [broker, clients])).toEqual([
      ['10.0.0.2:1883', ['a']],
      ['10.0.0.3:1883', ['b']],
    ]);
    const { diagrams, leftOut, leftOutFrom } = draw(scene, 3);
    expect(diagrams.map(({ arrows }) => arrows.length)).toEqual([2, 1]);
    expect(leftOut).toBe(1);
    expect(leftOutFrom).toBeCloseTo(0.009, 9);
  });

  it('as SVG is escaped, with a title for each arrow', () => {
    const scene = new Scene();
    scene.client('<b>"&').client(publish('a<b', '\u0001&'));
    const svg = ladderSvg(draw(scene));
    expect(svg).toContain('&lt;b&gt;&quot;&amp;');
    expect(svg).not.toMatch(/<b>|a<b/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: XML has none of them
    expect(svg).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/);
    expect(svg.match(/<g class="(in|out|end)"><title>/g)).toHaveLength(3);
    expect(svg).toContain('prefers-color-scheme: dark');
    expect(ladderSvg(draw(new Scene()))).toContain('There is no MQTT packet to show.');
  });
});
