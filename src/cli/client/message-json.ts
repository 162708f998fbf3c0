/** A message as a JSON object, for `%j` and `%J`. The keys and their order are those of mosquitto_sub 2.0. */
import { decodeUtf8 } from '../../base/bytes.ts';
import { zoneOffset } from '../../base/strftime.ts';
import { printJson } from '../../payload/json-print.ts';
import { quoteJson, quoteJsonBytes } from '../../payload/json-string.ts';
import { parseJson } from '../../payload/json-value.ts';
import type { PropertiesOf } from '../../protocol/properties.ts';
import type { ByteSink, PrintableMessage } from './byte-sink.ts';
import type { LocalTime } from './local-time.ts';
import { strftime } from './strftime.ts';

/** A member's value: its text, its bytes, or the members of an object. */
type Member = readonly [name: string, value: string | Uint8Array | readonly Member[]];

export interface MessageJsonOptions {
  /** `quoted` makes a string of the payload (`%j`); `embedded` takes it for JSON (`%J`). */
  readonly payload: 'quoted' | 'embedded';
  readonly isPretty: boolean;
}

/** Writes the message; false, with nothing written, if its payload should be JSON and is not. An empty payload is `null`. */
export function writeMessageJson(
  sink: ByteSink,
  message: PrintableMessage,
  time: LocalTime,
  options: MessageJsonOptions,
): boolean {
  const payload = payloadText(message.payload, options);
  if (payload === undefined) return false;
  const members: Member[] = [
    ['tst', quoteJson(timestamp(time))],
    ['topic', quoteJson(message.topicName)],
    ['qos', String(message.qos)],
    ['retain', message.retain ? '1' : '0'],
    ['payloadlen', String(message.payload.length)],
  ];
  if (message.qos > 0) members.push(['mid', String(message.packetIdentifier)]);
  const properties = propertyMembers(message.properties ?? {});
  if (properties.length > 0) members.push(['properties', properties]);
  members.push(['payload', payload]);
  writeMembers(sink, members, options.isPretty, 0);
  return true;
}

function payloadText(payload: Uint8Array, options: MessageJsonOptions): string | Uint8Array | undefined {
  if (payload.length === 0) return 'null';
  if (options.payload === 'quoted') return quoteJsonBytes(payload);
  const text = decodeUtf8(payload, 0, payload.length);
  const value = text === undefined ? undefined : parseJson(text);
  return value === undefined ? undefined : printJson(value, options.isPretty ? 'pretty' : 'compact', 1);
}

/** As 2.0 writes it, with both the `Z` and the offset. */
function timestamp(time: LocalTime): string {
  const microseconds = String(Math.floor(time.nanoseconds / 1000)).padStart(6, '0');
  return `${strftime('F', time)}T${strftime('T', time)}.${microseconds}Z${zoneOffset(time.date)}`;
}

/** In the order in which they came in the packet. */
function propertyMembers(properties: PropertiesOf<'PUBLISH'>): Member[] {
  const members: Member[] = [];
  for (const key of Object.keys(properties) as (keyof typeof properties)[]) {
    switch (key) {
      case 'payloadFormatIndicator':
        members.push(['payload-format-indicator', String(properties[key])]);
        break;
      case 'messageExpiryInterval':
        members.push(['message-expiry-interval', String(properties[key])]);
        break;
      case 'topicAlias':
        members.push(['topic-alias', String(properties[key])]);
        break;
      case 'contentType':
        members.push(['content-type', quoteJson(properties[key] ?? '')]);
        break;
      case 'responseTopic':
        members.push(['response-topic', quoteJson(properties[key] ?? '')]);
        break;
      case 'correlationData':
        members.push(['correlation-data', quoteJsonBytes(properties[key] ?? new Uint8Array())]);
        break;
      case 'subscriptionIdentifiers':
        for (const identifier of properties[key] ?? []) members.push(['subscription-identifier', String(identifier)]);
        break;
      case 'userProperties':
        members.push(['user-properties', (properties[key] ?? []).map(([name, value]) => [name, quoteJson(value)])]);
        break;
    }
  }
  return members;
}

function writeMembers(sink: ByteSink, members: readonly Member[], isPretty: boolean, depth: number): void {
  sink.text('{');
  members.forEach(([name, value], index) => {
    const before = isPretty ? `${index > 0 ? ',' : ''}\n${'\t'.repeat(depth + 1)}` : index > 0 ? ',' : '';
    sink.text(`${before}${quoteJson(name)}${isPretty ? ':\t' : ':'}`);
    if (typeof value === 'string') sink.text(value);
    else if (value instanceof Uint8Array) sink.bytes(value);
    else writeMembers(sink, value, isPretty, depth + 1);
  });
  sink.text(isPretty ? `\n${'\t'.repeat(depth)}}` : '}');
}
