/** Colours of rows on a terminal: what kind of packet it is, and what is wrong with it. */
import { segmentMarks } from '../../capture/flow.ts';
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import { MqttPacket } from '../../dissect/mqtt/packet.ts';
import { PacketType } from '../../protocol/packet-types.ts';
import type { RowColors } from './text-printer.ts';

const faint = '\x1b[2m';
const red = '\x1b[31m';
const green = '\x1b[32m';
const yellow = '\x1b[33m';
const magenta = '\x1b[35m';
const cyan = '\x1b[36m';
const plain = '\x1b[0m';

const marked = segmentMarks.retransmission | segmentMarks.outOfOrder | segmentMarks.lostSegment;

const colorOfType: Readonly<Record<number, string>> = {
  [PacketType.CONNECT]: green,
  [PacketType.CONNACK]: green,
  [PacketType.DISCONNECT]: magenta,
  [PacketType.PUBLISH]: cyan,
  [PacketType.SUBSCRIBE]: yellow,
  [PacketType.SUBACK]: yellow,
  [PacketType.UNSUBSCRIBE]: yellow,
  [PacketType.UNSUBACK]: yellow,
};

/** Undefined for no colours: by choice, or because nobody watches, or NO_COLOR says so. */
export function rowColors(choice: 'auto' | 'always' | 'never'): RowColors | undefined {
  if (choice === 'never') return undefined;
  if (choice === 'auto' && (process.stdout.isTTY !== true || (process.env.NO_COLOR ?? '') !== '')) return undefined;
  return { before: colorOf, after: plain };
}

function colorOf({ segment, layers }: DissectedFrame): string {
  if (segment !== undefined && (segment.marks & marked) !== 0) return red;
  for (const layer of layers) {
    if (layer instanceof MqttPacket) return colorOfType[layer.packetType] ?? '';
  }
  return faint;
}
