/**
 * Frames in, dissected frames out: headers, connections, and the layers above TCP. State advances once per frame, in the order of the capture; what a
 * frame turned out to be may be described at any time afterwards, or never.
 *
 *     const dissector = new Dissector();
 *     for (const frame of frames) {
 *       const dissected = dissector.next(frame);
 *       console.log(dissected.source(), dissected.protocol(), dissected.info());
 *     }
 */
import { decodeHeaders } from '../capture/decode-headers.ts';
import { segmentMarks } from '../capture/flow.ts';
import type { FlowDivision } from '../capture/flow-division.ts';
import type { FlowTableLimits } from '../capture/flow-table.ts';
import { FragmentTable } from '../capture/fragments.ts';
import type { Frame } from '../capture/frame.ts';

import { TcpFlows } from '../capture/tcp-flows.ts';
import type { TcpResult } from '../capture/tcp-result.ts';
import { ApplicationStream } from './application-stream.ts';
import type { DecodeAsRule } from './decode-as.ts';
import { TimeValue } from './field.ts';
import { FrameDissection } from './frame-dissection.ts';
import { type ConversationOptions, Conversations } from './mqtt/conversations.ts';
import type { UpperLayer } from './stream-dissector.ts';
import type { TlsDecryption } from './tls-decryption.ts';
import { UdpStreams } from './udp-streams.ts';

export interface DissectorOptions {
  /** What ports carry, whatever it looks like; the last rule that fits counts. `parseDecodeAs` reads them. Default none. */
  readonly decodeAs?: readonly DecodeAsRule[] | undefined;
  /**
   * Whether MQTT, WebSocket and TLS are recognised by their first bytes on any port. Default true; false: only the usual ports, 1883, 8883, 80,
   * 443, 8080, 8081, 8083, 8443, 9001.
   */
  readonly recognise?: boolean | undefined;
  /** What decrypts TLS. Default: nothing does. */
  readonly tls?: TlsDecryption | undefined;
  /** Connections that are remembered. */
  readonly flows?: FlowTableLimits | undefined;
  /** What is remembered of MQTT conversations, and how payloads are shown. */
  readonly conversations?: ConversationOptions | undefined;
  /** Between this and other readers of the same capture. Default: all frames are ours. */
  readonly division?: FlowDivision | undefined;
}

/** Marks of segments that were sent before. */
const repeated = segmentMarks.retransmission | segmentMarks.fastRetransmission | segmentMarks.spuriousRetransmission;

export class Dissector {
  readonly #options: DissectorOptions;
  readonly #division: FlowDivision | undefined;
  readonly #fragments = new FragmentTable();
  readonly #flows: TcpFlows;
  readonly #conversations: Conversations;
  readonly #udp = new UdpStreams();
  /** Layers of the frame in hand; empty between two. */
  readonly #layers: UpperLayer[] = [];
  #first: TimeValue | undefined = undefined;
  #previous: Frame | undefined = undefined;
  /** What `displayed` was told last; undefined: every frame is. */
  #displayed: Frame | undefined = undefined;

  constructor(options: DissectorOptions = {}) {
    this.#options = options;
    this.#division = options.division;
    this.#flows = new TcpFlows(options.flows, options.division);
    this.#conversations = new Conversations(options.conversations);
  }

  /** Takes the next frame of the capture, where all are ours. Never throws, whatever its bytes. */
  next(frame: Frame): FrameDissection {
    return this.nextOurs(frame) as FrameDissection;
  }

  /** As `next`; undefined if it is another reader who shows the frame. */
  nextOurs(frame: Frame): FrameDissection | undefined {
    const headers = decodeHeaders(frame, this.#fragments);
    const result = this.#flows.next(headers);
    const division = this.#division;
    this.#first ??= new TimeValue(frame.seconds, frame.nanoseconds);
    const previous = this.#previous ?? frame;
    this.#previous = frame;
    if (division !== undefined && !division.isFollowed) return undefined;
    const dissection = new FrameDissection(
      headers,
      result?.analysis,
      this.#first,
      previous,
      this.#displayed ?? previous,
    );
    if (result !== undefined) this.#rise(dissection, result);
    else if (headers.udpOffset >= 0) dissection.udp = this.#udp.next(headers);
    return division === undefined || division.isShown ? dissection : undefined;
  }

  /** Says that a frame was displayed, for `frame.time_delta_displayed` of those after it. To be called by who filters. */
  displayed(frame: Frame): void {
    this.#displayed = frame;
  }

  /** From TCP to what it carries. */
  #rise(dissection: FrameDissection, result: TcpResult): void {
    const { analysis, chunks, released, ended } = result;
    const flow = analysis.flow;
    const direction = analysis.direction;
    let application = flow.application as ApplicationStream | undefined;
    if (dissection.headers.payloadLength === 0 && chunks.length === 0 && released.length === 0 && ended === 0) return;
    if (application !== undefined) dissection.hasApplication = application.isKnown;
    else {
      if (chunks.length === 0 && released.length === 0) {
        if (dissection.headers.payloadLength > 0) this.#noteUnheard(dissection, result);
        return;
      }
      application = new ApplicationStream(flow, this.#options, this.#conversations, (analysis.completeness & 1) !== 0);
      flow.application = application;
    }
    dissection.pendingBefore = application.pending(direction);
    const layers = this.#layers;
    for (let index = 0; index < released.length; index++) {
      application.receive(direction === 0 ? 1 : 0, released[index]!, dissection.frame, layers);
    }
    for (let index = 0; index < chunks.length; index++) {
      application.receive(direction, chunks[index]!, dissection.frame, layers);
    }
    dissection.pendingBytes = application.pending(direction);
    if ((ended & 1) !== 0) application.end(0, dissection.frame, layers);
    if ((ended & 2) !== 0) application.end(1, dissection.frame, layers);
    dissection.hasApplication = application.isKnown;
    if (layers.length > 0) {
      // A copy is as long as it needs to be; an array that grows has room for many more.
      dissection.layers = layers.length === 1 ? [layers[0]!] : layers.slice();
      while (layers.length > 0) layers.pop();
    }
    if (dissection.headers.payloadLength > 0 && chunks.length === 0) this.#noteUnheard(dissection, result);
  }

  /** Payload of which nothing came through: it was there before, or waits for what comes before it. */
  #noteUnheard(dissection: FrameDissection, result: TcpResult): void {
    if ((result.analysis.marks & repeated) !== 0) dissection.isRepeated = true;
    else dissection.isWaiting = true;
  }
}
