/** How `clearwing broker` with a store ends, and what SIGUSR1 brings to the disk before: nothing that was acknowledged is lost. */
import { existsSync, readFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type TemporaryFiles, temporaryFiles } from '../../broker/config/temporary.ts';
import { commandLine } from '../../support/broker-process.ts';
import { accepts, freePort } from '../../support/ports.ts';
import { openClient, type RawClient } from '../../support/raw-client.ts';
import { property, publish, publish5, pubrel, subscribe5, type Version } from '../../support/raw-packets.ts';
import { type RunningCommand, start } from '../../support/run.ts';
import { canTrace, startTracing, type Tracing } from '../../support/strace.ts';
import { until } from '../../support/until.ts';

const persistent = { cleanStart: false, properties: [property.sessionExpiryInterval(3600)], keepAlive: 0 };
const serverShuttingDown = 0x8b;

interface Setting {
  readonly files: TemporaryFiles;
  readonly port: number;
  /** Starts the broker, again on the same directory. */
  run(): Promise<RunningCommand>;
}

/** A broker with a store. @param lines further lines of its configuration */
async function prepared(...lines: readonly string[]): Promise<Setting> {
  const files = temporaryFiles();
  const port = await freePort();
  const config = files.write(
    'broker.conf',
    [
      ...(process.getuid?.() === 0 ? ['user root'] : []),
      'allow_anonymous true',
      'max_queued_messages 0',
      'persistence true',
      `persistence_location ${files.path('data')}`,
      ...lines,
      `listener ${port} 127.0.0.1`,
    ].join('\n'),
  );
  const [command, ...first] = commandLine('clearwing', 'broker');
  return {
    files,
    port,
    run: async () => {
      const running = start(command, [...first, '-c', config], { directory: files.directory });
      onTestFinished(() => void running.stop('SIGKILL'));
      await running.waitForOutput(/ running$/m, 'stderr');
      return running;
    },
  };
}

/** Makes a Session that stays, subscribed to everything under `t/` at QoS 2, whose client goes away. */
async function subscribeAndLeave(port: number): Promise<void> {
  const client = await openClient(port, { ...persistent, clientIdentifier: 'away' });
  client.send(subscribe5(1, [['t/#', 2]]));
  await client.expect('SUBACK');
  await client.leave();
}

/** What the Session of `subscribeAndLeave` gets when its client is back: numbers by topic, in order. */
async function takeUp(port: number): Promise<Map<string, number[]>> {
  const client = await openClient(port, { ...persistent, clientIdentifier: 'away' });
  expect(client.connack.flags).toBe(1);
  const publisher = await openClient(port, { keepAlive: 0 });
  // At QoS 2, because it may overtake those at QoS 2 if it is at QoS 1.
  publisher.send(publish5('t/last', '0', { qos: 2, id: 1 }));
  await publisher.expect('PUBREC');
  publisher.send(pubrel(1));
  const numbers = new Map<string, number[]>();
  for (;;) {
    const { topic = '', payload } = await client.receive();
    if (topic === 't/last') return numbers;
    numbers.set(topic, [...(numbers.get(topic) ?? []), Number(String(payload))]);
  }
}

interface Published {
  readonly topic: string;
  readonly qos: 1 | 2;
  readonly acknowledged: number[];
  /** Reason Code of the DISCONNECT that it got last, if it did. */
  goodbye: number | undefined;
}

const windowSize = 10;

/** Publishes numbers, 1, 2, 3 …, until the broker ends the connection. */
async function publishUntilTheEnd(client: RawClient, published: Published): Promise<void> {
  const { topic, qos, acknowledged } = published;
  const form = client.version === 5 ? publish5 : publish;
  let sent = 0;
  // Identifiers and numbers are the same as long as there are so few.
  const sendNext = (): void => {
    if (++sent <= 60_000) client.send(form(topic, String(sent), { qos, id: sent }));
  };
  for (let count = 0; count < windowSize; count++) sendNext();
  for (let packet = await client.nextOrEnd(); packet !== undefined; packet = await client.nextOrEnd()) {
    if (packet.name === 'PUBREC') client.send(pubrel(packet.id ?? 0));
    if (packet.name === 'PUBACK' || packet.name === 'PUBCOMP') {
      acknowledged.push(packet.id ?? 0);
      sendNext();
    }
    if (packet.name === 'DISCONNECT') published.goodbye = packet.code;
  }
}

/** Every message acknowledged must be there, in order, and at QoS 2 none twice. */
function expectNothingLost(published: readonly Published[], found: ReadonlyMap<string, number[]>): void {
  for (const { topic, qos, acknowledged } of published) {
    const numbers = found.get(topic) ?? [];
    const present = new Set(numbers);
    expect(
      acknowledged.filter((number) => !present.has(number)),
      topic,
    ).toEqual([]);
    expect(numbers, topic).toEqual([...numbers].sort((a, b) => a - b));
    if (qos === 2) expect(present.size, topic).toBe(numbers.length);
  }
}

/** Publishers of both versions and QoS at work. @param count messages acknowledged in all at which this resolves */
async function publishersAtWork(port: number, count: number) {
  const published: Published[] = [];
  const ends: Promise<void>[] = [];
  for (const version of [4, 5] as const satisfies readonly Version[]) {
    for (const qos of [1, 2] as const) {
      const one: Published = { topic: `t/${version}/${qos}`, qos, acknowledged: [], goodbye: undefined };
      published.push(one);
      ends.push(publishUntilTheEnd(await openClient(port, { version, keepAlive: 0 }), one));
    }
  }
  const acknowledged = () => published.reduce((sum, one) => sum + one.acknowledged.length, 0);
  await until(() => acknowledged() >= count, 'acknowledgements', 60_000);
  return { published, ended: Promise.all(ends) };
}

describe('SIGTERM', () => {
  it('ends a broker that publishers keep busy with status 0, and nothing that it acknowledged is lost', async () => {
    const { port, run } = await prepared();
    const first = await run();
    await subscribeAndLeave(port);
    const { published, ended } = await publishersAtWork(port, 500);
    expect((await first.stop('SIGTERM')).status).toBe(0);
    await ended;
    expect(published.map((one) => one.goodbye)).toEqual([undefined, undefined, serverShuttingDown, serverShuttingDown]);
    const second = await run();
    expectNothingLost(published, await takeUp(port));
    expect((await second.stop('SIGTERM')).status).toBe(0);
  });

  it('ends it at once when it comes twice, without its pid file and without loss', async () => {
    const files = temporaryFiles();
    const { port, run } = await prepared('shutdown_timeout 3600', `pid_file ${files.path('pid')}`);
    const first = await run();
    await subscribeAndLeave(port);
    // A peer that never closes its side is what the first SIGTERM waits for.
    const socket = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    await new Promise((resolve) => socket.once('connect', resolve));
    const { published, ended } = await publishersAtWork(port, 100);
    first.kill('SIGTERM');
    await until(async () => !(await accepts(port)), 'the listener to close');
    await ended;
    expect(existsSync(files.path('pid'))).toBe(true);
    first.kill('SIGTERM');
    expect(await first.finished).toMatchObject({ status: null, signal: 'SIGTERM' });
    expect(existsSync(files.path('pid'))).toBe(false);
    const second = await run();
    expectNothingLost(published, await takeUp(port));
    expect((await second.stop('SIGTERM')).status).toBe(0);
  });
});

describe('SIGUSR1', () => {
  it.each(['relaxed', 'none'])(
    'makes safe what was acknowledged with durability %s, whatever comes next',
    async (level) => {
      const { port, run } = await prepared(`durability ${level}`);
      const first = await run();
      await subscribeAndLeave(port);
      const publisher = await openClient(port, { keepAlive: 0 });
      publisher.send(publish5('t/1', '1', { qos: 1, id: 1, retain: true }));
      await publisher.expect('PUBACK');
      first.kill('SIGUSR1');
      await first.waitForOutput('The store is on the disk.', 'stderr');
      await first.stop('SIGKILL');
      const second = await run();
      expect(await takeUp(port)).toEqual(new Map([['t/1', [1]]]));
      const newcomer = await openClient(port, { keepAlive: 0 });
      newcomer.send(subscribe5(1, [['t/1', 1]]));
      await newcomer.expect('SUBACK');
      expect(String((await newcomer.receive()).payload)).toBe('1');
      expect((await second.stop('SIGTERM')).status).toBe(0);
    },
  );
});

/** Every sync of the process takes so much longer from now on, as if the disk did. */
function slowDisk(processId: number, delayMs: number): Promise<Tracing> {
  const calls = 'fdatasync,fsync,sync_file_range,msync';
  return startTracing(processId, ['-e', `trace=${calls}`, '-e', `inject=${calls}:delay_enter=${delayMs * 1000}`]);
}

/** Whether the process is over for all but those of its threads that the system cannot end yet. */
function isOver(processId: number): boolean {
  const stat = readFileSync(`/proc/${processId}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
}

describe.runIf(canTrace())('SIGTERM, with strace in the place of a slow disk', () => {
  it('waits for syncs that take their time, and ends the broker with status 0', async () => {
    const { port, run } = await prepared('shutdown_timeout 60');
    const first = await run();
    await subscribeAndLeave(port);
    await slowDisk(first.pid, 300);
    const { published, ended } = await publishersAtWork(port, 4 * windowSize);
    expect((await first.stop('SIGTERM')).status).toBe(0);
    await ended;
    const second = await run();
    expectNothingLost(published, await takeUp(port));
    expect((await second.stop('SIGTERM')).status).toBe(0);
  });

  it('waits shutdown_timeout for a disk that does not answer, not longer, also after SIGUSR1, and says so', async () => {
    const { port, run } = await prepared('shutdown_timeout 1');
    const first = await run();
    await subscribeAndLeave(port);
    const publisher = await openClient(port, { keepAlive: 0 });
    publisher.send(publish5('t/1', '1', { qos: 1, id: 1 }));
    await publisher.expect('PUBACK');
    // Longer than any test.
    const disk = await slowDisk(first.pid, 3_600_000);
    publisher.send(publish5('t/1', '2', { qos: 1, id: 2 }));
    // It is being written: this one is answered, and nothing else.
    await publisher.expectNothing();
    first.kill('SIGUSR1');
    await publisher.expectNothing();
    first.kill('SIGTERM');
    // A thread that is held up in a call cannot go before it is let go; one that waited for it would not go either.
    await until(() => isOver(first.pid), 'the end of all that is not held up');
    disk.end();
    expect(await first.finished).toMatchObject({ status: null, signal: 'SIGTERM' });
    expect((await publisher.expect('DISCONNECT')).code).toBe(serverShuttingDown);
    expect(first.stderr()).toMatch(/Error: The disk has not taken what the store had for it within 1 s\. What was not/);
    expect(first.stderr()).toMatch(/ terminating$/m);
    const second = await run();
    const numbers = (await takeUp(port)).get('t/1') ?? [];
    // The other one was never acknowledged; it may be there.
    expect(numbers[0]).toBe(1);
    expect((await second.stop('SIGTERM')).status).toBe(0);
  });
});
