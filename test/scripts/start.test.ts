import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../support/broker-process.ts';
import { repositoryDirectory } from '../support/paths.ts';
import { start } from '../support/run.ts';

const startScript = join(repositoryDirectory, 'scripts', 'start.mjs');

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-start-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Started from a directory of its own, so that nothing depends on where, and each has its own store. */
const startBroker = (...args: string[]) =>
  start(process.execPath, [startScript, ...args], { directory: temporaryDirectory() });

/** Sends a CONNECT of MQTT 3.1.1 and gives what comes back first. */
function connectTo(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => socket.write(Buffer.from('100c00044d5154540402003c0000', 'hex')));
    socket.once('data', (data) => {
      resolve(data.toString('hex'));
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

describe('npm start', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'runs a broker with clearwing.conf on the port that -p gives, until %s ends it with status 0',
    async (signal) => {
      const port = await freePort();
      const broker = startBroker('-p', String(port));
      await broker.waitForOutput(/ running$/m);
      expect(broker.stdout()).toContain(`Config loaded from ${join(repositoryDirectory, 'clearwing.conf')}.`);
      expect(await connectTo('127.0.0.1', port)).toBe('20020000');
      const { status, stderr } = await broker.stop(signal);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    },
  );

  it('keeps its data in the directory it was started from', async () => {
    const directory = temporaryDirectory();
    const broker = start(process.execPath, [startScript, '-p', String(await freePort())], { directory });
    await broker.waitForOutput(/ running$/m);
    expect(existsSync(join(directory, 'data', 'clearwing.db', 'data.mdb'))).toBe(true);
    expect((await broker.stop()).status).toBe(0);
  });

  it('ends with status 0 also when Ctrl-C arrives twice: from the terminal, and passed on by npm', async () => {
    const broker = startBroker('-p', String(await freePort()));
    await broker.waitForOutput(/ running$/m);
    broker.kill('SIGINT');
    const { status, signal } = await broker.stop('SIGINT');
    expect({ status, signal }).toEqual({ status: 0, signal: null });
  });

  it('ends when npm is told to end', async () => {
    const port = await freePort();
    const npm = start('npm', ['start', '--', '-p', String(port), '--data', temporaryDirectory()], {
      directory: repositoryDirectory,
    });
    await npm.waitForOutput(/ running$/m);
    expect(await connectTo('127.0.0.1', port)).toBe('20020000');
    const { status, stdout } = await npm.stop('SIGTERM');
    expect(status).toBe(0);
    expect(stdout).toMatch(/ terminating$/m);
  });

  it('takes another configuration with -c', async () => {
    const broker = startBroker('-c', '/nonexistent/broker.conf');
    const { status, stdout, stderr } = await broker.finished;
    expect(status).not.toBe(0);
    expect(stdout + stderr).toContain('/nonexistent/broker.conf');
    expect(stdout + stderr).not.toContain('clearwing.conf');
  });

  it('says what is wrong in a line, with the status of the broker, when the port is taken', async () => {
    const port = await freePort();
    const first = startBroker('-p', String(port));
    await first.waitForOutput(/ running$/m);
    const second = await startBroker('-p', String(port)).finished;
    await first.stop();
    expect(second.status).not.toBe(0);
    expect(second.stdout + second.stderr).toMatch(/address already in use/i);
    expect(second.stdout + second.stderr).not.toMatch(/^\s+at /m);
  });
});
