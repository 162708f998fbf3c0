/**
 * Where the headers of a frame lie, and the few values that everything above needs. Offsets of the transport layer and its payload count from the
 * beginning of `source.bytes`, which is the frame itself, or the payload of an IP datagram put together from fragments: the offsets of link layer
 * and IP are always those of the frame. An offset of -1 says that there is no such header.
 */
import type { DataSource, Frame } from './frame.ts';

/** A shape with every field set at once: one is made per frame. `decodeHeaders` in `decode-headers.ts` fills it. */
export class FrameHeaders {
  readonly frame: Frame;
  /** Where the offsets from `tcpOffset` on count: the frame, or `Reassembled IPv4 (n bytes)`, which has the payload of all fragments. */
  source: DataSource;
  /** Ethernet header; -1 for other link types. */
  ethernetOffset = -1;
  /** Linux cooked header, version 1 or 2, or the four bytes of a loopback: which of them says the interface's link type. */
  cookedOffset = -1;
  /** First 802.1Q or 802.1ad tag's TCI; tags follow each other in steps of 4. */
  vlanOffset = -1;
  vlanCount = 0;
  /** EtherType of what follows the tags; 0 if there is none. */
  etherType = 0;
  /** 4, 6, or 0 if there is no IP. */
  ipVersion: 0 | 4 | 6 = 0;
  ipOffset = -1;
  /** Bytes, with options and without IPv6 extension headers. */
  ipHeaderLength = 0;
  /** End of the datagram: what lies behind is padding of the link layer. Never past the end of the frame's bytes. */
  ipEnd = 0;
  /** First IPv6 extension header; -1 if there is none. */
  ipExtensionOffset = -1;
  /** Protocol of the payload (IPv4's Protocol, or the last Next Header); -1 if none. */
  ipProtocol = -1;
  /** A fragment that completed no datagram: there is no transport header to look at. */
  isFragment = false;
  /** Numbers of the frames whose fragments make up `source`; undefined for a whole datagram. */
  fragments: readonly number[] | undefined = undefined;
  tcpOffset = -1;
  udpOffset = -1;
  sourcePort = 0;
  destinationPort = 0;
  /** Twelve bits: FIN 1, SYN 2, RST 4, PSH 8, ACK 0x10, URG 0x20, ECE 0x40, CWR 0x80, AE 0x100, reserved. */
  tcpFlags = 0;
  /** As in the header, not scaled. */
  window = 0;
  /** Payload of TCP or UDP, in `source.bytes`. */
  payloadOffset = 0;
  /** Bytes of the payload that were captured. */
  payloadLength = 0;
  /** Bytes of the payload on the wire: more than `payloadLength` in a frame that was cut. */
  wirePayloadLength = 0;

  constructor(frame: Frame) {
    this.frame = frame;
    this.source = frame;
  }

  /** Sequence number, unsigned; 0 without TCP. Read when asked for: a field of more than 31 bits would take memory of its own in every frame. */
  get sequence(): number {
    return this.tcpOffset < 0 ? 0 : uint32(this.source.bytes, this.tcpOffset + 4);
  }

  /** Acknowledgement number, likewise. */
  get acknowledgement(): number {
    return this.tcpOffset < 0 ? 0 : uint32(this.source.bytes, this.tcpOffset + 8);
  }
}

function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Whether the capture cut the frame within the options of its segment. */
export function areOptionsCut(headers: FrameHeaders): boolean {
  const { frame, source, tcpOffset } = headers;
  const captured = frame.bytes.length;
  if (captured >= frame.length || source !== frame || tcpOffset < 0) return false;
  return tcpOffset + (frame.bytes[tcpOffset + 12]! >> 4) * 4 > captured;
}
