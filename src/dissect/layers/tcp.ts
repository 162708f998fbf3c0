/** TCP headers, and what their place in the connection says of them. */
import { type SegmentAnalysis, segmentMarks } from '../../capture/flow.ts';
import type { DataSource, Frame } from '../../capture/frame.ts';
import { areOptionsCut, type FrameHeaders } from '../../capture/frame-headers.ts';
import type { Diagnostic } from '../diagnostic.ts';
import type { FieldDescriptor } from '../field.ts';
import { FieldGroup, wantsGroup } from '../field-group.ts';
import type { FieldSink } from '../field-sink.ts';
import { type FrameDissection, isWrapper } from '../frame-dissection.ts';
import { uint16At } from './bytes.ts';
import { duration } from './frame.ts';
import { tcpFields } from './tcp-fields.ts';
import { describeOptions } from './tcp-options.ts';
import { webSocketFields } from './web-socket-fields.ts';
import { plural, unverified } from './wording.ts';

const headerLengthMin = 20;

export const tcpFlags = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 0x10, urg: 0x20 } as const;

/** Names from the lowest bit up, as lines list them. */
const flagNames = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR', 'AE', 'Reserved'] as const;
const flagLetters = 'RRRACEUAPRSF';

/** `FIN, ACK`; `<None>`. */
export function flagList(flags: number): string {
  const names: string[] = [];
  for (let bit = 0; bit < 9; bit++) if ((flags & (1 << bit)) !== 0) names.push(flagNames[bit]!);
  if ((flags & 0xe00) !== 0) names.push(flagNames[9]);
  return names.length === 0 ? '<None>' : names.join(', ');
}

/** `·······AP···`. */
function flagText(flags: number): string {
  let text = '';
  for (let index = 0; index < 12; index++) text += (flags & (0x800 >> index)) !== 0 ? flagLetters[index] : '·';
  return text;
}

/** `Incomplete, ESTABLISHED (7)`. */
export function completenessText(completeness: number): string {
  const seen = completeness & 15;
  const isOver = (completeness & 0x30) !== 0;
  let name = 'Incomplete';
  if (isOver && seen === 15) name = 'Complete, WITH_DATA';
  else if (isOver && seen === 7) name = 'Complete, NO_DATA';
  else if (completeness === 15) name = 'Incomplete, DATA';
  else if (completeness === 7) name = 'Incomplete, ESTABLISHED';
  else if (completeness === 3) name = 'Incomplete, CLIENT_ESTABLISHED';
  else if (completeness === 1) name = 'Incomplete, SYN_SENT';
  return `${name} (${completeness})`;
}

const isNamed = (prefix: string) => (field: FieldDescriptor) => field.name.startsWith(prefix);
const all = Object.values(tcpFields);
const numberFields = new FieldGroup([
  tcpFields.length,
  tcpFields.sequence,
  tcpFields.sequenceRaw,
  tcpFields.nextSequence,
  tcpFields.acknowledgement,
  tcpFields.acknowledgementRaw,
  tcpFields.acknowledgementWithoutFlag,
]);
const flagFields = new FieldGroup(all.filter((field) => /^tcp\.(flags|connection)/.test(field.name)));
const windowFields = new FieldGroup(all.filter((field) => /^tcp\.(window|checksum|urgent)/.test(field.name)));
const optionFields = new FieldGroup(all.filter(isNamed('tcp.option')));
const timeFields = new FieldGroup(all.filter(isNamed('tcp.time')));
const analysisFields = new FieldGroup(all.filter(isNamed('tcp.analysis')));
const payloadFields = new FieldGroup([tcpFields.payload, tcpFields.segmentData, tcpFields.pduSize]);

export function describeTcp(sink: FieldSink, dissection: FrameDissection): void {
  const headers = dissection.headers;
  const segment = dissection.segment;
  if (headers.tcpOffset < 0 || segment === undefined || !sink.wants(tcpFields.self)) return;
  const f = tcpFields;
  const source = headers.source;
  const bytes = source.bytes;
  const at = headers.tcpOffset;
  const headerLength = (bytes[at + 12]! >> 4) * 4;
  sink.enter(f.self, source, at, Math.min(at + Math.max(headerLength, headerLengthMin), bytes.length));
  sink.setReach(source, headers.payloadOffset + headers.payloadLength, true);
  if (sink.wantsText) sink.setText(tcpLine(headers, segment));
  sink.add(f.sourcePort, source, at, at + 2, headers.sourcePort);
  sink.add(f.destinationPort, source, at + 2, at + 4, headers.destinationPort);
  sink.addHidden(f.port, source, at, at + 2, headers.sourcePort);
  sink.addHidden(f.port, source, at + 2, at + 4, headers.destinationPort);
  sink.addGenerated(f.stream, source, at, at, segment.flow.index);
  sink.addGenerated(f.completeness, source, at, at, segment.completeness);
  if (sink.wantsText) sink.setText(`Conversation completeness: ${completenessText(segment.completeness)}`);
  if (wantsGroup(sink, numberFields)) describeNumbers(sink, headers, segment);
  sink.add(f.headerLength, source, at + 12, at + 13, headerLength);
  if (sink.wantsText) {
    const words = headerLength / 4;
    const bits = words.toString(2).padStart(4, '0');
    sink.setText(`${bits} .... = Header Length: ${plural(headerLength, 'byte')} (${words})`);
  }
  if (headerLength < headerLengthMin) {
    const message = `Bogus TCP header length (${headerLength}, must be at least ${headerLengthMin})`;
    sink.addDiagnostic(f.bogusHeaderLength, source, at + 12, at + 13, {
      severity: 'error',
      group: 'Protocol',
      message,
      rule: undefined,
    });
    sink.leave();
    return;
  }
  if (wantsGroup(sink, flagFields)) describeFlags(sink, headers, segment);
  if (wantsGroup(sink, windowFields)) describeWindow(sink, headers, segment);
  const optionsEnd = Math.min(at + headerLength, bytes.length);
  const isCutShort = areOptionsCut(headers);
  const hasMinimum = at + headerLengthMin <= bytes.length;
  if (hasMinimum && (optionsEnd > at + headerLengthMin || isCutShort) && wantsGroup(sink, optionFields)) {
    const acknowledged = (headers.tcpFlags & tcpFlags.ack) !== 0 ? segment.relativeAcknowledgement : 0;
    describeOptions(
      sink,
      source,
      at + headerLengthMin,
      optionsEnd,
      isCutShort ? at + headerLength : optionsEnd,
      acknowledgementBase(headers, segment),
      acknowledged,
    );
  }
  if (hasMinimum && wantsGroup(sink, timeFields)) {
    sink.enterText('[Timestamps]', source, at, at);
    sink.addGenerated(f.timeRelative, source, at, at, duration(segment.sinceFirstNs));
    sink.addGenerated(f.timeDelta, source, at, at, duration(segment.sincePreviousNs));
    sink.leave();
  }
  if (wantsGroup(sink, analysisFields) && !isCutShort) describeAnalysis(sink, source, at, segment);
  if (headers.payloadLength > 0 && wantsGroup(sink, payloadFields)) describePayload(sink, dissection);
  sink.leave();
}

/** The ports of a header of which there is not much more. */
export function describeTcpPorts(sink: FieldSink, frame: Frame, at: number): void {
  const f = tcpFields;
  if (!sink.wants(f.self)) return;
  const source = uint16At(frame.bytes, at);
  const destination = uint16At(frame.bytes, at + 2);
  sink.enter(f.self, frame, at, Math.min(at + headerLengthMin, frame.bytes.length));
  sink.setReach(frame, frame.bytes.length, true);
  if (sink.wantsText) sink.setText(`${f.self.label}, Src Port: ${source}, Dst Port: ${destination}`);
  sink.add(f.sourcePort, frame, at, at + 2, source);
  sink.add(f.destinationPort, frame, at + 2, at + 4, destination);
  sink.addHidden(f.port, frame, at, at + 2, source);
  sink.addHidden(f.port, frame, at + 2, at + 4, destination);
  sink.leave();
}

function tcpLine(headers: FrameHeaders, segment: SegmentAnalysis): string {
  const ports = `Src Port: ${headers.sourcePort}, Dst Port: ${headers.destinationPort}`;
  const isAck = (headers.tcpFlags & tcpFlags.ack) !== 0;
  const acknowledgement = isAck ? `, Ack: ${segment.relativeAcknowledgement}` : '';
  const numbers = `Seq: ${segment.relativeSequence}${acknowledgement}, Len: ${headers.wirePayloadLength}`;
  return `Transmission Control Protocol, ${ports}, ${numbers}`;
}

/** The raw number that the other end's relative ones count from. */
function acknowledgementBase(headers: FrameHeaders, segment: SegmentAnalysis): number {
  return (headers.acknowledgement - segment.relativeAcknowledgement) >>> 0;
}

function describeNumbers(sink: FieldSink, headers: FrameHeaders, segment: SegmentAnalysis): void {
  const f = tcpFields;
  const source = headers.source;
  const at = headers.tcpOffset;
  const isAck = (headers.tcpFlags & tcpFlags.ack) !== 0;
  sink.addGenerated(f.length, source, at, at, headers.wirePayloadLength);
  sink.add(f.sequence, source, at + 4, at + 8, segment.relativeSequence);
  if (sink.wantsText) sink.setText(`Sequence Number: ${segment.relativeSequence}    (relative sequence number)`);
  sink.add(f.sequenceRaw, source, at + 4, at + 8, headers.sequence);
  sink.addGenerated(f.nextSequence, source, at, at, segment.nextSequence);
  if (sink.wantsText) sink.setText(`Next Sequence Number: ${segment.nextSequence}    (relative sequence number)`);
  if (isAck) {
    sink.add(f.acknowledgement, source, at + 8, at + 12, segment.relativeAcknowledgement);
    if (sink.wantsText) {
      sink.setText(`Acknowledgment Number: ${segment.relativeAcknowledgement}    (relative ack number)`);
    }
  } else {
    sink.add(f.acknowledgement, source, at + 8, at + 12, headers.acknowledgement);
    if (headers.acknowledgement !== 0) {
      sink.addDiagnostic(
        f.acknowledgementWithoutFlag,
        source,
        at + 8,
        at + 12,
        note(f.acknowledgementWithoutFlag, 'Protocol'),
      );
    }
  }
  sink.add(f.acknowledgementRaw, source, at + 8, at + 12, headers.acknowledgement);
}

function describeFlags(sink: FieldSink, headers: FrameHeaders, segment: SegmentAnalysis): void {
  const f = tcpFields;
  const source = headers.source;
  const at = headers.tcpOffset + 12;
  const flags = headers.tcpFlags;
  sink.enter(f.flags, source, at, at + 2, flags);
  if (sink.wantsText) sink.setText(`Flags: 0x${flags.toString(16).padStart(3, '0')} (${flagList(flags)})`);
  sink.add(f.reserved, source, at, at + 1, (flags & 0xe00) !== 0);
  if (sink.wantsText) {
    const bits = (flags >> 9).toString(2).padStart(3, '0');
    sink.setText(`${bits}. .... .... = Reserved: ${(flags & 0xe00) !== 0 ? 'Set' : 'Not set'}`);
  }
  sink.add(f.accurateEcn, source, at, at + 1, (flags & 0x100) !== 0);
  sink.add(f.congestionWindowReduced, source, at + 1, at + 2, (flags & 0x80) !== 0);
  sink.add(f.ecnEcho, source, at + 1, at + 2, (flags & 0x40) !== 0);
  sink.add(f.urgent, source, at + 1, at + 2, (flags & 0x20) !== 0);
  sink.add(f.acknowledges, source, at + 1, at + 2, (flags & 0x10) !== 0);
  sink.add(f.push, source, at + 1, at + 2, (flags & 0x08) !== 0);
  sink.add(f.reset, source, at + 1, at + 2, (flags & 0x04) !== 0);
  if ((flags & tcpFlags.rst) !== 0) say(sink, f.connectionReset, source, at + 1, warning);
  sink.add(f.syn, source, at + 1, at + 2, (flags & 0x02) !== 0);
  if ((flags & tcpFlags.syn) !== 0) {
    const isAnswer = (flags & tcpFlags.ack) !== 0;
    const field = isAnswer ? f.connectionSynAck : f.connectionSyn;
    const port = isAnswer ? headers.sourcePort : headers.destinationPort;
    sink.addDiagnostic(field, source, at + 1, at + 2, chat(`${field.label}: server port ${port}`));
  }
  sink.add(f.fin, source, at + 1, at + 2, (flags & 0x01) !== 0);
  if ((flags & tcpFlags.fin) !== 0)
    sink.addDiagnostic(f.connectionFin, source, at + 1, at + 2, chat(f.connectionFin.label));
  if (sink.wants(f.flagLetters)) sink.addGenerated(f.flagLetters, source, at, at + 2, flagText(flags));
  if ((segment.marks & segmentMarks.initiatesClosing) !== 0) say(sink, f.initiatesClosing, source, at, note);
  if ((segment.marks & segmentMarks.undergoesClosing) !== 0) say(sink, f.undergoesClosing, source, at, note);
  sink.leave();
}

function describeWindow(sink: FieldSink, headers: FrameHeaders, segment: SegmentAnalysis): void {
  const f = tcpFields;
  const source = headers.source;
  const at = headers.tcpOffset;
  sink.add(f.window, source, at + 14, at + 16, headers.window);
  sink.addGenerated(f.calculatedWindow, source, at + 14, at + 16, segment.windowSize);
  if ((headers.tcpFlags & tcpFlags.syn) === 0) {
    const scale = segment.windowScale;
    sink.addGenerated(f.windowScale, source, at + 14, at + 16, scale);
    if (sink.wantsText && scale < 0) {
      const meaning = scale === -1 ? '-1 (unknown)' : '-2 (no window scaling used)';
      sink.setText(`Window size scaling factor: ${meaning}`);
    }
  }
  if (at + headerLengthMin > source.bytes.length) {
    if (at + 18 <= source.bytes.length) describeChecksum(sink, source, at);
    return;
  }
  describeChecksum(sink, source, at);
  const urgent = uint16At(source.bytes, at + 18);
  sink.add(f.urgentPointer, source, at + 18, at + 20, urgent);
  if (urgent !== 0 && (headers.tcpFlags & tcpFlags.urg) === 0) {
    sink.addDiagnostic(
      f.urgentPointerWithoutFlag,
      source,
      at + 18,
      at + 20,
      note(f.urgentPointerWithoutFlag, 'Protocol'),
    );
  }
}

function describeChecksum(sink: FieldSink, source: DataSource, at: number): void {
  const f = tcpFields;
  const checksum = uint16At(source.bytes, at + 16);
  sink.add(f.checksum, source, at + 16, at + 18, checksum);
  if (sink.wantsText) sink.setText(`Checksum: 0x${checksum.toString(16).padStart(4, '0')} [unverified]`);
  sink.addGenerated(f.checksumStatus, source, at + 16, at + 16, unverified);
  if (sink.wantsText) sink.setText('Checksum Status: Unverified');
}

/** Marks that the flags of the analysis say of a segment, in the order in which they are said. */
const shownMarks =
  segmentMarks.retransmission |
  segmentMarks.fastRetransmission |
  segmentMarks.spuriousRetransmission |
  segmentMarks.outOfOrder |
  segmentMarks.lostSegment |
  segmentMarks.acknowledgedUnseen |
  segmentMarks.duplicateAcknowledgement |
  segmentMarks.keepAlive |
  segmentMarks.keepAliveAcknowledgement |
  segmentMarks.zeroWindow |
  segmentMarks.zeroWindowProbe |
  segmentMarks.zeroWindowProbeAcknowledgement |
  segmentMarks.windowUpdate |
  segmentMarks.windowFull |
  segmentMarks.portReused;

function describeAnalysis(sink: FieldSink, source: DataSource, at: number, segment: SegmentAnalysis): void {
  const f = tcpFields;
  const hasMarks = (segment.marks & shownMarks) !== 0;
  const hasRoundTrip = segment.initialRoundTripNs > 0;
  if (!hasMarks && segment.acknowledges === 0 && segment.bytesInFlight <= 0 && segment.bytesSinceLastPush <= 0) {
    return;
  }
  sink.enterGenerated(f.analysis, source, at, at);
  if (segment.acknowledges > 0) {
    sink.addGenerated(f.acknowledgesFrame, source, at, at, segment.acknowledges);
    if (segment.acknowledgeTimeNs !== 0) {
      sink.addGenerated(f.acknowledgeTime, source, at, at, duration(segment.acknowledgeTimeNs));
    }
  }
  if (hasRoundTrip) sink.addGenerated(f.initialRoundTrip, source, at, at, duration(segment.initialRoundTripNs));
  if (segment.bytesInFlight > 0) sink.addGenerated(f.bytesInFlight, source, at, at, segment.bytesInFlight);
  if (segment.bytesSinceLastPush > 0) sink.addGenerated(f.bytesSincePush, source, at, at, segment.bytesSinceLastPush);
  if (hasMarks) describeMarks(sink, source, at, segment);
  sink.leave();
}

function describeMarks(sink: FieldSink, source: DataSource, at: number, segment: SegmentAnalysis): void {
  const f = tcpFields;
  const marks = segment.marks;
  const m = segmentMarks;
  sink.enterGenerated(f.analysisFlags, source, at, at);
  if ((marks & m.portReused) !== 0) say(sink, f.portReused, source, at, note);
  if ((marks & m.fastRetransmission) !== 0) say(sink, f.fastRetransmission, source, at, note);
  if ((marks & m.spuriousRetransmission) !== 0) say(sink, f.spuriousRetransmission, source, at, note);
  if ((marks & (m.retransmission | m.fastRetransmission | m.spuriousRetransmission)) !== 0) {
    say(sink, f.retransmission, source, at, note);
    if (segment.retransmits > 0 && segment.retransmissionTimeoutNs !== 0) {
      sink.addGenerated(f.retransmissionTimeout, source, at, at, duration(segment.retransmissionTimeoutNs));
      // Left at once: what else there is to say is said of the segment.
      sink.enterGenerated(f.retransmissionFrame, source, at, at, segment.retransmits);
      sink.leave();
    }
  }
  if ((marks & m.outOfOrder) !== 0) say(sink, f.outOfOrder, source, at, warning);
  if ((marks & m.lostSegment) !== 0) say(sink, f.lostSegment, source, at, warning);
  if ((marks & m.acknowledgedUnseen) !== 0) say(sink, f.acknowledgedUnseen, source, at, warning);
  if ((marks & m.windowUpdate) !== 0) say(sink, f.windowUpdate, source, at, chatOf);
  if ((marks & m.windowFull) !== 0) say(sink, f.windowFull, source, at, warning);
  if ((marks & m.keepAlive) !== 0) say(sink, f.keepAlive, source, at, note);
  if ((marks & m.keepAliveAcknowledgement) !== 0) say(sink, f.keepAliveAcknowledgement, source, at, note);
  if ((marks & m.duplicateAcknowledgement) !== 0) {
    sink.addGenerated(f.duplicateAcknowledgement, source, at, at, undefined);
    if (sink.wantsText) sink.setText('This is a TCP duplicate ack');
  }
  if ((marks & m.zeroWindowProbe) !== 0) say(sink, f.zeroWindowProbe, source, at, note);
  if ((marks & m.zeroWindow) !== 0) say(sink, f.zeroWindow, source, at, warning);
  if ((marks & m.zeroWindowProbeAcknowledgement) !== 0) say(sink, f.zeroWindowProbeAcknowledgement, source, at, note);
  sink.leave();
  if ((marks & m.duplicateAcknowledgement) === 0) return;
  sink.addGenerated(f.duplicateNumber, source, at, at, segment.duplicateNumber);
  sink.enterGenerated(f.duplicateFrame, source, at, at, segment.duplicateOf);
  sink.addDiagnostic(f.duplicateAcknowledgement, source, at, at, {
    severity: 'note',
    group: 'Sequence',
    message: `Duplicate ACK (#${segment.duplicateNumber})`,
    rule: undefined,
  });
  sink.leave();
}

/** The payload, and what became of it: packets that end here, and stretches that belong to longer ones. */
function describePayload(sink: FieldSink, dissection: FrameDissection): void {
  const f = tcpFields;
  const headers = dissection.headers;
  const source = headers.source;
  const start = headers.payloadOffset;
  const end = start + headers.payloadLength;
  sink.addBytes(f.payload, source, start, end);
  if (sink.wantsText) sink.setText(`TCP payload (${plural(headers.wirePayloadLength, 'byte')})`);
  if (!sink.wants(f.pduSize) && !sink.wants(f.segmentData)) return;
  const number = dissection.frame.number;
  const { layers } = dissection;
  const hasWrapper = layers.some(isWrapper);
  const hasWebSocket = layers.some((layer) => layer.protocol === webSocketFields.self);
  let isSegmentData = false;
  for (const layer of layers) {
    const isPacket = hasWebSocket ? layer.protocol === webSocketFields.self : !isWrapper(layer);
    const size = layer.sentLength ?? layer.end - layer.start;
    if (isPacket && size > 0) sink.addGenerated(f.pduSize, source, start, end, size);
    const isOnTcp = !hasWrapper || isWrapper(layer);
    const last = layer.source === source ? undefined : layer.source.segments?.at(-1);
    if (last === undefined || last.frame !== number || !isOnTcp) continue;
    isSegmentData = true;
    addSegmentData(sink, source, start, Math.min(end, start + last.end - last.start), 'TCP segment data');
  }
  if (dissection.isRepeated) {
    // Wireshark looks no further at what was acknowledged before.
    const isSpurious = (dissection.segment!.marks & segmentMarks.spuriousRetransmission) !== 0;
    if (!isSegmentData && !isSpurious) addSegmentData(sink, source, start, end, 'Retransmitted TCP segment data');
    return;
  }
  const waits = dissection.isWaiting && dissection.hasApplication;
  const pending = waits ? headers.payloadLength : Math.min(dissection.pendingBytes, headers.payloadLength);
  if (pending > 0) addSegmentData(sink, source, end - pending, end, 'TCP segment data');
}

function addSegmentData(sink: FieldSink, source: DataSource, start: number, end: number, label: string): void {
  sink.addBytes(tcpFields.segmentData, source, start, end);
  if (sink.wantsText) sink.setText(`${label} (${plural(end - start, 'byte')})`);
}

function say(
  sink: FieldSink,
  field: FieldDescriptor,
  source: DataSource,
  at: number,
  word: (field: FieldDescriptor) => Diagnostic,
): void {
  sink.addDiagnostic(field, source, at, at, word(field));
}

function note(field: FieldDescriptor, group: Diagnostic['group'] = 'Sequence'): Diagnostic {
  return { severity: 'note', group, message: field.label, rule: undefined };
}

function warning(field: FieldDescriptor): Diagnostic {
  return { severity: 'warning', group: 'Sequence', message: field.label, rule: undefined };
}

function chatOf(field: FieldDescriptor): Diagnostic {
  return chat(field.label);
}

function chat(message: string): Diagnostic {
  return { severity: 'chat', group: 'Sequence', message, rule: undefined };
}
