/** The display filters of the reference captures: the frames that tshark showed, and those that we show. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CaptureDecoder } from '../../../src/capture/capture-decoder.ts';
import { CaptureFileError } from '../../../src/capture/capture-file-error.ts';
import { KeyLogFile } from '../../../src/capture/node/key-log-file.ts';
import { nodeTlsCiphers } from '../../../src/capture/node/tls-ciphers.ts';
import { readCapture } from '../../../src/capture/read-capture.ts';
import { KeyLogDecryption } from '../../../src/capture/tls/key-log-decryption.ts';
import { CaptureSecretSource } from '../../../src/capture/tls/tls-secrets.ts';
import { parseDecodeAs } from '../../../src/dissect/decode-as.ts';
import { Dissector } from '../../../src/dissect/dissector.ts';
import { compileFilter } from '../../../src/dissect/filter/display-filter.ts';
import { registry } from '../../../src/dissect/registry.ts';
import { ValueSink } from '../../../src/dissect/value-sink.ts';
import { repositoryDirectory, sharedDirectory } from '../../support/paths.ts';

interface About {
  readonly args: readonly string[];
  /** Why tshark is no authority on the file. */
  readonly soft?: string;
}

/** Captures with layers that are not looked into here. */
const otherLayers: ReadonlyMap<string, string> = new Map([
  ['real-ndn-project-mqtt.pcapng', 'the headers that ICMP sends back'],
]);

/** The frames that each filter shows. */
async function showFrames(
  path: string,
  args: readonly string[],
  texts: readonly string[],
): Promise<Record<string, number[]>> {
  const filters = texts.map((text) => ({ filter: compileFilter(text, registry), frames: [] as number[] }));
  const sink = new ValueSink(
    filters.flatMap(({ filter }) => filter.fields),
    {
      bytesFields: filters.flatMap(({ filter }) => filter.bytesFields),
      layeredFields: filters.flatMap(({ filter }) => filter.layeredFields),
    },
  );
  const decodeAs = args.flatMap((arg, index) => (args[index - 1] === '-d' ? [parseDecodeAs(arg)] : []));
  const decoder = new CaptureDecoder();
  const keyLogs = args.flatMap((arg) => (arg.startsWith('tls.keylog_file:') ? [arg.slice(arg.indexOf(':') + 1)] : []));
  const sources = keyLogs.map((name) => new KeyLogFile(join(path, '..', name)));
  const tls = new KeyLogDecryption(nodeTlsCiphers, [...sources, new CaptureSecretSource(decoder)]);
  const dissector = new Dissector({ decodeAs, tls });
  try {
    for await (const batch of readCapture(readFileSync(path), { decoder })) {
      for (const frame of batch) {
        const dissected = dissector.next(frame);
        sink.reset();
        dissected.describe(sink);
        for (const { filter, frames } of filters) if (filter.matches(sink)) frames.push(frame.number);
      }
    }
  } catch (error) {
    // A file that was cut off has frames all the same.
    if (!(error instanceof CaptureFileError)) throw error;
  }
  return Object.fromEntries(filters.map(({ filter, frames }) => [filter.text, frames]));
}

const places = [
  join(repositoryDirectory, 'test', 'fixtures', 'captures'),
  ...(sharedDirectory === undefined ? [] : [join(sharedDirectory, 'captures')]),
].filter((directory) => existsSync(join(directory, 'about.json')));

const captures = new Map<string, { readonly directory: string; readonly about: About }>();
for (const directory of places) {
  const abouts = JSON.parse(readFileSync(join(directory, 'about.json'), 'utf8')) as Record<string, About>;
  const golden = new Set(readdirSync(join(directory, 'golden')));
  for (const [name, about] of Object.entries(abouts)) {
    if (!captures.has(name) && golden.has(name) && existsSync(join(directory, name)))
      captures.set(name, { directory, about });
  }
}

function goldenFilters(directory: string, name: string): Record<string, number[]> {
  return JSON.parse(readFileSync(join(directory, 'golden', name, 'filters.json'), 'utf8'));
}

const hasReal = [...captures.keys()].some((name) => name.startsWith('real-'));

describe(`filters of the reference captures${hasReal ? '' : ' (without real-*: not beside the checkout)'}`, () => {
  it('are there', () => {
    expect(captures.size).toBeGreaterThan(20);
  });

  for (const [name, { directory, about }] of captures) {
    const golden = goldenFilters(directory, name);
    it(`are all filters to us: ${name}`, () => {
      expect(Object.keys(golden).length).toBeGreaterThan(40);
      for (const text of Object.keys(golden)) expect(() => compileFilter(text, registry), text).not.toThrow();
    });

    if (otherLayers.has(name) || about.soft !== undefined) continue;
    it(`show the frames of ${name} that tshark shows`, async () => {
      expect(await showFrames(join(directory, name), about.args, Object.keys(golden))).toEqual(golden);
    });
  }
});
