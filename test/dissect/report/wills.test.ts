import { describe, expect, it } from 'vitest';
import { disconnect, hex, property, publish, publish5, text } from '../../support/raw-packets.ts';
import { Scene } from './scene.ts';

const will = { topic: 'w', payload: text('gone') };

describe('a will', () => {
  it('is announced, and dropped by DISCONNECT', () => {
    const scene = new Scene();
    scene.client('stays', { will });
    scene.client('leaves', { will }).client(disconnect()).fin();
    expect(scene.table('wills', ['client', 'state', 'payload'])).toEqual([
      { client: 'stays', state: 'announced', payload: 'gone' },
      { client: 'leaves', state: 'dropped', payload: 'gone' },
    ]);
  });

  it('is due after FIN, RST, and a DISCONNECT that asks for it', () => {
    const scene = new Scene();
    scene.client('closed', { will }).fin();
    scene.client('reset', { will }).rst();
    scene.client('asked', { version: 5, will }).client(disconnect(4)).fin();
    const late = scene.connection();
    late.client(hex('101a 0004 4d515454 04 06 003c 0004 6c617465 0001 77 0005 7768617421'));
    late.server(hex('20 02 00 05')).fin('server');
    expect(scene.table('wills', ['client', 'state', 'ended'])).toEqual([
      { client: 'closed', state: 'due', ended: 'FIN' },
      { client: 'reset', state: 'due', ended: 'RST' },
      { client: 'asked', state: 'due', ended: 'DISCONNECT' },
      { client: 'late', state: 'refused', ended: 'FIN' },
    ]);
  });

  it('is told with everybody who got it, and through which subscription', () => {
    const scene = new Scene();
    const exact = scene.client('exact').subscribe([['w', 0]]);
    const wild = scene.client('wild').subscribe([['+', 1]]);
    scene.client('sensor', { will: { ...will, qos: 1 } }).fin();
    wild.server(publish('w', 'gone', { qos: 1, id: 1 }));
    exact.server(publish('w', 'gone'));
    expect(
      scene.table('wills', [
        'deliveries',
        'receivers',
        'receivers_exact',
        'receivers_wildcard',
        'filters',
        'wildcards',
      ]),
    ).toEqual([
      {
        deliveries: 2,
        receivers: ['wild', 'exact'],
        receivers_exact: ['exact'],
        receivers_wildcard: ['wild'],
        filters: ['+', 'w'],
        wildcards: ['single', 'none'],
      },
    ]);
  });

  it('may be sent before its connection is seen to end', () => {
    const scene = new Scene();
    const watcher = scene.client('watcher').subscribe([['#', 0]]);
    const silent = scene.client('silent', { will });
    scene.wait(90);
    watcher.server(publish('w', 'gone'));
    const frame = scene.frames.length;
    silent.fin('server');
    expect(scene.table('wills', ['state', 'due_frame', 'receivers', 'ended'])).toEqual([
      { state: 'due', due_frame: frame, receivers: ['watcher'], ended: 'FIN' },
    ]);
    expect(scene.table('deliveries', ['origin', 'publisher', 'receiver'])).toEqual([
      { origin: 'will', publisher: 'silent', receiver: 'watcher' },
    ]);
  });

  it('is not taken for what somebody publishes in the same words', () => {
    const scene = new Scene();
    const watcher = scene.client('watcher').subscribe([['w', 0]]);
    scene.client('sensor', { will });
    scene.client('publisher').client(publish('w', 'gone'));
    watcher.server(publish('w', 'gone'));
    expect(scene.table('wills', ['state', 'deliveries'])).toEqual([{ state: 'announced', deliveries: 0 }]);
    expect(scene.table('deliveries', ['origin', 'publisher'])).toEqual([{ origin: 'publish', publisher: 'publisher' }]);
  });

  it('with a delay is cancelled if the client comes back in time', () => {
    const scene = new Scene();
    const session = [property.sessionExpiryInterval(600)];
    const delayed = { ...will, properties: [property.willDelayInterval(30)] };
    const connecting = { version: 5, cleanStart: false, will: delayed, properties: session } as const;
    const watcher = scene.client('watcher', { version: 5 });
    watcher.client(hex('82 07 0001 00 0001 77 00')).server(hex('90 04 0001 00 00'));
    scene.client('back', connecting).fin();
    scene.client('late', connecting).fin();
    scene.wait(10);
    scene.client('back', { ...connecting, will: { topic: 'x', payload: text('other') } });
    scene.wait(25);
    watcher.server(publish5('w', 'gone'));
    expect(scene.table('wills', ['client', 'state', 'receivers'], { where: 'topic == "w"' })).toEqual([
      { client: 'back', state: 'cancelled', receivers: undefined },
      { client: 'late', state: 'due', receivers: ['watcher'] },
    ]);
  });

  it('that is retained is still its own for who subscribes later', () => {
    const scene = new Scene();
    scene.client('sensor', { will: { ...will, retain: true } }).fin();
    scene
      .client('late')
      .subscribe([['#', 0]])
      .server(publish('w', 'gone', { retain: true }));
    expect(scene.table('deliveries', ['origin', 'publisher', 'receiver', 'way'])).toEqual([
      { origin: 'will', publisher: 'sensor', receiver: 'late', way: 'retained' },
    ]);
  });

  it('of a client that is taken over is due', () => {
    const scene = new Scene();
    scene.client('twin', { will });
    const second = scene.connection();
    second.client(hex('1010 0004 4d515454 04 02 003c 0004 7477696e')).server(hex('20 02 00 00'));
    expect(scene.table('wills', ['state', 'ended'])).toEqual([{ state: 'due', ended: 'taken over' }]);
    expect(scene.table('connections', ['client', 'ended', 'ended_by'])).toEqual([
      { client: 'twin', ended: 'taken over', ended_by: 'broker' },
      { client: 'twin', ended: 'open', ended_by: undefined },
    ]);
  });
});
