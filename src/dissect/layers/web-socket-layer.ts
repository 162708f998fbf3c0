/** A frame of a WebSocket. RFC 6455 §5.2. */
import type { DataSource } from '../../capture/frame.ts';
import type { FieldSink } from '../field-sink.ts';
import type { UpperLayer } from '../stream-dissector.ts';
import { uint16At, uint32At } from './bytes.ts';
import { describeData } from './data.ts';
import { webSocketFields } from './web-socket-fields.ts';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const opcodeNames: Readonly<Record<number, string>> = {
  0: 'Continuation',
  1: 'Text',
  2: 'Binary',
  8: 'Connection Close',
  9: 'Ping',
  10: 'Pong',
};

export class WebSocketLayer implements UpperLayer {
  readonly protocol = webSocketFields.self;
  readonly columnProtocol = 'WebSocket';
  readonly source: DataSource;
  readonly start: number;
  readonly end: number;
  /** Where its payload begins in `source`, masked as it is. */
  readonly payloadStart: number;
  /** The payload as it was before it was masked: a part of `source` where it was not. */
  readonly payload: DataSource;
  readonly payloadFrom: number;
  readonly payloadTo: number;
  /** Whether the payload goes on to another layer. */
  isClaimed = false;

  constructor(
    source: DataSource,
    start: number,
    end: number,
    payloadStart: number,
    payload: DataSource,
    payloadFrom: number,
    payloadTo: number,
  ) {
    this.source = source;
    this.start = start;
    this.end = end;
    this.payloadStart = payloadStart;
    this.payload = payload;
    this.payloadFrom = payloadFrom;
    this.payloadTo = payloadTo;
  }

  get opcode(): number {
    return this.source.bytes[this.start]! & 15;
  }

  info(): string {
    const bytes = this.source.bytes;
    const name = opcodeNames[this.opcode] ?? 'Unknown Opcode';
    const isLast = bytes[this.start]! >= 0x80;
    const isMasked = bytes[this.start + 1]! >= 0x80;
    return `WebSocket ${name}${isLast ? ' [FIN]' : '[FRAGMENT] '}${isMasked ? ' [MASKED]' : ' '}`;
  }

  describe(sink: FieldSink): void {
    const f = webSocketFields;
    const { source, start } = this;
    const isWanted = sink.wants(f.self);
    if (isWanted) {
      const bytes = source.bytes;
      const first = bytes[start]!;
      const second = bytes[start + 1]!;
      const isMasked = second >= 0x80;
      sink.enter(f.self, source, start, Math.min(this.payloadStart, this.end));
      sink.setReach(source, this.end, false);
      sink.add(f.fin, source, start, start + 1, first >= 0x80);
      sink.add(f.reserved, source, start, start + 1, (first >> 4) & 7);
      sink.add(f.opcode, source, start, start + 1, first & 15);
      sink.add(f.isMasked, source, start + 1, start + 2, isMasked);
      this.#describeLength(sink, second & 0x7f);
      if (isMasked) sink.addBytes(f.maskingKey, source, this.payloadStart - 4, this.payloadStart);
      if (isMasked && this.end > this.payloadStart) {
        sink.add(f.maskedPayload, source, this.payloadStart, this.end, undefined);
      }
      if (this.payloadTo > this.payloadFrom) {
        sink.enter(f.payload, this.payload, this.payloadFrom, this.payloadTo);
        this.#describePayload(sink);
        sink.leave();
      }
      sink.leave();
    }
    this.#describeUnclaimed(sink, isWanted);
  }

  #describeLength(sink: FieldSink, length: number): void {
    const f = webSocketFields;
    const { source, start } = this;
    sink.add(f.length, source, start + 1, start + 2, length);
    if (length === 126) {
      if (sink.wantsText) sink.setText('.111 1110 = Payload length: 126 Extended Payload Length (16 bits)');
      sink.add(f.length16, source, start + 2, start + 4, uint16At(source.bytes, start + 2));
    } else if (length === 127) {
      if (sink.wantsText) sink.setText('.111 1111 = Payload length: 127 Extended Payload Length (64 bits)');
      const value = uint32At(source.bytes, start + 2) * 0x1_0000_0000 + uint32At(source.bytes, start + 6);
      sink.add(f.length64, source, start + 2, start + 10, value);
    }
  }

  /** Control frames. */
  #describePayload(sink: FieldSink): void {
    const f = webSocketFields;
    const { payload, payloadFrom: from, payloadTo: to, opcode } = this;
    switch (opcode) {
      case opcodes.continuation:
      case opcodes.text:
      case opcodes.binary:
        break;
      case opcodes.close:
        sink.enter(f.close, payload, from, to);
        if (to - from >= 2) sink.add(f.closeCode, payload, from, from + 2, uint16At(payload.bytes, from));
        if (to - from > 2) sink.addString(f.closeReason, payload, from + 2, to);
        sink.leave();
        break;
      case opcodes.ping:
        sink.addBytes(f.ping, payload, from, to);
        break;
      case opcodes.pong:
        sink.addBytes(f.pong, payload, from, to);
        break;
      default:
        sink.addBytes(f.unknown, payload, from, to);
    }
  }

  /** Data that no other layer shows. */
  #describeUnclaimed(sink: FieldSink, isWanted: boolean): void {
    const { payload, payloadFrom: from, payloadTo: to, opcode } = this;
    if (this.isClaimed || to <= from) return;
    if (opcode === opcodes.binary) describeData(sink, payload, from, to);
    else if (isWanted && opcode === opcodes.text) sink.addString(webSocketFields.text, payload, from, to);
    else if (isWanted && opcode === opcodes.continuation)
      sink.addBytes(webSocketFields.continuation, payload, from, to);
  }
}
