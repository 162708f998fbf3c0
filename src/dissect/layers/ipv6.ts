/** IPv6 headers, with their extension headers. RFC 8200. */
import type { FrameHeaders } from '../../capture/frame-headers.ts';
import { defineFields, type FieldDescriptor } from '../field.ts';
import type { FieldSink } from '../field-sink.ts';
import { formatIpv6 } from '../format-address.ts';
import { uint16At, uint24At, uint32At } from './bytes.ts';
import { codepoints, congestion, servicesText } from './differentiated-services.ts';
import { ipProtocols } from './ip-protocols.ts';
import { ipv4Fields } from './ipv4.ts';
import { describeReassembly, type ReassemblyFields } from './reassembly.ts';
import { plural, yesOrNo } from './wording.ts';

export const ipv6Fields = defineFields('ipv6', 'Internet Protocol Version 6', {
  version: { name: 'ipv6.version', label: 'Version', type: 'uint8' },
  trafficClass: {
    name: 'ipv6.tclass',
    label: 'Traffic Class',
    type: 'uint32',
    display: 'hexadecimal',
    mask: 0x0ff00000,
    width: 32,
  },
  codepoint: {
    name: 'ipv6.tclass.dscp',
    label: 'Differentiated Services Codepoint',
    type: 'uint32',
    mask: 0x0fc00000,
    width: 32,
    values: codepoints,
  },
  congestion: {
    name: 'ipv6.tclass.ecn',
    label: 'Explicit Congestion Notification',
    type: 'uint32',
    mask: 0x00300000,
    width: 32,
    values: congestion,
  },
  flowLabel: {
    name: 'ipv6.flow',
    label: 'Flow Label',
    type: 'uint24',
    display: 'hexadecimal',
    mask: 0x0fffff,
    width: 24,
  },
  payloadLength: { name: 'ipv6.plen', label: 'Payload Length', type: 'uint16', about: 'Bytes after this header' },
  nextHeader: { name: 'ipv6.nxt', label: 'Next Header', type: 'uint8', values: ipProtocols },
  hopLimit: { name: 'ipv6.hlim', label: 'Hop Limit', type: 'uint8' },
  source: { name: 'ipv6.src', label: 'Source Address', type: 'ipv6' },
  sourceHost: { name: 'ipv6.src_host', label: 'Source Host', type: 'string' },
  sourceMac: { name: 'ipv6.src_slaac_mac', label: 'Source SLAAC MAC', type: 'ethernet' },
  destination: { name: 'ipv6.dst', label: 'Destination Address', type: 'ipv6' },
  destinationHost: { name: 'ipv6.dst_host', label: 'Destination Host', type: 'string' },
  destinationMac: { name: 'ipv6.dst_slaac_mac', label: 'Destination SLAAC MAC', type: 'ethernet' },
  address: { name: 'ipv6.addr', label: 'Source or Destination Address', type: 'ipv6' },
  host: { name: 'ipv6.host', label: 'Source or Destination Host', type: 'string' },
  mac: { name: 'ipv6.slaac_mac', label: 'SLAAC MAC', type: 'ethernet' },
  optionType: { name: 'ipv6.opt.type', label: 'Type', type: 'uint8', display: 'hexadecimal' },
  optionLength: { name: 'ipv6.opt.length', label: 'Length', type: 'uint8' },
  fragments: { name: 'ipv6.fragments', label: 'IPv6 Fragments', type: 'none' },
  fragment: { name: 'ipv6.fragment', label: 'IPv6 Fragment', type: 'frame-number' },
  fragmentCount: { name: 'ipv6.fragment.count', label: 'Fragment count', type: 'uint32' },
  reassembledIn: {
    name: 'ipv6.reassembled.in',
    label: 'Reassembled IPv6 in frame',
    type: 'frame-number',
    about: 'Of a frame that is still to come: never there, as in one pass of tshark',
  },
  reassembledLength: { name: 'ipv6.reassembled.length', label: 'Reassembled IPv6 length', type: 'uint32' },
  reassembledData: { name: 'ipv6.reassembled.data', label: 'Reassembled IPv6 data', type: 'bytes' },
});

const hopByHop = defineFields('ipv6.hopopts', 'IPv6 Hop-by-Hop Option', {
  next: { name: 'ipv6.hopopts.nxt', label: 'Next Header', type: 'uint8', values: ipProtocols },
  length: { name: 'ipv6.hopopts.len', label: 'Length', type: 'uint8' },
  octets: { name: 'ipv6.hopopts.len_oct', label: 'Length', type: 'uint16' },
});

const destinationOptions = defineFields('ipv6.dstopts', 'Destination Options for IPv6', {
  next: { name: 'ipv6.dstopts.nxt', label: 'Next Header', type: 'uint8', values: ipProtocols },
  length: { name: 'ipv6.dstopts.len', label: 'Length', type: 'uint8' },
  octets: { name: 'ipv6.dstopts.len_oct', label: 'Length', type: 'uint16' },
});

const routing = defineFields('ipv6.routing', 'Routing Header for IPv6', {
  next: { name: 'ipv6.routing.nxt', label: 'Next Header', type: 'uint8', values: ipProtocols },
  length: { name: 'ipv6.routing.len', label: 'Length', type: 'uint8' },
  octets: { name: 'ipv6.routing.len_oct', label: 'Length', type: 'uint16' },
  type: { name: 'ipv6.routing.type', label: 'Type', type: 'uint8' },
  segmentsLeft: { name: 'ipv6.routing.segleft', label: 'Segments Left', type: 'uint8' },
});

const fragmentHeader = defineFields('ipv6.fraghdr', 'Fragment Header for IPv6', {
  next: { name: 'ipv6.fraghdr.nxt', label: 'Next header', type: 'uint8', values: ipProtocols },
  reservedOctet: {
    name: 'ipv6.fraghdr.reserved_octet',
    label: 'Reserved octet',
    type: 'uint8',
    display: 'hexadecimal',
  },
  offset: { name: 'ipv6.fraghdr.offset', label: 'Offset', type: 'uint16', mask: 0xfff8, width: 16 },
  reservedBits: { name: 'ipv6.fraghdr.reserved_bits', label: 'Reserved bits', type: 'uint16', mask: 0x0006, width: 16 },
  more: {
    name: 'ipv6.fraghdr.more',
    label: 'More Fragments',
    type: 'boolean',
    mask: 0x0001,
    width: 16,
    values: yesOrNo,
  },
  identification: {
    name: 'ipv6.fraghdr.ident',
    label: 'Identification',
    type: 'uint32',
    display: 'hexadecimal',
  },
});

const authentication = defineFields('ah', 'Authentication Header', {
  next: { name: 'ah.next_header', label: 'Next header', type: 'uint8', values: ipProtocols },
  length: { name: 'ah.length', label: 'Length', type: 'uint8' },
});

/** Every table of this file, for the registry. */
export const ipv6Tables = [ipv6Fields, hopByHop, destinationOptions, routing, fragmentHeader, authentication] as const;

const reassembly: ReassemblyFields = {
  whole: ipv6Fields.fragments,
  part: ipv6Fields.fragment,
  count: ipv6Fields.fragmentCount,
  length: ipv6Fields.reassembledLength,
  data: ipv6Fields.reassembledData,
  title: 'IPv6 Fragments',
};

const headerLength = 40;
/** As in `decode-headers.ts`: more are no traffic but an attack. */
const extensionHeadersMax = 32;

/** Whether anything of IPv6 is asked for; `ip.version` is, as in Wireshark, a field of both versions. */
function wantsIpv6(sink: FieldSink): boolean {
  return sink.wants(ipv4Fields.version) || ipv6Tables.some((table) => sink.wants(table.self));
}

export function describeIpv6(sink: FieldSink, headers: FrameHeaders): void {
  if (headers.ipVersion !== 6 || !wantsIpv6(sink)) return;
  const f = ipv6Fields;
  const frame = headers.frame;
  const bytes = frame.bytes;
  const at = headers.ipOffset;
  sink.enter(f.self, frame, at, at + headerLength);
  sink.setReach(frame, headers.ipEnd, false);
  if (sink.wantsText) {
    const source = formatIpv6(bytes.subarray(at + 8, at + 24));
    sink.setText(`${f.self.label}, Src: ${source}, Dst: ${formatIpv6(bytes.subarray(at + 24, at + 40))}`);
  }
  sink.add(f.version, frame, at, at + 1, 6);
  if (sink.wantsText) sink.setText('0110 .... = Version: 6');
  sink.addHidden(ipv4Fields.version, frame, at, at + 1, 6);
  describeTrafficClass(sink, headers);
  sink.add(f.flowLabel, frame, at + 1, at + 4, uint24At(bytes, at + 1) & 0xfffff);
  sink.add(f.payloadLength, frame, at + 4, at + 6, uint16At(bytes, at + 4));
  sink.add(f.nextHeader, frame, at + 6, at + 7, bytes[at + 6]!);
  sink.add(f.hopLimit, frame, at + 7, at + 8, bytes[at + 7]!);
  describeAddress(sink, headers, f.source, f.sourceHost, at + 8);
  describeAddress(sink, headers, f.destination, f.destinationHost, at + 24);
  describeMac(sink, headers, f.sourceMac, at + 8);
  describeMac(sink, headers, f.destinationMac, at + 24);
  if (headers.ipExtensionOffset >= 0) describeExtensions(sink, headers);
  sink.leave();
}

function describeTrafficClass(sink: FieldSink, headers: FrameHeaders): void {
  const f = ipv6Fields;
  const frame = headers.frame;
  const at = headers.ipOffset;
  const services = (uint16At(frame.bytes, at) >> 4) & 0xff;
  sink.enter(f.trafficClass, frame, at, at + 4, services);
  if (sink.wantsText) {
    const bits = services.toString(2).padStart(8, '0');
    const drawn = `.... ${bits.slice(0, 4)} ${bits.slice(4)} .... .... .... .... ....`;
    const digits = services.toString(16).padStart(2, '0');
    sink.setText(`${drawn} = Traffic Class: 0x${digits} (${servicesText(services)})`);
  }
  sink.add(f.codepoint, frame, at, at + 4, services >> 2);
  sink.add(f.congestion, frame, at, at + 4, services & 3);
  sink.leave();
}

function describeAddress(
  sink: FieldSink,
  headers: FrameHeaders,
  field: FieldDescriptor,
  host: FieldDescriptor,
  at: number,
): void {
  const frame = headers.frame;
  const address = frame.bytes.subarray(at, at + 16);
  sink.add(field, frame, at, at + 16, address);
  sink.addHidden(ipv6Fields.address, frame, at, at + 16, address);
  if (sink.wants(host)) sink.addHidden(host, frame, at, at + 16, formatIpv6(address));
  if (sink.wants(ipv6Fields.host)) sink.addHidden(ipv6Fields.host, frame, at, at + 16, formatIpv6(address));
}

/** The hardware address within an interface identifier that was made of one, with ff:fe in its middle: RFC 4291 appendix A. */
function describeMac(sink: FieldSink, headers: FrameHeaders, field: FieldDescriptor, at: number): void {
  const bytes = headers.frame.bytes;
  if (bytes[at + 11] !== 0xff || bytes[at + 12] !== 0xfe || (bytes[at + 8]! & 2) === 0) return;
  if (!sink.wants(field) && !sink.wants(ipv6Fields.mac)) return;
  const mac = Uint8Array.of(
    bytes[at + 8]! ^ 2,
    bytes[at + 9]!,
    bytes[at + 10]!,
    bytes[at + 13]!,
    bytes[at + 14]!,
    bytes[at + 15]!,
  );
  sink.addGenerated(field, headers.frame, at + 8, at + 16, mac);
  sink.addHidden(ipv6Fields.mac, headers.frame, at + 8, at + 16, mac);
}

function describeExtensions(sink: FieldSink, headers: FrameHeaders): void {
  const bytes = headers.frame.bytes;
  let at = headers.ipExtensionOffset;
  let next = bytes[headers.ipOffset + 6]!;
  for (let count = 0; count < extensionHeadersMax; count++) {
    const length = extensionLength(next, bytes, at);
    if (length === 0 || at + length > headers.ipEnd) return;
    describeExtension(sink, headers, next, at, length);
    const isPart = next === 44 && (uint16At(bytes, at + 2) & 0xfff9) !== 0;
    next = bytes[at]!;
    at += length;
    if (isPart) {
      const source = headers.source;
      if (source !== headers.frame) describeReassembly(sink, reassembly, source, 0, source.bytes.length);
      return;
    }
  }
}

/** Bytes of an extension header; 0 if it is none. */
export function extensionLength(next: number, bytes: Uint8Array, at: number): number {
  if (next === 0 || next === 43 || next === 60) return ((bytes[at + 1] ?? 0) + 1) * 8;
  if (next === 44) return 8;
  if (next === 51) return ((bytes[at + 1] ?? 0) + 2) * 4;
  return 0;
}

function describeExtension(sink: FieldSink, headers: FrameHeaders, kind: number, at: number, length: number): void {
  const frame = headers.frame;
  const bytes = frame.bytes;
  if (kind === 44) {
    describeFragmentHeader(sink, headers, at);
    return;
  }
  if (kind === 51) {
    sink.enter(authentication.self, frame, at, at + length);
    sink.add(authentication.next, frame, at, at + 1, bytes[at]!);
    sink.add(authentication.length, frame, at + 1, at + 2, bytes[at + 1]!);
    if (sink.wantsText) sink.setText(`Length: ${bytes[at + 1]} (${length} bytes)`);
    sink.leave();
    return;
  }
  const fields = kind === 0 ? hopByHop : kind === 43 ? routing : destinationOptions;
  sink.enter(fields.self, frame, at, at + length);
  sink.add(fields.next, frame, at, at + 1, bytes[at]!);
  sink.add(fields.length, frame, at + 1, at + 2, bytes[at + 1]!);
  sink.addGenerated(fields.octets, frame, at + 1, at + 2, length);
  if (sink.wantsText) sink.setText(`Length: ${plural(length, 'byte')}`);
  if (kind === 43) {
    sink.add(routing.type, frame, at + 2, at + 3, bytes[at + 2]!);
    sink.add(routing.segmentsLeft, frame, at + 3, at + 4, bytes[at + 3]!);
  } else {
    describeOptions(sink, headers, at + 2, at + length);
  }
  sink.leave();
}

const optionTitles: Readonly<Record<number, string>> = {
  0: 'Pad1',
  1: 'PadN',
  4: 'Tunnel Encapsulation Limit',
  5: 'Router Alert',
  194: 'Jumbo Payload',
  201: 'Home Address',
};

/** Options are listed with type and length; what is in them stays bytes. */
function describeOptions(sink: FieldSink, headers: FrameHeaders, start: number, end: number): void {
  const f = ipv6Fields;
  const frame = headers.frame;
  for (let at = start; at < end; ) {
    const type = frame.bytes[at]!;
    const length = type === 0 ? 1 : 2 + (at + 1 < end ? frame.bytes[at + 1]! : end);
    if (at + length > end) return;
    sink.enterText(optionTitles[type] ?? `Unknown IPv6 Option (${type})`, frame, at, at + length);
    sink.add(f.optionType, frame, at, at + 1, type);
    if (type !== 0) sink.add(f.optionLength, frame, at + 1, at + 2, length - 2);
    sink.leave();
    at += length;
  }
}

function describeFragmentHeader(sink: FieldSink, headers: FrameHeaders, at: number): void {
  const f = fragmentHeader;
  const frame = headers.frame;
  const bytes = frame.bytes;
  const word = uint16At(bytes, at + 2);
  sink.enter(f.self, frame, at, at + 8);
  sink.add(f.next, frame, at, at + 1, bytes[at]!);
  sink.add(f.reservedOctet, frame, at + 1, at + 2, bytes[at + 1]!);
  sink.add(f.offset, frame, at + 2, at + 4, word >> 3);
  if (sink.wantsText) {
    const bits = (word >> 3).toString(2).padStart(13, '0');
    const drawn = `${bits.slice(0, 4)} ${bits.slice(4, 8)} ${bits.slice(8, 12)} ${bits[12]}...`;
    sink.setText(`${drawn} = Offset: ${word >> 3} (${plural(word & 0xfff8, 'byte')})`);
  }
  sink.add(f.reservedBits, frame, at + 2, at + 4, (word >> 1) & 3);
  sink.add(f.more, frame, at + 2, at + 4, (word & 1) === 1);
  sink.add(f.identification, frame, at + 4, at + 8, uint32At(bytes, at + 4));
  sink.leave();
}
