/** Whole runs against Debian's mosquitto: what our clients print and how they end is what Debian's do. */
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BrokerProcess, freePort, startBroker } from '../../support/broker-process.ts';
import { describeWithPeer } from '../../support/peers.ts';
import { type ClientName, type Outcome, runBoth, runClient } from './compare.ts';

const peers = ['mosquitto', 'mosquitto_pub', 'mosquitto_sub', 'mosquitto_rr'] as const;

describeWithPeer(peers, 'runs with a broker', () => {
  let open: BrokerProcess;
  let closed: BrokerProcess;
  let restricted: BrokerProcess;

  beforeAll(async () => {
    open = await startBroker({ program: 'mosquitto', unixSocket: true, config: 'max_queued_messages 0' });
    closed = await startBroker({ program: 'mosquitto', config: 'allow_anonymous false' });
    const config = 'allow_anonymous true\nacl_file {directory}/acl';
    restricted = await startBroker({ program: 'mosquitto', config, files: { acl: 'topic readwrite ok/#\n' } });
    writeFileSync(join(open.directory, 'payload'), Buffer.from([0, 1, 0xff, 0x0a, 0x41]));
    writeFileSync(join(open.directory, 'empty'), '');
  });
  afterAll(async () => {
    await Promise.all([open?.stop(), closed?.stop(), restricted?.stop()]);
  });

  /** `{port}` and so on stand for what the broker was given; blanks part the arguments, `_` is a blank in one of them. */
  function argumentsOf(broker: BrokerProcess, line: string): string[] {
    return line
      .split(' ')
      .map((word) =>
        word
          .replaceAll('{port}', String(broker.port))
          .replaceAll('{unix}', broker.unixPath)
          .replaceAll('{directory}', broker.directory)
          .replaceAll('_', ' '),
      );
  }

  async function expectSame(broker: BrokerProcess, line: string, input = ''): Promise<void> {
    const [name = '', ...args] = argumentsOf(broker, line);
    const { real, ours } = await runBoth(name as ClientName, args, { input });
    expect(ours).toEqual(real);
  }

  /** Each waits for seconds, so all do at once, on topics of their own. Long enough for a slow machine to come to the end of what it sends. */
  describe.concurrent('that runs out of time', () => {
    it.each([
      'sub -p {port} -d -t w1/b -t w1/d -q 1 -W 4 -U x/y -U z',
      'sub -p {port} -d -t w2/b -q 2 -W 4 --quiet',
      'rr -p {port} -d -t w3/b -e w3/c -m x -q 1 -W 4',
      'rr -p {port} -d -t w4/b -e w4/c -m x -q 1 -W 4 -V 311',
    ])('%s', (line) => expectSame(open, line));
  });

  it('sub -E ends at the SUBACK, whether or not the answer to -U has come by then', async () => {
    const options = '-E -D subscribe subscription-identifier 5 -D unsubscribe user-property a b -U x';
    const args = argumentsOf(open, `-p {port} -d -t a/b ${options}`);
    const { real, ours } = await runBoth('sub', args);
    const withoutUnsuback = (outcome: Outcome) => ({
      ...outcome,
      stdout: outcome.stdout.replace(/^Client \S+ received UNSUBACK\n/m, ''),
    });
    expect(withoutUnsuback(ours)).toEqual(withoutUnsuback(real));
    expect(ours.stdout).toContain('sending UNSUBSCRIBE');
  });

  it.each([
    'pub -p {port} -d -t a/b -m hello',
    'pub -p {port} -d -t a/b -m hello -q 1',
    'pub -p {port} -d -t a/b -m hello_world -q 2 -r',
    'pub -p {port} -d -t a/b -m hello -q 2 -V 5',
    'pub -p {port} -d -t a/b -m hello -q 1 -V mqttv31',
    'pub --port {port} --host localhost --debug --topic a/b --message hello --qos 1 --retain --id me --keepalive 30',
    'pub -p {port} -d -t a/b -n -r -q 1 --repeat 3 --quiet',
    'pub -p {port} -d -t a/b -n -q 0 --repeat 3 --repeat-delay 0.05',
    'pub -p {port} -d -t a/b -f {directory}/payload',
    'pub -p {port} -d -t a/b -f {directory}/empty -q 1',
    'pub -p {port} -d -t a/b -f {directory}/none',
    'pub -p {port} -d -t a/b -f {directory}/none --quiet',
    'pub -p {port} -d -t a/b -i me -c -m x',
    'pub -p {port} -d -t a/b -i me -c -m x -V 5 -x 60',
    'pub -p {port} -d -t a/b -m x -u name -P secret',
    'pub -p {port} -d -t a/b -m x -P secret -V 5',
    'pub -p {port} -d -t a/b -m x -A 127.0.0.1 --nodelay',
    'pub -p {port} -d -t a/b -m x -A localhost',
    'pub -p {port} -d -t a/b -m x -A 10.255.255.254',
    'pub -p {port} -d -t a/b -m x -A no.such.invalid',
    'pub -p {port} -d -t a/b -m x --will-topic w --will-payload gone --will-qos 2 --will-retain',
    'pub -p {port} -d -t a/b -m x --will-topic w -D will will-delay-interval 3 -D will content-type y',
    'pub -p {port} -d -t a/b -m x -q 1 -D publish topic-alias 1 --repeat 3',
    'pub -p {port} -d -t a/b -m x -D publish user-property k v -D publish user-property k v -D connect user-property a b',
    'pub -p {port} -d -t a/b -m x -D disconnect session-expiry-interval 3 -D disconnect user-property a b',
    'pub -p {port} -d -t a/b -m x -D connect authentication-method x',
    'pub -p {port} -d -t a/b -m x -D CONNECT Receive-Maximum 5',
    'pub -p {port} -d -t a/b -m x -M 3 --insecure --ciphers x',
    'pub --unix {unix} -d -t a/b -m x',
    'pub --unix /none -d -t a/b -m x',
    'pub -L mqtt://localhost:{port}/a/b?c -d -m x',
    'pub -L MQTT://user:secret@127.0.0.1:{port}/a -d -m x',
    'pub -L mqtt://user@127.0.0.1:{port}/a -d -m x',
    'pub -p 1 -t a -m x',
    'pub -h no.such.host.invalid -t a -m x',
    'pub -p {port} -t a -m x --proxy socks5h://127.0.0.1:1',
    'sub -p {port} -d -t a/b -t c/d -q 1 -E --quiet -V 5',
    'sub -p {port} -d -t a/b -t c/d -q 1 -E -V 5 --retain-as-published -R',
    'sub -p {port} -d -t a/b -E -R',
    'sub -p {port} -d -t a/b -q 2 -E -V 31',
    'sub -p {port} -d -t a/b -E -i me -x -1 -V 5',
    'sub -p {port} -d -t a/b -E -i me -x 0x10 -V 5',
    'sub -p {port} -d -t a/b -E -x 5',
    'sub -L mqtt://localhost:{port}/a/+ -d -t b/# -E',
    'sub --unix {unix} -d -t a/b -E',
    'sub -p 1 -t a',
    'sub -p {port} -t $SYS/broker/version -v -C 1',
    'rr -p {port} -t a/b -e a/b -m x -q 2 -v',
    'rr -p {port} -t a/b -e a/b -m x -F %t|%p|%R|%r|%q',
    'rr -p {port} -t a/b -e a/b -n -v',
    'rr -p 1 -t a -e b -m x',
    'rr',
    'rr -t a -m x',
  ])('%s', (line) => expectSame(open, line));

  it.each([
    ['pub -p {port} -d -t a/b -l', ''],
    ['pub -p {port} -d -t a/b -l -q 1', 'one\n'],
    ['pub -p {port} -d -t a/b -l', 'one\n\nthree\r\nno end'],
    ['pub -p {port} -d -t a/b -l -V 5 -D publish topic-alias 3', '1\n2\n3\n'],
    ['pub -p {port} -d -t a/b -s', ''],
    ['pub -p {port} -d -t a/b -s -q 2', 'all\nof\nit\n'],
    ['pub -p {port} -d -t a/b --stdin-file --repeat 2', 'x'],
    ['pub -p {port} -d -t a/b --stdin-line', 'x'],
  ])('%s with %j on standard input', (line, input) => expectSame(open, line, input));

  describe('where the broker refuses', () => {
    it.each([
      ...['31', '311', '5'].map((version) => `pub -p {port} -d -t a/b -m x -V ${version}`),
      ...['31', '311', '5'].map((version) => `sub -p {port} -t a/b -V ${version}`),
      'rr -p {port} -t a/b -e b -m x',
      'pub -p {port} -t a/b -m x --quiet',
      'pub -p {port} -t a/b -l',
    ])('the connection: %s', (line) => expectSame(closed, line));

    it.each([
      'pub -p {port} -d -t a/b -m x -q 1 -V 311',
      'pub -p {port} -d -t a/b -m x -q 1 -V 5',
      'pub -p {port} -d -t a/b -m x -q 2 -V 5',
      'pub -p {port} -d -t a/b -m x -q 2 -V 5 --quiet',
      'pub -p {port} -d -t ok/b -m x -q 1 -V 5',
    ])('the message: %s', (line) => expectSame(restricted, line));
  });

  it('tells topic and message that are missing on standard error, and the usage on standard output', async () => {
    for (const args of [[], ['-t', 'a'], ['-m', 'x']]) {
      const [real, ours] = [await runClient('real', 'pub', args), await runClient('ours', 'pub', args)];
      expect(ours.stderr).toBe(real.stderr);
      expect(ours.status).toBe(real.status);
      expect(ours.stdout).toContain('Usage: mosquitto_pub');
    }
  });

  it('ends --help and --version as the classic clients do under their names, without failure under its own', async () => {
    for (const flag of ['--help', '--version']) {
      for (const name of ['pub', 'sub', 'rr'] as const) {
        const [real, ours] = [await runClient('real', name, [flag]), await runClient('ours', name, [flag])];
        expect([ours.status, ours.stderr]).toEqual([real.status, real.stderr]);
        expect(ours.stdout).toMatch(flag === '--help' ? /^Usage: mosquitto_/m : /^mosquitto_\w+ version \d+\.\d+\.\d+/);
      }
    }
  });
});

/** Servers that answer CONNECT and SUBSCRIBE with given bytes, or not at all. */
interface Script {
  readonly connack?: readonly number[];
  readonly suback?: readonly number[];
  /** Closes the connection at this point. */
  readonly closes?: 'at once' | 'after CONNACK' | 'after the next packet';
}

describeWithPeer(peers, 'runs with a server that goes wrong', () => {
  const servers: Server[] = [];
  afterAll(() => {
    for (const server of servers) server.close();
  });

  async function serve(script: Script): Promise<number> {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      if (script.closes === 'at once') socket.destroy();
      socket.on('data', (chunk) => {
        const type = chunk[0]! >> 4;
        if (type === 1) {
          if (script.connack !== undefined) socket.write(Uint8Array.from(script.connack));
          if (script.closes === 'after CONNACK') socket.end();
          return;
        }
        if (script.closes === 'after the next packet') socket.destroy();
        if (type === 8 && script.suback !== undefined) {
          socket.write(Uint8Array.of(0x90, script.suback.length + 2, chunk[2]!, chunk[3]!, ...script.suback));
        }
      });
    });
    servers.push(server);
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return port;
  }

  const accepted = { 4: [0x20, 2, 0, 0], 5: [0x20, 3, 0, 0, 0] };

  // Each has a server of its own.
  it.concurrent.each([
    ...(['at once', 'after CONNACK', 'after the next packet'] as const).flatMap((closes) => [
      ['pub -t a -m x -q 1 -d', { closes, connack: accepted[4] }] as const,
      ['pub -t a -m x -q 1 -d -V 5', { closes, connack: accepted[5] }] as const,
      ['rr -t a -e b -m x -d', { closes, connack: accepted[5] }] as const,
      ['rr -t a -e b -m x -d -V 311', { closes, connack: accepted[4] }] as const,
    ]),
    ['sub -t a -d', { connack: accepted[4], suback: [0x80] }],
    ['sub -t a -t b -d', { connack: accepted[4], suback: [0x80, 0x80] }],
    ['sub -t a -t b -d -E', { connack: accepted[4], suback: [0x80, 1] }],
    ['sub -t a -d -V 5', { connack: accepted[5], suback: [0, 0x87] }],
    ['rr -t a -e b -m x -d', { connack: accepted[5], suback: [0, 0x87] }],
    ['rr -t a -e b -m x -d -V 311', { connack: accepted[4], suback: [0x80] }],
    ['sub -t a -d -W 4', {}],
    ['sub -t a -W 4 --quiet', {}],
    ...[1, 2, 3, 4, 5].flatMap((code) => [
      [`sub -t a`, { connack: [0x20, 2, 0, code] }] as const,
      [`pub -t a -m x`, { connack: [0x20, 2, 0, code] }] as const,
    ]),
    ...[
      0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c,
      0x9d, 0x9f,
    ].map((code) => [`pub -t a -m x -V 5`, { connack: [0x20, 3, 0, code, 0] }] as const),
    [`sub -t a -V 5`, { connack: [0x20, 3, 0, 0x97, 0] }],
    [`rr -t a -e b -m x`, { connack: [0x20, 3, 0, 0x97, 0] }],
  ] as (readonly [string, Script])[])('%s %j', async (line, script) => {
    const port = await serve(script);
    const [name = '', ...args] = line.split(' ');
    const { real, ours } = await runBoth(name as ClientName, ['-p', String(port), ...args]);
    expect(ours).toEqual(real);
  });
});
