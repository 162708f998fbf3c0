/** What a payload says, decoded by the module that clients and console use as well. */
import { decodePayload } from '../../payload/decode-payload.ts';
import type { PayloadNode } from '../../payload/payload-node.ts';
import { decodeText } from '../format-text.ts';
import { fields } from './fields.ts';
import type { PacketWalk } from './packet-walk.ts';

/** Larger payloads are not decoded; they are there as bytes. */
const payloadBytesMax = 1_048_576;
/** Of a decoded payload, as one line. */
const textCharactersMax = 16_384;
/** Parts of it that get a line of their own, and how deep they may lie. */
const linesMax = 2000;
const depthMax = 24;

export function describePayload(walk: PacketWalk): void {
  const { sink, source, payloadStart: start, end, packet } = walk;
  if (start < 0 || start === end || end - start > payloadBytesMax) return;
  if (!sink.wants(fields.payloadFormat) && !sink.wants(fields.payloadText)) return;
  const { format, text, root } = decodePayload(source.bytes.subarray(start, end), {
    topic: topicOf(walk),
    contentType: packet.contentTypeStart < 0 ? undefined : textAt(source.bytes, packet.contentTypeStart),
    charactersMax: textCharactersMax,
  });
  sink.addGenerated(fields.payloadFormat, source, start, end, format);
  sink.enterGenerated(fields.payloadText, source, start, end, text);
  if (sink.wantsText && root?.showsChildren === true) new PayloadLines(walk).describe(root, 0);
  sink.leave();
}

/** Each part of a payload on a line, its parts below it. */
class PayloadLines {
  readonly #walk: PacketWalk;
  #count = 0;

  constructor(walk: PacketWalk) {
    this.#walk = walk;
  }

  describe(node: PayloadNode, depth: number): void {
    const { sink, source, payloadStart } = this.#walk;
    for (const child of node.children) {
      if (this.#count++ >= linesMax) return;
      const name = child.name === undefined ? '' : `${child.name}: `;
      const line = child.showsChildren ? `${name}${child.opening}…${child.closing}` : `${name}${child.opening}`;
      sink.enterText(line, source, payloadStart + child.start, payloadStart + child.end);
      if (child.showsChildren && depth < depthMax) this.describe(child, depth + 1);
      sink.leave();
    }
  }
}

function topicOf(walk: PacketWalk): string {
  const { packet, bytes } = walk;
  return packet.aliasedTopic === undefined ? textAt(bytes, packet.bodyStart) : decodeText(packet.aliasedTopic.bytes);
}

function textAt(bytes: Uint8Array, at: number): string {
  return decodeText(bytes.subarray(at + 2, at + 2 + bytes[at]! * 256 + bytes[at + 1]!));
}
