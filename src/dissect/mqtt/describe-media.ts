/** The layers above MQTT for payloads whose Content Type is known. */
import { defineFields } from '../field.ts';
import { decodeText, escapeLine } from '../format-text.ts';
import { describeData } from '../layers/data.ts';
import { mediaOf } from './media.ts';
import type { PacketWalk } from './packet-walk.ts';

export const jsonFields = defineFields('json', 'JavaScript Object Notation', {});
export const textLinesFields = defineFields('data-text-lines', 'Line-based text data', {});

/** Lines that are shown of a text. */
const linesMax = 10_000;

export function describeMedia(walk: PacketWalk): void {
  const { sink, source, payloadStart, end } = walk;
  if (payloadStart < 0 || walk.packet.contentTypeStart < 0) return;
  const media = mediaOf(walk.packet);
  if (media === undefined) return;
  if (media.kind === 'data') {
    describeData(sink, source, payloadStart, end);
    return;
  }
  if (media.kind === 'json') {
    sink.enter(jsonFields.self, source, payloadStart, end);
    if (sink.wantsText) sink.setText(`${jsonFields.self.label}: ${media.contentType}`);
    sink.leave();
    return;
  }
  const lineEnds = sink.wantsText ? endsOfLines(source.bytes, payloadStart, end) : [];
  sink.enter(textLinesFields.self, source, payloadStart, end);
  if (sink.wantsText) {
    sink.setText(`${textLinesFields.self.label}: ${media.contentType} (${lineEnds.length} lines)`);
    let start = payloadStart;
    for (const lineEnd of lineEnds) {
      if (start === lineEnd) break;
      sink.enterText(escapeLine(decodeText(source.bytes.subarray(start, lineEnd))), source, start, lineEnd);
      sink.leave();
      start = lineEnd;
    }
  }
  sink.leave();
}

/** Where each line ends, its line feed included. */
function endsOfLines(bytes: Uint8Array, start: number, end: number): number[] {
  const ends: number[] = [];
  for (let at = start; at < end && ends.length < linesMax; at++) if (bytes[at] === 0x0a) ends.push(at + 1);
  if (start < end && (ends.at(-1) ?? start) < end && ends.length < linesMax) ends.push(end);
  return ends;
}
