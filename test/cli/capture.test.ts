/** `clearwing capture`: packets as they happen, from a broker's tap and from an interface. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PcapngWriter } from '../../src/capture/pcapng-writer.ts';
import { TapPieces } from '../../src/cli/dissect/tap-pieces.ts';
import { type BrokerProcess, startBroker } from '../support/broker-process.ts';
import { type ClientPrograms, clientPrograms } from '../support/client-programs.ts';
import { clearwingMain } from '../support/paths.ts';
import { hasPeer, peerPath } from '../support/peers.ts';
import { freePort } from '../support/ports.ts';
import { type RunningCommand, run, start } from '../support/run.ts';
import { testPatienceMs } from '../support/suite.ts';
import { until } from '../support/until.ts';

const ours = clientPrograms('clearwing');
const environment = { TZ: 'UTC', HOME: '/nonexistent' };
const capture = (args: readonly string[]): RunningCommand =>
  start(process.execPath, [clearwingMain, 'capture', ...args], { environment });

function captureTap(broker: BrokerProcess, args: readonly string[] = []): RunningCommand {
  return capture(['--broker', `mqtt://127.0.0.1:${broker.port}`, '-l', ...args]);
}

async function publishUntilSeen(broker: BrokerProcess, program: RunningCommand): Promise<void> {
  await until(async () => {
    await ours.pub(broker.port, ['-t', 'begin', '-m', 'x']);
    return program.stdout().includes('[begin]');
  }, 'the capture shows packets');
}

describe('clearwing capture --broker', () => {
  it(
    'shows packets as they happen, without privileges, and ends when it is told to',
    async () => {
      const broker = await startBroker({ withoutConfig: true });
      const program = captureTap(broker, ['-Y', 'mqtt', '-T', 'fields', '-e', '_ws.col.Info']);
      await publishUntilSeen(broker, program);
      await ours.pub(broker.port, ['-t', 'a/b', '-m', 'hello', '-q', '2', '-i', 'tester']);
      await program.waitForOutput(/Publish Message \(id=1\) \[a\/b\]\n(.*\n)*?Disconnect Req/);
      program.kill('SIGINT');
      const { status, stderr, stdout } = await program.finished;
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(
        /Connect Command\nConnect Ack\nPublish Message \(id=1\) \[a\/b\]\nPublish Received \(id=1\)\nPublish Release \(id=1\)\nPublish Complete \(id=1\)\nDisconnect Req\n$/,
      );
      await broker.stop();
    },
    testPatienceMs,
  );

  it(
    'shows connections that began before it, stops after -c frames, and writes a file of one section',
    async () => {
      const broker = await startBroker({ withoutConfig: true });
      const subscriber = ours.sub(broker.port, ['-t', 'later/#', '-v', '-d']);
      await subscriber.waitForOutput(/received SUBACK/);
      const file = join(broker.directory, 'taken.pcapng');
      const program = captureTap(broker, ['-c', '40', '-w', file, '-P', 'mqtt']);
      await until(async () => {
        await ours.pub(broker.port, ['-t', 'later/on', '-m', 'x']);
        return subscriber.stdout().includes('later/on x') && program.process.exitCode !== null;
      }, 'the capture has forty frames');
      const { status, stderr, stdout } = await program.finished;
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      // What goes out to the subscriber is of a connection whose beginning was not seen.
      expect(stdout).toMatch(/Publish Message \[later\/on\]/);
      expect(stdout).not.toContain('Subscribe Request');
      const fields = ['frame.number', 'frame.interface_id', 'frame.section_number'].flatMap((name) => ['-e', name]);
      const read = await run(process.execPath, [clearwingMain, 'dissect', '-r', file, '-T', 'fields', ...fields], {
        environment,
      });
      expect(read.status).toBe(0);
      const rows = read.stdout.trimEnd().split('\n');
      expect(new Set(rows.map((row) => row.replace(/^\d+/, '')))).toEqual(new Set(['\t0\t1']));
      if (hasPeer('tshark')) {
        const theirs = await run(peerPath('tshark'), ['-n', '-r', file], { environment });
        expect(theirs.status).toBe(0);
        expect(theirs.stdout.trimEnd().split('\n')).toHaveLength(rows.length);
      }
      await subscriber.stop();
      await broker.stop();
    },
    testPatienceMs,
  );

  it(
    'says why there is nothing to see',
    async () => {
      const broker = await startBroker({
        config: 'listener {port} localhost\nallow_anonymous true\ncapture_users root',
      });
      const refused = await capture(['--broker', `mqtt://127.0.0.1:${broker.port}`]).finished;
      expect(refused).toMatchObject({ status: 1, stdout: '' });
      expect(refused.stderr).toMatch(/^clearwing: mqtt:\/\/127\.0\.0\.1:\d+: .*capture_users/);
      await broker.stop();
      const nobody = await capture(['--broker', `mqtt://127.0.0.1:${await freePort()}`]).finished;
      expect(nobody).toMatchObject({ status: 1, stdout: '' });
      expect(nobody.stderr).toMatch(/^clearwing: mqtt:.*ECONNREFUSED/);
    },
    testPatienceMs,
  );

  it(
    'ends when the broker goes, and says so',
    async () => {
      const broker = await startBroker({ withoutConfig: true });
      const program = captureTap(broker, ['mqtt']);
      await publishUntilSeen(broker, program);
      await broker.stop();
      const { status, stderr } = await program.finished;
      expect(status).toBe(1);
      expect(stderr).toMatch(/^clearwing: mqtt:\/\/127\.0\.0\.1:\d+: .+\n$/);
    },
    testPatienceMs,
  );
});

describe('pieces of a tap', () => {
  const piece = (packets: readonly string[], lost: number): Uint8Array => {
    const writer = new PcapngWriter({ application: 'test' });
    writer.addInterface({ linkType: 1, name: 'tap' });
    for (const packet of packets) writer.writePacket(0, 1, 2, packet.length, Buffer.from(packet));
    writer.writeStatistics([lost]);
    return writer.take().slice();
  };

  it('are one section, with what is missing counted', () => {
    const pieces = new TapPieces();
    const joined = Buffer.concat(
      [piece(['one'], 0), piece(['two', 'three'], 3), piece(['four'], 4)].map((one) => pieces.next(one)),
    );
    expect(pieces.lost).toBe(7);
    const text = joined.toString('latin1');
    expect(text.match(/tap/g)).toHaveLength(1);
    for (const packet of ['one', 'two', 'three', 'four']) expect(text).toContain(packet);
  });

  it('that are none are handed on as they are', () => {
    for (const bytes of ['', 'abc', 'no capture at all, but long enough for a block']) {
      expect(Buffer.from(new TapPieces().next(Buffer.from(bytes))).toString()).toBe(bytes);
    }
  });
});

const mayCapture = ((): string | undefined => {
  if (!hasPeer('dumpcap')) return 'dumpcap is not installed';
  const { status } = spawnSync(peerPath('dumpcap'), [
    '-q',
    '-i',
    'lo',
    '-a',
    'duration:1',
    '-c',
    '1',
    '-f',
    'port 1',
    '-w',
    '/dev/null',
  ]);
  return status === 0 ? undefined : 'nobody here may capture from lo';
})();

describe.skipIf(mayCapture !== undefined)(
  `clearwing capture -i${mayCapture === undefined ? '' : ` (skipped: ${mayCapture})`}`,
  () => {
    const exercise = async (clients: ClientPrograms, broker: BrokerProcess): Promise<void> => {
      await clients.pub(broker.port, ['-t', 'on/the/wire', '-m', 'x', '-q', '1']);
    };
    const begun = async (program: RunningCommand, broker: BrokerProcess): Promise<void> => {
      await until(async () => {
        await ours.pub(broker.port, ['-t', 'begin', '-m', 'x']);
        return program.stdout().includes('[begin]');
      }, 'the capture shows packets');
    };

    it(
      'shows what goes over an interface as it does, with a capture filter, until Ctrl-C',
      async () => {
        const broker = await startBroker({});
        const program = capture([
          '-i',
          'lo',
          '-f',
          `tcp port ${broker.port}`,
          '-l',
          '-d',
          `tcp.port==${broker.port},mqtt`,
          'mqtt',
        ]);
        await begun(program, broker);
        await exercise(hasPeer('mosquitto_pub') ? clientPrograms('mosquitto') : ours, broker);
        await program.waitForOutput(/Publish Ack \(id=1\)/);
        program.kill('SIGINT');
        expect(await program.finished).toMatchObject({ status: 0, stderr: '' });
        await broker.stop();
      },
      testPatienceMs,
    );

    it(
      'stops after -c frames, and after -a duration',
      async () => {
        const broker = await startBroker({});
        const filter = ['-i', 'lo', '-f', `tcp port ${broker.port}`, '-l'];
        const counted = capture([...filter, '-c', '5']);
        await until(async () => {
          await exercise(ours, broker);
          return counted.process.exitCode !== null;
        }, 'five frames have come');
        expect((await counted.finished).stdout.trimEnd().split('\n')).toHaveLength(5);
        expect(await counted.finished).toMatchObject({ status: 0, stderr: '' });
        const timed = capture([...filter, '-a', 'duration:1']);
        expect(await timed.finished).toMatchObject({ status: 0, stderr: '' });
        await broker.stop();
      },
      testPatienceMs,
    );

    it('says what is wrong with interface, filter or privileges', async () => {
      const wrong = await capture(['-i', 'nothing0']).finished;
      expect(wrong).toMatchObject({ status: 1, stdout: '' });
      expect(wrong.stderr).toMatch(/^clearwing: dumpcap: .*nothing0/);
      const filter = await capture(['-i', 'lo', '-f', 'tcp porto 1']).finished;
      expect(filter).toMatchObject({ status: 1, stdout: '' });
      expect(filter.stderr).toMatch(/^clearwing: dumpcap: .*filter/);
      const list = await capture(['-D']).finished;
      expect(list.stdout).toMatch(/\blo\b/);
    });

    it.skipIf(process.getuid?.() !== 0)('has no privileges of its own', async () => {
      const program = [
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        process.execPath,
        clearwingMain,
        'capture',
        '-i',
        'lo',
      ];
      const { status, stderr, stdout } = await run('setpriv', program, { environment });
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toMatch(/^clearwing: dumpcap: .*permission/i);
      expect(stderr).not.toMatch(/^\s+at /m);
    });
  },
);
