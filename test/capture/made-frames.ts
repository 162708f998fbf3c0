/** Frames made by hand: what a test wants to say of a packet, and nothing else. */
import type { CaptureInterface } from '../../src/capture/frame.ts';
import { Frame } from '../../src/capture/frame.ts';
import { linkTypes } from '../../src/capture/link-types.ts';

export const flags = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 0x10 } as const;

export interface SegmentFields {
  /** Host numbers in 10.0.0.0/24. */
  readonly from?: number;
  readonly to?: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly flags?: number;
  readonly window?: number;
  readonly options?: readonly number[];
  readonly payload?: Uint8Array;
}

export function interfaceOf(linkType: number): CaptureInterface {
  return { index: 0, linkType, snapLength: 0, name: undefined, description: undefined };
}

const ethernetInterface = interfaceOf(linkTypes.ethernet);

/** @param seconds - since the epoch, with a fraction of nanoseconds that a double can hold */
export function frameOf(
  bytes: Uint8Array,
  { number = 1, seconds = 0, nanoseconds = 0, linkType = linkTypes.ethernet as number, length = bytes.length } = {},
): Frame {
  const captureInterface = linkType === linkTypes.ethernet ? ethernetInterface : interfaceOf(linkType);
  return new Frame(number, seconds, nanoseconds, length, bytes, captureInterface, undefined);
}

export function word16(value: number): number[] {
  return [(value >>> 8) & 0xff, value & 0xff];
}

export function word32(value: number): number[] {
  return [...word16(value >>> 16), ...word16(value & 0xffff)];
}

export function tcpSegment(fields: SegmentFields): number[] {
  const options = [...(fields.options ?? [])];
  while (options.length % 4 !== 0) options.push(1);
  return [
    ...word16(fields.sourcePort ?? 40_000),
    ...word16(fields.destinationPort ?? 1883),
    ...word32(fields.sequence ?? 0),
    ...word32(fields.acknowledgement ?? 0),
    ((20 + options.length) / 4) << 4,
    fields.flags ?? flags.ack,
    ...word16(fields.window ?? 8000),
    ...[0, 0, 0, 0],
    ...options,
    ...(fields.payload ?? []),
  ];
}

export interface Ipv4Fields {
  readonly from?: number;
  readonly to?: number;
  readonly protocol?: number;
  readonly identification?: number;
  /** In bytes. */
  readonly fragmentOffset?: number;
  readonly hasMore?: boolean;
  readonly options?: readonly number[];
  readonly totalLength?: number;
}

export function ipv4(payload: readonly number[], fields: Ipv4Fields = {}): number[] {
  const options = fields.options ?? [];
  const headerLength = 20 + options.length;
  return [
    0x40 | (headerLength / 4),
    0,
    ...word16(fields.totalLength ?? headerLength + payload.length),
    ...word16(fields.identification ?? 0),
    ...word16(((fields.hasMore ?? false) ? 0x2000 : 0) | ((fields.fragmentOffset ?? 0) / 8)),
    64,
    fields.protocol ?? 6,
    ...[0, 0],
    ...[10, 0, 0, fields.from ?? 1],
    ...[10, 0, 0, fields.to ?? 2],
    ...options,
    ...payload,
  ];
}

/** @param next - Next Header of the fixed header; extension headers are the beginning of `payload` */
export function ipv6(payload: readonly number[], next = 6, { from = 1, to = 2, payloadLength = payload.length } = {}) {
  const address = (host: number) => [0xfd, ...new Array<number>(14).fill(0), host];
  return [0x60, 0, 0, 0, ...word16(payloadLength), next, 64, ...address(from), ...address(to), ...payload];
}

export function ethernet(payload: readonly number[], etherType = 0x0800, tags: readonly number[] = []): Uint8Array {
  return new Uint8Array([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ...tags, ...word16(etherType), ...payload]);
}

/** Ethernet, IPv4 and TCP. */
export function segmentFrame(fields: SegmentFields, number = 1, nanosecondsSinceStart = 0): Frame {
  const bytes = ethernet(ipv4(tcpSegment(fields), { from: fields.from ?? 1, to: fields.to ?? 2 }));
  const seconds = 1_700_000_000 + Math.floor(nanosecondsSinceStart / 1e9);
  return frameOf(bytes, { number, seconds, nanoseconds: nanosecondsSinceStart % 1e9 });
}
