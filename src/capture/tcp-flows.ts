/** Everything of TCP: the connection of each segment, its analysis, and the bytes it puts in order. */

import type { SegmentAnalysis } from './flow.ts';
import type { FlowDivision } from './flow-division.ts';
import { FlowTable, type FlowTableLimits } from './flow-table.ts';
import type { FrameHeaders } from './frame-headers.ts';
import { analyseSegment, noteSegment } from './segment-analysis.ts';
import type { SegmentHistory } from './segment-history.ts';
import type { StreamAssembler } from './stream-assembler.ts';
import type { StreamChunk } from './stream-chunk.ts';
import { tcpFlags } from './tcp-flags.ts';
import type { TcpFlow } from './tcp-flow.ts';
import type { TcpResult } from './tcp-result.ts';

class ReusedResult implements TcpResult {
  analysis!: SegmentAnalysis;
  readonly chunks: StreamChunk[] = [];
  readonly released: StreamChunk[] = [];
  ended = 0;
}

export class TcpFlows {
  readonly #table: FlowTable;
  readonly #result = new ReusedResult();
  readonly #division: FlowDivision | undefined;

  /** @param division - between this and other readers of the capture; undefined: there are none */
  constructor(limits: FlowTableLimits = {}, division?: FlowDivision) {
    this.#table = new FlowTable(limits);
    this.#division = division;
  }

  /** Connections that are remembered. */
  get size(): number {
    return this.#table.size;
  }

  /**
   * Takes the next frame of the capture.
   * @returns undefined if it is no TCP segment, or one that another reader follows; otherwise the same object each time, to be read before the next call
   */
  next(headers: FrameHeaders): TcpResult | undefined {
    const division = this.#division;
    if (headers.tcpOffset < 0) {
      division?.takeOther();
      return undefined;
    }
    const flow = this.#table.find(headers);
    const direction = this.#table.direction;
    if (division !== undefined) {
      division.takeSegment(flow);
      if (!division.isFollowed) {
        noteSegment(flow, direction, headers);
        this.#noteEnd(flow, direction, headers.tcpFlags);
        return undefined;
      }
    }
    const result = this.#result;
    // Quicker than `length = 0` for the one member there is as a rule, and the memory stays.
    while (result.chunks.length > 0) result.chunks.pop();
    while (result.released.length > 0) result.released.pop();
    result.ended = 0;
    result.analysis = analyseSegment(flow, direction, headers, this.#table.isPortReused);

    const isFromClient = direction === 0;
    const own = isFromClient ? flow.clientStream : flow.serverStream;
    const peer = isFromClient ? flow.serverStream : flow.clientStream;
    const ownHistory = isFromClient ? flow.clientHistory : flow.serverHistory;
    const peerHistory = isFromClient ? flow.serverHistory : flow.clientHistory;
    const ownEnded = own.isEnded;
    const peerEnded = peer.isEnded;

    if ((headers.tcpFlags & tcpFlags.ack) !== 0)
      peer.acknowledge((headers.acknowledgement - peerHistory.base) | 0, result.released);
    assemble(own, ownHistory, headers, !peerHistory.hasNext, result.chunks);
    if ((headers.tcpFlags & tcpFlags.rst) !== 0) {
      peer.reset(result.released);
      own.reset(result.chunks);
    }

    if (own.isEnded && !ownEnded) result.ended |= isFromClient ? 1 : 2;
    if (peer.isEnded && !peerEnded) result.ended |= isFromClient ? 2 : 1;
    this.#noteEnd(flow, direction, headers.tcpFlags);
    return result;
  }

  /** Whoever follows a connection and whoever does not have to forget it at the same time: so only its flags count. */
  #noteEnd(flow: TcpFlow, direction: number, flags: number): void {
    if ((flags & (tcpFlags.fin | tcpFlags.rst)) === 0) return;
    flow.endings |= (flags & tcpFlags.rst) !== 0 ? 3 : direction === 0 ? 1 : 2;
    if (flow.endings !== 3) return;
    this.#table.close(flow);
    this.#division?.release(flow);
  }
}

function assemble(
  stream: StreamAssembler,
  history: SegmentHistory,
  headers: FrameHeaders,
  isOneSided: boolean,
  chunks: StreamChunk[],
): void {
  const flags = headers.tcpFlags;
  let sequence = (headers.sequence - history.base) | 0;
  if ((flags & tcpFlags.syn) !== 0) {
    sequence = (sequence + 1) | 0;
    stream.begin(sequence);
  }
  const length = headers.wirePayloadLength;
  // What a RST carries is a reason in words, no part of the stream: RFC 9293 §3.5.3.
  if (length > 0 && (flags & tcpFlags.rst) === 0) {
    const start = headers.payloadOffset;
    stream.receive(
      sequence,
      headers.source,
      start,
      start + headers.payloadLength,
      length,
      headers.frame,
      isOneSided,
      chunks,
    );
  }
  if ((flags & tcpFlags.fin) !== 0) stream.finish((sequence + length) | 0);
}
