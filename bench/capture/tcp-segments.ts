/**
 * A TCP connection over IPv4 and Ethernet, as a capture beside the broker shows it: handshake with options, data and acknowledgements with
 * time stamps, and FIN from both sides. Lengths, sequence numbers and checksums are right.
 */

const flags = { fin: 0x01, syn: 0x02, push: 0x08, acknowledge: 0x10 } as const;
const headersLength = 14 + 20 + 32;
const synHeadersLength = 14 + 20 + 40;
/** Payload of a segment on an Ethernet, with time stamps. */
export const segmentBytesMax = 1448;
/** Segments that a receiver takes before it acknowledges them. */
const acknowledgedTogether = 2;
const window = 502;
const windowScale = 7;

interface End {
  readonly address: number;
  readonly port: number;
  sequence: number;
  /** Segments that came and were not acknowledged. */
  waiting: number;
  identification: number;
}

/** Takes a frame; its bytes are used again for the next one. */
export type FrameTaker = (frame: Uint8Array) => void;

/** 0: from the client. 1: from the server. */
export type Sender = 0 | 1;

export class TcpSegments {
  private readonly ends: readonly [End, End];
  private readonly frame = new Uint8Array(synHeadersLength + segmentBytesMax);
  private readonly view = new DataView(this.frame.buffer);

  /** @param clientAddress an IPv4 address as a number */
  constructor(clientAddress: number, clientPort: number, serverAddress: number, serverPort: number, sequence: number) {
    const end = (address: number, port: number, start: number): End => ({
      address,
      port,
      sequence: start >>> 0,
      waiting: 0,
      identification: start & 0xffff,
    });
    this.ends = [end(clientAddress, clientPort, sequence), end(serverAddress, serverPort, sequence ^ 0x5a5a_1234)];
  }

  /** @param time milliseconds, for the time stamps */
  open(time: number, take: FrameTaker): void {
    this.send(0, flags.syn, undefined, 0, 0, time, take);
    this.send(1, flags.syn | flags.acknowledge, undefined, 0, 0, time, take);
    this.send(0, flags.acknowledge, undefined, 0, 0, time, take);
  }

  data(sender: Sender, bytes: Uint8Array, time: number, take: FrameTaker): void {
    for (let start = 0; start < bytes.length; start += segmentBytesMax) {
      const end = Math.min(bytes.length, start + segmentBytesMax);
      const push = end === bytes.length ? flags.push : 0;
      this.send(sender, flags.acknowledge | push, bytes, start, end, time, take);
      const receiver = this.ends[sender === 0 ? 1 : 0];
      receiver.waiting++;
      if (receiver.waiting >= acknowledgedTogether) {
        this.send(sender === 0 ? 1 : 0, flags.acknowledge, undefined, 0, 0, time, take);
      }
    }
  }

  /** The client ends it. */
  close(time: number, take: FrameTaker): void {
    this.send(0, flags.fin | flags.acknowledge, undefined, 0, 0, time, take);
    this.send(1, flags.fin | flags.acknowledge, undefined, 0, 0, time, take);
    this.send(0, flags.acknowledge, undefined, 0, 0, time, take);
  }

  private send(
    from: Sender,
    tcpFlags: number,
    bytes: Uint8Array | undefined,
    start: number,
    end: number,
    time: number,
    take: FrameTaker,
  ): void {
    const { view, frame } = this;
    const sender = this.ends[from];
    const receiver = this.ends[from === 0 ? 1 : 0];
    sender.waiting = 0;
    const isSyn = (tcpFlags & flags.syn) !== 0;
    const headers = isSyn ? synHeadersLength : headersLength;
    const length = headers + end - start;
    view.setUint16(0, 0x0200);
    view.setUint32(2, receiver.address);
    view.setUint16(6, 0x0200);
    view.setUint32(8, sender.address);
    view.setUint16(12, 0x0800);
    view.setUint16(14, 0x4500);
    view.setUint16(16, length - 14);
    view.setUint16(18, sender.identification++);
    view.setUint16(20, 0x4000);
    view.setUint16(22, 0x4006);
    view.setUint16(24, 0);
    view.setUint32(26, sender.address);
    view.setUint32(30, receiver.address);
    view.setUint16(24, this.checksum(14, 34, 0));
    view.setUint16(34, sender.port);
    view.setUint16(36, receiver.port);
    view.setUint32(38, sender.sequence);
    view.setUint32(42, (tcpFlags & flags.acknowledge) === 0 ? 0 : receiver.sequence);
    view.setUint16(46, (((headers - 34) / 4) << 12) | tcpFlags);
    view.setUint16(48, isSyn ? 64_240 : window);
    view.setUint32(50, 0);
    // MSS, SACK permitted, time stamps, window scale; or two fillers and time stamps.
    if (isSyn) {
      view.setUint32(54, 0x0204_05b4);
      view.setUint32(58, 0x0402_080a);
      view.setUint32(70, 0x0103_0300 | windowScale);
    } else view.setUint32(54, 0x0101_080a);
    const timeStamps = isSyn ? 62 : 58;
    view.setUint32(timeStamps, time >>> 0);
    view.setUint32(timeStamps + 4, isSyn && from === 0 ? 0 : (time - 1) >>> 0);
    if (bytes !== undefined) frame.set(bytes.subarray(start, end), headers);
    view.setUint16(50, this.checksum(26, length, 6 + length - 34));
    sender.sequence = (sender.sequence + (end - start) + ((tcpFlags & (flags.syn | flags.fin)) === 0 ? 0 : 1)) >>> 0;
    take(frame.subarray(0, length));
  }

  /** Of `frame[start..end)` and what the pseudo header adds. [RFC 1071] */
  private checksum(start: number, end: number, initial: number): number {
    const { frame } = this;
    let sum = initial;
    for (let position = start; position + 1 < end; position += 2) sum += (frame[position]! << 8) | frame[position + 1]!;
    if (((end - start) & 1) === 1) sum += frame[end - 1]! << 8;
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    return ~sum & 0xffff;
  }
}
