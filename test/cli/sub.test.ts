/** What `sub` prints of the messages that come, beside Debian's mosquitto_sub with the same arguments on the same topic. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type BrokerProcess, startBroker } from '../support/broker-process.ts';
import { describeWithPeer } from '../support/peers.ts';
import type { RunningCommand, RunResult } from '../support/run.ts';
import { until } from '../support/until.ts';
import { type Family, runClient, startClient } from './client/compare.ts';

const families: readonly Family[] = ['real', 'ours'];
const peers = ['mosquitto', 'mosquitto_pub', 'mosquitto_sub'] as const;

describeWithPeer(peers, 'sub beside mosquitto_sub', () => {
  let broker: BrokerProcess;
  let topicCount = 0;
  let topic: string;
  const running = new Set<RunningCommand>();

  beforeAll(async () => {
    broker = await startBroker({ program: 'mosquitto', config: 'max_queued_messages 0', verbose: true });
  });
  afterEach(async () => {
    for (const command of running) await command.stop('SIGKILL').catch(() => {});
    running.clear();
  });
  afterAll(() => broker?.stop());

  async function publish(args: readonly (string | Buffer)[], to = topic): Promise<void> {
    const payload = args.find((arg) => typeof arg !== 'string') as Buffer | undefined;
    const texts = args.filter((arg) => typeof arg === 'string');
    const options = payload === undefined ? {} : { input: payload };
    const source = payload === undefined ? [] : ['-s'];
    const result = await runClient('real', 'pub', ['-p', String(broker.port), '-t', to, ...texts, ...source], options);
    expect(result.status).toBe(0);
  }

  /** Publishes each line as a message, all over one connection. */
  async function publishLines(lines: readonly unknown[], args: readonly string[]): Promise<void> {
    const input = lines.map((line) => `${line}\n`).join('');
    const options = ['-p', String(broker.port), '-t', topic, '-l', ...args];
    expect((await runClient('real', 'pub', options, { input })).status).toBe(0);
  }

  /** Starts a subscriber and resolves when the broker has its subscription. */
  async function startSub(family: Family, args: readonly string[], filter = topic): Promise<RunningCommand> {
    const seen = broker.log().length;
    const command = startClient(family, 'sub', ['-p', String(broker.port), '-t', filter, ...args]);
    running.add(command);
    await broker.waitForLog(/Sending SUBACK/, seen);
    return command;
  }

  /** The results of both, with the same messages published to both at once. */
  async function subscribeBoth(
    args: readonly string[],
    publishAll: () => Promise<void>,
  ): Promise<[RunResult, RunResult]> {
    const [real, ours] = [await startSub('real', args), await startSub('ours', args)];
    await publishAll();
    return [await real.finished, await ours.finished];
  }

  async function expectSame(
    args: readonly string[],
    publishAll: () => Promise<void>,
    normalise = (text: string) => text,
  ) {
    const [real, ours] = await subscribeBoth(args, publishAll);
    expect(normalise(ours.stdoutBytes.toString('latin1'))).toBe(normalise(real.stdoutBytes.toString('latin1')));
    expect(ours.stderr).toBe(real.stderr);
    expect(ours.status).toBe(real.status);
  }

  function upTo(count: number): number[] {
    return Array.from({ length: count }, (_, index) => index + 1);
  }

  function withoutIdentifier(text: string): string {
    return text.replaceAll(/auto-[0-9A-F-]{36}/g, 'auto-ID');
  }

  function freshTopic(): void {
    topic = `t/${++topicCount}`;
  }

  /** A message with every property a PUBLISH can have. */
  const rich = [
    ...['-V', '5', '-q', '1', '-m', 'he"l\\/lo', '-D', 'publish', 'content-type', 'text/x'],
    ...['-D', 'publish', 'correlation-data', "c'd", '-D', 'publish', 'message-expiry-interval', '30000'],
    ...['-D', 'publish', 'payload-format-indicator', '1', '-D', 'publish', 'response-topic', 'r/s'],
    ...['-D', 'publish', 'user-property', 'k', 'v', '-D', 'publish', 'user-property', 'k2', 'v"2'],
  ];
  const asVersion5 = ['-V', '5', '-q', '2', '-C', '1', '-D', 'subscribe', 'subscription-identifier', '7'];
  const binary = Buffer.from([0x61, 0, 0x62, 1, 0xff, 9, 0x0a, 0x63]);

  describe('formats', () => {
    it.each([
      '%A|%C|%D|%E|%F|%P|%R|%S|',
      '%10A|%10C|%10D|%20E|%10F|%10P|%10R|%10S|',
      '%-10A|%-10C|%-20E|%-10F|%-10R|%-10S|',
      '%010A|%010C|%020E|%010F|%010R|%010S|%-010F|%-010E',
      '%.2C|%6.2C|%-6.2C|%.2R|%.2t|%6.2t|%-6.0t|%.t',
      '%p %x %X %l %m %q %r %t %%',
      '%5p|%-12p|%012p|%3p|%12x|%-12x|%012X|%3x|%40x',
      '%5l|%-5l|%05l|%3m|%03m|%5q|%5r|%5%|%5P',
      'literal ä \\a\\e\\n\\r\\t\\v\\\\|\\0|',
      '@@ @Y-@m-@d @5 @3 @q @% @! @é',
      '@a @A @b @B @C @D @e @F @g @G @h @j @U @V @u @w @W @x @y @n @t @% @Z @z @E @O @+ @f @0 @- @_ @^ @#',
    ])('prints %s', async (format) => {
      freshTopic();
      await expectSame([...asVersion5, '-F', format], () => publish(rich));
    });

    it('prints what a plain message lacks as blanks, zeros or nothing', async () => {
      freshTopic();
      const format = '%A|%C|%D|%E|%F|%P|%R|%S|%5A|%-5A|%05A|%05C|%-05E|%5R|%m|%05m';
      await expectSame(['-C', '1', '-F', format], () => publish(['-m', 'x']));
    });

    it('prints empty and binary payloads', async () => {
      freshTopic();
      const format = '%p|%x|%X|%5p|%05x|%20p|%3p|%l';
      await expectSame(['-C', '2', '-F', format], async () => {
        await publish(['-n']);
        await publish([binary]);
      });
    });

    it.each([
      ['%I', /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000/],
      ['%30I|%.10I|%-30I|', /^ {6}[-\d]{10}T[\d:]{8}\+0000\|[-\d]{10}\|[-\d]{10}T[\d:]{8}\+0000 {6}\|$/],
      ['%U', /^\d{10}\.\d{9}$/],
      ['@s.@N', /^\d{10}\.\d{9}$/],
      ['@c|@H|@I|@k|@l|@M|@p|@P|@r|@R|@S|@T|@X', /^[A-Z]\w\w [A-Z]\w\w [ \d]\d [\d:]{8} \d{4}\|\d\d\|/],
    ])('prints the time as %s', async (format, pattern) => {
      freshTopic();
      const [real, ours] = await subscribeBoth(['-C', '1', '-F', format], () => publish(['-m', 'x']));
      for (const result of [real, ours]) expect(result.stdout.trimEnd()).toMatch(pattern);
    });
  });

  describe('JSON', () => {
    const withoutTime = (text: string) => text.replaceAll(/"tst":\t?"[-\d]{10}T[\d:]{8}\.\d{6}Z\+0000"/g, 'TIME');

    it.each([
      ['%j', []],
      ['%J', []],
      ['%j', ['--pretty']],
      ['<%J><%j>', ['--pretty']],
    ])('prints a message with all properties as %s %j', async (format, more) => {
      freshTopic();
      const args = [...asVersion5, '-F', format, ...more];
      const payload = rich.map((word) => (word.startsWith('he"') ? '{"a":[1.0,{"b":{}}]}' : word));
      await expectSame(args, () => publish(payload), withoutTime);
    });

    it('embeds payloads that are JSON and complains of those that are not, one as the other does', async () => {
      freshTopic();
      const payloads = [
        '{"a":[1,2.50,{"b":{}},[]],"c":null,"c":true,"é":"\\u00e9\\u0001\\u007f\\/"}',
        '[[],[1,[2]],{"x":[]}]',
        '1e3',
        '123456789012345678901',
        '9007199254740993',
        '1795263618051413945',
        '3.14159265358979',
        '0.30000000000000004',
        '"x"',
        'nope',
        ' {"a" : 1} ',
        '1 2',
        '-0',
        '1e400',
        '01',
        '1.e2',
        "'x'",
        '[1,]',
        '{"a":1,}',
        '"\\ud83d\\ude00"',
        '"\\ud83d"',
        '"a\tb"',
        'tru',
        '-',
        '1e',
        '.5',
        '-.5',
        '"\\x"',
        `${'['.repeat(999)}${']'.repeat(999)}`,
      ];
      await expectSame(
        ['-C', String(payloads.length + 1), '-F', '%j %J'],
        async () => {
          for (const payload of payloads) await publish(['-m', payload]);
          await publish(['-n']);
        },
        withoutTime,
      );
    });

    it('quotes bytes as they are, but nothing is lost behind a NUL', async () => {
      freshTopic();
      const ours = await startSub('ours', ['-C', '1', '-F', '%j']);
      await publish([binary]);
      const { stdoutBytes } = await ours.finished;
      const payload = Buffer.concat([
        Buffer.from('"payload":"a\\u0000b\\u0001'),
        Buffer.of(0xff),
        Buffer.from('\\t\\nc"}\n'),
      ]);
      expect(stdoutBytes.subarray(-payload.length)).toEqual(payload);
    });
  });

  it.each([[[]], [['-v']], [['-N']], [['-v', '-N']], [['--verbose', '-q', '2']]])(
    'prints payloads, and topics if asked, with %j',
    async (args) => {
      freshTopic();
      await expectSame([...args, '-C', '4'], async () => {
        await publish(['-m', 'text']);
        await publish(['-n']);
        await publish([binary, '-q', '2']);
        await publish(['-m', 'last', '-q', '1']);
      });
    },
  );

  it.each(['311', '5'])('prints the lines of -d in the order of the packets, version %s', async (version) => {
    freshTopic();
    const args = ['-d', '-q', '2', '-v', '-C', '4', '-V', version];
    const both = [await startSub('real', args), await startSub('ours', args)];
    for (const [index, qos] of ['2', '1', '0', '2'].entries()) {
      await publish(['-m', `message ${index}`, '-q', qos]);
      // One after the other, so that it is not up to chance whether a handshake ends before the next message comes.
      for (const sub of both) await sub.waitForOutput(`message ${index}\n`);
    }
    const [real, ours] = [await both[0]!.finished, await both[1]!.finished];
    expect(withoutIdentifier(ours.stdout)).toBe(withoutIdentifier(real.stdout));
    expect([ours.stderr, ours.status]).toEqual([real.stderr, real.status]);
  });

  it('leaves out what -T matches and what --retained-only, -R and -C exclude', async () => {
    for (const args of [
      ['-C', '2'],
      ['-C', '1', '-R'],
      ['-C', '1', '-R', '-V', '5'],
      ['--retained-only'],
      ['-C', '2', '-v', '-T', 'none/#'],
      ['-W', '2', '-v', '-T', '+/#'],
      ['-C', '2', '-V', '5', '--retain-as-published', '-F', '%r %p'],
    ]) {
      freshTopic();
      await publish(['-m', 'kept', '-r']);
      await expectSame(args, () => publish(['-m', 'fresh', '-r']));
      await publish(['-n', '-r']);
    }
  });

  it('removes retained messages with --remove-retained, printed or not, but those that -T leaves out', async () => {
    // All at once, so that there is time enough for a slow machine.
    const removeAndLook = async (more: readonly string[], root: string): Promise<void> => {
      const port = String(broker.port);
      const names = Array.from({ length: 30 }, (_, index) => `${root}/${index}`);
      for (const name of names) await publish(['-m', 'x', '-r', '-q', '1'], name);
      const args = ['-t', `${root}/#`, '--remove-retained', '-v', '-T', `${root}/7`, '-q', '1', '-W', '4', ...more];
      const { status, stdout } = await runClient('ours', 'sub', ['-p', port, ...args]);
      expect(status).toBe(27);
      expect(stdout.split('\n').filter((line) => /^t\S+ x$/.test(line))).toHaveLength(more.includes('-R') ? 0 : 29);
      const left = await runClient('real', 'sub', ['-p', port, '-t', `${root}/#`, '-v', '-W', '4']);
      expect(left.stdout).toBe(`${root}/7 x\n`);
      await publish(['-n', '-r'], `${root}/7`);
    };
    freshTopic();
    const ways = [[], ['-R'], ['-R', '-V', '5'], ['-d']];
    await Promise.all(ways.map((more, index) => removeAndLook(more, `${topic}/${index}`)));
  });

  it('has removed what it printed when -C ends it', async () => {
    freshTopic();
    const names = Array.from({ length: 9 }, (_, index) => `${topic}/${index}`);
    for (const name of names) await publish(['-m', 'x', '-r', '-q', '1'], name);
    const removing = await startSub('ours', ['--remove-retained', '-C', '9'], `${topic}/#`);
    expect((await removing.finished).status).toBe(0);
    const left = await runClient('real', 'sub', ['-p', String(broker.port), '-t', `${topic}/#`, '-v', '-W', '1']);
    expect(left.stdout).toBe('');
  });

  it('clears everything and ends with --retained-only --remove-retained once a fresh message comes', async () => {
    freshTopic();
    const names = Array.from({ length: 5 }, (_, index) => `${topic}/${index}`);
    for (const name of names) await publish(['-m', 'x', '-r'], name);
    const ours = await startSub('ours', ['--retained-only', '--remove-retained'], `${topic}/#`);
    await ours.waitForLines(5);
    await publish(['-m', 'fresh'], `${topic}/fresh`);
    expect((await ours.finished).status).toBe(0);
    const left = await runClient('real', 'sub', ['-p', String(broker.port), '-t', `${topic}/#`, '-W', '1']);
    expect(left.stdout).toBe('');
  });

  it.each(
    ['311', '5'].flatMap((version) => [
      [version, '1'],
      [version, '2'],
    ]),
  )('takes up a Session with -c and prints what came meanwhile, version %s, QoS %s', async (version, qos) => {
    // Debian's client gives up after 20 messages at QoS 2 with 5.0: it and its broker count Receive Maximum in two ways.
    for (const family of version === '5' && qos === '2' ? (['ours'] as const) : families) {
      freshTopic();
      const args = ['-i', `keeper-${family}-${version}-${qos}`, '-c', '-q', qos!, '-V', version!];
      const first = await startSub(family, [...args, '-E']);
      expect((await first.finished).status).toBe(0);
      await publishLines(upTo(50), ['-q', qos!]);
      const second = await startSub(family, [...args, '-C', '50']);
      const { stdout } = await second.finished;
      expect(stdout.trim().split('\n').map(Number)).toEqual(upTo(50));
    }
  });

  it.each([
    ['311', '1'],
    ['311', '2'],
    ['5', '1'],
    ['5', '2'],
  ])(
    'leaves to the Session what comes after the last message that -C asked for, version %s, QoS %s',
    async (version, qos) => {
      freshTopic();
      const args = ['-i', `greedy-${version}-${qos}`, '-c', '-q', qos, '-V', version];
      await (await startSub('ours', [...args, '-E'])).finished;
      await publishLines(upTo(30), ['-q', qos]);
      const seen: number[] = [];
      for (const count of ['10', '7', '13']) {
        const { stdout, status } = await (await startSub('ours', [...args, '-C', count])).finished;
        expect(status).toBe(0);
        seen.push(...stdout.trim().split('\n').map(Number));
      }
      expect(seen).toEqual(upTo(30));
    },
  );

  it('unsubscribes with -U, also without -t', async () => {
    freshTopic();
    const args = ['-i', 'leaver', '-c', '-q', '1'];
    await (await startSub('ours', [...args, '-E'])).finished;
    const seen = broker.log().length;
    const leaving = startClient('ours', 'sub', ['-p', String(broker.port), ...args, '-U', topic, '-E']);
    expect((await leaving.finished).status).toBe(0);
    await broker.waitForLog(new RegExp(`leaver ${topic}`), seen);
    await publish(['-m', 'unheard', '-q', '1']);
    const later = await runClient('ours', 'sub', ['-p', String(broker.port), ...args, '-t', 'other', '-W', '1']);
    expect([later.stdout, later.status]).toEqual(['', 27]);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('disconnects at %s and ends without failure', async (signal) => {
    for (const family of families) {
      for (const version of ['311', '5']) {
        freshTopic();
        const will = ['--will-topic', `${topic}/will`, '--will-payload', 'gone', '-V', version];
        const witness = await startSub(family, ['-v'], `${topic}/will`);
        const sub = await startSub(family, will);
        sub.kill(signal);
        const { status, stdout, stderr } = await sub.finished;
        expect([family, status, stdout, stderr]).toEqual([family, 0, '', '']);
        await publish(['-m', 'later'], `${topic}/will`);
        await witness.waitForOutput('later\n');
        // With 5.0 they leave with Reason Code 0x04, Disconnect with Will Message.
        const gone = version === '5' ? `${topic}/will gone\n` : '';
        expect(witness.stdout()).toBe(`${gone}${topic}/will later\n`);
      }
    }
  });

  it('ends quietly and without failure when nobody reads its output any more', async () => {
    for (const family of families) {
      freshTopic();
      const sub = await startSub(family, []);
      sub.process.stdout?.destroy();
      await until(async () => {
        await publish(['-m', 'x']);
        return sub.process.exitCode !== null;
      }, 'the subscriber to end');
      expect([family, sub.process.exitCode, sub.stderr()]).toEqual([family, 0, '']);
    }
  });

  it('prints no more than --random-filter lets through, and all of it at 100', async () => {
    freshTopic();
    const [all, some] = [
      await startSub('ours', ['--random-filter', '100', '-C', '400']),
      await startSub('ours', ['--random-filter', '50', '-C', '400']),
    ];
    const input = 'x\n'.repeat(400);
    await runClient('real', 'pub', ['-p', String(broker.port), '-t', topic, '-l', '-q', '1'], { input });
    expect((await all.finished).stdout).toBe(input);
    const count = (await some.finished).stdout.length / 2;
    // Ten standard deviations around the mean.
    expect(count).toBeGreaterThan(100);
    expect(count).toBeLessThan(300);
  });
});
