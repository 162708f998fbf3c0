/** What tshark says of the TCP segments of a capture, and what we say of them, in the same words. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeHeaders } from '../../src/capture/decode-headers.ts';
import { type SegmentAnalysis, segmentMarks } from '../../src/capture/flow.ts';
import { FragmentTable } from '../../src/capture/fragments.ts';
import type { Frame } from '../../src/capture/frame.ts';
import type { FrameHeaders } from '../../src/capture/frame-headers.ts';
import { linkTypes } from '../../src/capture/link-types.ts';
import { PcapWriter } from '../../src/capture/pcap-writer.ts';
import { TcpFlows } from '../../src/capture/tcp-flows.ts';
import { peerPath } from '../support/peers.ts';

type Show = (segment: SegmentAnalysis, headers: FrameHeaders) => string;

const mark =
  (bit: number): Show =>
  (segment) =>
    (segment.marks & bit) !== 0 ? '1' : '';
const positive = (value: number) => (value > 0 ? String(value) : '');

function time(nanoseconds: number): string {
  if (nanoseconds < 0) return `-${time(-nanoseconds)}`;
  return `${Math.floor(nanoseconds / 1e9)}.${String(nanoseconds % 1e9).padStart(9, '0')}`;
}

/** By tshark's names. Where a value is empty here it may be anything there: tshark leaves some out, and shows some only now and then. */
const shown: Readonly<Record<string, Show>> = {
  'frame.number': (_, headers) => String(headers.frame.number),
  'tcp.stream': (segment) => String(segment.flow.index),
  'tcp.seq': (segment) => String(segment.relativeSequence),
  'tcp.ack': (segment) => String(segment.relativeAcknowledgement),
  'tcp.nxtseq': (segment) => String(segment.nextSequence),
  'tcp.len': (_, headers) => String(headers.wirePayloadLength),
  'tcp.window_size': (segment) => String(segment.windowSize),
  'tcp.window_size_scalefactor': (segment) => String(segment.windowScale),
  'tcp.completeness': (segment) => String(segment.completeness),
  'tcp.time_relative': (segment) => time(segment.sinceFirstNs),
  'tcp.time_delta': (segment) => time(segment.sincePreviousNs),
  'tcp.analysis.retransmission': mark(segmentMarks.retransmission),
  'tcp.analysis.fast_retransmission': mark(segmentMarks.fastRetransmission),
  'tcp.analysis.spurious_retransmission': mark(segmentMarks.spuriousRetransmission),
  'tcp.analysis.out_of_order': mark(segmentMarks.outOfOrder),
  'tcp.analysis.lost_segment': mark(segmentMarks.lostSegment),
  'tcp.analysis.ack_lost_segment': mark(segmentMarks.acknowledgedUnseen),
  'tcp.analysis.duplicate_ack': mark(segmentMarks.duplicateAcknowledgement),
  'tcp.analysis.keep_alive': mark(segmentMarks.keepAlive),
  'tcp.analysis.keep_alive_ack': mark(segmentMarks.keepAliveAcknowledgement),
  'tcp.analysis.zero_window': mark(segmentMarks.zeroWindow),
  'tcp.analysis.zero_window_probe': mark(segmentMarks.zeroWindowProbe),
  'tcp.analysis.zero_window_probe_ack': mark(segmentMarks.zeroWindowProbeAcknowledgement),
  'tcp.analysis.window_update': mark(segmentMarks.windowUpdate),
  'tcp.analysis.window_full': mark(segmentMarks.windowFull),
  'tcp.analysis.reused_ports': mark(segmentMarks.portReused),
  'tcp.connection.fin_active': mark(segmentMarks.initiatesClosing),
  'tcp.connection.fin_passive': mark(segmentMarks.undergoesClosing),
  'tcp.analysis.duplicate_ack_num': (segment) => positive(segment.duplicateNumber),
  'tcp.analysis.duplicate_ack_frame': (segment) => positive(segment.duplicateOf),
  'tcp.analysis.acks_frame': (segment) => positive(segment.acknowledges),
  'tcp.analysis.ack_rtt': (segment) => (segment.acknowledges > 0 ? time(segment.acknowledgeTimeNs) : ''),
  'tcp.analysis.initial_rtt': (segment) => (segment.initialRoundTripNs >= 0 ? time(segment.initialRoundTripNs) : ''),
  'tcp.analysis.bytes_in_flight': (segment) => positive(segment.bytesInFlight),
  'tcp.analysis.push_bytes_sent': (segment) => positive(segment.bytesSinceLastPush),
  'tcp.analysis.rto_frame': (segment) => positive(segment.retransmits),
  'tcp.analysis.rto': (segment) => (segment.retransmits > 0 ? time(segment.retransmissionTimeoutNs) : ''),
};
/** Shown by tshark only where it has something else to say, too. */
const sometimes = new Set(['tcp.analysis.initial_rtt', 'tcp.nxtseq', 'tcp.window_size_scalefactor']);
const names = Object.keys(shown);

/** A row of `frame field=value …` for each TCP segment. */
export function ourFields(frames: Iterable<Frame>): Map<number, Map<string, string>> {
  const flows = new TcpFlows();
  const fragments = new FragmentTable();
  const rows = new Map<number, Map<string, string>>();
  for (const frame of frames) {
    const headers = decodeHeaders(frame, fragments);
    const result = flows.next(headers);
    if (result === undefined) continue;
    rows.set(frame.number, new Map(names.map((name) => [name, shown[name]!(result.analysis, headers)])));
  }
  return rows;
}

/** What tshark shows of a file. Segments within ICMP are no segments. */
export function tsharkFields(path: string): Map<number, Map<string, string>> {
  const selection = names.flatMap((name) => ['-e', name]);
  const args = ['-n', '-r', path, '-Y', 'tcp && !icmp && !icmpv6', '-T', 'fields', ...selection];
  // It exits with 2 behind a file whose end is missing.
  const { stdout: text } = spawnSync(peerPath('tshark'), args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, TZ: 'UTC' },
  });
  const rows = new Map<number, Map<string, string>>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    // Some are there twice: as a field, and as what is said of it.
    const values = line.split('\t').map((value) => (value === '1,1' ? '1' : value));
    rows.set(Number(values[0]), new Map(names.map((name, index) => [name, values[index] ?? ''])));
  }
  return rows;
}

/** As `tsharkFields`, of frames of Ethernet. */
export function tsharkFieldsOfFrames(frames: readonly Frame[]): Map<number, Map<string, string>> {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-capture-'));
  try {
    const writer = new PcapWriter({ linkType: linkTypes.ethernet, resolution: 'nanoseconds' });
    for (const frame of frames) writer.writeFrame(frame);
    const path = join(directory, 'made.pcap');
    writeFileSync(path, writer.take());
    return tsharkFields(path);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Lines such as `frame 12 tcp.seq: 5, tshark 6`; none where both agree. */
export function differences(
  ours: ReadonlyMap<number, ReadonlyMap<string, string>>,
  theirs: ReadonlyMap<number, ReadonlyMap<string, string>>,
): string[] {
  const lines: string[] = [];
  for (const number of new Set([...ours.keys(), ...theirs.keys()])) {
    const own = ours.get(number);
    const their = theirs.get(number);
    if (own === undefined || their === undefined) {
      lines.push(`frame ${number} is TCP only for ${own === undefined ? 'tshark' : 'us'}`);
      continue;
    }
    for (const name of names) {
      const value = own.get(name);
      const expected = their.get(name);
      if (value === expected || (expected === '' && sometimes.has(name))) continue;
      lines.push(`frame ${number} ${name}: ${value}, tshark ${expected}`);
    }
  }
  return lines;
}
