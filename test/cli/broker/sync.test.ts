/**
 * What survives a crash of the system is what was synced: strace shows that with durability strict no acknowledgement leaves the broker before
 * the store's file is on the disk as it was written for it.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openClient } from '../../support/raw-client.ts';
import { publish, pubrel, subscribe, unsubscribe } from '../../support/raw-packets.ts';
import { canTrace, startTracing } from '../../support/strace.ts';
import { until } from '../../support/until.ts';
import { durableBroker } from './durable-broker.ts';

/** By first byte, as strace writes it. */
const acknowledgements: ReadonlyMap<string, string> = new Map([
  [' ', 'CONNACK'],
  ['\\220', 'SUBACK'],
  ['\\260', 'UNSUBACK'],
  ['@', 'PUBACK'],
  ['P', 'PUBREC'],
  ['p', 'PUBCOMP'],
]);

/** A descriptor whose writes are on the disk when they end. */
const synchronous = 0o10000;

function isSynchronous(processId: number, descriptor: string): boolean {
  const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/${processId}/fdinfo/${descriptor}`, 'latin1'))?.[1];
  return (Number.parseInt(flags ?? '0', 8) & synchronous) !== 0;
}

/** What is not on the disk yet, while lines of strace go by. */
class DiskJudge {
  /** Each acknowledgement, and whether all that was written before it was on the disk. */
  readonly verdicts: string[] = [];
  /** Files with something written that no sync has followed, and writes under way. */
  readonly #dirty = new Set<string>();
  /** Calls that have begun, by thread. */
  readonly #begun = new Map<string, string>();
  #syncs = 0;
  readonly #isSynchronous: (descriptor: string) => boolean;

  constructor(isSynchronousDescriptor: (descriptor: string) => boolean) {
    this.#isSynchronous = isSynchronousDescriptor;
  }

  /** `[pid 7] pwrite64(21</path>, "…", 4096, 0) = 4096`, or the beginning and the end of it in two lines. */
  take(line: string): void {
    const [, thread = '', text = ''] = /^(?:\[pid\s+(\d+)\] )?(.*)$/.exec(line) ?? [];
    if (text.startsWith('<... ')) {
      this.#end(this.#begun.get(thread) ?? '');
      this.#begun.delete(thread);
      return;
    }
    this.#begin(text);
    if (text.includes('<unfinished ...>')) this.#begun.set(thread, text);
    else this.#end(text);
  }

  #begin(text: string): void {
    const [, call = '', descriptor = '', target = '', byte = ''] =
      /^(\w+)\((\d+)<([^>]+)>(?:, "(\\\d+|.))?/.exec(text) ?? [];
    if (target.startsWith('socket:') || target.startsWith('TCP')) {
      const name = acknowledgements.get(byte);
      if (name === undefined) return;
      const unsafe = [...this.#dirty].map((file) => ` before ${file} was synced`);
      this.verdicts.push(`${name}${unsafe.join('')}${this.#syncs === 0 ? ' without a sync' : ''}`);
      this.#syncs = 0;
    } else if (isStoreFile(target) && call.includes('write')) {
      this.#dirty.add(this.#isSynchronous(descriptor) ? `what is written to ${target} synchronously` : target);
    }
  }

  #end(text: string): void {
    const [, call = '', descriptor = '', target = ''] = /^(\w+)\((\d+)<([^>]+)>/.exec(text) ?? [];
    if (!isStoreFile(target)) return;
    if (call === 'fdatasync' || call === 'fsync') {
      this.#dirty.delete(target);
      this.#syncs++;
    } else if (this.#isSynchronous(descriptor)) {
      // This one is on the disk, those of other descriptors need not be.
      this.#dirty.delete(`what is written to ${target} synchronously`);
    }
  }
}

function isStoreFile(target: string): boolean {
  return target.includes('/clearwing.db/');
}

/** Has a broker acknowledge one thing after the other, and says of each whether the disk had it. */
async function judged(durability: string): Promise<string[]> {
  const { port, start } = await durableBroker(`durability ${durability}`, 'sys_interval 0');
  const broker = await start();
  const { lines } = await startTracing(broker.pid, ['-y', '-e', 'trace=write,writev,pwrite64,pwritev,fdatasync,fsync']);

  // Sessions that stay, one of which subscribes, so that the other has something to be kept for it.
  const persistent = { version: 4, cleanStart: false, keepAlive: 0 } as const;
  const subscriber = await openClient(port, { ...persistent, clientIdentifier: 'subscriber' });
  subscriber.send(subscribe(1, [['t', 1]]));
  await subscriber.expect('SUBACK');
  const publisher = await openClient(port, { ...persistent, clientIdentifier: 'publisher' });
  publisher.send(publish('t', 'one', { qos: 1, id: 1 }));
  await publisher.expect('PUBACK');
  publisher.send(publish('t', 'two', { qos: 2, id: 2 }));
  await publisher.expect('PUBREC');
  publisher.send(pubrel(2));
  await publisher.expect('PUBCOMP');
  publisher.send(publish('kept', 'three', { qos: 1, id: 3, retain: true }));
  await publisher.expect('PUBACK');
  subscriber.send(unsubscribe(2, ['t']));
  for (let name = ''; name !== 'UNSUBACK'; name = (await subscriber.next()).name);

  const judge = new DiskJudge((descriptor) => isSynchronous(broker.pid, descriptor));
  const told = (): boolean => lines().some((line) => line.includes('"\\260\\2'));
  await until(told, 'strace to say so, too');
  for (const line of lines()) judge.take(line);
  await broker.stop('SIGTERM');
  return judge.verdicts;
}

const all = ['CONNACK', 'SUBACK', 'CONNACK', 'PUBACK', 'PUBREC', 'PUBCOMP', 'PUBACK', 'UNSUBACK'];

describe.runIf(canTrace())('the disk, as strace sees it', () => {
  it('has what an acknowledgement says before the acknowledgement leaves, with durability strict', async () => {
    expect(await judged('strict')).toEqual(all);
  });

  it('has all but the page that makes it count, with durability relaxed', async () => {
    const verdicts = await judged('relaxed');
    expect(verdicts.map((verdict) => verdict.split(' ')[0])).toEqual(all);
    expect(verdicts.filter((verdict) => verdict.endsWith('without a sync'))).toEqual([]);
  });

  it('does not have it with durability none, and the same judge finds it', async () => {
    const verdicts = await judged('none');
    expect(verdicts.map((verdict) => verdict.split(' ')[0])).toEqual(all);
    expect(verdicts.filter((verdict) => verdict.includes('sync'))).not.toEqual([]);
  });
});
