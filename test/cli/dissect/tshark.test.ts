/** Every form of output against the installed tshark, over many captures at once, and exit statuses of what goes wrong. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { allCaptures } from '../../support/captures.ts';
import { clearwingMain, repositoryDirectory } from '../../support/paths.ts';
import { describeWithPeer, peerPath } from '../../support/peers.ts';
import { run } from '../../support/run.ts';
import { testPatienceMs } from '../../support/suite.ts';
import { printed } from './printed.ts';

process.env.TZ = 'UTC';

/**
 * Put together in this order: cooked, IPv6, nanoseconds, several interfaces, bytes one by one, large and many packets, text of every kind, another port.
 * Captures that were made of one another are not together, as the second would repeat the first.
 */
const joined = [
  'lab-any-sll2.pcap',
  'lab-ipv6.pcapng',
  'lab-many-per-segment.pcap',
  'lab-medium-20k-v5.pcapng',
  'lab-port-11883.pcap',
  'lab-text-unicode.pcap',
  'lab-v31.pcap',
  'lab-v5-mosquitto.pcap',
];
/** Read alone: other links, other files, other orders. */
const alone = [
  'lab-vlan.pcap',
  'lab-raw-ip.pcap',
  'lab-gzip.pcap.gz',
  'lab-retransmission.pcap',
  'lab-big-endian.pcap',
];

/** Frames with JSON above MQTT are left out: its parts are fields of their own to Wireshark, `mqtt.payload.text` here. */
const common = ['-d', 'tcp.port==11883,mqtt', '-Y', 'not json'];
const everyField =
  `frame.number frame.time_epoch frame.time frame.time_delta frame.time_delta_displayed frame.time_relative frame.len frame.cap_len
  frame.protocols frame.interface_id frame.encap_type frame.marked eth.src eth.dst eth.addr eth.type vlan.id vlan.etype ieee8021ad.id ieee8021ah.etype ip.src ip.dst ip.addr ip.ttl ip.id ip.flags
  ip.flags.df ip.dsfield ip.checksum ip.proto ip.len ip.hdr_len ip.version ipv6.src ipv6.addr ipv6.hlim ipv6.plen tcp.stream tcp.srcport tcp.port
  tcp.flags tcp.flags.str tcp.flags.syn tcp.seq tcp.ack tcp.seq_raw tcp.nxtseq tcp.len tcp.hdr_len tcp.window_size tcp.window_size_value
  tcp.window_size_scalefactor tcp.checksum tcp.analysis tcp.analysis.flags tcp.analysis.acks_frame tcp.analysis.ack_rtt tcp.analysis.bytes_in_flight
  tcp.analysis.push_bytes_sent tcp.analysis.initial_rtt tcp.analysis.retransmission tcp.analysis.rto tcp.time_delta tcp.time_relative
  tcp.completeness tcp.options tcp.options.timestamp.tsval tcp.options.mss_val tcp.payload tcp.segment tcp.reassembled_in ip.reassembled_in tcp.reassembled.length tcp.reassembled.data
  _ws.expert _ws.expert.message _ws.expert.severity _ws.expert.group mqtt mqtt.msgtype mqtt.topic mqtt.msg mqtt.clientid data.data _ws.col.No. _ws.col.Time _ws.col.Source _ws.col.Protocol _ws.col.Length _ws.col.Info`
    .split(/\s+/)
    .flatMap((name) => ['-e', name]);
const few = ['-e', 'frame.number', '-e', 'mqtt.topic', '-e', 'tcp.flags', '-e', 'ip.src', '-e', 'mqtt.qos'];

const forms: Readonly<Record<string, readonly string[]>> = {
  rows: [],
  '-T tabs': ['-T', 'tabs'],
  '-V': ['-V'],
  '-x': ['-x'],
  '-V -x': ['-V', '-x', '-c', '300'],
  '-O': ['-O', 'tcp,ip'],
  '-P -V -x': ['-P', '-V', '-x', '-O', 'frame', '-c', '100'],
  '-S': ['-S', '=====', '-V', '-O', 'mqtt'],
  '-S of rows': ['-S', '====='],
  '-c': ['-c', '100'],
  '-T fields': ['-T', 'fields', '-E', 'header=y', ...everyField],
  '-E first': [
    '-T',
    'fields',
    ...few,
    '-E',
    'occurrence=f',
    '-E',
    'quote=d',
    '-E',
    'separator=/s',
    '-E',
    'aggregator=;',
  ],
  '-E last': [
    '-T',
    'fields',
    ...few,
    '-E',
    'occurrence=l',
    '-E',
    'quote=s',
    '-E',
    'separator=,',
    '-E',
    'bom=y',
    '-E',
    'header=y',
  ],
  '-E all': [
    '-T',
    'fields',
    ...few,
    '-E',
    'occurrence=a',
    '-E',
    'quote=n',
    '-E',
    'separator=/t',
    '-E',
    'aggregator=/s',
  ],
  '-T json -e': ['-T', 'json', ...few],
  '-T ek -e': ['-T', 'ek', ...few],
  '-T json -j': ['-T', 'json', '-j', 'tcp mqtt'],
  '-T json -J': ['-T', 'json', '-J', 'tcp mqtt'],
  '-T ek -j': ['-T', 'ek', '-j', 'mqtt'],
  ...Object.fromEntries(
    ['a', 'ad', 'adoy', 'd', 'dd', 'e', 'r', 'u', 'ud', 'udoy'].map((form) => [
      `-t ${form}`,
      ['-t', form, '-c', '500'],
    ]),
  ),
};

/** Keys that documents of tshark have and ours have not, or with another range; docs/reference/dissector-differences.md. */
const otherKeys =
  /(^|[._])(eth[._](addr|dst|src)[._]?(resolved|oui|oui_resolved)|eth_(addr|dst|src)_(resolved|oui|oui_resolved))(_raw)?$|^(ip\.version|tcp\.pdu\.size|tcp\.completeness|mqtt\.conack\.flags\.reserved|mqtt\.property\.content_type)_raw$/;

const documents: Readonly<Record<string, readonly string[]>> = {
  '-T json': ['-T', 'json', '-c', '500'],
  '-T json --no-duplicate-keys': ['-T', 'json', '--no-duplicate-keys', '-c', '500'],
  '-T json -x': ['-T', 'json', '-x', '-c', '400'],
  '-T jsonraw': ['-T', 'jsonraw', '-c', '400'],
  '-T ek': ['-T', 'ek', '-c', '500'],
};

function askTshark(file: string, args: readonly string[]): Promise<string> {
  const child = spawn(peerPath('tshark'), ['-n', '-r', file, ...args], {
    env: { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8', HOME: '/nonexistent' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(Buffer.concat(chunks).toString()));
  });
}

/** The first line that differs, and how many do: a difference of whole outputs would take minutes to show. */
function differences(got: string, wanted: string): string[] {
  if (got === wanted) return [];
  const [ours, theirs] = [got.split('\n'), wanted.split('\n')];
  const at = ours.findIndex((line, index) => line !== theirs[index]);
  return [`${ours.length} and ${theirs.length} lines`, `line ${at + 1}: ${ours[at]}`, `tshark: ${theirs[at]}`];
}

/** Every key with its place and value, without those that differ on purpose. Keys that are repeated count by the order they come in. */
function flatten(lines: string): string {
  const kept: string[] = [];
  let skippedIndent = -1;
  for (const line of lines.split('\n')) {
    const indent = line.length - line.trimStart().length;
    if (skippedIndent >= 0) {
      if (indent > skippedIndent || /^[\]}],?$/.test(line.trim())) {
        if (indent <= skippedIndent) skippedIndent = -1;
        continue;
      }
      skippedIndent = -1;
    }
    const key = /^\s*"([^"]+)": (.*)$/.exec(line);
    if (key !== null && otherKeys.test(key[1] as string)) {
      if (/[[{]$/.test(key[2] as string)) skippedIndent = indent;
      continue;
    }
    kept.push(line.replace(/,$/, ''));
  }
  return kept.join('\n');
}

/** A line of bulk documents for each field. */
function flattenBulk(text: string): string {
  return text
    .replace(/("[a-z0-9_]+":)/g, '\n$1')
    .split('\n')
    .filter((line) => !otherKeys.test(/^"([a-z0-9_]+)"/.exec(line)?.[1] ?? ''))
    .map((line) => line.replace(/[,}]*$/, ''))
    .join('\n');
}

function captureNamed(name: string): string {
  return (allCaptures.find((one) => one.name === name) as { path: string }).path;
}

describeWithPeer(['tshark'], 'clearwing dissect beside tshark', () => {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-tshark-'));
  const file = join(directory, 'joined.pcapng');
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  beforeAll(() => {
    const { status } = spawnSync('mergecap', ['-a', '-w', file, ...joined.map(captureNamed)]);
    expect(status).toBe(0);
  });

  for (const [title, args] of Object.entries(forms)) {
    it(
      `prints the same: ${title}`,
      async () => {
        const all = [...common, ...args];
        const [got, wanted] = await Promise.all([printed(file, all), askTshark(file, all)]);
        expect(wanted.length).toBeGreaterThan(1000);
        expect(differences(got, wanted)).toEqual([]);
      },
      testPatienceMs,
    );
  }

  for (const [title, args] of Object.entries(documents)) {
    it(
      `makes the same documents: ${title}`,
      async () => {
        const all = [...common, ...args];
        const [got, wanted] = await Promise.all([printed(file, all), askTshark(file, all)]);
        expect(wanted.length).toBeGreaterThan(100_000);
        const flat = title.includes('ek') ? flattenBulk : flatten;
        expect(differences(flat(got), flat(wanted))).toEqual([]);
        // Read as JSON, too.
        for (const one of title.includes('ek') ? got.trimEnd().split('\n') : [got]) JSON.parse(one);
      },
      testPatienceMs,
    );
  }

  it.each(alone)(
    'prints the same of %s',
    async (name) => {
      const path = captureNamed(name);
      for (const args of [[], ['-V', '-Y', 'not json'], ['-T', 'fields', ...everyField, '-Y', 'not json']]) {
        const [got, wanted] = await Promise.all([printed(path, args), askTshark(path, args)]);
        expect(differences(got, wanted), args.join(' ')).toEqual([]);
      }
    },
    testPatienceMs,
  );

  it(
    'prints the same of a made capture of 6,000 packets',
    async () => {
      const made = join(directory, 'made.pcap');
      const maker = join(repositoryDirectory, 'bench', 'capture', 'make-capture.mjs');
      await run(process.execPath, [maker, '--packets', '6000', '-o', made]);
      for (const args of [
        [],
        ['-Y', 'mqtt.msgtype == 3 && mqtt.qos > 0'],
        ['-T', 'fields', ...few, '-e', 'frame.time_epoch', '-e', 'tcp.analysis.ack_rtt', '-e', 'mqtt.msgid'],
      ]) {
        const [got, wanted] = await Promise.all([printed(made, args), askTshark(made, args)]);
        expect(wanted.split('\n').length).toBeGreaterThan(1000);
        expect(differences(got, wanted), args.join(' ')).toEqual([]);
      }
    },
    testPatienceMs,
  );

  const dissect = (args: readonly string[], input?: Uint8Array) =>
    run(process.execPath, [clearwingMain, 'dissect', ...args], {
      ...(input === undefined ? {} : { input }),
      environment: { TZ: 'UTC', HOME: '/nonexistent' },
      directory,
    });

  it.each(['pcapng', 'pcap', 'nsecpcap'] as const)(
    'writes %s that tshark reads as it reads the original',
    async (format) => {
      const original = format === 'pcapng' ? file : captureNamed('lab-nanosecond.pcap');
      const written = join(directory, `written.${format}`);
      const result = await dissect(['-r', original, '-w', written, '-F', format]);
      expect(result).toMatchObject({ status: 0, stdout: '', stderr: '' });
      const args = [
        '-T',
        'fields',
        '-e',
        'frame.number',
        '-e',
        'frame.time_epoch',
        '-e',
        'frame.encap_type',
        '-e',
        'ip.id',
        '-e',
        'tcp.payload',
      ];
      const wanted = await askTshark(original, args);
      // A pcap of microseconds cannot tell more.
      const cut = (text: string) => (format === 'pcap' ? text.replace(/(\.\d{6})\d{3}/g, '$1') : text);
      expect(differences(cut(await askTshark(written, args)), cut(wanted))).toEqual([]);
      expect(
        differences(await printed(written, ['-V', '-c', '200']), await askTshark(written, ['-V', '-c', '200'])),
      ).toEqual([]);
    },
    testPatienceMs,
  );

  it('writes only what the filter shows, and reads what tshark writes', async () => {
    const [ours, theirs] = [join(directory, 'ours.pcapng'), join(directory, 'theirs.pcapng')];
    await dissect(['-r', file, '--no-recognition', '-Y', 'mqtt.msgtype == 3', '-w', ours]);
    await run(peerPath('tshark'), ['-n', '-r', file, '-Y', 'mqtt.msgtype == 3', '-w', theirs]);
    const args = ['-T', 'fields', '-e', 'frame.time_epoch', '-e', 'frame.len', '-e', 'tcp.payload'];
    const wanted = await askTshark(theirs, args);
    expect(wanted.split('\n').length).toBeGreaterThan(20);
    expect(await askTshark(ours, args)).toBe(wanted);
    expect(await printed(theirs, args)).toBe(wanted);
  });

  it('takes a filter behind the options', async () => {
    const args = ['-n', '-d', 'tcp.port==11883,mqtt', '-r', file, 'mqtt.msgtype', '==', '1'];
    const { stdout } = await run(peerPath('tshark'), args, { environment: { TZ: 'UTC', HOME: '/nonexistent' } });
    expect((await dissect(args)).stdout).toBe(stdout);
    expect(stdout).toMatch(/Connect Command/);
  });

  it(
    'ends with the same status when something is wrong',
    async () => {
      const bytes = readFileSync(captureNamed('lab-v31.pcap'));
      writeFileSync(join(directory, 'cut.pcap'), bytes.subarray(0, 5000));
      writeFileSync(join(directory, 'empty.pcap'), '');
      writeFileSync(join(directory, 'text.pcap'), 'this is no capture, whatever its name says\n'.repeat(10));
      const good = ['-r', file];
      const cases: readonly (readonly string[])[] = [
        good,
        ['-r', 'missing.pcap'],
        ['-r', '.'],
        ['-r', 'cut.pcap'],
        ['-r', 'empty.pcap'],
        ['-r', 'text.pcap'],
        [...good, '-Y', 'mqtt.nothing'],
        [...good, '-Y', 'mqtt.qos =='],
        [...good, '-Y', 'mqtt.qos == 1', 'mqtt'],
        [...good, '-T', 'nothing'],
        [...good, '-T', 'fields'],
        [...good, '-e', 'mqtt.qos'],
        [...good, '-T', 'fields', '-e', 'mqtt.nothing'],
        [...good, '-E', 'nothing=y', '-T', 'fields', '-e', 'mqtt.qos'],
        [...good, '-c', 'x'],
        [...good, '-c', '0'],
        [...good, '-t', 'x'],
        [...good, '-o', 'nothing.at_all:TRUE'],
        [...good, '-d', 'tcp.port==x,mqtt'],
        [...good, '-w', '/nonexistent/file.pcapng'],
      ];
      for (const args of cases) {
        const [ours, theirs] = await Promise.all([
          dissect(args),
          run(peerPath('tshark'), ['-n', ...args], { directory, environment: { HOME: '/nonexistent' } }),
        ]);
        expect([args.join(' '), ours.status], ours.stderr).toEqual([args.join(' '), theirs.status]);
        if (ours.status === 0) continue;
        expect(ours.stderr, args.join(' ')).toMatch(/^clearwing: .+\n/);
        expect(ours.stderr).not.toMatch(/node:|\.js:\d|^\s+at /m);
      }
    },
    testPatienceMs,
  );
});
