/** A frame that was dissected: what it turned out to be, to be described when somebody asks. */
import { textOf, type Utf8Buffer } from '../base/utf8-buffer.ts';
import { type SegmentAnalysis, segmentMarks } from '../capture/flow.ts';
import type { Frame } from '../capture/frame.ts';
import { areOptionsCut, type FrameHeaders } from '../capture/frame-headers.ts';
import { linkTypes } from '../capture/link-types.ts';
import { destinationColumn, protocolColumn, sourceColumn, writeInfoColumn } from './columns.ts';
import type { DissectedFrame } from './dissected-frame.ts';
import type { TimeValue } from './field.ts';
import type { FieldSink } from './field-sink.ts';
import { arpOffset, describeArp } from './layers/arp.ts';
import { dataFields, describeData } from './layers/data.ts';
import { describeEthernet } from './layers/ethernet.ts';
import { describeComments, describeFrame } from './layers/frame.ts';
import { httpFields } from './layers/http-fields.ts';
import { describeBogusIpv4, describeIpv4 } from './layers/ipv4.ts';
import { describeIpv6, extensionLength } from './layers/ipv6.ts';
import { describeLinkLayer } from './layers/link-layers.ts';
import { describeReassembly, type ReassemblyFields } from './layers/reassembly.ts';
import { describeTcp, describeTcpPorts } from './layers/tcp.ts';
import { tcpFields } from './layers/tcp-fields.ts';
import { tlsFields } from './layers/tls-fields.ts';
import { describeTrouble } from './layers/trouble.ts';
import { describeUdp } from './layers/udp.ts';
import { describeVlanTags, isProviderTag } from './layers/vlan.ts';
import { webSocketFields } from './layers/web-socket-fields.ts';
import { jsonFields, textLinesFields } from './mqtt/describe-media.ts';
import { type Media, mediaOf } from './mqtt/media.ts';
import { MqttPacket } from './mqtt/packet.ts';
import type { UpperLayer } from './stream-dissector.ts';
import type { UdpPlace } from './udp-streams.ts';

/** What a frame without layers above TCP has. */
export const noLayers: readonly UpperLayer[] = [];

export class FrameDissection implements DissectedFrame {
  readonly frame: Frame;
  readonly headers: FrameHeaders;
  readonly segment: SegmentAnalysis | undefined;
  layers: readonly UpperLayer[] = noLayers;
  /** Time of the first frame of the capture. */
  readonly first: TimeValue;
  /** undefined if it is no UDP datagram. */
  udp: UdpPlace | undefined = undefined;
  /** Whether the connection is dissected by a layer above TCP. */
  hasApplication = false;
  /** Bytes of the segment's direction that waited for the rest of a packet before this frame, and after it. */
  pendingBefore = 0;
  pendingBytes = 0;
  /** Its payload was there before: nothing of it is new. */
  isRepeated = false;
  /** Its payload waits for bytes before it. */
  isWaiting = false;
  /** Times of the frames before, the last one and the last that was displayed. The frames themselves need not be kept for it. */
  readonly #previousSeconds: number;
  readonly #previousNanoseconds: number;
  readonly #displayedSeconds: number;
  readonly #displayedNanoseconds: number;

  /**
   * @param previous - the frame before, or the frame itself
   * @param displayed - the frame that was displayed before, or the frame itself
   */
  constructor(
    headers: FrameHeaders,
    segment: SegmentAnalysis | undefined,
    first: TimeValue,
    previous: Frame,
    displayed: Frame,
  ) {
    this.frame = headers.frame;
    this.headers = headers;
    this.segment = segment;
    this.first = first;
    this.#previousSeconds = previous.seconds;
    this.#previousNanoseconds = previous.nanoseconds;
    this.#displayedSeconds = displayed.seconds;
    this.#displayedNanoseconds = displayed.nanoseconds;
  }

  get sinceFirstNs(): number {
    const { frame, first } = this;
    return (frame.seconds - first.seconds) * 1e9 + (frame.nanoseconds - first.nanoseconds);
  }

  get sincePreviousNs(): number {
    return (this.frame.seconds - this.#previousSeconds) * 1e9 + (this.frame.nanoseconds - this.#previousNanoseconds);
  }

  /** Nanoseconds since the frame that was displayed before. */
  get sinceDisplayedNs(): number {
    return (this.frame.seconds - this.#displayedSeconds) * 1e9 + (this.frame.nanoseconds - this.#displayedNanoseconds);
  }

  source(): string {
    return sourceColumn(this);
  }

  destination(): string {
    return destinationColumn(this);
  }

  protocol(): string {
    return protocolColumn(this);
  }

  info(): string {
    return textOf((output) => writeInfoColumn(this, output));
  }

  writeInfo(output: Utf8Buffer): void {
    writeInfoColumn(this, output);
  }

  /** As `frame.protocols` has it: `eth:ethertype:ip:tcp:mqtt`. */
  protocols(): string {
    return [...lowerProtocols(this), ...upperProtocols(this)].join(':');
  }

  describe(sink: FieldSink): void {
    const headers = this.headers;
    describeComments(sink, this);
    describeFrame(sink, this);
    describeEthernet(sink, headers);
    describeLinkLayer(sink, headers);
    describeVlanTags(sink, headers);
    describeArp(sink, headers);
    describeIpv4(sink, headers);
    describeIpv6(sink, headers);
    if (headers.etherType === etherTypeIpv4 && headers.ipOffset < 0) this.#describeBogusIp(sink);
    describeUdp(sink, this);
    describeTcp(sink, this);
    const troubled = troubledProtocol(this);
    if (troubled !== undefined) {
      const ports = cutPortsOffset(this);
      if (ports >= 0) describeTcpPorts(sink, this.frame, ports);
      describeTrouble(sink, this.frame, troubled);
    }
    if (this.layers.length > 0) describeLayers(sink, this.layers, headers.source);
    else describeRest(sink, this);
  }

  #describeBogusIp(sink: FieldSink): void {
    const at = bogusIpOffset(this);
    if (at >= 0) describeBogusIpv4(sink, this.frame, at);
  }
}

const tcpReassembly: ReassemblyFields = {
  whole: tcpFields.segments,
  part: tcpFields.segment,
  count: tcpFields.segmentCount,
  length: tcpFields.reassembledLength,
  data: tcpFields.reassembledData,
  title: 'Reassembled TCP Segments',
};

const tlsReassembly: ReassemblyFields = {
  whole: tlsFields.segments,
  part: tlsFields.segment,
  count: tlsFields.segmentCount,
  length: tlsFields.reassembledLength,
  data: tlsFields.reassembledData,
  title: 'Reassembled TLS segments',
};

const webSocketReassembly: ReassemblyFields = {
  whole: webSocketFields.fragments,
  part: webSocketFields.fragment,
  count: webSocketFields.fragmentCount,
  length: webSocketFields.reassembledLength,
  data: webSocketFields.reassembledData,
  title: 'Reassembled websocket Fragments',
};

/** Whether other layers lie within it. */
export function isWrapper(layer: UpperLayer): boolean {
  return (
    layer.protocol === tlsFields.self || layer.protocol === webSocketFields.self || layer.protocol === httpFields.self
  );
}

/** Layers in their order, each after the lines about what its bytes were put together from. */
function describeLayers(sink: FieldSink, layers: readonly UpperLayer[], datagram: UpperLayer['source']): void {
  let reassembly = tcpReassembly;
  // What a datagram was put together from stands at its IP layer.
  let described: UpperLayer['source'] | undefined;
  for (let index = 0; index < layers.length; index++) {
    const layer = layers[index]!;
    const source = layer.source;
    const isNamed = reassembly === tlsReassembly && !isWrapper(layer);
    if (source.segments !== undefined && source !== described && source !== datagram && !isNamed) {
      const fields = isWrapper(layer) ? reassemblyBelow(layer, reassembly) : reassembly;
      if (sink.wants(fields.whole.protocol)) describeReassembly(sink, fields, source, 0, source.bytes.length);
      described = source;
    }
    layer.describe(sink);
    if (layer.protocol === tlsFields.self) {
      reassembly = tlsReassembly;
      if (sink.wants(tlsFields.self)) describeTlsReassemblies(sink, layers, index + 1);
    } else if (layer.protocol === webSocketFields.self) reassembly = webSocketReassembly;
  }
}

/** What was put together from records of TLS: named directly behind these, what was whole last first, as Wireshark does. */
function describeTlsReassemblies(sink: FieldSink, layers: readonly UpperLayer[], from: number): void {
  let end = from;
  while (end < layers.length && !isWrapper(layers[end]!)) end++;
  for (let index = end - 1; index >= from; index--) {
    const { source } = layers[index]!;
    if (source.segments === undefined || (index > from && layers[index - 1]!.source === source)) continue;
    describeReassembly(sink, tlsReassembly, source, 0, source.bytes.length);
  }
}

/** TLS lies on TCP; WebSocket and HTTP on TCP or on TLS. */
function reassemblyBelow(layer: UpperLayer, reassembly: ReassemblyFields): ReassemblyFields {
  if (layer.protocol === tlsFields.self || reassembly === webSocketReassembly) return tcpReassembly;
  return reassembly;
}

/** Whether the payload of a segment is part of something, or was there before. */
function isClaimed(dissection: FrameDissection): boolean {
  const { segment, isRepeated, isWaiting, hasApplication } = dissection;
  if (isRepeated || dissection.pendingBytes > 0 || (isWaiting && hasApplication)) return true;
  return segment !== undefined && (segment.marks & segmentMarks.outOfOrder) !== 0;
}

/** Payload that no layer claims. */
function describeRest(sink: FieldSink, dissection: FrameDissection): void {
  const { headers, frame } = dissection;
  if (headers.tcpOffset >= 0) {
    if (isClaimed(dissection)) return;
    describeData(sink, headers.source, headers.payloadOffset, headers.payloadOffset + headers.payloadLength);
  } else if (headers.udpOffset >= 0) {
    describeData(sink, headers.source, headers.payloadOffset, headers.payloadOffset + headers.payloadLength);
  } else if (headers.source !== frame) {
    describeData(sink, headers.source, 0, headers.source.bytes.length);
  } else {
    const start = restOffset(headers);
    const end = headers.ipOffset >= 0 ? headers.ipEnd : frame.bytes.length;
    if (troubledProtocol(dissection) === undefined && bogusIpOffset(dissection) < 0)
      describeData(sink, frame, start, end);
  }
}

/** Where what follows the last header that could be read begins. */
function restOffset(headers: FrameHeaders): number {
  const arp = arpOffset(headers);
  if (arp >= 0) return headers.frame.bytes.length;
  if (headers.ipOffset >= 0) {
    let at = headers.ipOffset + headers.ipHeaderLength;
    let next = headers.frame.bytes[headers.ipOffset + 6]!;
    while (headers.ipVersion === 6 && at < headers.ipEnd) {
      const length = extensionLength(next, headers.frame.bytes, at);
      if (length === 0) break;
      next = headers.frame.bytes[at]!;
      at += length;
    }
    return at;
  }
  if (headers.vlanCount > 0) return headers.vlanOffset + headers.vlanCount * 4;
  if (headers.ethernetOffset >= 0) return 14;
  if (headers.cookedOffset < 0) return 0;
  switch (headers.frame.interface.linkType) {
    case linkTypes.linuxCooked:
      return 16;
    case linkTypes.linuxCooked2:
      return 20;
    default:
      return 4;
  }
}

const etherTypeIpv4 = 0x0800;
const etherTypeIpv6 = 0x86dd;
const protocolTcp = 6;
const protocolUdp = 17;

/** The protocol whose header does not fit into the frame; undefined if all do that there are. */
export function troubledProtocol(dissection: FrameDissection): string | undefined {
  const { headers, frame } = dissection;
  if (headers.tcpOffset >= 0) return areOptionsCut(headers) ? 'TCP' : undefined;
  if (headers.udpOffset >= 0 || headers.isFragment) return undefined;
  if (headers.ipOffset >= 0) {
    if (headers.ipHeaderLength < 20) return undefined;
    if (restOffset(headers) >= headers.ipEnd && !isCutBehindIp(headers)) return undefined;
    if (headers.ipProtocol === protocolTcp) return 'TCP';
    return headers.ipProtocol === protocolUdp ? 'UDP' : undefined;
  }
  if (headers.etherType === etherTypeIpv4) return bogusIpOffset(dissection) < 0 ? 'IPv4' : undefined;
  if (headers.etherType === etherTypeIpv6) return 'IPv6';
  switch (frame.interface.linkType) {
    case linkTypes.ethernet:
      return headers.ethernetOffset < 0 ? 'Ethernet' : undefined;
    case linkTypes.linuxCooked:
    case linkTypes.linuxCooked2:
      return headers.cookedOffset < 0 ? 'SLL' : undefined;
    case linkTypes.null:
    case linkTypes.loop:
      return headers.cookedOffset < 0 ? 'Null/Loopback' : undefined;
    case linkTypes.raw:
    case linkTypes.rawBsd:
    case linkTypes.rawOpenBsd:
      return 'Raw';
    case linkTypes.ipv4:
      return 'IPv4';
    case linkTypes.ipv6:
      return 'IPv6';
    default:
      return undefined;
  }
}

/** Where what was announced as IPv4 begins if it says to be neither that nor IPv6; -1 if there is no such thing. */
export function bogusIpOffset(dissection: FrameDissection): number {
  const { headers, frame } = dissection;
  if (headers.etherType !== etherTypeIpv4 || headers.ipOffset >= 0) return -1;
  const at = restOffset(headers);
  const version = (frame.bytes[at] ?? 0x40) >> 4;
  return version === 4 || version === 6 ? -1 : at;
}

/** Whether the capture cut a frame just behind its IP header. */
function isCutBehindIp({ frame, ipEnd }: FrameHeaders): boolean {
  return ipEnd === frame.bytes.length && frame.bytes.length < frame.length;
}

/** Where the ports of a TCP header lie of which there is not more than them; -1 if they are not there, or the header is. */
export function cutPortsOffset(dissection: FrameDissection): number {
  const { headers } = dissection;
  if (headers.tcpOffset >= 0 || troubledProtocol(dissection) !== 'TCP') return -1;
  const at = restOffset(headers);
  return at + 4 <= headers.ipEnd ? at : -1;
}

function lowerProtocols(dissection: FrameDissection): string[] {
  const { headers, frame } = dissection;
  const names: string[] = [];
  switch (frame.interface.linkType) {
    case linkTypes.ethernet:
      names.push('eth');
      if (headers.ethernetOffset >= 0 && frame.bytes[12]! << 8 >= 0x600) names.push('ethertype');
      break;
    case linkTypes.linuxCooked:
    case linkTypes.linuxCooked2:
      names.push('sll');
      if (headers.etherType > 0) names.push('ethertype');
      break;
    case linkTypes.null:
    case linkTypes.loop:
      names.push('null');
      break;
    case linkTypes.raw:
    case linkTypes.rawBsd:
    case linkTypes.rawOpenBsd:
      names.push('raw');
      break;
  }
  for (let tag = 0; tag < headers.vlanCount; tag++) {
    names.push(isProviderTag(headers, tag) ? 'ieee8021ad' : 'vlan', 'ethertype');
  }
  if (arpOffset(headers) >= 0) names.push('arp');
  if (headers.ipVersion === 4 || bogusIpOffset(dissection) >= 0) names.push('ip');
  else if (headers.ipVersion === 6) names.push('ipv6', ...extensionProtocols(headers));
  if (headers.tcpOffset >= 0 || troubledProtocol(dissection) === 'TCP') names.push('tcp');
  else if (headers.udpOffset >= 0) names.push('udp');
  return names;
}

const extensionNames: Readonly<Record<number, string>> = {
  0: 'ipv6.hopopts',
  43: 'ipv6.routing',
  44: 'ipv6.fraghdr',
  51: 'ah',
  60: 'ipv6.dstopts',
};

function extensionProtocols(headers: FrameHeaders): string[] {
  const names: string[] = [];
  if (headers.ipExtensionOffset < 0) return names;
  const bytes = headers.frame.bytes;
  let at = headers.ipExtensionOffset;
  let next = bytes[headers.ipOffset + 6]!;
  while (at < headers.ipEnd) {
    const length = extensionLength(next, bytes, at);
    if (length === 0) break;
    names.push(extensionNames[next]!);
    next = bytes[at]!;
    at += length;
  }
  return names;
}

const mediaProtocols: Readonly<Record<Media['kind'], string>> = {
  json: jsonFields.self.name,
  lines: textLinesFields.self.name,
  data: dataFields.self.name,
};

/** Several layers of a protocol count once while they lie in the same bytes. */
function upperProtocols(dissection: FrameDissection): string[] {
  const { layers } = dissection;
  const names: string[] = [];
  let previous: UpperLayer | undefined;
  for (const layer of layers) {
    if (layer.protocol === webSocketFields.self && previous?.protocol !== httpFields.self) {
      if (previous?.protocol !== webSocketFields.self) names.push(httpFields.self.name);
    }
    const isSame = previous?.protocol === layer.protocol && previous.source === layer.source;
    if (!isSame) names.push(layer.protocol.name);
    const media = layer instanceof MqttPacket ? mediaOf(layer) : undefined;
    if (media !== undefined) names.push(mediaProtocols[media.kind]);
    previous = layer;
  }
  if (layers.length === 0 && !isClaimed(dissection) && hasRest(dissection)) names.push('data');
  return names;
}

function hasRest(dissection: FrameDissection): boolean {
  const { headers, frame } = dissection;
  if (headers.tcpOffset >= 0 || headers.udpOffset >= 0) return headers.payloadLength > 0;
  if (troubledProtocol(dissection) !== undefined || bogusIpOffset(dissection) >= 0) return false;
  return restOffset(headers) < (headers.ipOffset >= 0 ? headers.ipEnd : frame.bytes.length);
}
