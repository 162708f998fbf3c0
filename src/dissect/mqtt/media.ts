/** Payloads whose Content Type Wireshark knows: it gives them a layer of their own, and a word in the columns. */
import { decodeText } from '../format-text.ts';
import type { MqttPacket } from './packet.ts';

const json = new Set([
  'application/json',
  'application/json-rpc',
  'application/jsonrequest',
  'application/dds-web+json',
  'application/vnd.oma.lwm2m+json',
  'application/problem+json',
  'application/merge-patch+json',
  'application/json-patch+json',
  'application/senml+json',
  'application/sensml+json',
]);

const lines = new Set([
  'text/plain',
  'text/html',
  'text/css',
  'text/javascript',
  'text/richtext',
  'text/enriched',
  'text/parameters',
  'application/x-javascript',
  'application/x-ns-proxy-autoconfig',
]);

/** Bytes of no known kind. */
const opaque = 'application/octet-stream';

export interface Media {
  readonly kind: 'json' | 'lines' | 'data';
  /** As it stands in the packet. */
  readonly contentType: string;
}

/** What the payload of a packet is said to be; undefined if that is nothing that has a layer. Parameters are not understood, as in Wireshark. */
export function mediaOf(packet: MqttPacket): Media | undefined {
  const at = packet.contentTypeStart;
  if (at < 0 || packet.absentBytes > 0) return undefined;
  const { bytes } = packet.source;
  const contentType = decodeText(bytes.subarray(at + 2, at + 2 + bytes[at]! * 256 + bytes[at + 1]!));
  const type = contentType.toLowerCase();
  if (json.has(type)) return { kind: 'json', contentType };
  if (type === opaque) return { kind: 'data', contentType };
  return lines.has(type) ? { kind: 'lines', contentType } : undefined;
}

export function mediaColumn(packet: MqttPacket): string {
  return mediaOf(packet)?.kind === 'json' ? 'MQTT/JSON' : 'MQTT';
}

export function mediaInfo(packet: MqttPacket): string {
  const media = mediaOf(packet);
  if (media === undefined || media.kind === 'data') return '';
  return media.kind === 'json' ? `, JavaScript Object Notation (${media.contentType})` : ` (${media.contentType})`;
}
