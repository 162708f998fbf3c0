/** What stands before the datagram where it is not Ethernet: Linux cooked captures, loopback, nothing. */
import type { FrameHeaders } from '../../capture/frame-headers.ts';
import { linkTypes } from '../../capture/link-types.ts';
import { defineFields } from '../field.ts';
import type { FieldSink } from '../field-sink.ts';
import { uint16At, uint32At } from './bytes.ts';
import { etherTypes } from './ether-types.ts';

export const cookedFields = defineFields('sll', 'Linux cooked-mode capture', {
  packetType: {
    name: 'sll.pkttype',
    label: 'Packet type',
    type: 'uint16',
    values: { 0: 'Unicast to us', 1: 'Broadcast', 2: 'Multicast', 3: 'Unicast to another host', 4: 'Sent by us' },
  },
  hardwareType: {
    name: 'sll.hatype',
    label: 'Link-layer address type',
    type: 'uint16',
    values: {
      0: 'NET/ROM pseudo',
      1: 'Ethernet',
      6: 'IEEE 802',
      32: 'InfiniBand',
      280: 'Controller Area Network',
      512: 'PPP',
      513: 'Cisco HDLC',
      519: 'Raw IP',
      768: 'IPIP tunnel',
      769: 'IP6IP6 tunnel',
      772: 'Loopback',
      776: 'sit0 device - IPv6-in-IPv4',
      778: 'GRE over IP',
      801: 'IEEE 802.11',
      802: 'IEEE 802.11 + Prism2 header',
      803: 'IEEE 802.11 + radiotap header',
      804: 'IEEE 802.15.4',
      823: 'GRE over IPv6',
      824: 'Netlink',
      825: 'IPv6 over LoWPAN',
      826: 'Vsock monitor header',
      65535: 'Void type, nothing is known',
      65534: 'zero header length',
    },
  },
  addressLength: { name: 'sll.halen', label: 'Link-layer address length', type: 'uint16' },
  sourceEthernet: { name: 'sll.src.eth', label: 'Source', type: 'ethernet' },
  sourceIpv4: { name: 'sll.src.ipv4', label: 'Source', type: 'ipv4' },
  sourceOther: { name: 'sll.src.other', label: 'Source', type: 'bytes' },
  unused: { name: 'sll.unused', label: 'Unused', type: 'bytes' },
  linuxType: {
    name: 'sll.ltype',
    label: 'Protocol',
    type: 'uint16',
    display: 'hexadecimal',
    values: { 1: 'Raw 802.3', 4: '802.2 LLC' },
  },
  type: { name: 'sll.etype', label: 'Protocol', type: 'uint16', display: 'hexadecimal', values: etherTypes },
  interfaceIndex: { name: 'sll.ifindex', label: 'Interface index', type: 'uint32' },
});

export const loopbackFields = defineFields('null', 'Null/Loopback', {
  family: {
    name: 'null.family',
    label: 'Family',
    type: 'uint32',
    values: { 2: 'IP', 7: 'OSI', 16: 'Appletalk', 23: 'Netware IPX/SPX', 24: 'IPv6', 28: 'IPv6', 30: 'IPv6' },
  },
});

export const rawFields = defineFields('raw', 'Raw packet data', {});

export function describeLinkLayer(sink: FieldSink, headers: FrameHeaders): void {
  const frame = headers.frame;
  switch (frame.interface.linkType) {
    case linkTypes.linuxCooked:
      describeCooked(sink, headers);
      break;
    case linkTypes.linuxCooked2:
      describeCooked2(sink, headers);
      break;
    case linkTypes.null:
    case linkTypes.loop:
      describeLoopback(sink, headers);
      break;
    case linkTypes.raw:
    case linkTypes.rawBsd:
    case linkTypes.rawOpenBsd:
      if (!sink.wants(rawFields.self)) break;
      sink.enter(rawFields.self, frame, 0, frame.bytes.length);
      sink.leave();
      break;
  }
}

/** Packet type, address type, length of the address, eight bytes for it, protocol: https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html */
function describeCooked(sink: FieldSink, headers: FrameHeaders): void {
  if (headers.cookedOffset < 0 || !sink.wants(cookedFields.self)) return;
  const f = cookedFields;
  const frame = headers.frame;
  const bytes = frame.bytes;
  sink.enter(f.self, frame, 0, 16);
  sink.setReach(frame, bytes.length, false);
  if (sink.wantsText) sink.setText('Linux cooked capture v1');
  sink.add(f.packetType, frame, 0, 2, uint16At(bytes, 0));
  sink.add(f.hardwareType, frame, 2, 4, uint16At(bytes, 2));
  sink.add(f.addressLength, frame, 4, 6, uint16At(bytes, 4));
  describeSource(sink, headers, 6, uint16At(bytes, 4), 14);
  describeProtocol(sink, headers, 14);
  sink.leave();
}

/** Protocol, interface, address type, packet type, address: https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html */
function describeCooked2(sink: FieldSink, headers: FrameHeaders): void {
  if (headers.cookedOffset < 0 || !sink.wants(cookedFields.self)) return;
  const f = cookedFields;
  const frame = headers.frame;
  const bytes = frame.bytes;
  sink.enter(f.self, frame, 0, 20);
  sink.setReach(frame, bytes.length, false);
  if (sink.wantsText) sink.setText('Linux cooked capture v2');
  describeProtocol(sink, headers, 0);
  sink.add(f.interfaceIndex, frame, 4, 8, uint32At(bytes, 4));
  sink.add(f.hardwareType, frame, 8, 10, uint16At(bytes, 8));
  sink.add(f.packetType, frame, 10, 11, bytes[10]!);
  sink.add(f.addressLength, frame, 11, 12, bytes[11]!);
  describeSource(sink, headers, 12, bytes[11]!, 20);
  sink.leave();
}

function describeProtocol(sink: FieldSink, headers: FrameHeaders, at: number): void {
  const type = uint16At(headers.frame.bytes, at);
  sink.add(type < 0x600 ? cookedFields.linuxType : cookedFields.type, headers.frame, at, at + 2, type);
}

function describeSource(sink: FieldSink, headers: FrameHeaders, at: number, length: number, end: number): void {
  const f = cookedFields;
  const frame = headers.frame;
  const used = Math.min(length, end - at);
  if (used === 6) sink.addBytes(f.sourceEthernet, frame, at, at + 6);
  else if (used === 4) sink.add(f.sourceIpv4, frame, at, at + 4, uint32At(frame.bytes, at));
  else if (used > 0) sink.addBytes(f.sourceOther, frame, at, at + used);
  if (at + used < end) sink.addBytes(f.unused, frame, at + used, end);
}

function describeLoopback(sink: FieldSink, headers: FrameHeaders): void {
  if (headers.cookedOffset < 0 || !sink.wants(loopbackFields.self)) return;
  const frame = headers.frame;
  sink.enter(loopbackFields.self, frame, 0, 4);
  sink.setReach(frame, frame.bytes.length, false);
  sink.add(loopbackFields.family, frame, 0, 4, loopbackFamily(frame.bytes));
  sink.leave();
}

/** In the byte order in which it is small. */
function loopbackFamily(bytes: Uint8Array): number {
  const family = uint32At(bytes, 0);
  if (family <= 0xffff) return family;
  return (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0;
}
