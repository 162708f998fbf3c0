/** The frame itself: when and where it was taken, how long it is, what it carries. */
import { linkTypes } from '../../capture/link-types.ts';
import type { Diagnostic } from '../diagnostic.ts';
import { defineFields, TimeValue } from '../field.ts';
import { FieldGroup, wantsGroup } from '../field-group.ts';
import type { FieldSink } from '../field-sink.ts';
import type { FrameDissection } from '../frame-dissection.ts';
import { plural, setOrNot } from './wording.ts';

/** Numbers and names of link types as Wireshark counts them. */
const encapsulations: Readonly<Record<number, number>> = {
  [linkTypes.ethernet]: 1,
  [linkTypes.raw]: 7,
  [linkTypes.rawBsd]: 7,
  [linkTypes.rawOpenBsd]: 7,
  [linkTypes.null]: 15,
  [linkTypes.linuxCooked]: 25,
  [linkTypes.ipv4]: 129,
  [linkTypes.ipv6]: 130,
  [linkTypes.loop]: 174,
  [linkTypes.linuxCooked2]: 210,
};

export const frameFields = defineFields('frame', 'Frame', {
  sectionNumber: {
    name: 'frame.section_number',
    label: 'Section number',
    type: 'uint32',
    about: 'Section of the file, from 1',
  },
  interfaceId: {
    name: 'frame.interface_id',
    label: 'Interface id',
    type: 'uint32',
    about: 'Number of the interface in its section, from 0',
  },
  interfaceName: { name: 'frame.interface_name', label: 'Interface name', type: 'string' },
  interfaceDescription: { name: 'frame.interface_description', label: 'Interface description', type: 'string' },
  packetFlags: {
    name: 'frame.packet_flags',
    label: 'Packet flags',
    type: 'uint32',
    display: 'hexadecimal',
    about: 'Flags word of a pcapng packet',
  },
  direction: {
    name: 'frame.packet_flags_direction',
    label: 'Direction',
    type: 'uint32',
    display: 'hexadecimal',
    mask: 0x3,
    width: 32,
    values: { 0: 'Unknown', 1: 'Inbound', 2: 'Outbound' },
  },
  receptionType: {
    name: 'frame.packet_flags_reception_type',
    label: 'Reception type',
    type: 'uint32',
    mask: 0x1c,
    width: 32,
    values: { 0: 'Not specified', 1: 'Unicast', 2: 'Multicast', 3: 'Broadcast', 4: 'Promiscuous' },
  },
  checkSequenceLength: {
    name: 'frame.packet_flags_fcs_length',
    label: 'FCS length',
    type: 'uint32',
    mask: 0x1e0,
    width: 32,
  },
  flagsReserved: {
    name: 'frame.packet_flags_reserved',
    label: 'Reserved',
    type: 'uint32',
    mask: 0xfe00,
    width: 32,
  },
  checkSequenceError: {
    name: 'frame.packet_flags_crc_error',
    label: 'CRC error',
    type: 'boolean',
    mask: 0x1000000,
    width: 32,
    values: setOrNot,
  },
  tooLongError: {
    name: 'frame.packet_flags_packet_too_error',
    label: 'Packet too long error',
    type: 'boolean',
    mask: 0x2000000,
    width: 32,
    values: setOrNot,
  },
  tooShortError: {
    name: 'frame.packet_flags_packet_too_short_error',
    label: 'Packet too short error',
    type: 'boolean',
    mask: 0x4000000,
    width: 32,
    values: setOrNot,
  },
  gapError: {
    name: 'frame.packet_flags_wrong_inter_frame_gap_error',
    label: 'Wrong interframe gap error',
    type: 'boolean',
    mask: 0x8000000,
    width: 32,
    values: setOrNot,
  },
  alignmentError: {
    name: 'frame.packet_flags_unaligned_frame_error',
    label: 'Unaligned frame error',
    type: 'boolean',
    mask: 0x10000000,
    width: 32,
    values: setOrNot,
  },
  delimiterError: {
    name: 'frame.packet_flags_start_frame_delimiter_error',
    label: 'Start frame delimiter error',
    type: 'boolean',
    mask: 0x20000000,
    width: 32,
    values: setOrNot,
  },
  preambleError: {
    name: 'frame.packet_flags_preamble_error',
    label: 'Preamble error',
    type: 'boolean',
    mask: 0x40000000,
    width: 32,
    values: setOrNot,
  },
  symbolError: {
    name: 'frame.packet_flags_symbol_error',
    label: 'Symbol error',
    type: 'boolean',
    mask: 0x80000000,
    width: 32,
    values: setOrNot,
  },
  encapsulation: {
    name: 'frame.encap_type',
    label: 'Encapsulation type',
    type: 'int16',
    values: {
      [-1]: 'Per packet',
      1: 'Ethernet',
      7: 'Raw IP',
      15: 'NULL/Loopback',
      25: 'Linux cooked-mode capture v1',
      129: 'Raw IPv4',
      130: 'Raw IPv6',
      174: 'OpenBSD loopback',
      210: 'Linux cooked-mode capture v2',
    },
  },
  time: { name: 'frame.time', label: 'Arrival Time', type: 'absolute-time', about: 'When it was captured' },
  shift: {
    name: 'frame.offset_shift',
    label: 'Time shift for this packet',
    type: 'relative-time',
    about: 'Always 0: times are not shifted',
  },
  timeEpoch: {
    name: 'frame.time_epoch',
    label: 'Epoch Time',
    type: 'relative-time',
    about: 'Seconds since 1970 when it was captured',
  },
  timeDelta: { name: 'frame.time_delta', label: 'Time delta from previous captured frame', type: 'relative-time' },
  timeDeltaDisplayed: {
    name: 'frame.time_delta_displayed',
    label: 'Time delta from previous displayed frame',
    type: 'relative-time',
  },
  timeRelative: {
    name: 'frame.time_relative',
    label: 'Time since reference or first frame',
    type: 'relative-time',
  },
  number: { name: 'frame.number', label: 'Frame Number', type: 'uint32', about: 'From 1, in the order of the capture' },
  length: { name: 'frame.len', label: 'Frame length on the wire', type: 'uint32', about: 'Bytes' },
  capturedLength: {
    name: 'frame.cap_len',
    label: 'Frame length stored into the capture file',
    type: 'uint32',
    about: 'Bytes',
  },
  pointToPoint: {
    name: 'frame.p2p_dir',
    label: 'Point-to-Point Direction',
    type: 'int8',
    values: { [-1]: 'Unknown', 0: 'Sent', 1: 'Received' },
  },
  enterpriseNumber: {
    name: 'frame.cb_pen',
    label: 'Private Enterprise Number',
    type: 'uint32',
    about: 'Who made a Custom Block of pcapng',
  },
  mayBeCopied: {
    name: 'frame.cb_copy',
    label: 'Copying',
    type: 'boolean',
    values: { 0: 'Forbidden', 1: 'Allowed' },
    about: 'Whether a Custom Block of pcapng may be copied to another file',
  },
  marked: { name: 'frame.marked', label: 'Frame is marked', type: 'boolean', about: 'Always false' },
  ignored: { name: 'frame.ignored', label: 'Frame is ignored', type: 'boolean', about: 'Always false' },
  protocols: {
    name: 'frame.protocols',
    label: 'Protocols in frame',
    type: 'string',
    about: 'What it carries, from the bottom up, as eth:ethertype:ip:tcp:mqtt',
  },
});

/** Comments that somebody wrote into the file. */
export const commentFields = defineFields('pkt_comment', 'Packet comments', {
  comment: { name: 'frame.comment', label: 'Comment', type: 'string' },
  expert: { name: 'frame.comment.expert', label: 'Formatted comment', type: 'none' },
});

export function describeComments(sink: FieldSink, dissection: FrameDissection): void {
  const frame = dissection.frame;
  if (frame.comments === undefined || frame.comments.length === 0 || !sink.wants(commentFields.self)) return;
  sink.enter(commentFields.self, frame, 0, 0);
  for (const comment of frame.comments) {
    sink.add(commentFields.comment, frame, 0, 0, comment);
    if (sink.wantsText) sink.setText(comment);
    const diagnostic: Diagnostic = { severity: 'comment', group: 'Comment', message: comment, rule: undefined };
    sink.addDiagnostic(commentFields.expert, frame, 0, 0, diagnostic);
  }
  sink.leave();
}

export function describeFrame(sink: FieldSink, dissection: FrameDissection): void {
  if (!sink.wants(frameFields.self)) return;
  const f = frameFields;
  const frame = dissection.frame;
  const length = frame.bytes.length;
  sink.enter(f.self, frame, 0, length);
  if (sink.wantsText) sink.setText(frameLine(dissection));
  if (frame.interface.customBlock !== undefined) {
    sink.add(f.sectionNumber, frame, 0, 0, frame.interface.section ?? 1);
  } else describeInterface(sink, dissection);
  if (frame.flags >= 0) describeFlags(sink, dissection);
  if (frame.interface.customBlock === undefined)
    sink.add(f.encapsulation, frame, 0, 0, encapsulations[frame.interface.linkType] ?? -1);
  if (frame.hasTime && wantsGroup(sink, timeFields)) describeTimes(sink, dissection);
  sink.add(f.number, frame, 0, 0, frame.number);
  sink.add(f.length, frame, 0, 0, frame.length);
  if (sink.wantsText) sink.setText(`Frame Length: ${bits(frame.length)}`);
  sink.add(f.capturedLength, frame, 0, 0, length);
  if (sink.wantsText) sink.setText(`Capture Length: ${bits(length)}`);
  sink.addGenerated(f.marked, frame, 0, 0, false);
  sink.addGenerated(f.ignored, frame, 0, 0, false);
  const custom = frame.interface.customBlock;
  if (custom !== undefined) {
    sink.add(f.enterpriseNumber, frame, 0, 0, custom.enterpriseNumber);
    if (sink.wantsText) sink.setText(`Private Enterprise Number: Unknown (${custom.enterpriseNumber})`);
    sink.add(f.mayBeCopied, frame, 0, 0, custom.mayBeCopied);
  }
  const direction = frame.flags < 0 ? 0 : frame.flags & 3;
  if (direction === 1 || direction === 2) sink.add(f.pointToPoint, frame, 0, 0, direction === 1 ? 1 : 0);
  if (sink.wants(f.protocols)) sink.addGenerated(f.protocols, frame, 0, 0, dissection.protocols());
  sink.leave();
}

const timeFields = new FieldGroup([
  frameFields.time,
  frameFields.shift,
  frameFields.timeEpoch,
  frameFields.timeDelta,
  frameFields.timeDeltaDisplayed,
  frameFields.timeRelative,
]);

function describeTimes(sink: FieldSink, dissection: FrameDissection): void {
  const f = frameFields;
  const frame = dissection.frame;
  const time = new TimeValue(frame.seconds, frame.nanoseconds);
  sink.add(f.time, frame, 0, 0, time);
  sink.addGenerated(f.shift, frame, 0, 0, noTime);
  sink.add(f.timeEpoch, frame, 0, 0, time);
  if (sink.wants(f.timeDelta)) {
    sink.addGenerated(f.timeDelta, frame, 0, 0, duration(dissection.sincePreviousNs));
  }
  if (sink.wants(f.timeDeltaDisplayed)) {
    sink.addGenerated(f.timeDeltaDisplayed, frame, 0, 0, duration(dissection.sinceDisplayedNs));
  }
  if (sink.wants(f.timeRelative)) sink.addGenerated(f.timeRelative, frame, 0, 0, timeBetween(dissection.first, frame));
}

const noTime = new TimeValue(0, 0);

/** Nanoseconds, below 2^53, as a duration. */
export function duration(nanoseconds: number): TimeValue {
  const seconds = Math.trunc(nanoseconds / 1e9);
  return new TimeValue(seconds, nanoseconds - seconds * 1e9);
}

/** Exact, however far apart. */
function timeBetween(from: TimeValue, to: { readonly seconds: number; readonly nanoseconds: number }): TimeValue {
  let seconds = to.seconds - from.seconds;
  let nanoseconds = to.nanoseconds - from.nanoseconds;
  // Both with the sign of the whole.
  if (seconds > 0 && nanoseconds < 0) {
    seconds--;
    nanoseconds += 1e9;
  } else if (seconds < 0 && nanoseconds > 0) {
    seconds++;
    nanoseconds -= 1e9;
  }
  return new TimeValue(seconds, nanoseconds);
}

function bits(bytes: number): string {
  return `${plural(bytes, 'byte')} (${bytes * 8} bits)`;
}

/** `Frame 1: 74 bytes on wire (592 bits), 74 bytes captured (592 bits) on interface lo, id 0`. */
function frameLine(dissection: FrameDissection): string {
  const frame = dissection.frame;
  const captured = frame.bytes.length;
  const custom = frame.interface.customBlock;
  if (custom !== undefined) {
    const copying = `copying ${custom.mayBeCopied ? 'allowed' : 'forbidden'}`;
    const size = `${captured} bytes (${captured * 8} bits) of custom data and options`;
    return `PCAPNG Custom Block ${frame.number}: ${size}, PEN Unknown (${custom.enterpriseNumber}), ${copying}`;
  }
  const line = `Frame ${frame.number}: ${plural(frame.length, 'byte')} on wire (${frame.length * 8} bits), ${plural(captured, 'byte')} captured (${captured * 8} bits)`;
  const origin = frame.interface;
  if (origin.section === undefined) return line;
  const direction = frame.flags < 0 ? 0 : frame.flags & 3;
  const suffix = direction === 1 ? ' (inbound)' : direction === 2 ? ' (outbound)' : '';
  return `${line} on interface ${origin.name ?? 'unknown'}, id ${origin.indexInSection ?? origin.index}${suffix}`;
}

function describeInterface(sink: FieldSink, dissection: FrameDissection): void {
  const frame = dissection.frame;
  const origin = frame.interface;
  if (origin.section === undefined) return;
  const f = frameFields;
  const name = origin.name ?? 'unknown';
  sink.add(f.sectionNumber, frame, 0, 0, origin.section);
  const id = origin.indexInSection ?? origin.index;
  sink.enter(f.interfaceId, frame, 0, 0, id);
  if (sink.wantsText) sink.setText(`Interface id: ${id} (${name})`);
  sink.add(f.interfaceName, frame, 0, 0, name);
  if (origin.description !== undefined) sink.add(f.interfaceDescription, frame, 0, 0, origin.description);
  sink.leave();
}

function describeFlags(sink: FieldSink, dissection: FrameDissection): void {
  const f = frameFields;
  const frame = dissection.frame;
  const flags = frame.flags;
  sink.enter(f.packetFlags, frame, 0, 0, flags);
  sink.add(f.direction, frame, 0, 0, flags & 3);
  sink.add(f.receptionType, frame, 0, 0, (flags >>> 2) & 7);
  sink.add(f.checkSequenceLength, frame, 0, 0, (flags >>> 5) & 15);
  sink.add(f.flagsReserved, frame, 0, 0, (flags >>> 9) & 0x7f);
  sink.add(f.checkSequenceError, frame, 0, 0, ((flags >>> 24) & 1) === 1);
  sink.add(f.tooLongError, frame, 0, 0, ((flags >>> 25) & 1) === 1);
  sink.add(f.tooShortError, frame, 0, 0, ((flags >>> 26) & 1) === 1);
  sink.add(f.gapError, frame, 0, 0, ((flags >>> 27) & 1) === 1);
  sink.add(f.alignmentError, frame, 0, 0, ((flags >>> 28) & 1) === 1);
  sink.add(f.delimiterError, frame, 0, 0, ((flags >>> 29) & 1) === 1);
  sink.add(f.preambleError, frame, 0, 0, ((flags >>> 30) & 1) === 1);
  sink.add(f.symbolError, frame, 0, 0, flags >>> 31 === 1);
  sink.leave();
}
