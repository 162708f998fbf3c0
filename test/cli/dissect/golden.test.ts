/** Rows, trees, JSON and fields of the reference captures, byte for byte as tshark prints them. Filters are in test/dissect/filter. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allCaptures, capturesDirectory, type RecordedCapture, skippedCaptures } from '../../support/captures.ts';
import { printed } from './printed.ts';

/** Wireshark shows times in the zone of the machine; the golden answers were made in this one. */
process.env.TZ = 'UTC';

/** Lines of trees that differ on purpose; docs/reference/dissector-differences.md tells users of the same. */
const differingLines: Readonly<Record<string, { readonly lines: RegExp; readonly reason: string }>> = {
  'lab-out-of-order.pcap': {
    lines: /^ *\[(\d+ Reassembled TCP Segments|Frame: \d+, payload|Segment count|Reassembled TCP length)/,
    reason: 'Wireshark puts packets that waited for the same segment into one reassembly; here each has its own',
  },
};

const forms: readonly (readonly [file: string, args: readonly string[]])[] = [
  ['summary.txt', []],
  ['tree.txt', ['-V', '-O', 'mqtt']],
  ['mqtt.json', ['-T', 'json', '-J', 'mqtt']],
];

async function inForm(capture: RecordedCapture, args: readonly string[]): Promise<string> {
  return printed(capture.path, [...capture.about.args, '-Y', 'mqtt', ...args]);
}

function golden(capture: RecordedCapture, file: string): string {
  return readFileSync(join(capture.golden, file), 'utf8');
}

const authoritative = allCaptures.filter(({ about }) => about.soft === undefined);

describe(`reference captures${skippedCaptures === undefined ? '' : ` (skipped: ${skippedCaptures})`}`, () => {
  for (const capture of authoritative) {
    it(`print as tshark does: ${capture.name}`, async () => {
      for (const [file, args] of forms) {
        const differing = file === 'tree.txt' ? differingLines[capture.name]?.lines : undefined;
        const told = (text: string) =>
          differing === undefined ? text : text.replace(new RegExp(`${differing.source}.*\n`, 'gm'), '');
        expect(told(await inForm(capture, args)), file).toBe(told(golden(capture, file)));
      }
      const fields = golden(capture, 'fields.tsv');
      const names = (fields.split('\n')[0] as string).split('\t');
      const args = ['-T', 'fields', '-E', 'header=y', ...names.flatMap((name) => ['-e', name])];
      expect(await inForm(capture, args), 'fields.tsv').toBe(fields);
    });
  }

  it('differ only where they still do', async () => {
    for (const [name] of Object.entries(differingLines)) {
      const capture = allCaptures.find((one) => one.name === name) as RecordedCapture;
      expect(await inForm(capture, ['-V', '-O', 'mqtt']), name).not.toBe(golden(capture, 'tree.txt'));
    }
  });
});

interface TruePacket {
  readonly frame: number;
  readonly stream: number;
  readonly type: string;
  readonly flags: number;
  readonly remaining_length: number;
  readonly topic?: string;
}

const typeNumbers =
  'CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP DISCONNECT'.split(
    ' ',
  );

describe('captures on which tshark is no authority', () => {
  const truth = JSON.parse(readFileSync(join(capturesDirectory, 'ws-truth.json'), 'utf8')) as Record<
    string,
    readonly TruePacket[]
  >;

  it('are those whose packets are listed', () => {
    const soft = allCaptures.filter(({ about }) => about.soft !== undefined).map(({ name }) => name);
    expect(soft).toEqual(Object.keys(truth));
  });

  for (const [name, packets] of Object.entries(truth)) {
    it(`show every packet, whole: ${name}`, async () => {
      const capture = allCaptures.find((one) => one.name === name) as RecordedCapture;
      const names = ['frame.number', 'tcp.stream', 'mqtt.msgtype', 'mqtt.hdrflags', 'mqtt.len', 'mqtt.topic'];
      const text = await inForm(capture, ['-T', 'fields', ...names.flatMap((field) => ['-e', field])]);
      const lines = new Map<string, TruePacket[]>();
      for (const packet of packets) {
        const key = `${packet.frame}\t${packet.stream}`;
        lines.set(key, [...(lines.get(key) ?? []), packet]);
      }
      const expected = [...lines].map(([key, ofFrame]) => {
        const types = ofFrame.map(({ type }) => typeNumbers.indexOf(type) + 1);
        const headers = ofFrame.map(({ flags }, at) => `0x${((types[at] as number) * 16 + flags).toString(16)}`);
        const lengths = ofFrame.map((packet) => packet.remaining_length);
        const topics = ofFrame.flatMap(({ topic }) => (topic === undefined ? [] : [topic]));
        return [key, types, headers, lengths, topics].join('\t');
      });
      const withoutSubscription = text
        .replace(/\n$/, '')
        .split('\n')
        .map((line) => line.split('\t'))
        .map((columns) => (columns[2] === '8' ? [...columns.slice(0, 5), ''] : columns).join('\t'));
      expect(withoutSubscription).toEqual(expected);
      expect(await inForm(capture, ['-V', '-O', 'mqtt'])).not.toMatch(/Malformed|Incomplete|bytes missing/);
    });
  }
});
