/** IPv4 headers. RFC 791. */
import type { Frame } from '../../capture/frame.ts';
import type { FrameHeaders } from '../../capture/frame-headers.ts';
import type { Diagnostic } from '../diagnostic.ts';
import { defineFields } from '../field.ts';
import { FieldGroup, wantsGroup } from '../field-group.ts';
import type { FieldSink } from '../field-sink.ts';
import { formatIpv4 } from '../format-address.ts';
import { uint16At, uint32At } from './bytes.ts';
import { codepoints, congestion, servicesText } from './differentiated-services.ts';
import { ipProtocols } from './ip-protocols.ts';
import { describeReassembly, type ReassemblyFields } from './reassembly.ts';
import { checksumStates, plural, setOrNot, unverified, yesOrNo } from './wording.ts';

const optionNames = {
  0: 'End of Option List (EOL)',
  1: 'No-Operation (NOP)',
  2: 'Security',
  3: 'Loose source route',
  4: 'Time stamp',
  5: 'Extended security',
  6: 'Commercial IP security option',
  7: 'Record route',
  8: 'Stream identifier',
  9: 'Strict source route',
  11: 'MTU probe',
  12: 'MTU Reply',
  18: 'Traceroute',
  20: 'Router Alert',
  21: 'Selective Directed Broadcast',
  25: 'Quick-Start',
};

export const ipv4Fields = defineFields('ip', 'Internet Protocol Version 4', {
  version: { name: 'ip.version', label: 'Version', type: 'uint8', about: '4; 6 in IPv6 headers' },
  headerLength: { name: 'ip.hdr_len', label: 'Header Length', type: 'uint8', about: 'Bytes' },
  services: { name: 'ip.dsfield', label: 'Differentiated Services Field', type: 'uint8', display: 'hexadecimal' },
  codepoint: {
    name: 'ip.dsfield.dscp',
    label: 'Differentiated Services Codepoint',
    type: 'uint8',
    mask: 0xfc,
    values: codepoints,
  },
  congestion: {
    name: 'ip.dsfield.ecn',
    label: 'Explicit Congestion Notification',
    type: 'uint8',
    mask: 0x03,
    values: congestion,
  },
  length: { name: 'ip.len', label: 'Total Length', type: 'uint16', about: 'Bytes, with the header' },
  identification: { name: 'ip.id', label: 'Identification', type: 'uint16', display: 'hexadecimal-decimal' },
  flags: { name: 'ip.flags', label: 'Flags', type: 'uint8', display: 'hexadecimal', mask: 0xe0 },
  reserved: { name: 'ip.flags.rb', label: 'Reserved bit', type: 'boolean', mask: 0x80, values: setOrNot },
  dontFragment: { name: 'ip.flags.df', label: "Don't fragment", type: 'boolean', mask: 0x40, values: setOrNot },
  moreFragments: { name: 'ip.flags.mf', label: 'More fragments', type: 'boolean', mask: 0x20, values: setOrNot },
  fragmentOffset: {
    name: 'ip.frag_offset',
    label: 'Fragment Offset',
    type: 'uint16',
    mask: 0x1fff,
    width: 16,
    about: 'Bytes',
  },
  timeToLive: { name: 'ip.ttl', label: 'Time to Live', type: 'uint8' },
  protocol: { name: 'ip.proto', label: 'Protocol', type: 'uint8', values: ipProtocols },
  checksum: {
    name: 'ip.checksum',
    label: 'Header Checksum',
    type: 'uint16',
    display: 'hexadecimal',
    about: 'Not verified',
  },
  checksumStatus: {
    name: 'ip.checksum.status',
    label: 'Header checksum status',
    type: 'uint8',
    values: checksumStates,
  },
  source: { name: 'ip.src', label: 'Source Address', type: 'ipv4' },
  sourceHost: { name: 'ip.src_host', label: 'Source Host', type: 'string' },
  destination: { name: 'ip.dst', label: 'Destination Address', type: 'ipv4' },
  destinationHost: { name: 'ip.dst_host', label: 'Destination Host', type: 'string' },
  address: { name: 'ip.addr', label: 'Source or Destination Address', type: 'ipv4' },
  host: { name: 'ip.host', label: 'Source or Destination Host', type: 'string' },
  optionType: { name: 'ip.opt.type', label: 'Type', type: 'uint8' },
  optionCopy: {
    name: 'ip.opt.type.copy',
    label: 'Copy on fragmentation',
    type: 'boolean',
    mask: 0x80,
    values: yesOrNo,
  },
  optionClass: {
    name: 'ip.opt.type.class',
    label: 'Class',
    type: 'uint8',
    mask: 0x60,
    values: {
      0: 'Control',
      1: 'Reserved for future use',
      2: 'Debugging and measurement',
      3: 'Reserved for future use',
    },
  },
  optionNumber: { name: 'ip.opt.type.number', label: 'Number', type: 'uint8', mask: 0x1f, values: optionNames },
  optionLength: { name: 'ip.opt.len', label: 'Length', type: 'uint8' },
  optionPointer: { name: 'ip.opt.ptr', label: 'Pointer', type: 'uint8' },
  fragments: { name: 'ip.fragments', label: 'IPv4 Fragments', type: 'bytes' },
  fragment: { name: 'ip.fragment', label: 'IPv4 Fragment', type: 'frame-number' },
  fragmentCount: { name: 'ip.fragment.count', label: 'Fragment count', type: 'uint32' },
  reassembledLength: { name: 'ip.reassembled.length', label: 'Reassembled IPv4 length', type: 'uint32' },
  reassembledData: { name: 'ip.reassembled.data', label: 'Reassembled IPv4 data', type: 'bytes' },
  reassembledIn: {
    name: 'ip.reassembled_in',
    label: 'Reassembled IPv4 in frame',
    type: 'frame-number',
    about: 'Of a frame that is still to come: never there, as in one pass of tshark',
  },
  bogusVersion: { name: 'ip.bogus_ip_version', label: 'Bogus IP version', type: 'none' },
  bogusHeaderLength: { name: 'ip.bogus_header_length', label: 'Bogus IP header length', type: 'none' },
  optionLengthInvalid: { name: 'ip.opt.len.invalid', label: 'Invalid length for option', type: 'none' },
});

const reassembly: ReassemblyFields = {
  whole: ipv4Fields.fragments,
  part: ipv4Fields.fragment,
  count: ipv4Fields.fragmentCount,
  length: ipv4Fields.reassembledLength,
  data: ipv4Fields.reassembledData,
  title: 'IPv4 Fragments',
};

const serviceFields = new FieldGroup([ipv4Fields.services, ipv4Fields.codepoint, ipv4Fields.congestion]);
const fragmentFields = new FieldGroup([
  ipv4Fields.flags,
  ipv4Fields.reserved,
  ipv4Fields.dontFragment,
  ipv4Fields.moreFragments,
  ipv4Fields.fragmentOffset,
]);

const headerLengthMin = 20;

export function describeIpv4(sink: FieldSink, headers: FrameHeaders): void {
  if (headers.ipVersion !== 4 || !sink.wants(ipv4Fields.self)) return;
  const f = ipv4Fields;
  const frame = headers.frame;
  const bytes = frame.bytes;
  const at = headers.ipOffset;
  const headerLength = headers.ipHeaderLength;
  const source = uint32At(bytes, at + 12);
  const destination = uint32At(bytes, at + 16);
  sink.enter(f.self, frame, at, at + Math.max(headerLength, headerLengthMin));
  sink.setReach(frame, headers.ipEnd, false);
  if (sink.wantsText && headerLength >= headerLengthMin) {
    sink.setText(`${f.self.label}, Src: ${formatIpv4(source)}, Dst: ${formatIpv4(destination)}`);
  }
  sink.add(f.version, frame, at, at + 1, 4);
  if (sink.wantsText) sink.setText('0100 .... = Version: 4');
  if (headerLength < headerLengthMin) {
    describeHeaderLength(sink, headers);
    const message = `Bogus IP header length (${headerLength}, must be at least ${headerLengthMin})`;
    sink.addDiagnostic(f.bogusHeaderLength, frame, at, at + 1, error(message));
    sink.leave();
    return;
  }
  describeHeaderLength(sink, headers);
  if (wantsGroup(sink, serviceFields)) describeServices(sink, headers);
  sink.add(f.length, frame, at + 2, at + 4, uint16At(bytes, at + 2));
  sink.add(f.identification, frame, at + 4, at + 6, uint16At(bytes, at + 4));
  if (wantsGroup(sink, fragmentFields)) describeFragmentation(sink, headers);
  sink.add(f.timeToLive, frame, at + 8, at + 9, bytes[at + 8]!);
  sink.add(f.protocol, frame, at + 9, at + 10, bytes[at + 9]!);
  const checksum = uint16At(bytes, at + 10);
  sink.add(f.checksum, frame, at + 10, at + 12, checksum);
  if (sink.wantsText)
    sink.setText(`Header Checksum: 0x${checksum.toString(16).padStart(4, '0')} [validation disabled]`);
  sink.addGenerated(f.checksumStatus, frame, at + 10, at + 10, unverified);
  if (sink.wantsText) sink.setText('Header checksum status: Unverified');
  sink.add(f.source, frame, at + 12, at + 16, source);
  sink.addHidden(f.address, frame, at + 12, at + 16, source);
  if (sink.wants(f.sourceHost)) sink.addHidden(f.sourceHost, frame, at + 12, at + 16, formatIpv4(source));
  if (sink.wants(f.host)) sink.addHidden(f.host, frame, at + 12, at + 16, formatIpv4(source));
  sink.add(f.destination, frame, at + 16, at + 20, destination);
  sink.addHidden(f.address, frame, at + 16, at + 20, destination);
  if (sink.wants(f.destinationHost))
    sink.addHidden(f.destinationHost, frame, at + 16, at + 20, formatIpv4(destination));
  if (sink.wants(f.host)) sink.addHidden(f.host, frame, at + 16, at + 20, formatIpv4(destination));
  if (headerLength > headerLengthMin) describeOptions(sink, headers);
  if (headers.source !== frame) describeReassembly(sink, reassembly, headers.source, 0, headers.source.bytes.length);
  sink.leave();
}

/** What was announced as IPv4 and says to be something else. */
export function describeBogusIpv4(sink: FieldSink, frame: Frame, at: number): void {
  const f = ipv4Fields;
  if (!sink.wants(f.self)) return;
  const version = frame.bytes[at]! >> 4;
  sink.enter(f.self, frame, at, Math.min(at + headerLengthMin, frame.bytes.length));
  sink.setReach(frame, frame.bytes.length, false);
  sink.add(f.version, frame, at, at + 1, version);
  if (sink.wantsText) sink.setText(`${version.toString(2).padStart(4, '0')} .... = Version: ${version}`);
  sink.addDiagnostic(f.bogusVersion, frame, at, at + 1, error('Bogus IPv4 version'));
  sink.leave();
}

function describeHeaderLength(sink: FieldSink, headers: FrameHeaders): void {
  const at = headers.ipOffset;
  const words = headers.ipHeaderLength / 4;
  sink.add(ipv4Fields.headerLength, headers.frame, at, at + 1, headers.ipHeaderLength);
  if (!sink.wantsText) return;
  const digits = words.toString(2).padStart(4, '0');
  sink.setText(`.... ${digits} = Header Length: ${plural(headers.ipHeaderLength, 'byte')} (${words})`);
}

function describeServices(sink: FieldSink, headers: FrameHeaders): void {
  const f = ipv4Fields;
  const frame = headers.frame;
  const at = headers.ipOffset;
  const services = frame.bytes[at + 1]!;
  sink.enter(f.services, frame, at + 1, at + 2, services);
  if (sink.wantsText) {
    const digits = services.toString(16).padStart(2, '0');
    sink.setText(`Differentiated Services Field: 0x${digits} (${servicesText(services)})`);
  }
  sink.add(f.codepoint, frame, at + 1, at + 2, services >> 2);
  sink.add(f.congestion, frame, at + 1, at + 2, services & 3);
  sink.leave();
}

function describeFragmentation(sink: FieldSink, headers: FrameHeaders): void {
  const f = ipv4Fields;
  const frame = headers.frame;
  const at = headers.ipOffset + 6;
  const word = uint16At(frame.bytes, at);
  const flags = word >> 13;
  sink.enter(f.flags, frame, at, at + 1, flags);
  if (sink.wantsText) {
    const names = [
      (flags & 4) !== 0 ? ', Reserved bit' : '',
      (flags & 2) !== 0 ? ", Don't fragment" : '',
      (flags & 1) !== 0 ? ', More fragments' : '',
    ].join('');
    sink.setText(`${flags.toString(2).padStart(3, '0')}. .... = Flags: 0x${flags.toString(16)}${names}`);
  }
  sink.add(f.reserved, frame, at, at + 1, (flags & 4) !== 0);
  sink.add(f.dontFragment, frame, at, at + 1, (flags & 2) !== 0);
  sink.add(f.moreFragments, frame, at, at + 1, (flags & 1) !== 0);
  sink.leave();
  const offset = word & 0x1fff;
  sink.add(f.fragmentOffset, frame, at, at + 2, offset * 8);
  if (!sink.wantsText) return;
  const digits = offset.toString(2).padStart(13, '0');
  sink.setText(
    `...${digits[0]} ${digits.slice(1, 5)} ${digits.slice(5, 9)} ${digits.slice(9)} = Fragment Offset: ${offset * 8}`,
  );
}

/** Options are listed with type and length; what is in them stays bytes. */
function describeOptions(sink: FieldSink, headers: FrameHeaders): void {
  const frame = headers.frame;
  const start = headers.ipOffset + headerLengthMin;
  const end = Math.min(headers.ipOffset + headers.ipHeaderLength, frame.bytes.length);
  sink.enterText(
    `Options: (${plural(end - start, 'byte')})${optionTitles(frame.bytes, start, end)}`,
    frame,
    start,
    end,
  );
  let at = start;
  while (at < end) {
    const length = optionLength(frame.bytes, at, end);
    if (length < 0) {
      const number = frame.bytes[at]! & 0x1f;
      const name = (optionNames as Readonly<Record<number, string>>)[number] ?? 'Unknown';
      const message = `${name} (with too-short option length = ${plural(frame.bytes[at + 1] ?? 0, 'byte')})`;
      sink.addDiagnostic(ipv4Fields.optionLengthInvalid, frame, at, end, {
        severity: 'note',
        group: 'Sequence',
        message,
        rule: undefined,
      });
      break;
    }
    describeOption(sink, headers, at, length);
    if (frame.bytes[at] === 0) break;
    at += length;
  }
  sink.leave();
}

/** Names for lines, where the one of the value is worded otherwise. */
const optionTitleNames: Readonly<Record<number, string>> = {
  0: 'End of Options List (EOL)',
  3: 'Loose Source Route',
  4: 'Time Stamp',
  5: 'Extended Security',
  6: 'Commercial Security',
  7: 'Record Route',
  8: 'Stream ID',
  9: 'Strict Source Route',
  11: 'MTU Probe',
};

function optionTitle(type: number): string {
  const number = type & 0x1f;
  return optionTitleNames[number] ?? (optionNames as Readonly<Record<number, string>>)[number] ?? 'Unknown';
}

/** The ones worth naming: not padding. */
function optionTitles(bytes: Uint8Array, start: number, end: number): string {
  let titles = '';
  for (let at = start; at < end && bytes[at] !== 0; ) {
    const length = optionLength(bytes, at, end);
    if (length < 0) break;
    if (bytes[at] !== 1) titles += `, ${optionTitle(bytes[at]!)}`;
    at += length;
  }
  return titles;
}

/** @returns -1 if it goes past the end */
function optionLength(bytes: Uint8Array, at: number, end: number): number {
  const type = bytes[at]!;
  if (type === 0 || type === 1) return 1;
  const length = at + 1 < end ? bytes[at + 1]! : 0;
  return length >= 2 && at + length <= end ? length : -1;
}

function describeOption(sink: FieldSink, headers: FrameHeaders, at: number, length: number): void {
  const f = ipv4Fields;
  const frame = headers.frame;
  const type = frame.bytes[at]!;
  const size = length > 1 ? ` (${length} bytes)` : '';
  sink.enterText(`IP Option - ${optionTitle(type)}${size}`, frame, at, at + length);
  sink.enter(f.optionType, frame, at, at + 1, type);
  sink.add(f.optionCopy, frame, at, at + 1, type >= 0x80);
  sink.add(f.optionClass, frame, at, at + 1, (type >> 5) & 3);
  sink.add(f.optionNumber, frame, at, at + 1, type & 0x1f);
  sink.leave();
  if (length > 1) sink.add(f.optionLength, frame, at + 1, at + 2, length);
  const number = type & 0x1f;
  const hasPointer = number === 3 || number === 7 || number === 9;
  if (hasPointer && length > 2) sink.add(f.optionPointer, frame, at + 2, at + 3, frame.bytes[at + 2]!);
  sink.leave();
}

function error(message: string): Diagnostic {
  return { severity: 'error', group: 'Protocol', message, rule: undefined };
}
