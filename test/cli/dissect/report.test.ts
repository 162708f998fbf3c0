import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DissectArgumentError } from '../../../src/cli/dissect/arguments.ts';
import { FilterError } from '../../../src/cli/dissect/filter-error.ts';
import { textWidth } from '../../../src/cli/dissect/text-columns.ts';
import { repositoryDirectory } from '../../support/paths.ts';
import { printed } from './printed.ts';

const lab = join(repositoryDirectory, 'test/fixtures/asking/course-lab.pcapng');
const captures = join(repositoryDirectory, 'test/fixtures/captures');
const columns = process.env.COLUMNS;
afterEach(() => {
  if (columns === undefined) delete process.env.COLUMNS;
  else process.env.COLUMNS = columns;
});

describe('--table', () => {
  it('is aligned text with the columns that people ask for most', async () => {
    const text = await printed(lab, ['--table', 'wills', '--columns', 'client,qos,deliveries', '--where', 'qos > 0']);
    expect(text).toBe(
      'client    qos  deliveries\nsensor-1    1           5\nsensor-2    2           3\nsensor-4    1           1\n',
    );
  });

  it('is CSV of all columns, quoted as RFC 4180 has it', async () => {
    const [names, ...rows] = (
      await printed(join(captures, 'lab-wildcards.pcapng'), ['--table', 'topics', '--format', 'csv'])
    ).split('\r\n');
    expect(names).toMatch(/^topic,first_level,levels,publishes_in,/);
    expect(rows).toHaveLength(11);
    expect(rows.at(-1)).toBe('');
    const only = ['--table', 'connections', '--format', 'csv', '--columns', 'client'];
    const quoted = await printed(join(captures, 'lab-text-unicode.pcap'), only);
    expect(quoted).toMatch(/^client\r\n/);
  });

  it('is JSON with numbers, truth values, lists and null', async () => {
    const asked = [
      '--table',
      'wills',
      '--format',
      'json',
      '--columns',
      'client,qos,retain,receivers',
      '--where',
      'frame < 100',
    ];
    expect(JSON.parse(await printed(lab, asked))).toEqual([
      { client: 'sensor-1', qos: 1, retain: false, receivers: ['office', 'both', 'hall-2', 'hall-1'] },
      { client: 'sensor-2', qos: 2, retain: false, receivers: ['both', 'hall-2', 'hall-1'] },
      { client: 'sensor-3', qos: 0, retain: false, receivers: null },
    ]);
    expect(
      JSON.parse(await printed(lab, ['--table', 'clients', '-T', 'json', '--where', 'client == "nobody"'])),
    ).toEqual([]);
  });

  it('counts rows, and different values', async () => {
    const ask = (...args: string[]) => printed(lab, ['--table', 'subscriptions', ...args]);
    expect(await ask('--count')).toBe('18\n');
    expect(await ask('--count', '--where', 'wildcards == "single"')).toBe('5\n');
    expect(await ask('--distinct', 'client', '--count')).toBe('16\n');
    expect(await ask('--distinct', 'wildcards')).toBe(
      'wildcards  rows\nsingle        5\nmulti         2\nnone         12\n',
    );
    expect(JSON.parse(await ask('--distinct', 'qos', '-T', 'json'))).toContainEqual({ qos: 2, rows: 1 });
  });

  it('is about the packets that -Y shows', async () => {
    const asked = [
      '-Y',
      'mqtt.msgtype == 8 && mqtt.topic contains "#"',
      '--table',
      'subscriptions',
      '--columns',
      'client,granted',
    ];
    expect(await printed(lab, asked)).toBe('client  granted\nhall-2        2\nother         1\n');
  });

  it('has its times as -t asks for', async () => {
    const asked = ['--table', 'connections', '--columns', 'time', '--where', 'stream == 1'];
    expect(await printed(lab, asked)).toMatch(/^ +time\n0\.\d{6}\n$/);
    expect(await printed(lab, [...asked, '-t', 'ud'])).toMatch(/^ +time\n20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\n$/);
    expect(await printed(lab, [...asked, '-t', 'e'])).toMatch(/^ +time\n\d{10}\.\d{6}\n$/);
  });

  it('refuses what it does not have, and says what it has', async () => {
    const refused = (...args: string[]) => printed(lab, args).catch((error: unknown) => error as Error);
    const unknown = await refused('--table', 'wills', '--columns', 'reciever');
    expect(unknown).toBeInstanceOf(DissectArgumentError);
    expect((unknown as Error).message).toMatch(/has no column "reciever"; /);
    expect(await refused('--table', 'wills', '--where', 'qos >')).toBeInstanceOf(FilterError);
    expect(await refused('--count')).toMatchObject({ message: '--count is for --table' });
    expect(await refused('--table', 'wills', '--stats')).toBeInstanceOf(DissectArgumentError);
    expect(((await refused('--table', 'will')) as Error).message).toContain('wills');
  });
});

describe('--follow', () => {
  it('tells a conversation by its stream, or all of a client', async () => {
    const lines = (await printed(lab, ['--follow', '2'])).split('\n');
    expect(lines[0]).toMatch(/^Stream 2: 127\.0\.1\.3:\d+ → 127\.0\.0\.1:1883, began at 0\.\d{6}$/);
    expect(lines[1]).toMatch(/^ +\d+ +0\.\d{6} ──▶ CONNECT +office {2}MQTT 3\.1\.1, keep alive 60, clean session$/);
    expect(lines.join('\n')).toMatch(/◀── PUBLISH +QoS 0 {2}university\/lab1\/status {2}sensor-1 is offline/);
    const twice = await printed(lab, ['--follow', 'unique']);
    expect(twice.match(/^Stream \d+/gm)).toEqual(['Stream 20', 'Stream 23']);
    expect(twice).toContain('accepted, session present');
  });

  it('is the same within WebSocket, and as JSON', async () => {
    const packets = JSON.parse(
      await printed(join(captures, 'lab-websocket-frames.pcapng'), ['--follow', '0', '-T', 'json']),
    );
    expect(packets[0]).toMatchObject({ type: 'CONNECT', direction: 'in', client: 'wsraw' });
    expect(packets.find(({ id }: { id: number }) => id === 7)).toMatchObject({
      type: 'PUBLISH',
      topic: 'wsf/two',
      qos: 1,
    });
    expect(JSON.parse(await printed(lab, ['--follow', 'client:nobody', '-T', 'json']))).toEqual([]);
  });
});

describe('--stats', () => {
  it('has sections for types, QoS, times, clients and topics', async () => {
    const text = await printed(lab, ['--stats']);
    for (const title of ['Packets', 'PUBLISH by QoS', 'Acknowledgements, milliseconds', 'Clients', 'Topics']) {
      expect(text).toMatch(new RegExp(`^${title}$`, 'm'));
    }
    expect(text).toMatch(/^ {2}thermometer +5 /m);
  });

  it('is JSON with everything', async () => {
    const result = JSON.parse(await printed(lab, ['--stats', '-T', 'json']));
    expect(result).toMatchObject({ connections: 26, qos: { in: [2, 6, 1, 0] } });
    expect(result.clients).toHaveLength(18);
    expect(result.latencies[0].name).toBe('CONNECT → CONNACK');
  });
});

describe('--ladder', () => {
  it('fits the terminal, however narrow', async () => {
    for (const file of [lab, join(captures, 'lab-wildcards.pcapng'), join(captures, 'lab-retain-will-v311.pcap')]) {
      for (const width of [60, 80, 100, 133, 200]) {
        process.env.COLUMNS = String(width);
        const lines = (await printed(file, ['--ladder'])).split('\n');
        expect(Math.max(...lines.map(textWidth)), `${file} in ${width} columns`).toBeLessThanOrEqual(width);
      }
    }
  });

  it('shows every packet of the frames that match', async () => {
    process.env.COLUMNS = '100';
    const text = await printed(join(captures, 'lab-qos012-v311.pcap'), ['--ladder', '-Y', 'mqtt.msgtype == 4']);
    expect(text.match(/PUBACK/g)).toHaveLength(8);
    expect(text).not.toContain('CONNECT');
  });

  it('is drawn as it was', async () => {
    process.env.COLUMNS = '90';
    const text = await printed(join(captures, 'lab-qos012-v311.pcap'), ['--ladder', '-Y', 'frame.number in {64..78}']);
    expect(text).toMatchInlineSnapshot(`
      "  frame         time  pub2                      127.0.0.1:1883                       sub2
           64     0.763521  │─ CONNECT ─────────────────────▶│
                            │  MQTT 3.1.1, keep alive 60,    │
                            │  clean session                 │
           66    +0.000085  │◀─ CONNACK ↩64 0.085 ms ────────│
                            │  accepted                      │
           68    +0.000024  │─ PUBLISH 1 QoS 2 ─────────────▶│
                            │  counter/slow/q2 = 315         │
           69    +0.000013  │◀─ PUBREC 1 ↩68 0.013 ms ───────│
           70    +0.000015  │─ PUBREL 1 ↩69 0.015 ms ───────▶│─ PUBLISH 1 QoS 2 #71 ─────────▶│
                            │                                │  counter/slow/q2 = 315         │
           73    +0.000051  │                                │◀─ PUBREC 1 ↩71 0.035 ms ───────│
           74    +0.000011  │◀─ PUBCOMP 1 ↩70 0.062 ms ──────│                                │
           75    +0.000008  │                                │─ PUBREL 1 ↩73 0.019 ms ───────▶│
           76    +0.000017  │─ DISCONNECT ──────────────────▶│                                │
           78    +0.000024                                   │◀─ PUBCOMP 1 ↩75 0.041 ms ──────│
      "
    `);
  });

  it('is an SVG document', async () => {
    const svg = await printed(lab, ['--ladder=svg']);
    expect(svg).toMatch(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n<svg xmlns=/);
    expect(svg.trimEnd().endsWith('</svg>')).toBe(true);
  });
});
