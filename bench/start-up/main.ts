/** The command line of the start-up measurement, and its report. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine } from '../machine.ts';
import { BrokerProcess, type Memory } from './broker-process.ts';
import { clientOf, type DataSize, makeData, queuedText } from './data.ts';
import { collect } from './returning-client.ts';

const usage = `Usage: node bench/start-up.mjs [options]

Makes a data directory, starts the broker on it, and prints the seconds until it listens and its
memory. Then some of the clients come back and must get what was queued for them, in order.

  --retained COUNT     retained messages (default 1000000)
  --sessions COUNT     persistent sessions (default 100000)
  --queued COUNT       QoS 1 messages queued for each session (default 10)
  --sharing COUNT      sessions that wait for the same message; 1 has each queued once (default 1)
  --payload BYTES      of each message, 32 or more (default 64)
  --starts COUNT       starts that are measured (default 3)
  --clients COUNT      clients that come back (default 200)
  --settle SECONDS     after the start, before memory is read again (default 6)
  --directory DIR      keeps the data there, and uses it again if it was made alike
  --limit SECONDS      exit status 1 if the slowest start takes longer (default 10)
  --help
`;

export async function main(args: readonly string[], repositoryDirectory: string): Promise<number> {
  const options = readOptions(args);
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  const { size, starts, clients, settleSeconds, directory, limitSeconds } = options;
  const isKept = directory !== undefined;
  const place = isKept ? resolve(directory) : mkdtempSync(join(tmpdir(), 'clearwing-start-up-'));
  if (!isKept) process.once('exit', () => rmSync(place, { recursive: true, force: true }));
  const machine = describeMachine(repositoryDirectory);
  say(`${machine.processor}, ${machine.cores} cores, ${machine.memoryGibibytes} GiB, ${machine.system}`);
  say(`Node ${machine.node}, commit ${machine.commit}, ${machine.date}`);
  say(
    `${size.retained} retained messages, ${size.sessions} sessions with ${size.queued} queued messages each, ` +
      `${size.sharing === 1 ? 'each message queued once' : `each message shared by ${size.sharing} sessions`}, ` +
      `payloads of ${size.payloadBytes} bytes`,
  );
  await prepare(place, size);

  let slowest = 0;
  for (let number = 1; number <= starts; number++) {
    const { broker, listeningMs } = await BrokerProcess.start(repositoryDirectory, place);
    try {
      slowest = Math.max(slowest, listeningMs);
      const cpu = broker.cpuSeconds;
      const cpuText = cpu === undefined ? '' : ` (${cpu.toFixed(2)} s of processor time)`;
      say(`start ${number}: listening after ${(listeningMs / 1000).toFixed(2)} s${cpuText}, ${textOf(broker.memory)}`);
      for (const line of broker.output.match(/^.*[Rr]estored.*$/gm) ?? []) say(`  ${line}`);
      await new Promise((done) => setTimeout(done, settleSeconds * 1000));
      say(`  ${settleSeconds} s later: ${textOf(broker.memory)}`);
      if (number === starts && clients > 0) await comeBack(broker, size, clients);
      say(`  stopped in ${((await broker.stop()) / 1000).toFixed(2)} s`);
    } finally {
      broker.kill();
    }
  }
  // What was delivered is gone: it is made anew next time.
  if (isKept && clients > 0) rmSync(join(place, 'made'), { force: true });
  const isInTime = slowest / 1000 <= limitSeconds;
  say(`slowest start ${(slowest / 1000).toFixed(2)} s, limit ${limitSeconds} s: ${isInTime ? 'kept' : 'NOT kept'}`);
  return isInTime ? 0 : 1;
}

/** Makes the data, unless the directory has them from another run. */
async function prepare(place: string, size: DataSize): Promise<void> {
  const store = join(place, 'clearwing.db');
  const note = join(place, 'made');
  const what = JSON.stringify(size);
  const isThere = existsSync(note) && readFileSync(note, 'utf8') === what;
  if (!isThere) {
    rmSync(store, { recursive: true, force: true });
    mkdirSync(place, { recursive: true });
    const start = performance.now();
    await makeData(store, size);
    say(`made in ${((performance.now() - start) / 1000).toFixed(1)} s`);
    writeFileSync(note, what);
  }
  say(`data file: ${(statSync(join(store, 'data.mdb')).size / 2 ** 20).toFixed(0)} MiB`);
}

/** Clients spread over all come back, one after the other. @throws {Error} if one does not get what it should */
async function comeBack(broker: BrokerProcess, size: DataSize, clients: number): Promise<void> {
  const elapsed: number[] = [];
  const count = Math.min(clients, size.sessions);
  for (let index = 0; index < count; index++) {
    const session = Math.floor((index * size.sessions) / count);
    const first = session - (session % size.sharing);
    const expected = Array.from({ length: size.queued }, (_, place) => queuedText(first, place));
    const { texts, isSessionPresent, elapsedMs } = await collect(broker.port, clientOf(session), size.queued);
    if (!isSessionPresent) throw new Error(`${clientOf(session)} has no session`);
    if (JSON.stringify(texts) !== JSON.stringify(expected)) {
      throw new Error(`${clientOf(session)} got ${JSON.stringify(texts)}\ninstead of ${JSON.stringify(expected)}`);
    }
    elapsed.push(elapsedMs);
  }
  elapsed.sort((a, b) => a - b);
  const at = (share: number): string => (elapsed[Math.floor(share * (elapsed.length - 1))] as number).toFixed(1);
  say(
    `  ${count} clients came back and got their ${size.queued} messages each, in order: ` +
      `median ${at(0.5)} ms, slowest ${at(1)} ms; ${textOf(broker.memory)}`,
  );
}

interface Options {
  readonly size: DataSize;
  readonly starts: number;
  readonly clients: number;
  readonly settleSeconds: number;
  readonly directory: string | undefined;
  readonly limitSeconds: number;
}

function readOptions(args: readonly string[]): Options | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      retained: text,
      sessions: text,
      queued: text,
      sharing: text,
      payload: text,
      starts: text,
      clients: text,
      settle: text,
      directory: text,
      limit: text,
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) return undefined;
  const number = (name: keyof typeof values, fallback: number, min: number, max: number): number => {
    const given = values[name];
    const value = given === undefined ? fallback : Number(given);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new Error(`--${name} is '${given}'; expected a whole number from ${min} to ${max}`);
  };
  return {
    size: {
      retained: number('retained', 1_000_000, 0, 50_000_000),
      sessions: number('sessions', 100_000, 0, 10_000_000),
      queued: number('queued', 10, 0, 1_000_000),
      sharing: number('sharing', 1, 1, 1_000_000),
      payloadBytes: number('payload', 64, 32, 1_000_000),
    },
    starts: number('starts', 3, 1, 100),
    clients: number('clients', 200, 0, 100_000),
    settleSeconds: number('settle', 6, 0, 3600),
    directory: values.directory,
    limitSeconds: number('limit', 10, 1, 3600),
  };
}

function textOf(memory: Memory | undefined): string {
  if (memory === undefined) return 'memory unknown';
  const { residentMebibytes, fileMebibytes, peakMebibytes } = memory;
  const [resident, files, peak] = [residentMebibytes, fileMebibytes, peakMebibytes].map((value) => value.toFixed(0));
  return `${resident} MiB resident (${files} of them pages of files), ${peak} at most`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
