/** Options of TCP headers: RFC 9293 §3.2, RFC 7323, RFC 2018, RFC 7413, RFC 5482. Others are listed as bytes. */
import type { DataSource } from '../../capture/frame.ts';
import type { Diagnostic } from '../diagnostic.ts';
import type { FieldDescriptor } from '../field.ts';
import type { FieldSink } from '../field-sink.ts';
import { uint16At, uint32At } from './bytes.ts';
import { tcpFields } from './tcp-fields.ts';
import { plural } from './wording.ts';

export const optionKinds = {
  endOfList: 0,
  noOperation: 1,
  maximumSegmentSize: 2,
  windowScale: 3,
  sackPermitted: 4,
  sack: 5,
  timestamps: 8,
  md5: 19,
  userTimeout: 28,
  multipath: 30,
  fastOpen: 34,
} as const;

/** What lines call an option. */
const titles: Readonly<Record<number, string>> = {
  0: 'End of Option List (EOL)',
  1: 'No-Operation (NOP)',
  2: 'Maximum segment size',
  3: 'Window scale',
  4: 'SACK permitted',
  5: 'SACK',
  8: 'Timestamps',
  19: 'TCP MD5 signature',
  28: 'User Timeout',
  30: 'MPTCP',
  34: 'TCP Fast Open',
};

const fieldOf: Readonly<Record<number, FieldDescriptor>> = {
  0: tcpFields.optionEol,
  1: tcpFields.optionNop,
  2: tcpFields.optionMss,
  3: tcpFields.optionWindowScale,
  4: tcpFields.optionSackPermitted,
  5: tcpFields.optionSack,
  8: tcpFields.optionTimestamp,
  28: tcpFields.optionUserTimeout,
  34: tcpFields.optionFastOpen,
};

/** Lengths that the standards allow, where it is one; another one makes the option unreadable. */
const fixedLengths: Readonly<Record<number, number>> = { 2: 4, 3: 3, 4: 2, 8: 10, 28: 4 };
const windowShiftMax = 14;

const shiftTooLarge: Diagnostic = {
  severity: 'warning',
  group: 'Protocol',
  message: tcpFields.windowShiftInvalid.label,
  rule: undefined,
};

/**
 * @returns bytes of the option at `at`; -1 if it says that it is shorter than it can be or goes past the end, or has a wrong length
 */
export function optionLength(bytes: Uint8Array, at: number, end: number): number {
  const kind = bytes[at]!;
  if (kind === optionKinds.endOfList || kind === optionKinds.noOperation) return 1;
  const length = at + 1 < end ? bytes[at + 1]! : 0;
  if (length < 2 || at + length > end) return -1;
  const fixed = fixedLengths[kind];
  return fixed !== undefined && fixed !== length ? -1 : length;
}

function titleOf(bytes: Uint8Array, at: number): string {
  return titles[bytes[at]!] ?? 'Unknown';
}

/**
 * @param end - of what was captured of them
 * @param sentEnd - where they end as they were sent
 * @param sequenceBase - first sequence number of the other end, which SACK counts from
 * @param acknowledgement - what the segment acknowledges, counted from there; 0 if it does not
 */
export function describeOptions(
  sink: FieldSink,
  source: DataSource,
  start: number,
  end: number,
  sentEnd: number,
  sequenceBase: number,
  acknowledgement: number,
): void {
  const bytes = source.bytes;
  sink.enter(tcpFields.options, source, start, end, bytes.subarray(start, end));
  if (sink.wantsText) {
    let line = `Options: (${plural(sentEnd - start, 'byte')})`;
    for (let at = start; at < end; ) {
      const length = optionLength(bytes, at, end);
      if (length < 0) break;
      line += `, ${titleOf(bytes, at)}`;
      at += length;
    }
    sink.setText(line);
  }
  for (let at = start; at < end; ) {
    const length = optionLength(bytes, at, end);
    if (length < 0) {
      if (end < sentEnd && (at + 1 === end || optionLength(bytes, at, sentEnd) >= 0))
        describeCutOption(sink, source, at, end, sequenceBase);
      else describeBadOption(sink, source, at, end);
      break;
    }
    describeOption(sink, source, at, length, sequenceBase, acknowledgement);
    at += length;
  }
  sink.leave();
}

/** An option whose end the capture cut off: what there is of it. */
function describeCutOption(sink: FieldSink, source: DataSource, at: number, end: number, sequenceBase: number): void {
  if (at + 2 > end) return;
  const f = tcpFields;
  const bytes = source.bytes;
  const kind = bytes[at]!;
  sink.enter(fieldOf[kind] ?? f.optionUnknown, source, at, end, bytes.subarray(at, end));
  if (sink.wantsText) sink.setText(`TCP Option - ${titleOf(bytes, at)}`);
  sink.add(f.optionKind, source, at, at + 1, kind);
  sink.add(f.optionLength, source, at + 1, at + 2, bytes[at + 1]!);
  if (kind === optionKinds.timestamps && at + 6 <= end)
    sink.add(f.timestampValue, source, at + 2, at + 6, uint32At(bytes, at + 2));
  if (kind === optionKinds.sack) describeEdges(sink, source, at, end, sequenceBase);
  sink.leave();
}

function describeBadOption(sink: FieldSink, source: DataSource, at: number, end: number): void {
  const bytes = source.bytes;
  const length = bytes[at + 1] ?? 0;
  const title = titleOf(bytes, at);
  let message = `${title} (option length = ${plural(length, 'byte')} says option goes past end of options)`;
  if (length < 2) message = `${title} (with too-short option length = ${plural(length, 'byte')})`;
  else if (at + length <= end)
    message = `${title} (with option length = ${plural(length, 'byte')}; should be ${fixedLengths[bytes[at]!]})`;
  sink.enterText(message, source, at, end);
  sink.addDiagnostic(tcpFields.optionLengthInvalid, source, at, end, {
    severity: 'note',
    group: 'Sequence',
    message,
    rule: undefined,
  });
  sink.leave();
}

function describeOption(
  sink: FieldSink,
  source: DataSource,
  at: number,
  length: number,
  sequenceBase: number,
  acknowledgement: number,
): void {
  const f = tcpFields;
  const bytes = source.bytes;
  const kind = bytes[at]!;
  const line = `TCP Option - ${titleOf(bytes, at)}`;
  sink.enter(fieldOf[kind] ?? f.optionUnknown, source, at, at + length, bytes.subarray(at, at + length));
  if (sink.wantsText) sink.setText(line + detailOf(bytes, at, length, sequenceBase));
  sink.add(f.optionKind, source, at, at + 1, kind);
  if (length > 1) sink.add(f.optionLength, source, at + 1, at + 2, length);
  switch (kind) {
    case optionKinds.endOfList:
    case optionKinds.noOperation:
    case optionKinds.sackPermitted:
      break;
    case optionKinds.maximumSegmentSize:
      sink.add(f.mss, source, at + 2, at + 4, uint16At(bytes, at + 2));
      break;
    case optionKinds.windowScale: {
      const shift = bytes[at + 2]!;
      sink.add(f.windowShift, source, at + 2, at + 3, shift);
      if (shift > windowShiftMax) sink.addDiagnostic(f.windowShiftInvalid, source, at + 2, at + 3, shiftTooLarge);
      sink.addGenerated(f.windowMultiplier, source, at + 2, at + 3, 1 << Math.min(shift, windowShiftMax));
      break;
    }
    case optionKinds.sack:
      describeSack(sink, source, at, length, sequenceBase, acknowledgement);
      break;
    case optionKinds.timestamps:
      sink.add(f.timestampValue, source, at + 2, at + 6, uint32At(bytes, at + 2));
      sink.add(f.timestampEcho, source, at + 6, at + 10, uint32At(bytes, at + 6));
      break;
    case optionKinds.userTimeout: {
      const word = uint16At(bytes, at + 2);
      sink.add(f.userTimeoutGranularity, source, at + 2, at + 4, word >= 0x8000);
      sink.add(f.userTimeout, source, at + 2, at + 4, word & 0x7fff);
      break;
    }
    case optionKinds.fastOpen:
      if (length === 2) sink.add(f.fastOpenRequest, source, at, at + 2, undefined);
      else sink.addBytes(f.fastOpenCookie, source, at + 2, at + length);
      break;
    default:
      if (length > 2) sink.addBytes(f.optionPayload, source, at + 2, at + length);
  }
  sink.leave();
}

/** What the line of an option says of its value. */
function detailOf(bytes: Uint8Array, at: number, length: number, sequenceBase: number): string {
  switch (bytes[at]) {
    case optionKinds.maximumSegmentSize:
      return `: ${plural(uint16At(bytes, at + 2), 'byte')}`;
    case optionKinds.windowScale:
      return `: ${bytes[at + 2]} (multiply by ${1 << Math.min(bytes[at + 2]!, windowShiftMax)})`;
    case optionKinds.timestamps:
      return `: TSval ${uint32At(bytes, at + 2)}, TSecr ${uint32At(bytes, at + 6)}`;
    case optionKinds.sack: {
      let text = '';
      for (let edge = at + 2; edge + 8 <= at + length; edge += 8) {
        text += ` ${relative(bytes, edge, sequenceBase)}-${relative(bytes, edge + 4, sequenceBase)}`;
      }
      return text;
    }
    default:
      return '';
  }
}

function relative(bytes: Uint8Array, at: number, base: number): number {
  return (uint32At(bytes, at) - base) >>> 0;
}

function describeEdges(sink: FieldSink, source: DataSource, at: number, end: number, sequenceBase: number): void {
  const f = tcpFields;
  for (let edge = at + 2; edge + 4 <= end; edge += 8) {
    const left = relative(source.bytes, edge, sequenceBase);
    sink.add(f.sackLeft, source, edge, edge + 4, left);
    if (sink.wantsText) sink.setText(`left edge = ${left} (relative)`);
    if (edge + 8 > end) return;
    const right = relative(source.bytes, edge + 4, sequenceBase);
    sink.add(f.sackRight, source, edge + 4, edge + 8, right);
    if (sink.wantsText) sink.setText(`right edge = ${right} (relative)`);
  }
}

function describeSack(
  sink: FieldSink,
  source: DataSource,
  at: number,
  length: number,
  sequenceBase: number,
  acknowledgement: number,
): void {
  const f = tcpFields;
  const count = Math.floor((length - 2) / 8);
  describeEdges(sink, source, at, at + length, sequenceBase);
  sink.addGenerated(f.sackCount, source, at, at, count);
  // A first range below what is acknowledged says what came twice. RFC 2883 §4.
  const first = relative(source.bytes, at + 2, sequenceBase);
  if (count === 0 || first >= acknowledgement) return;
  const last = relative(source.bytes, at + 6, sequenceBase);
  sink.addGenerated(f.duplicateSackLeft, source, at + 2, at + 6, first);
  if (sink.wantsText) sink.setText(`D-SACK Left Edge = ${first} (relative)`);
  sink.addGenerated(f.duplicateSackRight, source, at + 6, at + 10, last);
  if (sink.wantsText) sink.setText(`D-SACK Right Edge = ${last} (relative)`);
  sink.enterText(f.duplicateSack.label, source, at + 2, at + 10);
  sink.addDiagnostic(f.duplicateSack, source, at + 2, at + 10, {
    severity: 'warning',
    group: 'Sequence',
    message: f.duplicateSack.label,
    rule: undefined,
  });
  sink.leave();
}
