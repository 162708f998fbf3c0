/**
 * A broker whose store cannot be written any more: the system refuses to let the file grow, and, where a file system can be mounted for it,
 * the disk really is full.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { clearwingMain } from '../support/paths.ts';
import { freePort } from '../support/ports.ts';
import { openClient, RawClient } from '../support/raw-client.ts';
import { connect, property, puback, publish, publish5, subscribe5 } from '../support/raw-packets.ts';
import { until } from '../support/until.ts';

const persistent = { cleanStart: false, properties: [property.sessionExpiryInterval(3600)], keepAlive: 0 };
const quotaExceeded = 0x97;
const payloadBytes = 6000;
const fileBytesMax = 1024 * 1024;

/** One way to run out of space, and how there is some again. */
interface Shortage {
  /** What the log says is the matter. */
  readonly reason: RegExp;
  /** Before the broker is started; `directory` holds its data. Gives what is put before its command line. */
  begin(directory: string): readonly string[];
  end(directory: string, processId: number): void;
}

/** Files may grow to 1 MiB, as far as this process is concerned, and the limit can be lifted again. */
const fileLimit: Shortage = {
  reason: /the file would be larger than is allowed/,
  begin: () => ['prlimit', `--fsize=${fileBytesMax}:unlimited`],
  end: (_directory, processId) => void execFileSync('prlimit', ['--pid', String(processId), '--fsize=unlimited']),
};

/** A file system of 1 MiB, which can be made larger. */
const smallDisk: Shortage = {
  reason: /no space left on the disk/,
  begin: (directory) => {
    mount(directory);
    onTestFinished(() => void spawnSync('umount', ['--lazy', directory]));
    return [];
  },
  end: (directory) => void execFileSync('mount', ['-o', 'remount,size=256m', directory]),
};

function mount(directory: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${fileBytesMax}`, 'clearwing-test', directory], { stdio: 'pipe' });
}

/** Only root may, and not in every container. */
function canMount(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-mount-'));
  try {
    mount(directory);
    return spawnSync('umount', [directory]).status === 0;
  } catch {
    return false;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const shortages: readonly (readonly [string, Shortage])[] =
  process.platform !== 'linux'
    ? []
    : [['may not grow', fileLimit], ...(canMount() ? ([['is on a full disk', smallDisk]] as const) : [])];

describe.runIf(process.platform === 'linux')('a broker whose disk is full', () => {
  it.each(shortages)(
    'refuses what it would have to keep, goes on with the rest, recovers, and has lost nothing: the file %s',
    async (_name, shortage) => {
      const directory = mkdtempSync(join(tmpdir(), 'clearwing-full-'));
      onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
      const data = join(directory, 'data');
      mkdirSync(data);
      const port = await freePort();
      const config = join(directory, 'broker.conf');
      const lines = [
        ...(process.getuid?.() === 0 ? ['user root'] : []),
        ...['allow_anonymous true', 'max_queued_messages 0', 'sys_interval 1'],
        ...['persistence true', `persistence_location ${data}`, `listener ${port} 127.0.0.1`],
      ];
      writeFileSync(config, `${lines.join('\n')}\n`);
      const start = (...command: readonly string[]) =>
        startBroker([...command, process.execPath, clearwingMain], config);

      const broker = start(...shortage.begin(data));
      await broker.listens();
      const subscriber = await openClient(port, { ...persistent, clientIdentifier: 'away' });
      subscriber.send(subscribe5(1, [['durable', 1]]));
      await subscriber.expect('SUBACK');
      subscriber.destroy();
      const watcher = await watchStatus(port);

      const publisher = await openClient(port, { keepAlive: 0 });
      // The message whose commit fails is acknowledged when the disk has room again, so it is not waited for.
      let sent = 0;
      while (!/cannot be written/.test(broker.said()) && sent < 2000) {
        publisher.send(publish5('durable', `${++sent} `.padEnd(payloadBytes, 'x'), { qos: 1, id: sent }));
        await Promise.race([
          publisher.next(1_000_000),
          until(() => /cannot be written/.test(broker.said()), 'trouble'),
        ]);
      }
      expect(broker.said()).toMatch(/Error: .*clearwing\.db cannot be written: .*QoS 0 goes on/);
      expect(broker.said()).toMatch(shortage.reason);

      // QoS 0 and clean Sessions go on.
      const clean = await openClient(port, { keepAlive: 0 });
      clean.send(subscribe5(1, [['zero', 1]]));
      await clean.expect('SUBACK');
      const other = await openClient(port, { keepAlive: 0 });
      other.send(publish5('zero', 'nothing promised', { qos: 0 }));
      expect(String((await clean.expect('PUBLISH')).payload)).toBe('nothing promised');
      other.send(publish5('zero', 'still here', { qos: 1, id: 7 }));
      expect((await other.expect('PUBACK')).code).toBe(0);
      expect(String((await clean.expect('PUBLISH')).payload)).toBe('still here');
      // What is for the store is refused, in the way of each version.
      other.send(publish5('durable', 'no', { qos: 1, id: 8 }));
      expect((await other.expect('PUBACK')).code).toBe(quotaExceeded);
      const old = await openClient(port, { version: 4, keepAlive: 0 });
      old.send(publish('durable', 'no', { qos: 1, id: 1 }));
      await old.expectClosed();
      const newcomer = await RawClient.open(port);
      newcomer.send(connect({ ...persistent, clientIdentifier: 'newcomer' }));
      expect((await newcomer.expect('CONNACK')).code).toBe(quotaExceeded);
      await until(() => watcher.get('store/in_trouble') === '1', 'the alarm under $SYS');
      await until(() => Number(watcher.get('limits/store_refused')) >= 3, 'the count of what was refused');

      shortage.end(data, broker.child.pid as number);
      await until(() => /The store works again/.test(broker.said()), 'recovery', 20_000, broker.said);
      await until(() => watcher.get('store/in_trouble') === '0', 'the end of the alarm under $SYS');
      publisher.destroy();
      const again = await openClient(port, { keepAlive: 0 });
      again.send(publish5('durable', 'last', { qos: 1, id: 9 }));
      expect((await again.expect('PUBACK', 20_000)).code).toBe(0);

      broker.child.kill('SIGKILL');
      await broker.ended;
      const next = start();
      await next.listens();
      const back = await openClient(port, { ...persistent, clientIdentifier: 'away' });
      const numbers = await receiveUntilLast(back);
      expect(numbers).toEqual(Array.from({ length: sent }, (_, index) => index + 1));
      next.child.kill('SIGTERM');
      expect(await next.ended).toBe(0);
    },
  );
});

function startBroker([program = '', ...args]: readonly string[], config: string) {
  const child = spawn(program, [...args, 'broker', '-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  return {
    child,
    ended,
    said: () => said,
    listens: () =>
      until(
        () => / running$/m.test(said),
        'the broker',
        20_000,
        () => said,
      ),
  };
}

/** What the broker says about itself, by what follows `$SYS/broker/clearwing/`; kept up to date. */
async function watchStatus(port: number): Promise<ReadonlyMap<string, string>> {
  const prefix = '$SYS/broker/clearwing/';
  const values = new Map<string, string>();
  const client = await openClient(port, { keepAlive: 0 });
  client.send(subscribe5(1, [[`${prefix}#`, 0]]));
  await client.expect('SUBACK');
  const follow = async (): Promise<void> => {
    for (
      let packet = await client.nextOrEnd(1_000_000);
      packet !== undefined;
      packet = await client.nextOrEnd(1_000_000)
    ) {
      values.set(packet.topic?.slice(prefix.length) ?? '', String(packet.payload));
    }
  };
  void follow();
  return values;
}

/** The numbers of the messages before the one that says `last`. */
async function receiveUntilLast(client: RawClient): Promise<number[]> {
  const numbers: number[] = [];
  for (;;) {
    const packet = await client.expect('PUBLISH', 30_000);
    client.send(puback(packet.id ?? 0));
    const text = String(packet.payload);
    if (text === 'last') return numbers;
    numbers.push(Number.parseInt(text, 10));
  }
}
