/** A lab as courses give it, acted out by Debian's programs and recorded: what every table must say of it is known, because it is arranged here. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { clientPrograms } from '../../support/client-programs.ts';
import { peerPath } from '../../support/peers.ts';
import { freePort } from '../../support/ports.ts';
import { type RunningCommand, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';

const debian = clientPrograms('mosquitto');

/** Clients that subscribe, with what they are started with. */
const subscribers: readonly (readonly string[])[] = [
  ['-i', 'hall-1', '-A', '127.0.1.1', '-V', '311', '-q', '1', '-t', 'university/+/status'],
  ['-i', 'hall-2', '-A', '127.0.1.2', '-V', '5', '-q', '2', '-t', 'university/#', '-k', '20'],
  ['-i', 'office', '-A', '127.0.1.3', '-V', '311', '-q', '0', '-t', 'university/lab1/status'],
  ['-i', 'both', '-A', '127.0.1.4', '-V', '5', '-q', '1', '-t', 'university/lab1/status', '-t', 'university/+/status'],
  ['-i', 'other', '-A', '127.0.1.5', '-V', '31', '-q', '1', '-t', 'factory/+/#'],
  ['-i', 'reader-a', '-A', '127.0.1.6', '-V', '5', '-q', '1', '-t', '$share/readers/university/+/temperature'],
  ['-i', 'reader-b', '-A', '127.0.1.7', '-V', '5', '-q', '1', '-t', '$share/readers/university/+/temperature'],
];

/** Clients with wills: name, topic, more options. */
const withWills: readonly (readonly [name: string, topic: string, ...options: string[]])[] = [
  ['sensor-1', 'university/lab1/status', '-V', '311', '--will-qos', '1'],
  ['sensor-2', 'university/lab2/status', '-V', '5', '--will-qos', '2'],
  ['sensor-3', 'university/lab3/status', '-V', '311'],
  ['sensor-4', 'factory/press/status', '-V', '31', '--will-qos', '1'],
  ['sensor-5', 'university/roof/status', '-V', '5', '--will-retain'],
  ['sensor-6', 'university2/lab1/status', '-V', '311'],
];

/** Records the lab on the loopback interface into `file`; a Mosquitto listens on the port. */
export async function recordCourseLab(file: string, port: number): Promise<void> {
  const markerPort = await freePort();
  const filter = `tcp port ${port} or udp port ${markerPort} or udp port 5353`;
  const dumpcap = start(peerPath('dumpcap'), ['-q', '-i', 'lo', '-f', filter, '-w', file]);
  await mark(file, markerPort, 'the recording begins');
  await nameAddresses();
  const started: RunningCommand[] = [];
  const subscribe = async (args: readonly string[]): Promise<RunningCommand> => {
    const client = debian.sub(port, ['-d', ...args]);
    started.push(client);
    await client.waitForOutput(/^Subscribed \(mid: 1\)/m);
    return client;
  };
  const publish = (...args: string[]) => debian.pub(port, args);

  for (const args of subscribers) await subscribe(args);
  const sensors = new Map<string, RunningCommand>();
  for (const [name, topic, ...options] of withWills) {
    const will = ['--will-topic', topic, '--will-payload', `${name} is offline`];
    sensors.set(name, await subscribe(['-i', name, '-A', '127.0.2.1', ...options, ...will, '-t', `${name}/commands`]));
  }

  for (const [room, value] of [
    ['lab1', '20.5'],
    ['lab2', '20.5'],
    ['lab1', '20.5'],
    ['lab1', '21.0'],
  ] as const) {
    await publish('-i', 'thermometer', '-V', '5', '-q', '1', '-t', `university/${room}/temperature`, '-m', value);
  }
  await publish('-i', 'thermometer', '-V', '311', '-q', '2', '-t', 'university/lab1/status', '-m', 'measured');
  await publish('-i', 'door', '-V', '311', '-q', '0', '-r', '-t', 'university/door/status', '-m', 'open');

  // The terminal of four is closed; one says goodbye, and one stays.
  for (const name of ['sensor-1', 'sensor-2', 'sensor-4', 'sensor-6']) await sensors.get(name)!.stop('SIGKILL');
  await sensors.get('sensor-3')!.stop('SIGINT');
  const byName = (name: string) => started[subscribers.findIndex((args) => args[1] === name)]!;
  await byName('hall-1').waitForOutput(/sensor-2 is offline/);
  await byName('other').waitForOutput(/sensor-4 is offline/);

  // Too late for all of it, but for what is retained.
  const late = await subscribe(['-i', 'late', '-V', '311', '-q', '1', '-t', 'university/door/status']);
  await late.waitForOutput(/^open$/m);

  // A persistent session: of what is published meanwhile, QoS 1 waits.
  const persistent = ['-i', 'unique', '-V', '311', '-c', '-q', '1', '-t', 'paho/test'];
  await (await subscribe(persistent)).stop('SIGINT');
  await publish('-i', 'door', '-V', '311', '-q', '0', '-t', 'paho/test', '-m', 'lost');
  await publish('-i', 'door', '-V', '311', '-q', '1', '-t', 'paho/test', '-m', 'kept');
  const back = await subscribe(persistent);
  await back.waitForOutput(/^kept$/m);

  // The second of the same name takes the place of the first.
  await subscribe(['-i', 'twin', '-V', '311', '-t', 'twins']);
  await debian.pub(port, ['-i', 'twin', '-V', '311', '-q', '1', '-t', 'twins', '-m', 'one of us']);

  await mark(file, markerPort, 'the recording ends');
  dumpcap.kill('SIGINT');
  await dumpcap.finished;
  for (const client of started) await client.stop('SIGKILL');
}

/** Sends datagrams until the file has one: everything before it is there as well. */
async function mark(file: string, port: number, text: string): Promise<void> {
  const socket = createSocket('udp4');
  // Nobody listens there, and the answer that says so comes as an error.
  socket.on('error', () => {});
  await until(async () => {
    socket.send(text, port, '127.0.0.1');
    await delay(50);
    return existsSync(file) && readFileSync(file).includes(text);
  }, `dumpcap to see "${text}"`);
  socket.close();
}

/** What a name server says: `broker.university.example` is 127.0.0.1, and `office.university.example` 127.0.1.3. */
async function nameAddresses(): Promise<void> {
  const answer = Buffer.concat([
    Buffer.from('000084000000000200000000', 'hex'),
    addressRecord('broker.university.example', [127, 0, 0, 1]),
    addressRecord('office.university.example', [127, 0, 1, 3]),
  ]);
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.bind(5353, '127.0.0.1');
  await once(socket, 'listening');
  await new Promise<void>((resolve) => socket.send(answer, 5353, '127.0.0.2', () => resolve()));
  socket.close();
}

/** A resource record of type A. [RFC 1035 §3.2.1] */
function addressRecord(name: string, address: readonly number[]): Buffer {
  const labels = name.split('.').map((label) => String.fromCharCode(label.length) + label);
  return Buffer.concat([
    Buffer.from(`${labels.join('')}\0`, 'latin1'),
    Buffer.from('00010001000000780004', 'hex'),
    Buffer.from(address),
  ]);
}
