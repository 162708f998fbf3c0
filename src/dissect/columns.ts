/** The columns of a summary row: source, destination, protocol and info, as tshark prints them. */
import type { Utf8Buffer } from '../base/utf8-buffer.ts';
import { type SegmentAnalysis, segmentMarks } from '../capture/flow.ts';
import { areOptionsCut, type FrameHeaders } from '../capture/frame-headers.ts';
import { linkTypes } from '../capture/link-types.ts';
import { formatBytes, formatIpv4, formatIpv6 } from './format-address.ts';
import {
  bogusIpOffset,
  cutPortsOffset,
  type FrameDissection,
  isWrapper,
  troubledProtocol,
} from './frame-dissection.ts';
import { arpOffset } from './layers/arp.ts';
import { uint16At, uint32At } from './layers/bytes.ts';
import { ipProtocols } from './layers/ip-protocols.ts';
import { flagList, tcpFlags } from './layers/tcp.ts';
import { optionKinds, optionLength } from './layers/tcp-options.ts';
import { TlsLayer } from './layers/tls-layer.ts';
import { isCut, shortInfo } from './layers/trouble.ts';
import type { UpperLayer } from './stream-dissector.ts';

export function sourceColumn(dissection: FrameDissection): string {
  const { headers, frame } = dissection;
  const at = headers.ipOffset;
  if (headers.ipVersion === 4 && headers.ipHeaderLength >= 20) return formatIpv4(uint32At(frame.bytes, at + 12));
  if (headers.ipVersion === 6) return formatIpv6(frame.bytes.subarray(at + 8, at + 24));
  if (headers.ethernetOffset < 0) return cookedSource(headers);
  return formatBytes(frame.bytes.subarray(6, 12), ':');
}

/** The address of the sender in a Linux cooked header, if it is one of Ethernet. */
function cookedSource({ cookedOffset, frame }: FrameHeaders): string {
  if (cookedOffset < 0) return '';
  const { bytes } = frame;
  switch (frame.interface.linkType) {
    case linkTypes.linuxCooked:
      return uint16At(bytes, 4) === 6 ? formatBytes(bytes.subarray(6, 12), ':') : '';
    case linkTypes.linuxCooked2:
      return bytes[11] === 6 ? formatBytes(bytes.subarray(12, 18), ':') : '';
    default:
      return '';
  }
}

export function destinationColumn(dissection: FrameDissection): string {
  const { headers, frame } = dissection;
  const at = headers.ipOffset;
  if (headers.ipVersion === 4 && headers.ipHeaderLength >= 20) return formatIpv4(uint32At(frame.bytes, at + 16));
  if (headers.ipVersion === 6) return formatIpv6(frame.bytes.subarray(at + 24, at + 40));
  return headers.ethernetOffset < 0 ? '' : formatBytes(frame.bytes.subarray(0, 6), ':');
}

/** Short names of what no layer here describes. */
const etherTypeNames: Readonly<Record<number, string>> = {
  2048: 'IPv4',
  2054: 'ARP',
  34525: 'IPv6',
  34915: 'PPPoED',
  34916: 'PPPoES',
  34958: 'EAPOL',
  35020: 'LLDP',
};

/** Protocols on IP that have a name in the column; others are shown as IP. */
const ipNames: Readonly<Record<number, string>> = {
  1: 'ICMP',
  2: 'IGMP',
  6: 'TCP',
  17: 'UDP',
  47: 'GRE',
  50: 'ESP',
  51: 'AH',
  58: 'ICMPv6',
  89: 'OSPF',
  103: 'PIM',
  112: 'VRRP',
  132: 'SCTP',
  136: 'UDPLite',
};

const noNextHeader = 59;

export function protocolColumn(dissection: FrameDissection): string {
  const { headers, layers } = dissection;
  if (layers.length === 0 && headers.tcpOffset >= 0) return 'TCP';
  if (layers.length === 1 && !isWrapper(layers[0]!)) return layers[0]!.columnProtocol;
  const last = shownLayers(layers, 0, endOfRecords(layers, 0)).at(-1);
  if (last !== undefined) return last.columnProtocol;
  if (headers.tcpOffset >= 0) return 'TCP';
  if (headers.udpOffset >= 0) return 'UDP';
  if (headers.ipVersion !== 0) {
    const version = headers.ipVersion === 4 ? 'IPv4' : 'IPv6';
    if (headers.isFragment || headers.ipHeaderLength < 20 || isEmptyDatagram(headers)) return version;
    if (troubledProtocol(dissection) === 'TCP') return cutPortsOffset(dissection) < 0 ? version : 'TCP';
    return ipNames[headers.ipProtocol] ?? version;
  }
  if (headers.etherType > 0) {
    return etherTypeNames[headers.etherType] ?? `0x${headers.etherType.toString(16).padStart(4, '0')}`;
  }
  if (headers.ethernetOffset >= 0) return 'LLC';
  if (dissection.frame.interface.customBlock !== undefined) return 'PCAPNG';
  return troubledProtocol(dissection) ?? 'N/A';
}

export function writeInfoColumn(dissection: FrameDissection, output: Utf8Buffer): void {
  if (dissection.headers.tcpOffset >= 0) writeTcpInfo(dissection, output);
  else output.text(infoBesideTcp(dissection));
}

function infoBesideTcp(dissection: FrameDissection): string {
  const { headers } = dissection;
  if (headers.udpOffset >= 0) {
    // What it says of itself, which may be more than came.
    const length = Math.max(0, uint16At(headers.source.bytes, headers.udpOffset + 4) - 8);
    return `${headers.sourcePort} → ${headers.destinationPort} Len=${length}`;
  }
  const trouble = troubledProtocol(dissection);
  if (trouble !== undefined)
    return portsInfo(dissection) + (isCut(dissection.frame) ? shortInfo : '[Malformed Packet]');
  const bogus = bogusIpOffset(dissection);
  if (bogus >= 0) return `Bogus IPv4 version (${dissection.frame.bytes[bogus]! >> 4}, must be 4)`;
  if (headers.isFragment) return fragmentInfo(headers);
  if (headers.ipVersion !== 0) return ipInfo(headers);
  if (headers.etherType === 0x0806) return arpInfo(dissection);
  if (headers.ethernetOffset >= 0) return headers.etherType > 0 ? 'Ethernet II' : 'IEEE 802.3 Ethernet';
  const custom = dissection.frame.interface.customBlock;
  if (custom === undefined) return '';
  return `Custom Block: PEN = Unknown (${custom.enterpriseNumber}), will${custom.mayBeCopied ? '' : ' not'} be copied`;
}

/** `57564 → 1883`, where there is no more of the header than that. */
function portsInfo(dissection: FrameDissection): string {
  const at = cutPortsOffset(dissection);
  if (at < 0) return '';
  const { bytes } = dissection.frame;
  return `${uint16At(bytes, at)} → ${uint16At(bytes, at + 2)}`;
}

function isEmptyDatagram(headers: FrameHeaders): boolean {
  return headers.ipEnd <= headers.ipOffset + headers.ipHeaderLength;
}

function ipInfo(headers: FrameHeaders): string {
  if (headers.ipHeaderLength < 20) return `Bogus IP header length (${headers.ipHeaderLength}, must be at least 20)`;
  if (isEmptyDatagram(headers)) return '';
  if (headers.ipVersion === 6 && headers.ipProtocol === noNextHeader) return 'IPv6 no next header';
  const name = `${ipProtocols[headers.ipProtocol] ?? 'Unknown'} (${headers.ipProtocol})`;
  return headers.ipVersion === 6 && !hasOwnColumn(headers.ipProtocol) ? `Unknown IP Protocol: ${name}` : name;
}

/** Whether the Protocol column says more than that it is IP. */
function hasOwnColumn(protocol: number): boolean {
  return ipNames[protocol] !== undefined;
}

function fragmentInfo(headers: FrameHeaders): string {
  const bytes = headers.frame.bytes;
  const protocol = ipProtocols[headers.ipProtocol] ?? 'Unknown';
  if (headers.ipVersion === 4) {
    const offset = (uint16At(bytes, headers.ipOffset + 6) & 0x1fff) * 8;
    const identification = uint16At(bytes, headers.ipOffset + 4)
      .toString(16)
      .padStart(4, '0');
    return `Fragmented IP protocol (proto=${protocol} ${headers.ipProtocol}, off=${offset}, ID=${identification})`;
  }
  return `IPv6 fragment (nxt=${protocol} (${headers.ipProtocol}))`;
}

/** `Who has 10.0.0.2? Tell 10.0.0.1`. */
function arpInfo(dissection: FrameDissection): string {
  const { headers, frame } = dissection;
  const at = arpOffset(headers);
  if (at < 0) return 'ARP';
  const bytes = frame.bytes;
  const sender = formatIpv4(uint32At(bytes, at + 14));
  if (uint16At(bytes, at + 6) === 1) return `Who has ${formatIpv4(uint32At(bytes, at + 24))}? Tell ${sender}`;
  return `${sender} is at ${formatBytes(bytes.subarray(at + 8, at + 14), ':')}`;
}

function writeTcpInfo(dissection: FrameDissection, output: Utf8Buffer): void {
  const { headers, segment, layers } = dissection;
  const isCutShort = areOptionsCut(headers);
  const prefix = segment === undefined || segment.marks === 0 || isCutShort ? '' : markPrefix(segment);
  output.text(prefix);
  if (layers.length > 0) {
    if (prefix !== '') output.text(', ');
    writeLayers(layers, output);
    return;
  }
  if (segment === undefined) return;
  const hasPart = dissection.pendingBytes > 0 || dissection.isWaiting;
  if (headers.payloadLength === 0 || !dissection.hasApplication || !hasPart || dissection.isRepeated) {
    writeSegmentInfo(headers, segment, output);
    if (isCutShort) output.text(shortInfo);
    return;
  }
  // What begins a packet has been looked at already, and the column was cleared for it.
  const isLookedAt = !dissection.isWaiting && dissection.pendingBefore < 2;
  if (!isLookedAt) writeSegmentInfo(headers, segment, output);
  if (!isLookedAt || prefix !== '') output.text(' ');
  output.text(partOfPacket);
}

/** Records of TLS that began in frames of their own are each spoken of; what lies in others is what counts of those. */
function writeLayers(layers: readonly UpperLayer[], output: Utf8Buffer): void {
  if (layers.length === 1 && !isWrapper(layers[0]!)) {
    writeInfos(layers, output);
    return;
  }
  for (let start = 0; start < layers.length; ) {
    const end = endOfRecords(layers, start);
    if (start > 0) output.text(', ');
    writeInfos(shownLayers(layers, start, end), output);
    const first = layers[start]!;
    if (first instanceof TlsLayer && first.hasInnerStage && first.lastRecordLayers > 0)
      output.text(first.trailingInfo());
    start = end;
  }
}

function writeInfos(layers: readonly UpperLayer[], output: Utf8Buffer): void {
  for (let index = 0; index < layers.length; index++) {
    const layer = layers[index]!;
    if (index > 0 && layer.sentLength !== 0) output.text(', ');
    if (layer.writeInfo === undefined) output.text(layer.info());
    else layer.writeInfo(output);
  }
}

/** Where the next layer of TLS is, after the one or whatever is at `start`. */
function endOfRecords(layers: readonly UpperLayer[], start: number): number {
  let end = start + 1;
  while (end < layers.length && !(layers[end] instanceof TlsLayer)) end++;
  return end;
}

const partOfPacket = '[TCP segment of a reassembled PDU]';

/**
 * Layers of `layers[start..end)` that the columns speak of: the innermost ones. Of several TLS records next to each other that is what the last
 * of them completed, as in Wireshark, whose columns begin anew with each.
 */
function shownLayers(layers: readonly UpperLayer[], start: number, end: number): readonly UpperLayer[] {
  const those = start === 0 && end === layers.length ? layers : layers.slice(start, end);
  const first = those[0];
  if (first === undefined || !those.some(isWrapper)) return those;
  if (first instanceof TlsLayer && first.hasInnerStage) {
    if (first.lastRecordLayers === 0) return [first];
    return innermost(those.slice(those.length - first.lastRecordLayers));
  }
  return innermost(those);
}

function innermost(layers: readonly UpperLayer[]): readonly UpperLayer[] {
  const last = layers.at(-1)!;
  const inner = layers.filter((layer) => !isWrapper(layer));
  return inner.length > 0 ? inner : layers.filter((layer) => layer.protocol === last.protocol);
}

/** Marks that stand before everything else, the one that is found last being the first. */
function markPrefix(segment: SegmentAnalysis): string {
  const marks = segment.marks;
  if (marks === 0) return '';
  const m = segmentMarks;
  let text = '';
  if ((marks & m.portReused) !== 0) text = '[TCP Port numbers reused] ';
  if ((marks & m.fastRetransmission) !== 0) text = `[TCP Fast Retransmission] ${text}`;
  else if ((marks & m.spuriousRetransmission) !== 0) text = `[TCP Spurious Retransmission] ${text}`;
  else if ((marks & m.retransmission) !== 0) text = `[TCP Retransmission] ${text}`;
  if ((marks & m.outOfOrder) !== 0) text = `[TCP Out-Of-Order] ${text}`;
  if ((marks & m.lostSegment) !== 0) text = `[TCP Previous segment not captured] ${text}`;
  if ((marks & m.acknowledgedUnseen) !== 0) text = `[TCP ACKed unseen segment] ${text}`;
  if ((marks & m.windowUpdate) !== 0) text = `[TCP Window Update] ${text}`;
  if ((marks & m.windowFull) !== 0) text = `[TCP Window Full] ${text}`;
  if ((marks & m.keepAlive) !== 0) text = `[TCP Keep-Alive] ${text}`;
  if ((marks & m.keepAliveAcknowledgement) !== 0) text = `[TCP Keep-Alive ACK] ${text}`;
  if ((marks & m.duplicateAcknowledgement) !== 0) {
    text = `[TCP Dup ACK ${segment.duplicateOf}#${segment.duplicateNumber}] ${text}`;
  }
  if ((marks & m.zeroWindowProbe) !== 0) text = `[TCP ZeroWindowProbe] ${text}`;
  if ((marks & m.zeroWindow) !== 0) text = `[TCP ZeroWindow] ${text}`;
  if ((marks & m.zeroWindowProbeAcknowledgement) !== 0) text = `[TCP ZeroWindowProbeAck] ${text}`;
  return text;
}

/** ` → ` in UTF-8. */
const arrow = Uint8Array.of(0x20, 0xe2, 0x86, 0x92, 0x20);
/** By the twelve bits. */
const flagLists: string[] = [];

function flagListOf(flags: number): string {
  flagLists[flags] ??= ` [${flagList(flags)}] Seq=`;
  return flagLists[flags];
}

/** `39894 → 1883 [SYN] Seq=0 Win=65495 Len=0 MSS=65495 …`. */
function writeSegmentInfo(headers: FrameHeaders, segment: SegmentAnalysis, output: Utf8Buffer): void {
  const flags = headers.tcpFlags;
  output.decimal(headers.sourcePort);
  output.raw(arrow, 0, arrow.length);
  output.decimal(headers.destinationPort);
  output.text(flagListOf(flags));
  output.decimal(segment.relativeSequence);
  if ((flags & tcpFlags.ack) !== 0) {
    output.text(' Ack=');
    output.decimal(segment.relativeAcknowledgement);
  }
  output.text(' Win=');
  output.decimal(segment.windowSize);
  const bytes = headers.source.bytes;
  const at = headers.tcpOffset;
  if (at + 20 > bytes.length) return;
  if ((flags & tcpFlags.urg) !== 0) output.text(` Urg=${uint16At(bytes, at + 18)}`);
  output.text(' Len=');
  output.decimal(headers.wirePayloadLength);
  const end = Math.min(at + (bytes[at + 12]! >> 4) * 4, bytes.length);
  const base = (headers.acknowledgement - segment.relativeAcknowledgement) >>> 0;
  for (let option = at + 20; option < end; ) {
    const length = optionLength(bytes, option, end);
    if (length < 0) break;
    if (bytes[option] === optionKinds.timestamps) {
      output.text(' TSval=');
      output.decimal(uint32At(bytes, option + 2));
      output.text(' TSecr=');
      output.decimal(uint32At(bytes, option + 6));
    } else {
      output.text(optionInfo(bytes, option, length, base));
    }
    option += length;
  }
}

function optionInfo(bytes: Uint8Array, at: number, length: number, base: number): string {
  switch (bytes[at]) {
    case optionKinds.maximumSegmentSize:
      return ` MSS=${uint16At(bytes, at + 2)}`;
    case optionKinds.windowScale:
      return ` WS=${1 << Math.min(bytes[at + 2]!, 14)}`;
    case optionKinds.sackPermitted:
      return ' SACK_PERM';
    case optionKinds.sack: {
      let text = '';
      for (let edge = at + 2; edge + 8 <= at + length; edge += 8) {
        const left = (uint32At(bytes, edge) - base) >>> 0;
        text += ` SLE=${left} SRE=${(uint32At(bytes, edge + 4) - base) >>> 0}`;
      }
      return text;
    }
    case optionKinds.md5:
      return ' MD5';
    case optionKinds.userTimeout:
      return ` USER_TO=${uint16At(bytes, at + 2) & 0x7fff}`;
    case optionKinds.fastOpen:
      return length === 2 ? ' TFO=R' : ' TFO=C';
    default:
      return '';
  }
}
