/**
 * Frames of a connection as a wire would have shown them: Ethernet, IPv4 or IPv6, TCP, with right lengths, checksums and sequence numbers.
 *
 *     ┌ 14 ─────────┬ 20 or 40 ┬ 20 or 28 ──────────┬─────────┐
 *     │ Ethernet    │ IP       │ TCP (SYN: options) │ payload │
 *     └─────────────┴──────────┴────────────────────┴─────────┘
 */
import type { PeerAddress } from '../../transport/transport.ts';
import { addressBytes } from './address-bytes.ts';

const ethernetLength = 14;
const tcpLength = 20;
/** Maximum segment size (4), no-operation (1), window scale (3). */
const synOptionsLength = 8;
/** Payload of one segment: with the headers below the 65,535 bytes that an IPv4 datagram may have. */
export const segmentBytesMax = 65_480;
/** What both ends say they have room for; scaled, 8 MiB. */
const window = 65_535;
const windowScale = 7;
/** An end that only listens acknowledges at least so often: well within its window. */
const acknowledgeAfterBytes = 4 * 1024 * 1024;

const flags = { fin: 0x01, syn: 0x02, reset: 0x04, push: 0x08, acknowledge: 0x10 } as const;

/** One end of the connection. */
interface End {
  readonly address: Uint8Array;
  readonly port: number;
  /** Sequence number of the next byte. */
  next: number;
  /** Bytes received since it last acknowledged. */
  unacknowledged: number;
  hasEnded: boolean;
}

/** Takes each frame when it is made. */
export type FrameConsumer = (frame: Uint8Array) => void;

export class SegmentFrames {
  readonly #client: End;
  readonly #broker: End;
  readonly #isIpv6: boolean;
  readonly #headersLength: number;
  #identification = 0;

  /**
   * Ends without an IP address (Unix sockets, memory) are shown on the loopback.
   * @param initialSequence of the client; the broker begins half a circle away
   */
  constructor(client: PeerAddress, broker: PeerAddress, initialSequence: number) {
    const clientBytes = addressBytes(client.address);
    const brokerBytes = addressBytes(broker.address);
    this.#isIpv6 = clientBytes.length === 16 || brokerBytes.length === 16;
    const widen = (bytes: Uint8Array): Uint8Array => (this.#isIpv6 && bytes.length === 4 ? mapped(bytes) : bytes);
    this.#client = endOf(widen(clientBytes), client.port, initialSequence);
    this.#broker = endOf(widen(brokerBytes), broker.port, initialSequence + 0x8000_0000);
    this.#headersLength = ethernetLength + (this.#isIpv6 ? 40 : 20);
  }

  /** SYN, SYN-ACK, ACK. */
  open(use: FrameConsumer): void {
    use(this.#segment(this.#client, this.#broker, flags.syn, undefined, 0, 0));
    this.#client.next = (this.#client.next + 1) >>> 0;
    use(this.#segment(this.#broker, this.#client, flags.syn | flags.acknowledge, undefined, 0, 0));
    this.#broker.next = (this.#broker.next + 1) >>> 0;
    use(this.#segment(this.#client, this.#broker, flags.acknowledge, undefined, 0, 0));
  }

  /** Bytes from one end, in as many segments as they need. */
  data(fromClient: boolean, bytes: Uint8Array, use: FrameConsumer): void {
    const sender = fromClient ? this.#client : this.#broker;
    const receiver = fromClient ? this.#broker : this.#client;
    for (let start = 0; start < bytes.length; start += segmentBytesMax) {
      const end = Math.min(bytes.length, start + segmentBytesMax);
      const push = end === bytes.length ? flags.push : 0;
      use(this.#segment(sender, receiver, flags.acknowledge | push, bytes, start, end));
      sender.next = (sender.next + (end - start)) >>> 0;
      receiver.unacknowledged += end - start;
      if (receiver.unacknowledged >= acknowledgeAfterBytes) {
        use(this.#segment(receiver, sender, flags.acknowledge, undefined, 0, 0));
      }
    }
  }

  /** Bytes that are not shown: whoever reads the capture sees that they are missing. */
  skip(fromClient: boolean, count: number): void {
    const sender = fromClient ? this.#client : this.#broker;
    sender.next = (sender.next + count) >>> 0;
  }

  /** FIN of one end, and the acknowledgement of the other. */
  end(fromClient: boolean, use: FrameConsumer): void {
    const sender = fromClient ? this.#client : this.#broker;
    const receiver = fromClient ? this.#broker : this.#client;
    if (sender.hasEnded) return;
    sender.hasEnded = true;
    use(this.#segment(sender, receiver, flags.fin | flags.acknowledge, undefined, 0, 0));
    sender.next = (sender.next + 1) >>> 0;
    if (receiver.hasEnded) use(this.#segment(receiver, sender, flags.acknowledge, undefined, 0, 0));
  }

  /** RST of the client, or of the broker if the client has ended; nothing if both have. */
  reset(use: FrameConsumer): void {
    if (this.#client.hasEnded && this.#broker.hasEnded) return;
    const sender = this.#client.hasEnded ? this.#broker : this.#client;
    const receiver = sender === this.#client ? this.#broker : this.#client;
    use(this.#segment(sender, receiver, flags.reset | flags.acknowledge, undefined, 0, 0));
    this.#client.hasEnded = true;
    this.#broker.hasEnded = true;
  }

  #segment(
    sender: End,
    receiver: End,
    tcpFlags: number,
    bytes: Uint8Array | undefined,
    start: number,
    end: number,
  ): Uint8Array {
    const isSyn = (tcpFlags & flags.syn) !== 0;
    const tcpHeader = tcpLength + (isSyn ? synOptionsLength : 0);
    const frame = new Uint8Array(this.#headersLength + tcpHeader + (end - start));
    frame[12] = this.#isIpv6 ? 0x86 : 0x08;
    frame[13] = this.#isIpv6 ? 0xdd : 0x00;
    if (this.#isIpv6) this.#writeIpv6(frame, sender, receiver);
    else this.#writeIpv4(frame, sender, receiver);
    const tcp = this.#headersLength;
    set16(frame, tcp, sender.port);
    set16(frame, tcp + 2, receiver.port);
    set32(frame, tcp + 4, sender.next);
    if ((tcpFlags & flags.acknowledge) !== 0) set32(frame, tcp + 8, receiver.next);
    frame[tcp + 12] = (tcpHeader / 4) << 4;
    frame[tcp + 13] = tcpFlags;
    set16(frame, tcp + 14, window);
    if (isSyn) {
      frame.set([2, 4, segmentBytesMax >> 8, segmentBytesMax & 0xff, 1, 3, 3, windowScale], tcp + tcpLength);
    }
    if (bytes !== undefined) frame.set(bytes.subarray(start, end), tcp + tcpHeader);
    set16(frame, tcp + 16, this.#tcpChecksum(frame, tcp, sender, receiver));
    sender.unacknowledged = 0;
    return frame;
  }

  #writeIpv4(frame: Uint8Array, sender: End, receiver: End): void {
    const ip = ethernetLength;
    frame[ip] = 0x45;
    set16(frame, ip + 2, frame.length - ip);
    this.#identification = (this.#identification + 1) & 0xffff;
    set16(frame, ip + 4, this.#identification);
    frame[ip + 6] = 0x40;
    frame[ip + 8] = 64;
    frame[ip + 9] = 6;
    frame.set(sender.address, ip + 12);
    frame.set(receiver.address, ip + 16);
    set16(frame, ip + 10, onesComplement(sum16(frame, ip, ip + 20, 0)));
  }

  #writeIpv6(frame: Uint8Array, sender: End, receiver: End): void {
    const ip = ethernetLength;
    frame[ip] = 0x60;
    set16(frame, ip + 4, frame.length - ip - 40);
    frame[ip + 6] = 6;
    frame[ip + 7] = 64;
    frame.set(sender.address, ip + 8);
    frame.set(receiver.address, ip + 24);
  }

  /** Over the pseudo header, the header and the payload; the checksum field is still 0. [RFC 9293 §3.1] */
  #tcpChecksum(frame: Uint8Array, tcp: number, sender: End, receiver: End): number {
    const length = frame.length - tcp;
    let sum = sum16(sender.address, 0, sender.address.length, 6 + (length & 0xffff) + (length >>> 16));
    sum = sum16(receiver.address, 0, receiver.address.length, sum);
    return onesComplement(sum16(frame, tcp, frame.length, sum));
  }
}

function endOf(address: Uint8Array, port: number, sequence: number): End {
  return { address, port, next: sequence >>> 0, unacknowledged: 0, hasEnded: false };
}

/** An IPv4 address in IPv6: `::ffff:a.b.c.d`. */
function mapped(address: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes[10] = 0xff;
  bytes[11] = 0xff;
  bytes.set(address, 12);
  return bytes;
}

function set16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

function set32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Adds 16-bit words, big-endian, an odd byte as if a 0 followed. The longest frame keeps the sum below 2^33. [RFC 1071] */
function sum16(bytes: Uint8Array, start: number, end: number, sum: number): number {
  let total = sum;
  let at = start;
  for (; at + 1 < end; at += 2) total += ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  if (at < end) total += (bytes[at] as number) << 8;
  return total;
}

function onesComplement(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x1_0000);
  return ~folded & 0xffff;
}
