import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { latencyText } from '../../src/cli/client/requester-run.ts';
import { type BrokerProcess, freePort, startBroker } from '../support/broker-process.ts';
import { describeWithPeer } from '../support/peers.ts';
import { runClient, startClient } from './client/compare.ts';

describeWithPeer(['mosquitto', 'mosquitto_pub', 'mosquitto_sub', 'mosquitto_rr'], 'rr', () => {
  let broker: BrokerProcess;
  let port: string;

  beforeAll(async () => {
    broker = await startBroker({ program: 'mosquitto', verbose: true });
    port = String(broker.port);
  });
  afterAll(() => broker?.stop());

  it.each(['311', '5'])(
    'prints the lines of -d that mosquitto_rr prints, and then says goodbye, version %s',
    async (version) => {
      const args = ['-p', port, '-d', '-t', 'd/1', '-e', 'd/1', '-m', 'x', '-V', version, '-q', '0'];
      const [real, ours] = [await runClient('real', 'rr', args), await runClient('ours', 'rr', args)];
      const withoutIdentifier = (text: string) => text.replaceAll(/auto-[0-9A-F-]{36}/g, 'auto-ID');
      const goodbye = `Client ${version === '5' ? 'auto-ID' : '(null)'} sending DISCONNECT\n`;
      expect(withoutIdentifier(ours.stdout)).toBe(withoutIdentifier(real.stdout) + goodbye);
      expect([ours.status, ours.stderr]).toEqual([real.status, real.stderr]);
    },
  );

  it('keeps its will to itself when it got its answer', async () => {
    const seen = broker.log().length;
    const witness = startClient('real', 'sub', ['-p', port, '-t', 'w/will', '-W', '2']);
    await broker.waitForLog(/Sending SUBACK/, seen);
    const will = ['--will-topic', 'w/will', '--will-payload', 'gone'];
    await runClient('ours', 'rr', ['-p', port, '-t', 'w/1', '-e', 'w/1', '-m', 'x', ...will]);
    expect((await witness.finished).stdout).toBe('');
  });

  it('sends Response Topic and -D properties with the request, and prints what a responder answers', async () => {
    for (const qos of ['0', '1', '2']) {
      const topic = `r/${qos}`;
      const seen = broker.log().length;
      const format = '%p|%R|%D|%P|%C';
      const responder = startClient('real', 'sub', ['-p', port, '-t', topic, '-C', '1', '-V', '5', '-F', format]);
      await broker.waitForLog(/Sending SUBACK/, seen);
      const properties = ['correlation-data', 'abc', '-D', 'publish', 'user-property', 'k', 'v'];
      const args = ['-t', topic, '-e', `${topic}/answer`, '-m', 'ask', '-q', qos, '-v', '-D', 'publish', ...properties];
      const ours = startClient('ours', 'rr', ['-p', port, ...args]);
      expect((await responder.finished).stdout).toBe(`ask|${topic}/answer|abc|k:v|\n`);
      await runClient('real', 'pub', ['-p', port, '-t', `${topic}/answer`, '-m', 'told', '-q', qos]);
      const { stdout, stderr, status } = await ours.finished;
      expect([stdout, stderr, status]).toEqual([`${topic}/answer told\n`, '', 0]);
    }
  });

  it('sends files and standard input as they are', async () => {
    const bytes = Buffer.from([0, 1, 0xff, 0x0a, 0x41]);
    const options = { input: bytes };
    const { stdoutBytes, status } = await runClient(
      'ours',
      'rr',
      ['-p', port, '-t', 's', '-e', 's', '-s', '-N'],
      options,
    );
    expect([stdoutBytes, status]).toEqual([bytes, 0]);
  });

  it('leaves out retained answers with -R', async () => {
    await runClient('real', 'pub', ['-p', port, '-t', 'k/answer', '-m', 'stale', '-r']);
    const args = ['-p', port, '-t', 'k/ask', '-e', 'k/answer', '-m', 'x'];
    expect((await runClient('ours', 'rr', args)).stdout).toBe('stale\n');
    for (const version of ['311', '5']) {
      const { stdout, stderr, status } = await runClient('ours', 'rr', [...args, '-W', '1', '-R', '-V', version]);
      expect([stdout, stderr, status]).toEqual(['', 'Timed out\n', 27]);
    }
  });

  it('measures with --latency', async () => {
    const { stdout, status } = await runClient('ours', 'rr', [
      '-p',
      port,
      '-t',
      'l',
      '-e',
      'l',
      '-m',
      'x',
      '--latency',
    ]);
    expect(stdout).toMatch(/^x\nLatency: (\d+\.\d{6}(µs|ms)|\d+\.\d{9})\n$/);
    expect(status).toBe(0);
  });

  it('does not take a request for answered when the server says goodbye', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        const type = chunk[0]! >> 4;
        if (type === 1) socket.write(Uint8Array.of(0x20, 3, 0, 0, 0));
        else if (type === 8) socket.write(Uint8Array.of(0x90, 4, chunk[2]!, chunk[3]!, 0, 0));
        else socket.end(Uint8Array.of(0xe0, 1, 0x8b));
      });
    });
    const silentPort = await freePort();
    await new Promise<void>((resolve) => server.listen(silentPort, '127.0.0.1', resolve));
    const args = ['-p', String(silentPort), '-t', 'g', '-e', 'g/answer', '-m', 'x', '-q', '1'];
    const { stdout, stderr, status } = await runClient('ours', 'rr', args);
    server.close();
    expect([stdout, status]).toEqual(['', 4]);
    expect(stderr).toMatch(/^Error: The client is not currently connected\.\n.*Server shutting down/);
  });
});

it.each([
  [0n, '0ns'],
  [999n, '999ns'],
  [1_000n, '1.000000µs'],
  [843_903n, '843.903000µs'],
  [1_500_001n, '1.500001ms'],
  [999_999_999n, '999.999999ms'],
  [1_000_000_000n, '1.000000000'],
  [61_000_000_007n, '61.000000007'],
])('writes a latency of %d ns as %s', (nanoseconds, text) => {
  expect(latencyText(nanoseconds)).toBe(text);
});
