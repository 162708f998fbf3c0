import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createAuthority } from '../../../src/broker/access/file-authority.ts';
import { hashPassword } from '../../../src/broker/access/password-hash.ts';
import type { ClientIdentity } from '../../../src/broker/auth.ts';
import { loadConfiguration } from '../../../src/broker/config/load.ts';
import type { Log } from '../../../src/broker/log.ts';
import { PacketType } from '../../../src/protocol/packet-types.ts';
import { ReasonCode } from '../../../src/protocol/reason-codes.ts';
import { type BrokerProcess, startBroker } from '../../support/broker-process.ts';
import { describeWithPeer, peerPath } from '../../support/peers.ts';
import { run } from '../../support/run.ts';
import { temporaryFiles } from '../config/temporary.ts';

function recordingLog(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  return { lines, log: { isEnabled: () => true, write: (type, text) => void lines.push(`${type}: ${text}`) } };
}

function client(clientIdentifier: string, username?: string, listenerIndex = 0): ClientIdentity {
  return { clientIdentifier, username, listenerIndex, peer: { address: '127.0.0.1', port: 1, family: 'IPv4' } };
}

function connectOf(username: string | undefined, password: string | undefined) {
  return {
    type: PacketType.CONNECT,
    protocolVersion: 5,
    isBridge: false,
    cleanStart: true,
    keepAlive: 0,
    clientIdentifier: 'id',
    willMessage: undefined,
    username,
    password: password === undefined ? undefined : Buffer.from(password),
    properties: undefined,
  } as const;
}

/** An authority for the configuration, in which `{name}` stands for the path of a file. */
function setUp(configuration: string, contents: Readonly<Record<string, string>> = {}) {
  const files = temporaryFiles(contents);
  const fill = (text: string) => text.replace(/\{(\w+)\}/g, (_, name: string) => files.path(name));
  const load = (text: string) => loadConfiguration(files.write('broker.conf', fill(text)));
  const { log, lines } = recordingLog();
  const authority = createAuthority(load(configuration).listeners, log);
  const authenticate = (username?: string, password?: string, listenerIndex = 0) =>
    authority.authenticate(client('id', username, listenerIndex), connectOf(username, password));
  return { files, load, authority, lines, authenticate };
}

const { success, notAuthorized } = ReasonCode;

describe('authenticate', () => {
  it('admits anonymous clients, and any user name, if allow_anonymous is true and there is no password file', () => {
    const open = setUp('listener 1\nallow_anonymous true\n');
    expect([open.authenticate(), open.authenticate('foo'), open.authenticate('foo', 'bar')]).toEqual([
      success,
      success,
      success,
    ]);
    const closed = setUp('listener 1\n');
    expect([closed.authenticate(), closed.authenticate('foo', 'bar')]).toEqual([notAuthorized, notAuthorized]);
  });

  it('checks user names against the password file', async () => {
    const { authenticate } = setUp('listener 1\npassword_file {p}\n', {
      p: `ben:${hashPassword('x', 'sha512-pbkdf2')}\n`,
    });
    expect(await authenticate('ben', 'x')).toBe(success);
    expect(await authenticate('ben', 'y')).toBe(notAuthorized);
    expect(await authenticate('ben')).toBe(notAuthorized);
    expect(await authenticate('eve', 'x')).toBe(notAuthorized);
    expect(await authenticate()).toBe(notAuthorized);
  });

  it('admits guests beside users if both are allowed', async () => {
    const { authenticate } = setUp('listener 1\nallow_anonymous true\npassword_file {p}\n', {
      p: `ben:${hashPassword('x', 'sha512')}\n`,
    });
    expect(await authenticate()).toBe(success);
    expect(await authenticate('ben', 'x')).toBe(success);
    expect(await authenticate('eve', 'x')).toBe(notAuthorized);
  });

  it('goes by the listener with per_listener_settings', async () => {
    const { authenticate } = setUp(
      'per_listener_settings true\nlistener 1\nallow_anonymous true\nlistener 2\npassword_file {p}\n',
      { p: `ben:${hashPassword('x', 'sha512')}\n` },
    );
    expect(await authenticate(undefined, undefined, 0)).toBe(success);
    expect(await authenticate(undefined, undefined, 1)).toBe(notAuthorized);
    expect(await authenticate('ben', 'x', 1)).toBe(success);
    expect(await authenticate('ben', 'y', 1)).toBe(notAuthorized);
    expect(await authenticate('ben', 'x', 2)).toBe(notAuthorized);
  });

  it('logs the lines of a password file that are not used', () => {
    const { lines, files } = setUp('listener 1\npassword_file {p}\n', { p: 'ben:plain\n' });
    expect(lines).toEqual([
      `error: Error: Invalid password hash type for user ben at ${files.path('p')}:1, removing entry.`,
    ]);
  });
});

describe('publish and receive', () => {
  it('are free without an ACL file, but for $share', () => {
    const { authority } = setUp('listener 1\nallow_anonymous true\n');
    expect([authority.receivesAll, authority.publishesAll]).toEqual([true, true]);
    expect(authority.mayReceive(client('a'), 'x')).toBe(true);
    expect(authority.mayPublish(client('a'), 'x')).toBe(success);
    expect(authority.mayPublish(client('a'), '$SYS/x')).toBe(notAuthorized);
    expect(authority.mayPublish(client('a'), '$SYS/broker/connection/x/state')).toBe(success);
    expect(authority.mayPublish(client('a'), '$share/x')).toBe(notAuthorized);
    expect(authority.mayPublish(client('a'), '$foo/x')).toBe(success);
  });

  it('follow the ACL file; subscribing is always allowed', () => {
    const { authority } = setUp('listener 1\nallow_anonymous true\nacl_file {acl}\n', {
      acl: 'topic read r/#\ntopic write w/#\npattern write c/%c\n',
    });
    expect([authority.receivesAll, authority.publishesAll]).toEqual([false, false]);
    const a = client('a');
    expect([authority.mayReceive(a, 'r/1'), authority.mayReceive(a, 'w/1')]).toEqual([true, false]);
    expect([authority.mayPublish(a, 'w/1'), authority.mayPublish(a, 'r/1')]).toEqual([success, notAuthorized]);
    expect([authority.mayPublish(a, 'c/a'), authority.mayPublish(a, 'c/b')]).toEqual([success, notAuthorized]);
    expect(authority.mayPublish(client('b'), 'c/b')).toBe(success);
    expect(authority.maySubscribe()).toBe(success);
  });

  it('give the same answer for ever so many topics of one client', () => {
    const { authority } = setUp('listener 1\nallow_anonymous true\nacl_file {acl}\n', { acl: 'topic write w/#\n' });
    const a = client('a');
    for (let round = 0; round < 2; round++) {
      for (let index = 0; index < 1000; index++) {
        expect(authority.mayPublish(a, `w/${index}`)).toBe(success);
        expect(authority.mayPublish(a, `x/${index}`)).toBe(notAuthorized);
      }
    }
  });

  it('go by the listener with per_listener_settings', () => {
    const { authority } = setUp(
      'per_listener_settings true\nlistener 1\nallow_anonymous true\nlistener 2\nallow_anonymous true\nacl_file {acl}\n',
      { acl: 'topic read a\n' },
    );
    expect([authority.receivesAll, authority.publishesAll]).toEqual([false, false]);
    expect([authority.mayReceive(client('x'), 'b'), authority.mayPublish(client('x'), 'b')]).toEqual([true, success]);
    expect(authority.mayReceive(client('y', undefined, 1), 'b')).toBe(false);
    expect(authority.mayReceive(client('y', undefined, 1), 'a')).toBe(true);
    expect(authority.mayPublish(client('y', undefined, 1), 'a')).toBe(notAuthorized);
  });

  it('name a client with a dangerous name once', () => {
    const { authority, lines } = setUp('listener 1\nallow_anonymous true\nacl_file {acl}\n', {
      acl: 'pattern write c/%c\n',
    });
    const plus = client('+');
    expect([authority.mayPublish(plus, 'c/x'), authority.mayPublish(plus, 'c/+')]).toEqual([
      notAuthorized,
      notAuthorized,
    ]);
    expect(authority.mayReceive(client('+'), 'c/x')).toBe(false);
    expect(lines).toEqual(['notice: ACL denying access to client with dangerous client id "+"']);
  });
});

describe('reload', () => {
  it('follows changed files, for connected clients too, and counts', async () => {
    const configuration = 'listener 1\nallow_anonymous true\npassword_file {p}\nacl_file {acl}\n';
    const { authority, files, load, authenticate } = setUp(configuration, {
      p: `ben:${hashPassword('old', 'sha512')}\n`,
      acl: 'topic read a\n',
    });
    const connected = client('a');
    expect(authority.mayReceive(connected, 'a')).toBe(true);
    expect(authority.mayPublish(connected, 'b')).toBe(notAuthorized);
    writeFileSync(files.path('p'), `ben:${hashPassword('new', 'sha512')}\n`);
    writeFileSync(files.path('acl'), 'topic write b\n');
    authority.reload(load(configuration.replaceAll(/\{(\w+)\}/g, (_, name: string) => files.path(name))).listeners);
    expect(authority.epoch).toBe(1);
    expect(authority.mayReceive(connected, 'a')).toBe(false);
    expect(authority.mayPublish(connected, 'b')).toBe(success);
    expect(await authenticate('ben', 'old')).toBe(notAuthorized);
    expect(await authenticate('ben', 'new')).toBe(success);
  });

  it('keeps what it has if a file cannot be used', () => {
    const { authority, files, load } = setUp('listener 1\nallow_anonymous true\nacl_file {acl}\n', {
      acl: 'topic a\n',
    });
    const text = `listener 1\nallow_anonymous true\nacl_file ${files.path('acl')}\n`;
    writeFileSync(files.path('acl'), 'nonsense\n');
    expect(() => authority.reload(load(text).listeners)).toThrow('Invalid line "nonsense"');
    expect(authority.epoch).toBe(0);
    expect(authority.mayReceive(client('x'), 'a')).toBe(true);
  });
});

describeWithPeer(['mosquitto', 'mosquitto_pub', 'mosquitto_sub', 'mosquitto_passwd'], 'mosquitto decides alike', () => {
  const acl = [
    'topic read pub/#',
    'topic deny pub/secret',
    'topic write w/a b/+',
    'user ben',
    'topic readwrite ben/#',
    'topic deny ben/no/#',
    'topic write ben/no/yes',
    'topic write #',
    'user eve',
    'topic readwrite $foo/#',
    'topic $SYS/broker/connection/x/state',
    'topic +/x',
    'user admin',
    'topic #',
    'topic $foo/#',
    'pattern read c/%c/#',
    'pattern readwrite u/%u/x',
    'pattern write dev-%c/+',
    'pattern deny k/%c/no',
    'pattern write k/#',
  ].join('\n');
  const users = ['ben', 'eve', 'admin'];
  const publishCases: ReadonlyArray<
    readonly [username: string | undefined, clientIdentifier: string, topicName: string]
  > = [
    [undefined, 'c1', 'pub/a'],
    [undefined, 'c1', 'w/a b/1'],
    [undefined, 'c1', 'c/c1/x'],
    [undefined, 'c1', 'dev-c1/x'],
    [undefined, 'c1', 'dev-c2/x'],
    [undefined, 'c1', 'dev-%c/x'],
    [undefined, 'c1', 'k/c1/no'],
    [undefined, 'c1', 'k/c1'],
    [undefined, 'c1', 'k'],
    [undefined, 'c1', 'u//x'],
    [undefined, 'c+', 'k/x'],
    [undefined, 'c/1', 'dev-c/1/y'],
    [undefined, '%u', 'dev-%u/1'],
    ['ben', 'c1', 'ben/a'],
    ['ben', 'c1', 'ben'],
    ['ben', 'c1', 'ben/no/yes'],
    ['ben', 'c1', 'anything'],
    ['ben', 'c1', '$foo/x'],
    ['ben', 'c1', 'k/c1/no'],
    ['ben', 'c#', 'k/cx/no'],
    ['eve', 'c1', '$foo/x'],
    ['eve', 'c1', '$bar/x'],
    ['eve', 'c1', 'a/x'],
    ['eve', 'c1', 'u/eve/x'],
    ['eve', 'c1', 'u/ben/x'],
    ['eve', 'c1', 'w/a b/1'],
    ['eve', 'c+', 'a/x'],
    ['eve', 'c+', 'u/eve/x'],
  ];

  async function withMosquitto(test: (broker: BrokerProcess) => Promise<void>): Promise<void> {
    const passwords = users.map((username) => `${username}:${hashPassword('pw', 'sha512-pbkdf2')}\n`).join('');
    const broker = await startBroker({
      program: 'mosquitto',
      config:
        'listener {port} 127.0.0.1\nallow_anonymous true\nacl_file {directory}/acl\npassword_file {directory}/passwords',
      files: { acl: `${acl}\n`, passwords },
    });
    try {
      await test(broker);
    } finally {
      await broker.stop();
    }
  }

  const credentials = (username: string | undefined) => (username === undefined ? [] : ['-u', username, '-P', 'pw']);

  it('who may publish where', async () => {
    const { authority } = setUp('listener 1\nallow_anonymous true\nacl_file {acl}\n', { acl: `${acl}\n` });
    await withMosquitto(async (broker) => {
      for (const [username, clientIdentifier, topicName] of publishCases) {
        const { stdout, stderr } = await run(peerPath('mosquitto_pub'), [
          ...['-V', '5', '-q', '1', '-d', '-p', String(broker.port), '-h', '127.0.0.1', '-i', clientIdentifier],
          ...['-t', topicName, '-m', 'x', ...credentials(username)],
        ]);
        const theirs = /received PUBACK \(Mid: 1, RC:(\d+)\)/.exec(stdout + stderr)?.[1];
        const ours = authority.mayPublish(client(clientIdentifier, username), topicName);
        // 16: nobody is subscribed.
        expect(theirs, `${username} ${clientIdentifier} ${topicName}`).toBe(ours === success ? '16' : '135');
      }
    });
  });

  it('who receives what', async () => {
    const { authority } = setUp('listener 1\nallow_anonymous true\nacl_file {acl}\n', { acl: `${acl}\n` });
    const topicNames = [
      'pub/a',
      'pub/secret',
      'pub',
      'ben/a',
      'ben/no/yes',
      'c/c1/x',
      'c/c2/x',
      'u/ben/x',
      'u/eve/x',
      '$foo/a',
      'a/x',
      'k/c1',
    ];
    const last = 'pub/zzz';
    await withMosquitto(async (broker) => {
      const where = ['-V', '5', '-p', String(broker.port), '-h', '127.0.0.1'];
      const publish = (topicName: string, ...more: string[]) =>
        run(peerPath('mosquitto_pub'), [
          ...where,
          ...credentials('admin'),
          '-q',
          '1',
          '-r',
          '-t',
          topicName,
          '-m',
          'x',
          ...more,
        ]);
      for (const topicName of topicNames) await publish(topicName);
      for (const username of [undefined, 'ben', 'eve', 'admin']) {
        const identity = client('c1', username);
        const expected = topicNames.filter((topicName) => authority.mayReceive(identity, topicName));
        // The topic that ends the list must be one that this client gets.
        const end = [last, 'ben/zzz', '$foo/zzz', 'zzz'].find((topicName) =>
          authority.mayReceive(identity, topicName),
        ) as string;
        await publish(end);
        const { stdout } = await run(peerPath('mosquitto_sub'), [
          ...[
            ...where,
            ...credentials(username),
            '-i',
            'c1',
            '-F',
            '%t',
            '-C',
            String(expected.length + 1),
            '-W',
            '30',
          ],
          ...topicNames.flatMap((topicName) => ['-t', topicName]),
          ...['-t', end],
        ]);
        expect(stdout.split('\n').slice(0, -1), String(username)).toEqual([...expected, end]);
      }
    });
  });
});
