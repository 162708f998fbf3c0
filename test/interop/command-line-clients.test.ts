/** pub, sub and rr of one family against the broker of the other, and of ours against our own. */
import { describe, expect, it } from 'vitest';
import type { BrokerProgram } from '../support/broker-process.ts';
import { clientPrograms } from '../support/client-programs.ts';
import { describeWithPeer } from '../support/peers.ts';
import { uniqueName } from '../support/raw-client.ts';
import { testPatienceMs, useBroker } from '../support/suite.ts';
import { until } from '../support/until.ts';
import { startWireRecorder } from '../support/wire-recorder.ts';

const everyVersion = ['31', '311', '5'];

/** All that a pair of clients and broker must be able to do together. */
function together(brokerProgram: BrokerProgram, family: BrokerProgram, versions: readonly string[]): void {
  const broker = useBroker({ program: brokerProgram, webSocket: true, unixSocket: true });
  const clients = clientPrograms(family);
  const test = (title: string, run: () => Promise<void>) => it.concurrent(title, run, testPatienceMs);
  /** Starts a subscriber and waits until it is subscribed, which its debug lines tell. */
  const subscribed = async (args: readonly string[], port = broker.port) => {
    const subscriber = clients.sub(port, ['-d', ...args]);
    await subscriber.waitForOutput(/received SUBACK/);
    return subscriber;
  };
  /** What it printed besides its debug lines. */
  const printed = (stdout: string) =>
    stdout.split('\n').filter((line) => line !== '' && !/^Client |^Subscribed \(mid/.test(line));

  for (const version of versions) {
    const v = ['-V', version];

    for (const qos of ['0', '1', '2']) {
      test(`${version}: a message at QoS ${qos} arrives at that QoS`, async () => {
        const topic = uniqueName('cli/');
        const subscriber = await subscribed([...v, '-t', topic, '-q', qos, '-C', '2', '-F', '%t|%q|%r|%l|%p']);
        expect(await clients.pub(broker.port, [...v, '-t', topic, '-q', qos, '-m', 'grüße'])).toMatchObject({
          status: 0,
          stdout: '',
          stderr: '',
        });
        await clients.pub(broker.port, [...v, '-t', topic, '-q', qos, '-n']);
        const result = await subscriber.finished;
        expect(result.status).toBe(0);
        expect(printed(result.stdout)).toEqual([`${topic}|${qos}|0|7|grüße`, `${topic}|${qos}|0|0|`]);
      });
    }

    test(`${version}: a session keeps what comes meanwhile`, async () => {
      const topic = uniqueName('cli/');
      const session = [...v, '-i', uniqueName('keeper'), '-c', '-t', topic, '-q', '1'];
      const first = clients.sub(broker.port, [...session, '-E']);
      expect(await first.finished).toMatchObject({ status: 0 });
      for (const [qos, payload] of [
        ['0', 'lost'],
        ['1', 'one'],
        ['2', 'two'],
      ] as const) {
        await clients.pub(broker.port, [...v, '-t', topic, '-q', qos, '-m', payload]);
      }
      const second = await clients.sub(broker.port, [...session, '-C', '2']).finished;
      expect(second.stdout).toBe('one\ntwo\n');
    });

    test(`${version}: a will is published when the client is killed`, async () => {
      const topic = uniqueName('cli/');
      const heir = await subscribed([...v, '-t', topic, '-q', '1', '-C', '1', '-F', '%q %r %p']);
      const mortal = await subscribed([
        ...[...v, '-t', `${topic}/x`, '--will-topic', topic, '--will-payload', 'gone'],
        ...['--will-qos', '1', '--will-retain'],
      ]);
      mortal.kill('SIGKILL');
      expect(printed((await heir.finished).stdout)).toEqual(['1 0 gone']);
      const late = await clients.sub(broker.port, [...v, '-t', topic, '-C', '1', '-F', '%r %p']).finished;
      expect(late.stdout).toBe('1 gone\n');
    });

    // To the rest, which the client does by itself, 3.1 and 3.1.1 are the same.
    if (version === '31') continue;

    test(`${version}: lines from standard input, a file and repeats arrive in order`, async () => {
      const topic = uniqueName('cli/');
      const subscriber = await subscribed([...v, '-t', topic, '-q', '1', '-C', '106']);
      const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`);
      const piped = await clients.pub(broker.port, [...v, '-t', topic, '-q', '1', '-l'], {
        input: `${lines.join('\n')}\n`,
      });
      expect(piped.status).toBe(0);
      await clients.pub(broker.port, [...v, '-t', topic, '-q', '1', '-s'], { input: 'all of it' });
      await clients.pub(broker.port, [...v, '-t', topic, '-q', '1', '-m', 'again', '--repeat', '5']);
      const result = await subscriber.finished;
      expect(printed(result.stdout)).toEqual([...lines, 'all of it', ...Array.from({ length: 5 }, () => 'again')]);
    });

    test(`${version}: retained messages, --retained-only, -R and --remove-retained`, async () => {
      const topic = uniqueName('cli/');
      await clients.pub(broker.port, [...v, '-t', `${topic}/a`, '-m', 'kept', '-r']);
      const first = await clients.sub(broker.port, [
        ...v,
        '-t',
        `${topic}/#`,
        '--retained-only',
        '-C',
        '1',
        '-F',
        '%r %p',
      ]).finished;
      expect(first).toMatchObject({ status: 0, stdout: '1 kept\n' });
      const fresh = await subscribed([...v, '-t', `${topic}/#`, '-R', '-C', '1']);
      await clients.pub(broker.port, [...v, '-t', `${topic}/a`, '-m', 'live']);
      expect(printed((await fresh.finished).stdout)).toEqual(['live']);
      const remover = await clients.sub(broker.port, [...v, '-t', `${topic}/#`, '--remove-retained', '-W', '4'])
        .finished;
      expect(remover.status).toBe(27);
      const after = await clients.sub(broker.port, [...v, '-t', `${topic}/#`, '-W', '1']).finished;
      expect(after).toMatchObject({ status: 27, stdout: '' });
    });

    test(`${version}: -T filters out, -U unsubscribes`, async () => {
      const root = uniqueName('cli/');
      const id = uniqueName('keeper');
      const subscriber = await subscribed([...v, '-v', '-t', `${root}/#`, '-T', `${root}/b/#`, '-C', '2']);
      for (const name of ['a', 'b', 'b/c', 'd'])
        await clients.pub(broker.port, [...v, '-t', `${root}/${name}`, '-m', name]);
      expect(printed((await subscriber.finished).stdout)).toEqual([`${root}/a a`, `${root}/d d`]);
      const session = [...v, '-i', id, '-c', '-q', '1'];
      await clients.sub(broker.port, [...session, '-t', `${root}/a`, '-t', `${root}/d`, '-E']).finished;
      const again = clients.sub(broker.port, [...session, '-t', `${root}/a`, '-U', `${root}/d`, '-d', '-C', '1']);
      await again.waitForOutput(/received UNSUBACK/);
      for (const name of ['d', 'a'])
        await clients.pub(broker.port, [...v, '-q', '1', '-t', `${root}/${name}`, '-m', name]);
      expect(printed((await again.finished).stdout)).toEqual(['a']);
    });
  }

  test('rr asks and prints the answer, in 5 and 3.1.1', async () => {
    for (const version of ['5', '311']) {
      const topic = uniqueName('cli/');
      const answers = uniqueName('answers/');
      const responder = await subscribed(['-V', '5', '-t', topic, '-C', '1', '-F', '%R|%D|%p']);
      const asking = clients.rr(broker.port, [
        ...['-V', version, '-t', topic, '-e', answers, '-m', 'question', '-W', '20'],
        ...(version === '5' ? ['-D', 'publish', 'correlation-data', 'c1'] : []),
      ]);
      const [heard] = printed((await responder.finished).stdout);
      expect(heard).toBe(version === '5' ? `${answers}|c1|question` : '||question');
      await clients.pub(broker.port, ['-t', answers, '-m', 'answer']);
      expect(await asking).toMatchObject({ status: 0, stdout: 'answer\n' });
    }
  });

  test('5: -D properties arrive', async () => {
    const topic = uniqueName('cli/');
    const subscriber = await subscribed([
      ...['-V', '5', '-t', topic, '-C', '1', '-F', '%C|%R|%D|%F|%P|%S|%E|%p'],
      ...['-D', 'subscribe', 'subscription-identifier', '77'],
    ]);
    const property = (...words: string[]) => ['-D', 'publish', ...words];
    const sent = await clients.pub(broker.port, [
      ...['-V', '5', '-t', topic, '-m', 'x'],
      ...property('content-type', 'text/plain'),
      ...property('response-topic', 'answers/here'),
      ...property('correlation-data', 'c-17'),
      ...property('payload-format-indicator', '1'),
      ...property('user-property', 'b', '1'),
      ...property('user-property', 'a', '2'),
      ...property('message-expiry-interval', '3600'),
    ]);
    expect(sent).toMatchObject({ status: 0, stderr: '' });
    const [line] = printed((await subscriber.finished).stdout);
    expect(line).toMatch(/^text\/plain\|answers\/here\|c-17\|1\|b:1 a:2\|77\|(3600|359\d)\|x$/);
  });

  test('5: %j shows the properties as JSON', async () => {
    const topic = uniqueName('cli/');
    const subscriber = await subscribed(['-V', '5', '-t', topic, '-q', '1', '-C', '1', '-F', '%j']);
    await clients.pub(broker.port, [
      ...['-V', '5', '-t', topic, '-q', '1', '-m', 'a "quoted" text'],
      ...['-D', 'publish', 'content-type', 'text/plain', '-D', 'publish', 'user-property', 'who', 'me'],
    ]);
    const [line] = printed((await subscriber.finished).stdout);
    expect(JSON.parse(line ?? '')).toMatchObject({
      topic,
      qos: 1,
      retain: 0,
      payload: 'a "quoted" text',
      properties: { 'content-type': 'text/plain' },
    });
  });

  test('5: a topic alias and a will with properties', async () => {
    const topic = uniqueName('cli/');
    const subscriber = await subscribed(['-V', '5', '-t', topic, '-C', '3', '-F', '%t %C %p']);
    const aliased = ['-V', '5', '-t', topic, '-m', 'x', '--repeat', '2', '-D', 'publish', 'topic-alias', '3'];
    expect((await clients.pub(broker.port, aliased)).status).toBe(0);
    const mortal = await subscribed([
      ...['-V', '5', '-t', `${topic}/x`, '--will-topic', topic, '--will-payload', 'gone'],
      ...['-D', 'will', 'content-type', 'text/plain'],
    ]);
    mortal.kill('SIGKILL');
    expect(printed((await subscriber.finished).stdout)).toEqual([
      `${topic}  x`,
      `${topic}  x`,
      `${topic} text/plain gone`,
    ]);
  });

  test('5: a session lives as long as -x says', async () => {
    const topic = uniqueName('cli/');
    const session = ['-V', '5', '-i', uniqueName('x'), '-c', '-x', '600', '-t', topic, '-q', '1'];
    const recorder = await startWireRecorder(broker.port);
    await clients.sub(recorder.port, [...session, '-E']).finished;
    await clients.pub(broker.port, ['-V', '5', '-t', topic, '-q', '1', '-m', 'kept']);
    const again = await clients.sub(recorder.port, [...session, '-C', '1']).finished;
    expect(again.stdout).toBe('kept\n');
    const connacks = recorder.packets().filter((recorded) => recorded.packet.name === 'CONNACK');
    expect(connacks.map((recorded) => recorded.packet.flags)).toEqual([0, 1]);
    await recorder.close();
  });

  test('5: shared subscriptions share', async () => {
    const topic = uniqueName('cli/');
    const members = await Promise.all(
      [1, 2].map(() => subscribed(['-V', '5', '-t', `$share/crew/${topic}`, '-q', '1'])),
    );
    const numbers = Array.from({ length: 20 }, (_, index) => `${index}`);
    await clients.pub(broker.port, ['-V', '5', '-t', topic, '-q', '1', '-l'], { input: `${numbers.join('\n')}\n` });
    const received = () => members.flatMap((member) => printed(member.stdout()));
    await until(() => received().length >= 20, '20 messages');
    expect(received().sort()).toEqual([...numbers].sort());
    for (const member of members) {
      expect(printed(member.stdout()).length).toBeGreaterThan(0);
      await member.stop('SIGINT');
    }
  });

  test('a Unix socket does as well as TCP', async () => {
    const topic = uniqueName('cli/');
    const subscriber = await subscribed(['--unix', broker.unixPath, '-t', topic, '-C', '1']);
    expect((await clients.pub(broker.port, ['--unix', broker.unixPath, '-t', topic, '-m', 'local'])).status).toBe(0);
    expect(printed((await subscriber.finished).stdout)).toEqual(['local']);
  });

  test('a URL names it all', async () => {
    const topic = uniqueName('cli/');
    const subscriber = await subscribed(['-t', topic, '-C', '1']);
    const url = `mqtt://127.0.0.1:${broker.port}/${topic}`;
    const sent = await clients.pubTo(url, ['-m', 'by URL']);
    expect(sent).toMatchObject({ status: 0, stderr: '' });
    expect(printed((await subscriber.finished).stdout)).toEqual(['by URL']);
  });

  if (family === 'clearwing') {
    test('--ws goes over WebSocket', async () => {
      const topic = uniqueName('cli/');
      const subscriber = await subscribed(['--ws', '-t', topic, '-q', '2', '-C', '1'], broker.wsPort);
      const sent = await clients.pub(broker.wsPort, ['--ws', '-V', '5', '-t', topic, '-q', '2', '-m', 'framed']);
      expect(sent).toMatchObject({ status: 0, stderr: '' });
      expect(printed((await subscriber.finished).stdout)).toEqual(['framed']);
    });
  }

  test('payloads of a mebibyte come whole', async () => {
    const topic = uniqueName('cli/');
    const subscriber = await subscribed(['-t', topic, '-C', '1', '-N', '-q', '1']);
    const payload = 'abcdefgh'.repeat(131_072);
    await clients.pub(broker.port, ['-t', topic, '-s', '-q', '1'], { input: payload });
    const { stdout } = await subscriber.finished;
    expect(stdout.slice(stdout.indexOf('abcdefgh')).slice(0, payload.length)).toBe(payload);
  });
}

describeWithPeer(
  ['mosquitto_pub', 'mosquitto_sub', 'mosquitto_rr'],
  'mosquitto clients with the clearwing broker',
  () => {
    together('clearwing', 'mosquitto', everyVersion);
  },
);

describeWithPeer('mosquitto', 'clearwing clients with the mosquitto broker', () => {
  together('mosquitto', 'clearwing', everyVersion);
});

describe('clearwing clients with the clearwing broker', () => {
  together('clearwing', 'clearwing', ['5']);
});
