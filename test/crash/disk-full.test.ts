/** A broker whose store cannot be written any more: the system refuses to let the file grow, as it does when the disk is full. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../support/broker-process.ts';
import { clearwingMain } from '../support/paths.ts';
import { openClient, type RawClient } from '../support/raw-client.ts';
import { property, puback, publish5, subscribe5 } from '../support/raw-packets.ts';
import { until } from '../support/until.ts';

const persistent = { cleanStart: false, properties: [property.sessionExpiryInterval(3600)], keepAlive: 0 };
const payloadBytes = 4000;

describe.runIf(process.platform === 'linux')('a broker whose disk is full', () => {
  it('refuses what it would have to keep, goes on with the rest, recovers, and has lost nothing', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'clearwing-full-'));
    const port = await freePort();
    const config = join(directory, 'broker.conf');
    const own = process.getuid?.() === 0 ? 'user root\n' : '';
    writeFileSync(
      config,
      `${own}allow_anonymous true\nmax_queued_messages 0\npersistence true\npersistence_location ${directory}\nlistener ${port} 127.0.0.1\n`,
    );
    const start = (...command: readonly string[]) => {
      const [program, ...args] = [...command, process.execPath, clearwingMain, 'broker', '-c', config];
      const child = spawn(program as string, args, { stdio: ['ignore', 'ignore', 'pipe'] });
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
    };
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));

    // Files may grow to 1 MiB, as far as this process is concerned, and the limit can be lifted again.
    const broker = start('prlimit', `--fsize=${1024 * 1024}:unlimited`);
    onTestFinished(() => void broker.child.kill('SIGKILL'));
    await broker.listens();
    const subscriber = await openClient(port, { ...persistent, clientIdentifier: 'away' });
    subscriber.send(subscribe5(1, [['durable', 1]]));
    await subscriber.expect('SUBACK');
    subscriber.destroy();

    const publisher = await openClient(port, { keepAlive: 0 });
    // The message whose commit fails is acknowledged when the disk has room again, so it is not waited for.
    let sent = 0;
    while (!/cannot be written/.test(broker.said()) && sent < 2000) {
      publisher.send(publish5('durable', `${++sent} `.padEnd(payloadBytes, 'x'), { qos: 1, id: sent }));
      await Promise.race([publisher.next(1_000_000), until(() => /cannot be written/.test(broker.said()), 'trouble')]);
    }
    expect(broker.said()).toMatch(/Error: .*clearwing\.db cannot be written: .*QoS 0 goes on/);

    // QoS 0 and clean Sessions go on.
    const clean = await openClient(port, { keepAlive: 0 });
    clean.send(subscribe5(1, [['zero', 1]]));
    await clean.expect('SUBACK');
    const other = await openClient(port, { keepAlive: 0 });
    other.send(publish5('zero', 'still here', { qos: 1, id: 7 }));
    expect((await other.expect('PUBACK')).code).toBe(0);
    expect(String((await clean.expect('PUBLISH')).payload)).toBe('still here');
    other.send(publish5('durable', 'no', { qos: 1, id: 8 }));
    expect((await other.expect('PUBACK')).code).toBe(0x97);

    execFileSync('prlimit', ['--pid', String(broker.child.pid), '--fsize=unlimited']);
    await until(() => /The store works again/.test(broker.said()), 'recovery', 20_000, broker.said);
    publisher.destroy();
    const again = await openClient(port, { keepAlive: 0 });
    again.send(publish5('durable', 'last', { qos: 1, id: 9 }));
    expect((await again.expect('PUBACK', 20_000)).code).toBe(0);

    broker.child.kill('SIGKILL');
    await broker.ended;
    const next = start();
    onTestFinished(() => void next.child.kill('SIGKILL'));
    await next.listens();
    const back = await openClient(port, { ...persistent, clientIdentifier: 'away' });
    const numbers = await receiveUntilLast(back);
    expect(numbers).toEqual(Array.from({ length: sent }, (_, index) => index + 1));
    next.child.kill('SIGTERM');
    expect(await next.ended).toBe(0);
  });
});

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
