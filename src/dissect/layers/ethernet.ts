/** Ethernet headers, and what lies behind the datagram of a frame. Makers' names of addresses are left out, as with tshark's `-n`. */
import type { FrameHeaders } from '../../capture/frame-headers.ts';
import type { Diagnostic } from '../diagnostic.ts';
import { defineFields, type FieldDescriptor } from '../field.ts';
import type { FieldSink } from '../field-sink.ts';
import { formatBytes } from '../format-address.ts';
import { uint16At, uint24At, uint32At } from './bytes.ts';
import { etherTypes } from './ether-types.ts';
import { checksumStates, unverified } from './wording.ts';

const administration = {
  0: 'Globally unique address (factory default)',
  1: 'Locally administered address (this is NOT the factory default)',
};
const audience = { 0: 'Individual address (unicast)', 1: 'Group address (multicast/broadcast)' };
const lgBit = { label: 'LG bit', type: 'boolean', mask: 0x20000, width: 24, values: administration } as const;
const igBit = { label: 'IG bit', type: 'boolean', mask: 0x10000, width: 24, values: audience } as const;

export const ethernetFields = defineFields('eth', 'Ethernet', {
  destination: { name: 'eth.dst', label: 'Destination', type: 'ethernet' },
  source: { name: 'eth.src', label: 'Source', type: 'ethernet' },
  address: { name: 'eth.addr', label: 'Address', type: 'ethernet', about: 'Source or destination' },
  destinationLg: { name: 'eth.dst.lg', ...lgBit },
  destinationIg: { name: 'eth.dst.ig', ...igBit },
  sourceLg: { name: 'eth.src.lg', ...lgBit },
  sourceIg: { name: 'eth.src.ig', ...igBit },
  lg: { name: 'eth.lg', ...lgBit },
  ig: { name: 'eth.ig', ...igBit },
  type: { name: 'eth.type', label: 'Type', type: 'uint16', display: 'hexadecimal', values: etherTypes },
  length: { name: 'eth.len', label: 'Length', type: 'uint16', about: 'Of IEEE 802.3 frames, which have no type' },
  padding: { name: 'eth.padding', label: 'Padding', type: 'bytes', about: 'Zeros up to the least length of a frame' },
  trailer: { name: 'eth.trailer', label: 'Trailer', type: 'bytes', about: 'What lies behind datagram and padding' },
  checkSequence: { name: 'eth.fcs', label: 'Frame check sequence', type: 'uint32', display: 'hexadecimal' },
  checkSequenceStatus: { name: 'eth.fcs.status', label: 'FCS Status', type: 'uint8', values: checksumStates },
  sourceIsGroup: {
    name: 'eth.src_not_group',
    label: 'Source MAC must not be a group address: IEEE 802.3-2002, Section 3.2.3(b)',
    type: 'none',
  },
  badPadding: {
    name: 'eth.padding_bad',
    label: 'Padding identification may be inaccurate and impact trailer dissector',
    type: 'none',
  },
});

const groupSource: Diagnostic = {
  severity: 'warning',
  group: 'Protocol',
  message: ethernetFields.sourceIsGroup.label,
  rule: undefined,
};

const unclearPadding: Diagnostic = {
  severity: 'note',
  group: 'Protocol',
  message: "Didn't find padding of zeros, and an undecoded trailer exists. There may be padding of non-zeros.",
  rule: undefined,
};

const typeOffset = 12;
const headerLength = 14;
/** Smaller values are a length. */
const etherTypeMin = 0x600;
/** Without a frame check sequence, and with one. */
const frameLengthMin = 60;
const frameLengthMinWithCheck = 64;

export function describeEthernet(sink: FieldSink, headers: FrameHeaders): void {
  if (headers.ethernetOffset < 0 || !sink.wants(ethernetFields.self)) return;
  const f = ethernetFields;
  const frame = headers.frame;
  const bytes = frame.bytes;
  const type = uint16At(bytes, typeOffset);
  sink.enter(f.self, frame, 0, headerLength);
  sink.setReach(frame, bytes.length, false);
  if (sink.wantsText) {
    const addresses = `Src: ${formatBytes(bytes.subarray(6, 12), ':')}, Dst: ${formatBytes(bytes.subarray(0, 6), ':')}`;
    sink.setText(type < etherTypeMin ? 'IEEE 802.3 Ethernet ' : `Ethernet II, ${addresses}`);
  }
  describeAddress(sink, headers, f.destination, f.destinationLg, f.destinationIg, 0);
  describeAddress(sink, headers, f.source, f.sourceLg, f.sourceIg, 6);
  sink.add(type < etherTypeMin ? f.length : f.type, frame, typeOffset, headerLength, type);
  describeTrailer(sink, headers);
  sink.leave();
}

function describeAddress(
  sink: FieldSink,
  headers: FrameHeaders,
  field: FieldDescriptor,
  lg: FieldDescriptor,
  ig: FieldDescriptor,
  at: number,
): void {
  const f = ethernetFields;
  const frame = headers.frame;
  const address = frame.bytes.subarray(at, at + 6);
  const bits = uint24At(address, 0);
  const isLocal = (bits & 0x20000) !== 0;
  const isGroup = (bits & 0x10000) !== 0;
  sink.enter(field, frame, at, at + 6, address);
  if (isGroup && field === f.source && uint16At(frame.bytes, typeOffset) >= etherTypeMin)
    sink.addDiagnostic(f.sourceIsGroup, frame, at, at + 6, groupSource);
  sink.add(f.address, frame, at, at + 6, address);
  sink.add(lg, frame, at, at + 3, isLocal);
  sink.addHidden(f.lg, frame, at, at + 3, isLocal);
  sink.add(ig, frame, at, at + 3, isGroup);
  sink.addHidden(f.ig, frame, at, at + 3, isGroup);
  sink.leave();
}

/** Padding, what may be a protocol's of its own, and the check sequence where there is room for one. */
function describeTrailer(sink: FieldSink, headers: FrameHeaders): void {
  const frame = headers.frame;
  if (headers.ipOffset < 0 || frame.bytes.length < frame.length || headers.ipEnd >= frame.bytes.length) return;
  const f = ethernetFields;
  const bytes = frame.bytes;
  let at = headers.ipEnd;
  let paddingEnd = at;
  while (paddingEnd < frameLengthMin && paddingEnd < bytes.length && bytes[paddingEnd] === 0) paddingEnd++;
  const isPadded = paddingEnd === Math.min(frameLengthMin, bytes.length) && paddingEnd > at;
  if (isPadded) {
    sink.addBytes(f.padding, frame, at, paddingEnd);
    at = paddingEnd;
  }
  if (at >= bytes.length) return;
  const checkLength = frame.interface.checkSequenceLength;
  const hasCheck =
    checkLength === undefined
      ? bytes.length >= frameLengthMinWithCheck && bytes.length - at >= 4
      : checkLength === 4 && bytes.length - at >= 4;
  const trailerEnd = hasCheck ? bytes.length - 4 : bytes.length;
  if (trailerEnd > at) {
    sink.addBytes(f.trailer, frame, at, trailerEnd);
    if (!isPadded && at < frameLengthMin) sink.addDiagnostic(f.badPadding, frame, at, trailerEnd, unclearPadding);
  }
  if (!hasCheck) return;
  sink.add(f.checkSequence, frame, trailerEnd, bytes.length, uint32At(bytes, trailerEnd));
  if (sink.wantsText) {
    sink.setText(`Frame check sequence: 0x${uint32At(bytes, trailerEnd).toString(16).padStart(8, '0')} [unverified]`);
  }
  sink.addGenerated(f.checkSequenceStatus, frame, bytes.length, bytes.length, unverified);
  if (sink.wantsText) sink.setText('FCS Status: Unverified');
}
