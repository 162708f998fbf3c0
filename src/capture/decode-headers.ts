/** From a frame's bytes to the payload of TCP or UDP: link layer, tags, IP, transport. Never throws; what is cut or makes no sense ends the way up. */
import type { FragmentTable, ReassembledDatagram } from './fragments.ts';
import type { Frame } from './frame.ts';
import { FrameHeaders } from './frame-headers.ts';
import { linkTypes } from './link-types.ts';

const etherTypeIpv4 = 0x0800;
const etherTypeIpv6 = 0x86dd;
const etherTypePppoeSession = 0x8864;
const etherTypeMplsUnicast = 0x8847;
const etherTypeMplsMulticast = 0x8848;
/** Smaller values are a length: the frame is IEEE 802.3, with LLC, which carries no IP worth the name. */
const etherTypeMin = 0x0600;

const protocolHopByHop = 0;
const protocolTcp = 6;
const protocolUdp = 17;
const protocolRouting = 43;
const protocolFragment = 44;
const protocolAuthentication = 51;
const protocolDestination = 60;

/** More tags, labels or extension headers than this are no traffic but an attack. */
const vlanTagsMax = 16;
const mplsLabelsMax = 16;
const extensionHeadersMax = 32;

const ethernetHeaderLength = 14;
const cookedHeaderLength = 16;
const cooked2HeaderLength = 20;
const ipv4HeaderLength = 20;
const ipv6HeaderLength = 40;
const tcpHeaderLength = 20;
/** Bytes that must be there of a header that the capture cut. */
const tcpHeaderLengthCut = 16;
const udpHeaderLength = 8;
const fragmentHeaderLength = 8;

/**
 * Finds the headers of a frame.
 * @param fragments - where fragments of datagrams wait for each other; the frame that completes one is taken for the whole
 */
export function decodeHeaders(frame: Frame, fragments: FragmentTable): FrameHeaders {
  const headers = new FrameHeaders(frame);
  const bytes = frame.bytes;
  switch (frame.interface.linkType) {
    case linkTypes.ethernet:
      if (bytes.length < ethernetHeaderLength) break;
      headers.ethernetOffset = 0;
      decodeEtherType(headers, uint16(bytes, 12), ethernetHeaderLength, fragments);
      break;
    case linkTypes.linuxCooked:
      if (bytes.length < cookedHeaderLength) break;
      headers.cookedOffset = 0;
      decodeEtherType(headers, uint16(bytes, 14), cookedHeaderLength, fragments);
      break;
    case linkTypes.linuxCooked2:
      if (bytes.length < cooked2HeaderLength) break;
      headers.cookedOffset = 0;
      decodeEtherType(headers, uint16(bytes, 0), cooked2HeaderLength, fragments);
      break;
    case linkTypes.null:
    case linkTypes.loop:
      if (bytes.length < 4) break;
      headers.cookedOffset = 0;
      decodeFamily(headers, fragments);
      break;
    case linkTypes.raw:
    case linkTypes.rawBsd:
    case linkTypes.rawOpenBsd:
    case linkTypes.ipv4:
    case linkTypes.ipv6:
      decodeIp(headers, 0, fragments);
      break;
  }
  return headers;
}

function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Address families of a loopback header: AF_INET is 2 everywhere, AF_INET6 has a number of its own in every BSD; both byte orders occur. */
function decodeFamily(headers: FrameHeaders, fragments: FragmentTable): void {
  const bytes = headers.frame.bytes;
  let family = uint32(bytes, 0);
  if (family > 0xffff) family = (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0;
  switch (family) {
    case 2: // every system
    case 10: // Linux
    case 23: // Windows
    case 24: // NetBSD, OpenBSD
    case 28: // FreeBSD
    case 30: // macOS
      decodeIp(headers, 4, fragments);
  }
}

function isVlanTag(etherType: number): boolean {
  return etherType === 0x8100 || etherType === 0x88a8 || etherType === 0x9100;
}

/** `at` is where what `etherType` announces begins. */
function decodeEtherType(headers: FrameHeaders, etherType: number, at: number, fragments: FragmentTable): void {
  const bytes = headers.frame.bytes;
  let offset = at;
  let type = etherType;
  while (isVlanTag(type) && offset + 4 <= bytes.length && headers.vlanCount < vlanTagsMax) {
    if (headers.vlanCount++ === 0) headers.vlanOffset = offset;
    type = uint16(bytes, offset + 2);
    offset += 4;
  }
  if (type < etherTypeMin) return;
  headers.etherType = type;
  switch (type) {
    case etherTypeIpv4:
    case etherTypeIpv6:
      decodeIp(headers, offset, fragments);
      break;
    case etherTypePppoeSession:
      // Version and type 0x11, code 0 (session data), session, length; then PPP's protocol: 0x0021 IPv4, 0x0057 IPv6.
      if (offset + 8 > bytes.length || uint16(bytes, offset) !== 0x1100) break;
      if (uint16(bytes, offset + 6) === 0x0021 || uint16(bytes, offset + 6) === 0x0057)
        decodeIp(headers, offset + 8, fragments);
      break;
    case etherTypeMplsUnicast:
    case etherTypeMplsMulticast:
      for (let label = 0; label < mplsLabelsMax && offset + 4 <= bytes.length; label++) {
        const isBottom = (bytes[offset + 2]! & 1) === 1;
        offset += 4;
        if (isBottom) {
          decodeIp(headers, offset, fragments);
          break;
        }
      }
      break;
  }
}

/** The version in the first byte decides, whatever announced it. */
function decodeIp(headers: FrameHeaders, offset: number, fragments: FragmentTable): void {
  const bytes = headers.frame.bytes;
  if (offset >= bytes.length) return;
  const version = bytes[offset]! >> 4;
  if (version === 4) decodeIpv4(headers, offset, fragments);
  else if (version === 6) decodeIpv6(headers, offset, fragments);
}

function decodeIpv4(headers: FrameHeaders, offset: number, fragments: FragmentTable): void {
  const frame = headers.frame;
  const bytes = frame.bytes;
  if (offset + ipv4HeaderLength > bytes.length) return;
  const headerLength = (bytes[offset]! & 15) * 4;
  headers.ipVersion = 4;
  headers.ipOffset = offset;
  headers.ipHeaderLength = headerLength;
  const totalLength = uint16(bytes, offset + 2);
  // Zero where the network card is to cut the datagram: then it is all that was sent.
  const wireEnd = totalLength === 0 ? frame.length : Math.min(offset + totalLength, frame.length);
  headers.ipEnd = Math.min(wireEnd, bytes.length);
  headers.ipProtocol = bytes[offset + 9]!;
  if (headerLength < ipv4HeaderLength || offset + headerLength > headers.ipEnd) return;
  const fragmentWord = uint16(bytes, offset + 6) & 0x3fff;
  if (fragmentWord === 0) {
    decodeTransport(headers, bytes, offset + headerLength, headers.ipEnd, wireEnd);
    return;
  }
  const start = offset + headerLength;
  const fragmentOffset = (fragmentWord & 0x1fff) * 8;
  const hasMore = (fragmentWord & 0x2000) !== 0;
  if (wireEnd > headers.ipEnd) {
    // Cut by the capture: nothing can be put together of it, but the beginning of a datagram shows its ports.
    if (fragmentOffset === 0) decodeTransport(headers, bytes, start, headers.ipEnd, wireEnd);
    else headers.isFragment = true;
    return;
  }
  const identification = uint16(bytes, offset + 4);
  decodeWhole(headers, fragments.add(headers, identification, start, headers.ipEnd, fragmentOffset, hasMore));
}

function decodeIpv6(headers: FrameHeaders, offset: number, fragments: FragmentTable): void {
  const frame = headers.frame;
  const bytes = frame.bytes;
  if (offset + ipv6HeaderLength > bytes.length) return;
  headers.ipVersion = 6;
  headers.ipOffset = offset;
  headers.ipHeaderLength = ipv6HeaderLength;
  const payloadLength = uint16(bytes, offset + 4);
  const wireEnd =
    payloadLength === 0 ? frame.length : Math.min(offset + ipv6HeaderLength + payloadLength, frame.length);
  headers.ipEnd = Math.min(wireEnd, bytes.length);
  const at = skipExtensions(headers, bytes, bytes[offset + 6]!, offset + ipv6HeaderLength, headers.ipEnd);
  if (at < 0) return;
  if (at > offset + ipv6HeaderLength || headers.ipProtocol === protocolFragment)
    headers.ipExtensionOffset = offset + ipv6HeaderLength;
  if (headers.ipProtocol !== protocolFragment) {
    decodeTransport(headers, bytes, at, headers.ipEnd, wireEnd);
    return;
  }
  // Next Header, reserved, offset and M flag, identification: RFC 8200 §4.5.
  const start = at + fragmentHeaderLength;
  const next = bytes[at]!;
  const word = uint16(bytes, at + 2);
  const fragmentOffset = word & 0xfff8;
  headers.ipProtocol = next;
  if (wireEnd > headers.ipEnd) {
    if (fragmentOffset === 0) decodeAfterExtensions(headers, bytes, next, start, headers.ipEnd, wireEnd);
    else headers.isFragment = true;
    return;
  }
  const identification = uint32(bytes, at + 4);
  decodeWhole(headers, fragments.add(headers, identification, start, headers.ipEnd, fragmentOffset, (word & 1) === 1));
}

/**
 * Passes IPv6 extension headers, atomic fragments (RFC 6946) included, and leaves in `ipProtocol` what follows: `protocolFragment` if that is a
 * fragment header.
 * @returns where it lies; -1 if the headers do not end before `end`
 */
function skipExtensions(headers: FrameHeaders, bytes: Uint8Array, first: number, start: number, end: number): number {
  let next = first;
  let at = start;
  for (let count = 0; count < extensionHeadersMax; count++) {
    headers.ipProtocol = next;
    let length = 0;
    switch (next) {
      case protocolHopByHop:
      case protocolRouting:
      case protocolDestination:
        if (at + 8 > end) return -1;
        length = (bytes[at + 1]! + 1) * 8;
        break;
      case protocolAuthentication:
        if (at + 8 > end) return -1;
        length = (bytes[at + 1]! + 2) * 4;
        break;
      case protocolFragment:
        if (at + fragmentHeaderLength > end) return -1;
        if ((uint16(bytes, at + 2) & 0xfff9) !== 0) return at;
        length = fragmentHeaderLength;
        break;
      default:
        return at;
    }
    next = bytes[at]!;
    at += length;
    if (at > end) return -1;
  }
  return -1;
}

/** What a fragment completed, if it did. */
function decodeWhole(headers: FrameHeaders, whole: ReassembledDatagram | undefined): void {
  if (whole === undefined) {
    headers.isFragment = true;
    return;
  }
  headers.source = whole;
  headers.fragments = whole.frames;
  const length = whole.bytes.length;
  if (headers.ipVersion === 4) decodeTransport(headers, whole.bytes, 0, length, length);
  else decodeAfterExtensions(headers, whole.bytes, headers.ipProtocol, 0, length, length);
}

/** As `decodeTransport`, behind a fragment header, where more extension headers may follow. */
function decodeAfterExtensions(
  headers: FrameHeaders,
  bytes: Uint8Array,
  next: number,
  start: number,
  end: number,
  wireEnd: number,
): void {
  const at = skipExtensions(headers, bytes, next, start, end);
  if (at >= 0) decodeTransport(headers, bytes, at, end, wireEnd);
}

/**
 * TCP or UDP, as `ipProtocol` says.
 * @param end - of what was captured of the datagram
 * @param wireEnd - of the datagram as it was sent: beyond `end` in a frame that was cut
 */
function decodeTransport(headers: FrameHeaders, bytes: Uint8Array, at: number, end: number, wireEnd: number): void {
  if (headers.ipProtocol === protocolTcp) decodeTcp(headers, bytes, at, end, wireEnd);
  else if (headers.ipProtocol === protocolUdp) decodeUdp(headers, bytes, at, end, wireEnd);
}

function decodeTcp(headers: FrameHeaders, bytes: Uint8Array, at: number, end: number, wireEnd: number): void {
  // Up to the window is enough for the capture's sake: Wireshark looks no further for most of what it says, either.
  if (at + (end < wireEnd ? tcpHeaderLengthCut : tcpHeaderLength) > end) return;
  headers.tcpOffset = at;
  headers.sourcePort = uint16(bytes, at);
  headers.destinationPort = uint16(bytes, at + 2);
  const word = uint16(bytes, at + 12);
  headers.tcpFlags = word & 0xfff;
  headers.window = uint16(bytes, at + 14);
  // A data offset below five words is as wrong as one past the end: then there is no payload.
  const headerLength = (word >> 12) * 4;
  setPayload(headers, headerLength < tcpHeaderLength ? wireEnd : at + headerLength, end, wireEnd);
}

function decodeUdp(headers: FrameHeaders, bytes: Uint8Array, at: number, end: number, wireEnd: number): void {
  if (at + udpHeaderLength > end) return;
  headers.udpOffset = at;
  headers.sourcePort = uint16(bytes, at);
  headers.destinationPort = uint16(bytes, at + 2);
  // Zero in jumbograms: RFC 2675 §4.
  const length = uint16(bytes, at + 4);
  const udpEnd = length < udpHeaderLength ? wireEnd : Math.min(at + length, wireEnd);
  setPayload(headers, at + udpHeaderLength, Math.min(end, udpEnd), udpEnd);
}

function setPayload(headers: FrameHeaders, start: number, end: number, wireEnd: number): void {
  headers.payloadOffset = Math.min(start, end);
  headers.payloadLength = Math.max(0, end - start);
  headers.wirePayloadLength = Math.max(0, wireEnd - start);
}
