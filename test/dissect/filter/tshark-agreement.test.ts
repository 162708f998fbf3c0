/** The same filters, the same frames, tshark and we. What differs on purpose is listed here, and in docs/reference/display-filters.md. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readCapture } from '../../../src/capture/read-capture.ts';
import { Dissector } from '../../../src/dissect/dissector.ts';
import { compileFilter } from '../../../src/dissect/filter/display-filter.ts';
import type { DisplayFilter } from '../../../src/dissect/filter/field-values.ts';
import { registry as ownRegistry } from '../../../src/dissect/registry.ts';
import { ValueSink } from '../../../src/dissect/value-sink.ts';
import { FilterSyntaxError } from '../../../src/protocol/errors.ts';
import { repositoryDirectory } from '../../support/paths.ts';
import { describeWithPeer, peerPath } from '../../support/peers.ts';
import { readTsharkFrames, TsharkRegistry } from './tshark-values.ts';

const captures = [
  'temperature-14-frames.pcap',
  'lab-v5-mosquitto.pcap',
  'lab-retain-will-v311.pcap',
  'lab-v311-return-codes.pcap',
  'lab-many-per-segment.pcap',
  'lab-text-unicode.pcap',
  'lab-vlan.pcap',
];

function capturePath(name: string): string {
  return join(repositoryDirectory, 'test', 'fixtures', 'captures', name);
}

const filters = readFileSync(join(import.meta.dirname, 'filters-for-tshark.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('# '));

/** Filters with backslashes, and with text that is not ASCII. */
const escapedFilters = [
  String.raw`mqtt.topic contains "\x74\x6f"`,
  String.raw`mqtt.topic contains "\164"`,
  String.raw`mqtt.topic contains "\u6e29"`,
  String.raw`mqtt.topic contains "\\"`,
  String.raw`mqtt.topic contains "q\"uo"`,
  String.raw`mqtt.topic matches r"q\"uo"`,
  String.raw`mqtt.topic == "\q"`,
  String.raw`mqtt.topic == "\400"`,
  String.raw`mqtt.topic == "\u12"`,
  String.raw`mqtt.topic == "\ud800"`,
  String.raw`mqtt.topic == r"\"`,
  String.raw`mqtt.topic matches "a\.b"`,
  String.raw`mqtt.topic matches r"\\"`,
  String.raw`mqtt.topic matches r"\$sys"`,
  String.raw`mqtt.topic matches r"^[\w/]+$"`,
  'mqtt.topic matches r"(?-i)[[:upper:]]"',
  String.raw`mqtt.topic matches r"(?<a>x)\k<a>\1"`,
  'mqtt.topic matches r"(?x) to pic # c"',
  String.raw`mqtt.topic matches r"\Q$SYS\E/f"`,
  'mqtt.topic matches r"a++a"',
  'mqtt.topic matches r"^(?>x|to)pic"',
  String.raw`mqtt.topic matches r"\y"`,
  String.raw`mqtt.topic matches r"(a)\2"`,
  String.raw`mqtt.topic matches r"[\d-z]"`,
  'mqtt.topic matches r"[z-a]"',
  String.raw`mqtt.topic matches "\\"`,
  String.raw`mqtt.msg contains "\x00"`,
  String.raw`mqtt.msg matches r"\x00"`,
  String.raw`frame[12] == '\b'`,
  String.raw`mqtt.len == '\x0a'`,
  'mqtt.topic == "温度/客厅"',
  'mqtt.topic > "温"',
  'mqtt.topic contains "🙂"',
  'mqtt.topic == 温',
];

/** What we do otherwise, and why. */
const differences: ReadonlyArray<
  readonly [filter: string, ours: 'accepted' | 'refused' | 'other frames', reason: string]
> = [
  ['mqtt xor tcp', 'accepted', 'later versions have it'],
  ['mqtt ^^ tcp', 'accepted', 'later versions have it'],
  ['mqtt.retain == true', 'accepted', 'one spelling more for what True means'],
  ['tcp.time_delta < 1.5.5', 'refused', 'it is no number'],
  ['frame.time > "2020-02-30"', 'refused', 'there is no such day'],
  ['mqtt.len == 0b', 'refused', 'it has no digits'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Wireshark writes references so.
  ['mqtt.len == ${mqtt.len}', 'refused', 'there is no selected frame'],
  ['mqtt.len > -1', 'other frames', 'every length is more than −1, though -1 has the bits of a large number'],
  ['mqtt.topic matches "^.{5}$"', 'other frames', 'texts are matched by characters, not by bytes'],
];

/** Where our dissector has other fields than Wireshark's: every MQTT packet is a layer. */
const differentFields = /mqtt[a-z.]*#|^frame\.protocols ==/;

/** What every filter shows of a capture that our dissector has read. */
async function askWhole(path: string): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>();
  const compiled: Array<{ readonly filter: DisplayFilter; readonly frames: number[] }> = [];
  for (const text of filters) {
    try {
      const frames: number[] = [];
      compiled.push({ filter: compileFilter(text, ownRegistry), frames });
      answers.set(text, frames);
    } catch (error) {
      if (!(error instanceof FilterSyntaxError)) throw error;
      answers.set(text, 'refused');
    }
  }
  const sink = new ValueSink(
    compiled.flatMap(({ filter }) => filter.fields),
    {
      bytesFields: compiled.flatMap(({ filter }) => filter.bytesFields),
      layeredFields: compiled.flatMap(({ filter }) => filter.layeredFields),
    },
  );
  const dissector = new Dissector();
  for await (const batch of readCapture(readFileSync(path))) {
    for (const frame of batch) {
      const dissected = dissector.next(frame);
      sink.reset();
      dissected.describe(sink);
      for (const { filter, frames } of compiled) if (filter.matches(sink)) frames.push(frame.number);
    }
  }
  return answers;
}

type Answer = readonly number[] | 'refused';

/** Wireshark's daemon: many filters for one start. One serves one capture only, since it remembers the frames of a filter. */
class Sharkd {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #answers: Array<(answer: { result?: unknown; error?: unknown }) => void> = [];

  constructor() {
    this.#process = spawn(join(dirname(peerPath('tshark')), 'sharkd'), ['-'], { env: { ...process.env, TZ: 'UTC' } });
    this.#process.stderr.resume();
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      if (line.startsWith('{')) this.#answers.shift()?.(JSON.parse(line));
    });
    this.#process.on('exit', () => {
      for (const answer of this.#answers) answer({ error: 'sharkd has ended' });
    });
  }

  call(method: string, params: object): Promise<{ result?: unknown; error?: unknown }> {
    return new Promise((resolve) => {
      this.#answers.push(resolve);
      // sharkd understands backslashes only so.
      const request = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }).replaceAll('\\\\', '\\u005c');
      this.#process.stdin.write(`${request}\n`);
    });
  }

  static async open(path: string): Promise<Sharkd> {
    const sharkd = new Sharkd();
    expect((await sharkd.call('load', { file: path })).error).toBeUndefined();
    return sharkd;
  }

  async ask(filter: string): Promise<Answer> {
    const { result, error } = await this.call('frames', { filter });
    if (error !== undefined) return 'refused';
    if (!Array.isArray(result)) throw new Error(`sharkd gave no frames for ${filter}`);
    return result.map(({ num }: { num: number }) => num);
  }

  /** All questions at once: one after the other, most of the time would go by on the way there and back. */
  async askAll(filters: readonly string[]): Promise<Answer[]> {
    return Promise.all(filters.map((filter) => this.ask(filter)));
  }

  end(): void {
    this.#process.kill();
  }
}

describeWithPeer('tshark', 'filters of tshark and ours', () => {
  let registry: TsharkRegistry;
  let zone: string | undefined;
  const opened = new Map<string, { frames: ReturnType<typeof readTsharkFrames>; sharkd: Promise<Sharkd> }>();

  beforeAll(() => {
    zone = process.env.TZ;
    process.env.TZ = 'UTC';
    registry = new TsharkRegistry();
  }, 60_000);
  afterAll(async () => {
    for (const { sharkd } of opened.values()) (await sharkd).end();
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });

  /** What Wireshark has of a capture; asked for again, it is not read again. */
  async function open(name: string) {
    const path = capturePath(name);
    const known = opened.get(name) ?? { frames: readTsharkFrames(path, registry), sharkd: Sharkd.open(path) };
    opened.set(name, known);
    return { path, frames: known.frames, sharkd: await known.sharkd };
  }

  function askOurs(frames: ReturnType<typeof readTsharkFrames>, filter: string): Answer {
    try {
      const { matches } = compileFilter(filter, registry);
      return frames.flatMap((frame, index) => (matches(frame) ? [index + 1] : []));
    } catch (error) {
      if (!(error instanceof FilterSyntaxError)) throw error;
      expect(error.position).toBeLessThanOrEqual(filter.length);
      return 'refused';
    }
  }

  it.each(captures)(
    'accept the same filters and show the same frames of %s',
    async (name) => {
      const { path, frames, sharkd } = await open(name);
      expect(frames.length).toBeGreaterThan(0);
      const whole = await askWhole(path);
      expect(filters.length).toBeGreaterThan(900);
      const differing: string[] = [];
      const answers = await sharkd.askAll(filters);
      for (const [index, filter] of filters.entries()) {
        const theirs = answers[index];
        const ours = askOurs(frames, filter);
        if (`${ours}` !== `${theirs}`) differing.push(`${filter}: ours ${ours}, theirs ${theirs}`);
        const dissected = whole.get(filter);
        if (differentFields.test(filter) || `${dissected}` === `${theirs}`) continue;
        differing.push(`${filter}: ours, dissected ${dissected}, theirs ${theirs}`);
      }
      expect(differing).toEqual([]);
    },
    300_000,
  );

  it('read escapes, regular expressions and other alphabets in the same way', async () => {
    const { frames, sharkd } = await open('lab-text-unicode.pcap');
    for (const filter of escapedFilters) {
      expect({ filter, frames: askOurs(frames, filter) }).toEqual({ filter, frames: await sharkd.ask(filter) });
    }
  }, 300_000);

  it('differ where it is meant', async () => {
    const { frames, sharkd } = await open('lab-text-unicode.pcap');
    const page = readFileSync(join(repositoryDirectory, 'docs', 'reference', 'display-filters.md'), 'utf8');
    for (const [filter, kind] of differences) {
      const ours = askOurs(frames, filter);
      const theirs = await sharkd.ask(filter);
      expect(`${ours}`, filter).not.toBe(`${theirs}`);
      expect(ours === 'refused' ? 'refused' : theirs === 'refused' ? 'accepted' : 'other frames', filter).toBe(kind);
      expect(page).toContain(`\`${filter}\``);
    }
  }, 300_000);
});
