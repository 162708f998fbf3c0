/** What was said in a connection, packet by packet. */
import type { Flow } from '../../capture/flow.ts';
import { decodePayload, type PayloadFormat } from '../../payload/decode-payload.ts';
import type { DissectedFrame } from '../dissected-frame.ts';
import { MqttPacket } from '../mqtt/packet.ts';
import { type PacketSummary, summarizePacket } from './packet-summary.ts';

/** Whose conversation: that of a TCP connection, or all of a client. */
export type FollowTarget = { readonly stream: number } | { readonly client: string };

export interface FollowedPacket extends PacketSummary {
  readonly kind: 'packet';
  readonly frame: number;
  /** `tcp.stream`. */
  readonly stream: number;
  /** Client Identifier; empty if there is none. */
  readonly client: string;
  /** Seconds since the first frame of the TCP connection. */
  readonly time: number;
  readonly isByClient: boolean;
  /** Bytes on the wire, fixed header included. */
  readonly length: number;
  /** Frame that it answers, and the seconds since; 0 if it answers none. */
  readonly answers: number;
  readonly answerTime: number;
  readonly payload: FollowedPayload | undefined;
  /** Bytes before it, or of it, that were not captured. */
  readonly missing: number;
}

export interface FollowedPayload {
  readonly text: string;
  readonly format: PayloadFormat;
  readonly length: number;
  /** Whether `text` is all of it. */
  readonly isWhole: boolean;
}

/** One end ends the TCP connection. */
export interface FollowedEnd {
  readonly kind: 'end';
  readonly frame: number;
  readonly stream: number;
  readonly time: number;
  readonly isByClient: boolean;
  readonly how: 'FIN' | 'RST';
}

export type FollowedLine = FollowedPacket | FollowedEnd;

const flagFin = 1;
const flagReset = 4;

export class Follower {
  readonly #target: FollowTarget;
  /** Connections that were met, with whether their client is what TCP takes for the server. */
  readonly #flows = new WeakMap<Flow, { isSwapped: boolean }>();

  constructor(target: FollowTarget) {
    this.#target = target;
  }

  /** What the frame adds to the conversation; an empty list as a rule. */
  next(frame: DissectedFrame): FollowedLine[] {
    const { segment, headers } = frame;
    const lines: FollowedLine[] = [];
    if (segment === undefined) return lines;
    const { flow, direction } = segment;
    const target = this.#target;
    if ('stream' in target && flow.index !== target.stream) return lines;
    for (const layer of frame.layers) {
      if (!(layer instanceof MqttPacket)) continue;
      if ('client' in target && layer.facts.clientIdentifier !== target.client) continue;
      if (!this.#flows.has(flow)) this.#flows.set(flow, { isSwapped: layer.isByClient !== (direction === 0) });
      lines.push(followPacket(layer, flow.index, segment.sinceFirstNs / 1e9));
    }
    const known = this.#flows.get(flow);
    const { tcpFlags } = headers;
    if (known !== undefined && (tcpFlags & (flagFin | flagReset)) !== 0) {
      lines.push({
        kind: 'end',
        frame: frame.frame.number,
        stream: flow.index,
        time: segment.sinceFirstNs / 1e9,
        isByClient: (direction === 0) !== known.isSwapped,
        how: (tcpFlags & flagReset) !== 0 ? 'RST' : 'FIN',
      });
    }
    return lines;
  }
}

function followPacket(packet: MqttPacket, stream: number, time: number): FollowedPacket {
  const { frame, answersFrame, answersSeconds, answersNanoseconds } = packet;
  const summary = summarizePacket(packet);
  return {
    ...summary,
    kind: 'packet',
    frame: frame.number,
    stream,
    client: packet.facts.clientIdentifier,
    time,
    isByClient: packet.isByClient,
    length: packet.end - packet.start + packet.absentBytes,
    answers: answersFrame,
    answerTime:
      answersFrame === 0 ? 0 : frame.seconds - answersSeconds + (frame.nanoseconds - answersNanoseconds) / 1e9,
    payload: payloadOf(packet, summary),
    missing: packet.missingBefore + packet.absentBytes,
  };
}

function payloadOf(packet: MqttPacket, { publish, topic }: PacketSummary): FollowedPayload | undefined {
  if (publish === undefined) return undefined;
  const { payloadStart, payloadLength, isPayloadCut, contentType, payloadFormat } = publish;
  const bytes = packet.source.bytes.subarray(payloadStart, packet.end);
  const { text, format, isCut } = decodePayload(bytes, { topic, contentType, payloadFormat });
  return { text, format, length: payloadLength, isWhole: !isCut && !isPayloadCut };
}
