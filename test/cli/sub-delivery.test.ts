/** `sub` where things go slowly or wrong: slow readers, servers that go away, refuse or say goodbye. */
import { createServer, type Server } from 'node:net';
import { afterAll, expect, it } from 'vitest';
import { type BrokerProcess, freePort, startBroker } from '../support/broker-process.ts';
import { describeWithPeer } from '../support/peers.ts';
import { type RunningCommand, start } from '../support/run.ts';
import { until } from '../support/until.ts';
import { commandOf, environment, runClient, startClient } from './client/compare.ts';

describeWithPeer(['mosquitto', 'mosquitto_pub'], 'sub when things go slowly or wrong', () => {
  const brokers: BrokerProcess[] = [];
  const servers: Server[] = [];
  const commands: RunningCommand[] = [];
  // Not after each: tests in which a reader sleeps run at the same time.
  afterAll(async () => {
    for (const command of commands.splice(0)) await command.stop('SIGKILL').catch(() => {});
    for (const broker of brokers.splice(0)) await broker.stop('SIGKILL');
    for (const server of servers.splice(0)) server.close();
  });

  async function broker(config = '', port?: number, verbose = true): Promise<BrokerProcess> {
    const listener = port === undefined ? '' : `listener ${port} 127.0.0.1\nallow_anonymous true\n`;
    const started = await startBroker({ program: 'mosquitto', config: `${config}\n${listener}`, verbose });
    brokers.push(started);
    return started;
  }

  function sub(args: readonly string[]): RunningCommand {
    const command = startClient('ours', 'sub', args, { timeoutMs: 300_000 });
    commands.push(command);
    return command;
  }

  // More than every buffer on the way together; at QoS 1 and 2 the classic broker sets the pace.
  it.concurrent.each([
    ['0', 50_000, '.'.repeat(60)],
    ['1', 20_000, ''],
    ['2', 20_000, ''],
  ])(
    'at QoS %s loses no line of a burst of %i that meets a reader who sleeps',
    async (qos, count, filling) => {
      // A log of every packet would be most of the work.
      const config = 'max_queued_messages 0\nlog_type information\nlog_type subscribe';
      const server = await broker(config, undefined, false);
      const line = [...commandOf('ours', 'sub'), '-p', String(server.port), '-t', 'b', '-q', qos, '-C', String(count)];
      const options = { timeoutMs: 300_000, environment };
      const slow = start('sh', ['-c', `${line.join(' ')} | { sleep 5; cat; }`], options);
      commands.push(slow);
      await server.waitForLog(/ \d b$/);
      const input = Array.from({ length: count }, (_, index) => `${index}${filling}\n`).join('');
      await runClient('ours', 'pub', ['-p', String(server.port), '-t', 'b', '-q', qos, '-l'], {
        input,
        timeoutMs: 300_000,
      });
      expect((await slow.finished).stdout === input).toBe(true);
    },
    300_000,
  );

  it.concurrent('keeps the connection alive while its reader sleeps', async () => {
    const server = await broker();
    const line = [...commandOf('ours', 'sub'), '-p', String(server.port), '-t', 'b', '-k', '5', '-C', '2'];
    const slow = start('sh', ['-c', `${line.join(' ')} | { sleep 12; cat; }`], { environment });
    commands.push(slow);
    await server.waitForLog(/Sending SUBACK/);
    // More than a pipe holds.
    const args = ['-p', String(server.port), '-t', 'b'];
    await runClient('real', 'pub', [...args, '-s'], { input: 'x'.repeat(1_000_000) });
    await server.waitForLog(/Received PINGREQ/);
    await runClient('real', 'pub', [...args, '-m', 'last']);
    expect((await slow.finished).stdout).toBe(`${'x'.repeat(1_000_000)}\nlast\n`);
    expect(server.log().join('\n')).not.toMatch(/timeout|timed out/);
  });

  it.each(['311', '5'])('comes back and subscribes again when the server was away, version %s', async (version) => {
    const first = await broker();
    const command = sub(['-p', String(first.port), '-t', 'r', '-V', version, '-i', 'faithful']);
    await first.waitForLog(/Sending SUBACK/);
    await runClient('real', 'pub', ['-p', String(first.port), '-t', 'r', '-m', 'before']);
    await command.waitForOutput('before\n');
    await first.stop('SIGKILL');
    const second = await broker('', first.port);
    await second.waitForLog(/Sending SUBACK to faithful/);
    await runClient('real', 'pub', ['-p', String(first.port), '-t', 'r', '-m', 'after']);
    await command.waitForOutput('before\nafter\n');
    expect(command.stderr()).toBe('');
  });

  it('gives up when the server that is back refuses it', async () => {
    const first = await broker();
    const command = sub(['-p', String(first.port), '-t', 'r']);
    await first.waitForLog(/Sending SUBACK/);
    await first.stop('SIGKILL');
    await broker(`listener ${first.port} 127.0.0.1\nallow_anonymous false`);
    const { status, stderr } = await command.finished;
    expect([status, stderr]).toEqual([5, 'Connection error: Connection Refused: not authorised.\n']);
  });

  /** A server of MQTT 5 that accepts and grants, and sends `goodbye` once it has. It counts the connections. */
  async function serve(goodbye: Uint8Array | 'close at once'): Promise<{ port: number; connections: () => number }> {
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket.on('error', () => {});
      if (goodbye === 'close at once') {
        socket.end();
        return;
      }
      socket.on('data', (chunk) => {
        const type = chunk[0]! >> 4;
        if (type === 1) socket.write(Uint8Array.of(0x20, 3, 0, 0, 0));
        if (type === 8) socket.end(Uint8Array.of(0x90, 4, chunk[2]!, chunk[3]!, 0, 0, ...goodbye));
      });
    });
    servers.push(server);
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return { port, connections: () => connections };
  }

  it('tries again, once a second, as long as connections are closed before they are answered', async () => {
    const server = await serve('close at once');
    const command = sub(['-p', String(server.port), '-t', 'r', '-d']);
    const begin = performance.now();
    await until(() => server.connections() >= 3, 'a third connection');
    expect(performance.now() - begin).toBeGreaterThan(1_000);
    expect(command.stdout()).toMatch(/^(Client \(null\) sending CONNECT\n){2,}/);
    expect((await command.stop('SIGTERM')).status).toBe(255);
  });

  it('tries again when a server of MQTT 5 says that it shuts down', async () => {
    const server = await serve(Uint8Array.of(0xe0, 1, 0x8b));
    const command = sub(['-p', String(server.port), '-t', 'r', '-V', '5']);
    await until(() => server.connections() >= 2, 'a second connection');
    expect(command.stderr()).toBe('');
  });

  it('ends and says why when a server of MQTT 5 ends the connection for good', async () => {
    const server = await serve(Uint8Array.of(0xe0, 1, 0x8e));
    const { status, stdout, stderr } = await sub(['-p', String(server.port), '-t', 'r', '-V', '5']).finished;
    expect([status, stdout, stderr]).toEqual([0, '', 'The server ended the connection: Session taken over.\n']);
  });

  it.each([
    ['garbage', Uint8Array.of(0xf7, 0x00)],
    ['a QoS that does not exist', Uint8Array.of(0x36, 3, 0, 1, 0x61)],
    ['a topic with a wildcard', Uint8Array.of(0x30, 4, 0, 1, 0x23, 0)],
  ])('gives up on a server that sends %s', async (_, bytes) => {
    const server = await serve(bytes);
    for (const args of [
      ['-V', '5'],
      ['-V', '5', '-d'],
    ]) {
      const { status, stderr } = await sub(['-p', String(server.port), '-t', 'r', ...args]).finished;
      expect(stderr).toMatch(/^Error: A network protocol error occurred when communicating with the broker: .+\n$/);
      expect(status).toBe(2);
    }
  });

  it('prints how many messages came with --message-rate, and none of them', async () => {
    const server = await broker();
    const command = sub(['-p', String(server.port), '-t', 'r', '--message-rate', '-v']);
    await server.waitForLog(/Sending SUBACK/);
    await runClient('real', 'pub', ['-p', String(server.port), '-t', 'r', '-l'], { input: 'x\n'.repeat(500) });
    const total = () => command.lines().reduce((sum, line) => sum + Number.parseInt(line, 10), 0);
    await until(() => total() === 500, 'all messages to be counted');
    for (const line of command.lines()) expect(line).toMatch(/^\d+ msgs\/s$/);
    expect((await command.stop('SIGINT')).status).toBe(0);
  });

  it('gives each topic its line with --watch', async () => {
    const server = await broker();
    const command = sub(['-h', '127.0.0.1', '-p', String(server.port), '-t', 'w/#', '--watch', '-v', '-C', '3']);
    await server.waitForLog(/Sending SUBACK/);
    for (const [topic, message] of [
      ['w/a', '1'],
      ['w/b', '2'],
      ['w/a', '3'],
    ] as const) {
      await runClient('real', 'pub', ['-p', String(server.port), '-t', topic, '-m', message]);
    }
    expect((await command.finished).stdout).toBe(
      '\x1b[2J\x1b[1;1HBroker: 127.0.0.1\n' +
        '\x1b[2;1H\x1b[Kw/a 1\n\x1b[3;1H' +
        '\x1b[3;1H\x1b[Kw/b 2\n\x1b[4;1H' +
        '\x1b[2;1H\x1b[Kw/a 3\n\x1b[4;1H',
    );
  });

  it('fails if its output cannot be written', async () => {
    const server = await broker();
    const line = [...commandOf('ours', 'sub'), '-p', String(server.port), '-t', 'f', '-C', '1'];
    const full = start('sh', ['-c', `exec ${line.join(' ')} > /dev/full`], { environment });
    await server.waitForLog(/Sending SUBACK/);
    await runClient('real', 'pub', ['-p', String(server.port), '-t', 'f', '-m', 'x']);
    const { status, stderr } = await full.finished;
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^Error: Unable to write the output: .*ENOSPC/)]);
  });
});
