import { createReadStream, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type BrokerProcess, startBroker } from '../support/broker-process.ts';
import { clearwingMain } from '../support/paths.ts';
import { describeWithPeer } from '../support/peers.ts';
import { residentBytes } from '../support/process-memory.ts';
import { run } from '../support/run.ts';
import { runClient, startClient } from './client/compare.ts';

describeWithPeer(['mosquitto', 'mosquitto_pub', 'mosquitto_sub'], 'pub', () => {
  let broker: BrokerProcess;
  let port: string;

  beforeAll(async () => {
    broker = await startBroker({ program: 'mosquitto', config: 'max_queued_messages 0' });
    port = String(broker.port);
  });
  afterAll(() => broker?.stop());

  /** Starts Debian's subscriber and resolves when it is subscribed. */
  async function listen(topic: string, args: readonly string[]) {
    const sub = startClient('real', 'sub', ['-p', port, '-t', topic, '-d', ...args], { timeoutMs: 300_000 });
    await sub.waitForOutput('Subscribed');
    return sub;
  }

  /** What the subscriber printed but for the lines of -d. */
  function payloadsOf(stdout: string): string {
    return stdout.replaceAll(/^(Client|Subscribed) .*\n/gm, '');
  }

  it.each([
    ['0', 50_000],
    ['1', 20_000],
    ['2', 20_000],
  ])(
    'at QoS %s streams %i lines with -l, all and in order',
    async (qos, count) => {
      const lines = Array.from({ length: count }, (_, index) => `${index}\n`).join('');
      // What is retained comes once it is subscribed.
      await runClient('real', 'pub', ['-p', port, '-t', `l/${qos}`, '-m', 'begin', '-r']);
      const sub = startClient('real', 'sub', ['-p', port, '-t', `l/${qos}`, '-q', qos, '-C', String(count)], {
        timeoutMs: 300_000,
      });
      await sub.waitForOutput('begin\n');
      const pub = await runClient('ours', 'pub', ['-p', port, '-t', `l/${qos}`, '-q', qos, '-l'], {
        input: lines,
        timeoutMs: 300_000,
      });
      expect([pub.status, pub.stderr, pub.stdout]).toEqual([0, '', '']);
      const { stdout } = await sub.finished;
      // The greeting took the place of the last line.
      expect(stdout === `begin\n${lines.slice(0, lines.lastIndexOf('\n', lines.length - 2) + 1)}`).toBe(true);
    },
    300_000,
  );

  it('keeps its memory within bounds while -l reads more than the server takes', async () => {
    // A stopped broker takes nothing at all.
    const stuck = await startBroker({ program: 'mosquitto' });
    const pub = startClient('ours', 'pub', ['-p', String(stuck.port), '-t', 'm', '-l', '-q', '0', '-d'], {
      keepInputOpen: true,
      timeoutMs: 300_000,
    });
    try {
      pub.write('first\n');
      await pub.waitForOutput('sending PUBLISH');
      stuck.signal('SIGSTOP');
      const chunk = Buffer.from(`${'x'.repeat(999)}\n`.repeat(1_000));
      const { stdin } = pub.process;
      let written = 0;
      // Until it does not read any more; 512 MB would be far beyond what may be kept.
      for (; written < 512 && stdin!.write(chunk); written++) await new Promise((resolve) => setImmediate(resolve));
      for (; written < 512; written++) {
        if (stdin!.write(chunk)) continue;
        const isTaken = await Promise.race([
          new Promise<boolean>((resolve) => stdin!.once('drain', () => resolve(true))),
          new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 3_000)),
        ]);
        if (!isTaken) break;
      }
      expect(written).toBeLessThan(200);
      expect(residentBytes(pub.pid)).toBeLessThan(250e6);
    } finally {
      stuck.signal('SIGCONT');
      await pub.stop('SIGKILL');
      await stuck.stop();
    }
  });

  it('goes on with -l when the server is back, and loses nothing at QoS 1', async () => {
    const first = await startBroker({
      program: 'mosquitto',
      config: 'listener {port} 127.0.0.1\nallow_anonymous true',
    });
    const { port: samePort } = first;
    const pub = startClient('ours', 'pub', ['-p', String(samePort), '-t', 'b', '-l', '-q', '1', '-i', 'me', '-d'], {
      keepInputOpen: true,
    });
    pub.write('one\n');
    await pub.waitForOutput('received PUBACK (Mid: 1');
    await first.stop('SIGKILL');
    pub.write('two\n');
    const second = await startBroker({
      program: 'mosquitto',
      config: `listener ${samePort} 127.0.0.1\nallow_anonymous true\nlog_type all\nconnection_messages true`,
      verbose: true,
    });
    pub.write('three\n');
    pub.endInput();
    expect((await pub.finished).status).toBe(0);
    const published = second.log().filter((line) => line.includes('Received PUBLISH'));
    expect(published).toHaveLength(2);
    await second.stop();
  });

  it('ends with -l when the server that is back refuses it', async () => {
    const first = await startBroker({
      program: 'mosquitto',
      config: 'listener {port} 127.0.0.1\nallow_anonymous true',
    });
    const pub = startClient('ours', 'pub', ['-p', String(first.port), '-t', 'b', '-l', '-d'], { keepInputOpen: true });
    await pub.waitForOutput('CONNACK');
    await first.stop('SIGKILL');
    const config = `listener ${first.port} 127.0.0.1\nallow_anonymous false`;
    const second = await startBroker({ program: 'mosquitto', config });
    const { status, stderr } = await pub.finished;
    expect([status, stderr]).toEqual([
      5,
      'Connection error: Connection Refused: not authorised.\nError: The connection was refused.\n',
    ]);
    await second.stop();
  });

  it('sends lines that come slowly at once', async () => {
    const sub = await listen('slow', []);
    const pub = startClient('ours', 'pub', ['-p', port, '-t', 'slow', '-l'], { keepInputOpen: true });
    for (const line of ['one', 'two', 'three']) {
      pub.write(line);
      pub.write('\n');
      await sub.waitForOutput(`${line}\n`);
    }
    pub.endInput();
    expect((await pub.finished).status).toBe(0);
    await sub.stop();
  });

  it('sends the bytes it was given, whatever they are', async () => {
    const sub = await listen('bytes', ['-C', '5', '-N']);
    const bytes = Buffer.from(Array.from({ length: 255 }, (_, index) => index + 1));
    const path = join(broker.directory, 'bytes');
    writeFileSync(path, bytes);
    const args = ['-p', port, '-t', 'bytes'];
    await runClient('ours', 'pub', [...args, '-f', path]);
    await runClient('ours', 'pub', [...args, '-s'], { input: bytes });
    const link = join(broker.directory, 'mosquitto_pub');
    symlinkSync(clearwingMain, link);
    const command = `${process.execPath} ${link} ${args.join(' ')}`;
    const shell = (line: string) => run('sh', ['-c', line], { environment: { HOME: '/nonexistent' } });
    expect((await shell(`cat ${path} | ${command} -f /dev/stdin`)).status).toBe(0);
    // No shell word holds a NUL, but any other byte.
    expect((await shell(`${command} -m "$(cat ${path}; printf x)"`)).status).toBe(0);
    await runClient('ours', 'pub', [...args, '-l'], { input: Buffer.from([0x61, 0, 0xff, 0x0d]) });
    const { stdoutBytes } = await sub.finished;
    const all = stdoutBytes
      .toString('latin1')
      .replaceAll(/^(Client|Subscribed).*\n/gm, '')
      .replaceAll(/Client \(null\).*\n/g, '');
    const text = bytes.toString('latin1');
    expect(all).toBe(`${text}${text}${text}${text}xa\0\xff\r`);
  });

  it('refuses a payload that no packet can carry before it is read to its end', async () => {
    const endless = startClient('ours', 'pub', ['-p', port, '-t', 'big', '-s'], {
      keepInputOpen: true,
      timeoutMs: 120_000,
    });
    const zeros = createReadStream('/dev/zero', { highWaterMark: 1 << 20 });
    zeros.pipe(endless.process.stdin!);
    const { status, stderr } = await endless.finished;
    zeros.destroy();
    expect(status).toBe(1);
    expect(stderr).toBe(
      'Error: Message length must be less than 268435455 bytes.\n\nError loading input from stdin.\n',
    );
    const file = await runClient('ours', 'pub', ['-p', port, '-t', 'big', '-f', '/dev/zero'], { timeoutMs: 120_000 });
    expect(file.status).toBe(1);
    expect(file.stderr).toBe(
      'Error: File must be less than 268435455 bytes.\n\nError loading input file "/dev/zero".\n',
    );
    const directory = await runClient('ours', 'pub', ['-p', port, '-t', 'big', '-f', '/']);
    expect([directory.status, directory.stderr]).toEqual([
      1,
      'Error: Unable to open file "/": Is a directory.\nError loading input file "/".\n',
    ]);
  }, 120_000);

  it('says why when the server does not take such a message', async () => {
    const config =
      'max_packet_size 100\nretain_available false\nlistener {port} 127.0.0.1\nmax_qos 1\nallow_anonymous true';
    const limited = await startBroker({ program: 'mosquitto', config });
    const args = ['-p', String(limited.port), '-t', 'a', '-V', '5'];
    for (const [more, text] of [
      [['-m', 'x'.repeat(200)], /^Error: Message payload is too large\.\n.*100/],
      [['-m', 'x', '-q', '2'], /^Error: Message QoS not supported on broker, try a lower QoS\.\n$/],
      [['-m', 'x', '-r'], /^Error: .*retained messages are not supported/],
      [['-m', 'x', '-D', 'publish', 'topic-alias', '60000'], /^Error: .*topicAlias 60000/],
    ] as const) {
      const { status, stderr } = await runClient('ours', 'pub', [...args, ...more]);
      expect(stderr).toMatch(text);
      expect(status).toBe(1);
    }
    const lines = await runClient('ours', 'pub', [...args, '-l'], { input: `short\n${'x'.repeat(200)}\n` });
    expect([lines.status, lines.stderr]).toEqual([1, expect.stringMatching(/^Error: Message payload is too large/)]);
    await limited.stop();
  });

  it('waits as long as --repeat-delay says, and ends when the connection does', async () => {
    const begin = performance.now();
    const args = ['-p', port, '-t', 'r', '-m', 'x', '--repeat', '3', '--repeat-delay', '0.3'];
    expect((await runClient('ours', 'pub', args)).status).toBe(0);
    expect(performance.now() - begin).toBeGreaterThan(600);
    const ending = await startBroker({ program: 'mosquitto' });
    const waiting = startClient('ours', 'pub', [
      '-p',
      String(ending.port),
      '-t',
      'r',
      '-m',
      'x',
      '--repeat',
      '3',
      '--repeat-delay',
      '1000',
      '-d',
    ]);
    await waiting.waitForOutput('sending PUBLISH');
    await ending.stop('SIGKILL');
    expect((await waiting.finished).status).toBe(7);
  });

  it('ends with 19 when the server does not answer any more', async () => {
    const stuck = await startBroker({ program: 'mosquitto' });
    const pub = startClient('ours', 'pub', ['-p', String(stuck.port), '-t', 'r', '-l', '-q', '1', '-k', '5', '-d'], {
      keepInputOpen: true,
    });
    const single = startClient('ours', 'pub', [
      '-p',
      String(stuck.port),
      '-t',
      'r',
      '-m',
      'x',
      '--repeat',
      '2',
      '--repeat-delay',
      '100',
      '-k',
      '5',
      '-d',
    ]);
    await pub.waitForOutput('CONNACK');
    await single.waitForOutput('sending PUBLISH');
    stuck.signal('SIGSTOP');
    const { status, stderr } = await single.finished;
    expect([status, stderr]).toEqual([19, 'Error: The server did not answer in time.\n']);
    // With -l it comes back as soon as the server does.
    pub.write('late\n');
    stuck.signal('SIGCONT');
    pub.endInput();
    expect((await pub.finished).status).toBe(0);
    await stuck.stop();
  });

  it('has its output seen whole, however many lines -d prints', async () => {
    const input = 'x\n'.repeat(20_000);
    const { stdout } = await runClient('ours', 'pub', ['-p', port, '-t', 'd', '-l', '-d'], { input });
    expect(stdout.split('\n').length).toBe(20_000 + 4);
    expect(payloadsOf(stdout)).toBe('');
  });
});
