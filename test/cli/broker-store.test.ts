/** `clearwing broker` with a store. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type TemporaryFiles, temporaryFiles } from '../broker/config/temporary.ts';
import { commandLine, freePort } from '../support/broker-process.ts';
import { openClient } from '../support/raw-client.ts';
import { disconnect, property, publish5, pubrel, subscribe5 } from '../support/raw-packets.ts';
import { type RunningCommand, run, start } from '../support/run.ts';

const isRoot = process.getuid?.() === 0;
const stayRoot = isRoot ? 'user root\n' : '';
const persistent = { cleanStart: false, properties: [property.sessionExpiryInterval(3600)], keepAlive: 0 };

async function startProgram(args: readonly string[], files: TemporaryFiles): Promise<RunningCommand> {
  const [command, ...first] = commandLine('clearwing', 'broker');
  const running = start(command, [...first, ...args], { directory: files.directory });
  onTestFinished(() => void running.stop('SIGKILL'));
  await running.waitForOutput(/ running$/m, 'stderr');
  return running;
}

describe('clearwing broker with persistence', () => {
  it('finds sessions, their messages and retained messages again after a stop in peace', async () => {
    const files = temporaryFiles();
    const port = await freePort();
    const path = files.write(
      'c',
      `${stayRoot}allow_anonymous true\npersistence true\npersistence_location ${files.path('data')}\nlistener ${port} 127.0.0.1\n`,
    );
    const first = await startProgram(['-c', path], files);
    const subscriber = await openClient(port, { ...persistent, clientIdentifier: 'away' });
    subscriber.send(subscribe5(1, [['t/#', 2]], [property.subscriptionIdentifier(77)]));
    await subscriber.expect('SUBACK');
    subscriber.send(disconnect());
    const publisher = await openClient(port, { keepAlive: 0 });
    publisher.send(publish5('t/one', '1', { qos: 1, id: 1, properties: [property.userProperty('k', 'v')] }));
    publisher.send(publish5('t/two', '2', { qos: 2, id: 2, retain: true }), pubrel(2));
    for (const name of ['PUBACK', 'PUBREC', 'PUBCOMP'] as const) await publisher.expect(name);
    expect((await first.stop('SIGTERM')).status).toBe(0);
    expect(readdirSync(files.path('data/clearwing.db')).sort()).toEqual(['data.mdb', 'data.mdb-lock', 'format']);

    const second = await startProgram(['-c', path], files);
    const back = await openClient(port, { ...persistent, clientIdentifier: 'away' });
    expect(back.connack.flags).toBe(1);
    const one = await back.expect('PUBLISH');
    expect([one.topic, String(one.payload), one.qos]).toEqual(['t/one', '1', 1]);
    expect(one.properties).toEqual([
      [0x26, ['k', 'v']],
      [0x0b, 77],
    ]);
    const two = await back.expect('PUBLISH');
    expect([two.topic, String(two.payload), two.qos]).toEqual(['t/two', '2', 2]);
    const newcomer = await openClient(port, { keepAlive: 0 });
    newcomer.send(subscribe5(1, [['#', 0]]));
    await newcomer.expect('SUBACK');
    const retained = await newcomer.expect('PUBLISH');
    expect([retained.topic, String(retained.payload), retained.flags & 1]).toEqual(['t/two', '2', 1]);
    expect((await second.stop('SIGTERM')).status).toBe(0);
  });

  it('is switched on by --data, whatever the file says', async () => {
    const files = temporaryFiles();
    const port = await freePort();
    const path = files.write('c', `${stayRoot}allow_anonymous true\npersistence false\nlistener ${port} 127.0.0.1\n`);
    const broker = await startProgram(['-c', path, '--data', 'kept'], files);
    expect(existsSync(files.path('kept/clearwing.db/data.mdb'))).toBe(true);
    expect((await broker.stop('SIGTERM')).status).toBe(0);
    const [command, ...first] = commandLine('clearwing', 'broker');
    expect(await run(command, [...first, '--data'])).toMatchObject({
      status: 3,
      stderr: 'Error: --data argument given, but no directory specified.\n',
    });
  });

  it('refuses to share a store, and says which', async () => {
    const files = temporaryFiles();
    const [port, otherPort] = [await freePort(), await freePort()];
    const broker = await startProgram(['-p', String(port), '--data', 'kept', ...rootStays(files)], files);
    const [command, ...first] = commandLine('clearwing', 'broker');
    const { status, stderr } = await run(
      command,
      [...first, '-p', String(otherPort), '--data', 'kept', ...rootStays(files)],
      { directory: files.directory },
    );
    expect(status).toBe(1);
    expect(stderr).toContain(`Error: ${files.path('kept/clearwing.db')} is in use by another broker.`);
    await broker.stop('SIGTERM');
  });

  it('says what is wrong with a store that it cannot open', async () => {
    const files = temporaryFiles({ file: '' });
    const [command, ...first] = commandLine('clearwing', 'broker');
    const args = [...first, '-p', String(await freePort()), '--data', files.path('file')];
    const { status, stderr } = await run(command, args, { directory: files.directory });
    expect(status).toBe(1);
    expect(stderr).toContain(
      `Error: ${files.path('file/clearwing.db')} cannot be made: a part of the path is no directory.`,
    );
  });

  it('brings the store to the disk on SIGUSR1', async () => {
    const files = temporaryFiles();
    const broker = await startProgram(['-p', String(await freePort()), '--data', 'kept', ...rootStays(files)], files);
    broker.kill('SIGUSR1');
    await broker.waitForOutput('The store is on the disk.', 'stderr');
    expect((await broker.stop('SIGTERM')).status).toBe(0);
  });

  it.runIf(isRoot)('leaves the store to the user it becomes, and opens it again as that user', async () => {
    const files = temporaryFiles();
    const port = await freePort();
    const path = files.write('c', `user nobody\nallow_anonymous true\nlistener ${port} 127.0.0.1\n`);
    for (let run = 0; run < 2; run++) {
      const broker = await startProgram(['-c', path, '--data', files.path('kept')], files);
      const publisher = await openClient(port, { keepAlive: 0 });
      publisher.send(publish5('t', String(run), { qos: 1, id: 1, retain: true }));
      await publisher.expect('PUBACK');
      expect((await broker.stop('SIGTERM')).status).toBe(0);
    }
    for (const name of ['', 'data.mdb', 'format']) {
      expect(statSync(files.path(`kept/clearwing.db/${name}`)).uid).toBe(65_534);
    }
  });
});

/** Started by root without a file, the broker would become somebody who cannot reach the directory. */
function rootStays(files: TemporaryFiles): string[] {
  return isRoot ? ['-c', files.write('root.conf', 'user root\n')] : [];
}
