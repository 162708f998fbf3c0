import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defineFields } from '../../src/dissect/field.ts';
import type { FieldSink } from '../../src/dissect/field-sink.ts';
import { compileFilter, frameMatcher, registry, TreeSink, ValueSink } from '../../src/dissect/index.ts';
import { capturesDirectory } from '../support/captures.ts';
import { dissectFile } from './dissected.ts';

const f = defineFields('outer', 'Outer', {
  number: { name: 'outer.number', label: 'Number', type: 'uint8' },
  text: { name: 'outer.text', label: 'Text', type: 'string' },
  raw: { name: 'outer.raw', label: 'Raw', type: 'bytes' },
  wrong: { name: 'outer.wrong', label: 'Wrong', type: 'none' },
});
const source = { bytes: Uint8Array.of(65, 66, 67, 0xff, 68), name: 'Sample' };
const fieldOf = (name: string) => registry.find(name)![0]!;

describe('bytes that a protocol was given', () => {
  it.each([
    ['tcp contains "MQTT"', 1],
    ['tcp[33:1] == 00 && tcp.len == 2', 1],
    ['len(tcp) == 34', 1],
    ['ip contains "MQTT"', 1],
    ['eth matches "MQTT"', 1],
    ['ip#1 contains "MQTT"', 1],
    ['len(ip) == 20 && len(eth) == 14', 14],
    ['ip[20:] != ip[20:] || eth[14:]', 0],
  ])('are found by %s behind the header', async (text, count) => {
    const filter = compileFilter(text);
    const matches = frameMatcher(filter);
    const frames = await dissectFile(join(capturesDirectory, 'temperature-14-frames.pcap'));
    expect(frames.filter(matches)).toHaveLength(count);
  });
});

function describeSample(sink: FieldSink): void {
  sink.enter(f.self, source, 0, -1);
  sink.setText('Outer, with a line of its own');
  sink.add(f.number, source, 0, 1, 65);
  sink.addString(f.text, source, 0, 4);
  sink.addDiagnostic(f.wrong, source, 0, 4, {
    severity: 'warning',
    group: 'Protocol',
    message: 'Not as it should be',
    rule: 'MQTT-1.5.4-1',
  });
  sink.enterText('[More]', source, 0, 0);
  sink.addBytes(f.raw, source, 3, 5);
  sink.addGenerated(f.number, source, 0, 0, 7);
  sink.leave();
  sink.addHidden(f.number, source, 0, 1, 9);
  sink.leave();
}

describe('TreeSink', () => {
  it('nests what is entered, and gives subtrees whose end was not known the range of what is in them', () => {
    const sink = new TreeSink();
    describeSample(sink);
    expect(sink.roots).toHaveLength(1);
    const root = sink.roots[0]!;
    expect([root.start, root.end, root.text]).toEqual([0, 4, 'Outer, with a line of its own']);
    expect(root.children!.map(({ field, value }) => [field.name, value])).toEqual([
      ['outer.number', 65],
      ['outer.text', 'ABC\ufffd'],
      ['', undefined],
      ['outer.number', 9],
    ]);
    expect(root.children!.map(({ isHidden }) => isHidden)).toEqual([false, false, false, true]);
    const more = root.children![2]!;
    expect(more.text).toBe('[More]');
    expect(more.children!.map(({ isGenerated }) => isGenerated)).toEqual([false, true]);
  });

  it("shows diagnostics below what they are about, with Wireshark's numbers", () => {
    const sink = new TreeSink();
    describeSample(sink);
    const [node] = sink.roots[0]!.children![1]!.children!;
    expect(node!.text).toBe('Expert Info (Warning/Protocol): Not as it should be');
    expect(node!.children!.map(({ field, value }) => [field.name, value])).toEqual([
      ['outer.wrong', undefined],
      ['_ws.expert.message', 'Not as it should be'],
      ['_ws.expert.severity', 0x600000],
      ['_ws.expert.group', 0x9000000],
      ['_ws.expert.rule', 'MQTT-1.5.4-1'],
    ]);
  });

  it('begins anew, and leaves the tree before alone', () => {
    const sink = new TreeSink();
    describeSample(sink);
    const before = sink.roots;
    sink.reset();
    describeSample(sink);
    expect(before).toHaveLength(1);
    expect(sink.roots).not.toBe(before);
  });

  it('bears more leaves than enters, and a depth without end', () => {
    const sink = new TreeSink();
    sink.leave();
    for (let depth = 0; depth < 1000; depth++) sink.enter(f.self, source, 0, 1);
    for (let depth = 0; depth < 2000; depth++) sink.leave();
    sink.add(f.number, source, 0, 1, 1);
    expect(sink.roots).toHaveLength(2);
  });
});

describe('ValueSink', () => {
  it('keeps the values of wanted fields in order, hidden and generated ones too, and nothing else', () => {
    const sink = new ValueSink([f.number]);
    describeSample(sink);
    expect(sink.valuesOf(f.number)).toEqual([65, 7, 9]);
    expect(sink.valuesOf(f.text)).toBeUndefined();
    expect([f.number, f.self, f.text].map((field) => sink.wants(field))).toEqual([true, true, false]);
    sink.reset();
    expect(sink.valuesOf(f.number)).toEqual([]);
  });

  it('keeps diagnostics for who asks for one of them, or for all', () => {
    const one = new ValueSink([f.wrong]);
    const all = new ValueSink([fieldOf('_ws.expert.message'), fieldOf('_ws.expert.severity')]);
    for (const sink of [one, all]) describeSample(sink);
    expect(one.valuesOf(f.wrong)).toEqual([undefined]);
    expect(all.valuesOf(fieldOf('_ws.expert.message'))).toEqual(['Not as it should be']);
    expect(all.valuesOf(fieldOf('_ws.expert.severity'))).toEqual([0x600000]);
    // Everybody may have something to say.
    expect(all.wants(f.self)).toBe(true);
  });

  it('keeps the lines of diagnostics, and leaves out our own where that is wished', () => {
    const wanted = [fieldOf('_ws.expert'), fieldOf('_ws.expert.message'), fieldOf('_ws.expert.rule'), f.wrong];
    for (const omitsOurRemarks of [false, true]) {
      const sink = new ValueSink(wanted, { keepsTexts: true, omitsOurRemarks });
      describeSample(sink);
      sink.addDiagnostic(fieldOf('mqtt.violation'), source, 0, 1, {
        severity: 'error',
        group: 'Protocol',
        message: 'Not allowed',
        rule: 'MQTT-3.1.0-2',
      });
      const lines = [
        'Expert Info (Warning/Protocol): Not as it should be',
        'Expert Info (Error/Protocol): Not allowed',
      ];
      const messages = ['Not as it should be', 'Not allowed'];
      const count = omitsOurRemarks ? 1 : 2;
      expect(sink.textsOf(fieldOf('_ws.expert'))).toEqual(lines.slice(0, count));
      expect(sink.valuesOf(fieldOf('_ws.expert.message'))).toEqual(messages.slice(0, count));
      expect(sink.valuesOf(fieldOf('_ws.expert.rule'))).toEqual(['MQTT-1.5.4-1', 'MQTT-3.1.0-2']);
      expect(sink.valuesOf(f.wrong)).toEqual([undefined]);
    }
  });

  it('keeps the brackets of protocols that are computed', () => {
    const sink = new ValueSink([fieldOf('_ws.short'), fieldOf('_ws.malformed')], { keepsTexts: true });
    sink.enterGenerated(fieldOf('_ws.short'), source, 5, 5);
    sink.setText('Packet size limited during capture: TCP truncated');
    sink.leave();
    sink.enterGenerated(fieldOf('_ws.malformed'), source, 5, 5);
    sink.leave();
    expect(sink.textsOf(fieldOf('_ws.short'))).toEqual(['[Packet size limited during capture: TCP truncated]']);
    expect(sink.textsOf(fieldOf('_ws.malformed'))).toEqual(['[Malformed Packet]']);
  });

  it('keeps the bytes, the layers and the lines of protocols for who asks for them', () => {
    const sink = new ValueSink([f.self], { bytesFields: [f.self], layeredFields: [f.number], keepsTexts: true });
    sink.enter(f.self, source, 1, 3);
    sink.setText('The first');
    sink.add(f.number, source, 1, 2, 1);
    sink.leave();
    sink.enter(f.self, source, 3, 5);
    sink.add(f.number, source, 3, 4, 2);
    sink.setText('A number has no line');
    sink.leave();
    expect(sink.bytesOf(f.self)).toEqual([Uint8Array.of(66, 67), Uint8Array.of(0xff, 68)]);
    expect(sink.layersOf(f.number)).toEqual([1, 2]);
    expect(sink.textsOf(f.self)).toEqual(['The first', 'Outer']);
  });

  it('gathers of a capture what the tree has', async () => {
    const names = [
      'frame.number',
      'ip.addr',
      'tcp.port',
      'tcp.analysis.acks_frame',
      'tcp.options.timestamp.tsval',
      'mqtt.topic',
    ];
    const fields = names.map(fieldOf);
    const sink = new ValueSink(fields);
    for (const frame of await dissectFile(join(capturesDirectory, 'lab-many-per-segment.pcap'))) {
      sink.reset();
      frame.describe(sink);
      const tree = new TreeSink();
      frame.describe(tree);
      for (const field of fields) {
        const found: unknown[] = [];
        const walk = (nodes: typeof tree.roots) => {
          for (const node of nodes) {
            if (node.field === field) found.push(node.value);
            walk(node.children ?? []);
          }
        };
        walk(tree.roots);
        expect(sink.valuesOf(field), `${field.name} of frame ${frame.frame.number}`).toEqual(found);
      }
    }
  });
});
