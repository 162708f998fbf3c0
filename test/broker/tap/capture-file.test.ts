/** What `capture_file` writes, read by tshark, and held against what dumpcap saw at the same time. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startBroker } from '../../support/broker-process.ts';
import { clientPrograms } from '../../support/client-programs.ts';
import { describeWithPeer, peerPath } from '../../support/peers.ts';
import { run, start } from '../../support/run.ts';
import { testPatienceMs } from '../../support/suite.ts';
import { until } from '../../support/until.ts';

const debian = clientPrograms('mosquitto');

async function tshark(file: string, port: number, args: readonly string[]): Promise<string[]> {
  const result = await run(peerPath('tshark'), ['-n', '-r', file, '-d', `tcp.port==${port},mqtt`, ...args]);
  expect(result.status, result.stderr).toBe(0);
  return result.stdout.split('\n').filter((line) => line !== '');
}

/** The packets of each connection and direction, by the client's port. */
async function packets(file: string, port: number): Promise<Map<string, string[]>> {
  const rows = await tshark(file, port, [
    '-Y',
    'mqtt',
    '-T',
    'fields',
    '-e',
    'tcp.srcport',
    '-e',
    'tcp.dstport',
    '-e',
    '_ws.col.Info',
  ]);
  const found = new Map<string, string[]>();
  for (const row of rows) {
    const [source, destination, info = ''] = row.split('\t');
    const way = source === `${port}` ? `to ${destination}` : `from ${source}`;
    found.set(way, [...(found.get(way) ?? []), ...info.split(', ')]);
  }
  return found;
}

/** Sessions, every QoS both ways, retained messages, a will, a large message, a refused packet, in 3.1.1 and 5.0. */
async function exercise(port: number): Promise<void> {
  for (const version of ['311', '5']) {
    const versionArguments = ['-V', version === '5' ? 'mqttv5' : 'mqttv311'];
    await debian.pub(port, [...versionArguments, '-t', 'kept', '-m', 'value', '-r', '-q', '1']);
    const subscriber = debian.sub(port, [
      ...versionArguments,
      '-t',
      '#',
      '-q',
      '2',
      '-C',
      '6',
      '-i',
      `watcher${version}`,
      '--will-topic',
      'gone',
    ]);
    await subscriber.waitForOutput(/value/);
    for (const qos of ['0', '1', '2'])
      await debian.pub(port, [...versionArguments, '-t', `counter/q${qos}`, '-m', '315', '-q', qos]);
    await debian.pub(port, [...versionArguments, '-t', 'large', '-m', 'x'.repeat(100_000), '-q', '1']);
    await debian.pub(port, [...versionArguments, '-t', 'kept', '-n', '-r', '-q', '2']);
    const result = await subscriber.finished;
    expect(result.status).toBe(0);
  }
}

describeWithPeer(['tshark', 'dumpcap', 'mosquitto_pub', 'mosquitto_sub'], 'capture_file', () => {
  it(
    'holds the same packets as dumpcap saw at the same time, and tshark has nothing to complain of',
    async () => {
      const broker = await startBroker({ config: 'capture_file {directory}/tap.pcapng' });
      const seen = join(broker.directory, 'seen.pcapng');
      const taken = join(broker.directory, 'tap.pcapng');
      const dumpcap = start(peerPath('dumpcap'), ['-q', '-i', 'lo', '-f', `tcp port ${broker.port}`, '-w', seen]);
      await until(() => dumpcap.stderr().includes('File:'), 'dumpcap captures');
      await exercise(broker.port);
      broker.signal('SIGTERM');
      expect(await broker.ended).toBe(0);
      // The system hands frames over in blocks, the last of them after a moment.
      const expected = await packets(taken, broker.port);
      await until(
        async () => (await countPackets(seen, broker.port)) >= count(expected),
        'dumpcap has written everything',
      );
      dumpcap.kill('SIGINT');
      await dumpcap.finished;
      expect(await packets(taken, broker.port)).toEqual(await packets(seen, broker.port));
      expect(count(expected)).toBeGreaterThan(60);

      const complaints = await tshark(taken, broker.port, [
        '-o',
        'tcp.check_checksum:TRUE',
        '-o',
        'ip.check_checksum:TRUE',
        '-Y',
        '_ws.expert.severity >= 0x00600000 || tcp.checksum.status == 0 || ip.checksum.status == 0 || tcp.analysis.flags || _ws.malformed',
      ]);
      expect(complaints).toEqual([]);
      // Opened and ended as connections are.
      const ends = await tshark(taken, broker.port, ['-Y', 'tcp.flags.syn == 1 && tcp.flags.ack == 0']);
      const streams = await tshark(taken, broker.port, [
        '-T',
        'fields',
        '-e',
        'tcp.stream',
        '-Y',
        'tcp.flags.fin == 1',
      ]);
      expect(new Set(streams).size).toBe(ends.length);
      expect(statSync(taken).mode & 0o777).toBe(0o600);
      await broker.stop();
    },
    testPatienceMs,
  );

  it(
    'begins another file at its size, and keeps only the latest',
    async () => {
      const broker = await startBroker({
        config: 'capture_file {directory}/tap.pcapng\ncapture_file_size 200000\ncapture_files 2\nuser root',
      });
      const files = (): string[] =>
        readdirSync(broker.directory)
          .filter((name) => name.startsWith('tap'))
          .sort();
      await until(async () => {
        await debian.pub(broker.port, ['-t', 'large', '-m', 'x'.repeat(100_000), '-q', '1']);
        return files().some((name) => name.includes('_00004_'));
      }, 'the fourth file');
      broker.signal('SIGTERM');
      expect(await broker.ended).toBe(0);
      const names = files();
      expect(names).toHaveLength(2);
      for (const name of names) expect(name).toMatch(/^tap_0000[3-9]_\d{14}\.pcapng$/);
      for (const name of names) await tshark(join(broker.directory, name), broker.port, ['-q']);
      await broker.stop();
    },
    testPatienceMs,
  );

  it(
    'holds only what capture_filter matches',
    async () => {
      const broker = await startBroker({
        config: 'capture_file {directory}/tap.pcapng\ncapture_filter mqtt.topic == "wanted" || mqtt.client == "me"',
      });
      await debian.pub(broker.port, ['-t', 'wanted', '-m', '1', '-q', '1']);
      await debian.pub(broker.port, ['-t', 'other', '-m', '2', '-q', '1']);
      await debian.pub(broker.port, ['-t', 'other', '-m', '3', '-i', 'me']);
      broker.signal('SIGTERM');
      expect(await broker.ended).toBe(0);
      const infos = await tshark(join(broker.directory, 'tap.pcapng'), broker.port, [
        '-T',
        'fields',
        '-e',
        '_ws.col.Info',
      ]);
      // The DISCONNECT behind it may come in the same chunk, or in another.
      const publishes = infos
        .map((info) => info.replace(', Disconnect Req', ''))
        .filter((info) => info.includes('Publish M'));
      expect(publishes).toEqual(['Publish Message (id=1) [wanted]', 'Publish Message [other]']);
      await broker.stop();
    },
    testPatienceMs,
  );

  it(
    'is refused with the place where capture_filter is wrong',
    async () => {
      await expect(
        startBroker({ config: 'capture_file {directory}/tap.pcapng\ncapture_filter mqtt.topicc == "x"' }),
      ).rejects.toThrow(/capture_filter: .*\(column 1 of 'mqtt\.topicc == "x"'\)/);
    },
    testPatienceMs,
  );

  it(
    'that cannot be written keeps the broker from starting, with the reason',
    async () => {
      await expect(startBroker({ config: 'capture_file {directory}/missing/tap.pcapng' })).rejects.toThrow(
        /Unable to write capture file .*missing\/tap\.pcapng/,
      );
    },
    testPatienceMs,
  );
});

function count(found: Map<string, string[]>): number {
  return [...found.values()].reduce((sum, list) => sum + list.length, 0);
}

async function countPackets(file: string, port: number): Promise<number> {
  // While dumpcap writes, the last block may be cut.
  const args = ['-n', '-r', file, '-d', `tcp.port==${port},mqtt`, '-Y', 'mqtt', '-T', 'fields', '-e', '_ws.col.Info'];
  const { stdout } = await run(peerPath('tshark'), args);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => line.split(', ')).length;
}
