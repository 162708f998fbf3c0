/** The properties of MQTT 5.0: as Wireshark names them, and each under a name of its own. [MQTT 5.0 §2.2.2] */
import type { PropertyScope } from '../../protocol/properties.ts';
import type { Diagnostic } from '../diagnostic.ts';
import type { FieldDescriptor, FieldValue } from '../field.ts';
import { decodeText } from '../format-text.ts';
import { fields, type PropertyFact, propertyFacts } from './fields.ts';
import type { PacketWalk } from './packet-walk.ts';
import { variableByteIntegerAt, variableByteIntegerSize } from './property-walk.ts';

const contentType = 0x03;
const topicAlias = 0x23;
const maximumQos = 0x24;
const subscriptionIdentifier = 0x0b;
const sessionExpiryInterval = 0x11;
const authenticationMethod = 0x15;
const authenticationData = 0x16;

/** Where the properties lie, for those who look something up in them. */
export interface PropertyRange {
  readonly start: number;
  readonly end: number;
}

/** The properties at `walk.at`; undefined if they do not fit in the packet. */
export function describeProperties(
  walk: PacketWalk,
  field: FieldDescriptor,
  scope: PropertyScope,
): PropertyRange | undefined {
  const { sink, source, bytes } = walk;
  const packetEnd = walk.end;
  const begin = walk.at;
  const length = variableByteIntegerAt(bytes, begin, packetEnd);
  if (length < 0) {
    walk.isCut = true;
    if (walk.checks && begin < packetEnd) walk.fault(begin, packetEnd, 'Property Length has no end');
    return undefined;
  }
  const start = begin + variableByteIntegerSize(bytes, begin);
  const end = start + length;
  walk.end = Math.min(end, packetEnd);
  sink.enter(field, source, begin, walk.end);
  walk.at = begin;
  walk.end = Math.max(walk.end, start);
  walk.variableByteInteger(fields.propertyLength);
  if (walk.checks && end > packetEnd) {
    walk.fault(begin, start, `Property Length is ${length}, ${packetEnd - start} bytes are left of the packet`);
  }
  const seen = new SeenProperties();
  while (walk.at < walk.end && !walk.isCut) describeProperty(walk, scope, seen);
  if (end > packetEnd) walk.isCut = true;
  else if (walk.isCut) endEarly(walk);
  else if (walk.checks) checkTogether(walk, scope, seen, begin, end);
  sink.leave();
  walk.end = packetEnd;
  return walk.isCut ? undefined : { start, end };
}

/** The last property goes beyond the Property Length: it is not read further, but what follows the properties is. */
function endEarly(walk: PacketWalk): void {
  const { sink, source, at, end } = walk;
  if (at < end) sink.addBytes(fields.undecoded, source, at, end);
  if (walk.checks) walk.fault(at, end, 'The last property goes beyond the Property Length');
  walk.at = end;
  walk.isCut = false;
}

/** Identifiers met so far: properties have numbers below 64. */
class SeenProperties {
  #low = 0;
  #high = 0;

  has(identifier: number): boolean {
    return identifier < 32 ? (this.#low & (1 << identifier)) !== 0 : (this.#high & (1 << (identifier - 32))) !== 0;
  }

  add(identifier: number): void {
    if (identifier < 32) this.#low |= 1 << identifier;
    else this.#high |= 1 << (identifier - 32);
  }
}

function describeProperty(walk: PacketWalk, scope: PropertyScope, seen: SeenProperties): void {
  const { sink, source, bytes, checks, end } = walk;
  const begin = walk.at;
  const identifier = walk.number(fields.propertyIdentifier, 1);
  if (identifier < 0) return;
  const fact = propertyFacts[identifier];
  if (fact === undefined) {
    if (checks) checkUnknown(walk, identifier, begin, end);
    // Its length is not known, so it takes all that is left.
    sink.addString(fields.unknownProperty, source, walk.at, end);
    walk.at = end;
    return;
  }
  if (checks) checkPlace(walk, fact, scope, seen, begin);
  seen.add(identifier);
  const valueStart = walk.at;
  describeValue(walk, fact, identifier);
  if (walk.isCut || fact.field === undefined || !sink.wants(fact.field)) return;
  sink.addHidden(fact.field, source, valueStart, walk.at, propertyValue(fact, bytes, valueStart, walk.at));
}

function describeValue(walk: PacketWalk, fact: PropertyFact, identifier: number): void {
  const { row } = fact;
  switch (row.wireType) {
    case 'flag':
    case 'byte':
      checkRange(walk, fact, walk.number(identifier === maximumQos ? fields.maximumQos : fields.propertyNumber, 1), 1);
      break;
    case 'uint16':
      checkRange(walk, fact, walk.number(identifier === topicAlias ? fields.topicAlias : fields.propertyNumber, 2), 2);
      break;
    case 'uint32':
      checkRange(walk, fact, walk.number(fields.propertyNumber, 4), 4);
      break;
    case 'varint': {
      const begin = walk.at;
      const value = walk.variableByteInteger(fields.propertyNumber);
      if (value < 0 && walk.checks) walk.fault(begin, walk.end, `${row.name} has no end`);
      checkRange(walk, fact, value, walk.at - begin);
      break;
    }
    case 'pair':
      if (describeText(walk, fact, fields.propertyKeyLength, fields.propertyKey)) {
        describeText(walk, fact, fields.propertyValueLength, fields.propertyValue);
      }
      break;
    default:
      if (identifier === contentType) describeContentType(walk);
      else describeText(walk, fact, fields.propertyStringLength, fields.propertyString);
  }
}

/** Length and text, or bytes that Wireshark shows as text. */
function describeText(
  walk: PacketWalk,
  fact: PropertyFact,
  lengthField: FieldDescriptor,
  field: FieldDescriptor,
): boolean {
  const { sink, source } = walk;
  const length = walk.number(lengthField, 2);
  if (length < 0 || !walk.has(length)) {
    if (walk.checks && length >= 0) {
      walk.fault(walk.at - 2, walk.at, `${fact.row.name} has ${length} bytes, ${walk.end - walk.at} are left`);
    }
    return false;
  }
  const start = walk.at;
  walk.at = start + length;
  sink.addString(field, source, start, walk.at);
  if (walk.checks && fact.row.wireType !== 'binary') {
    walk.checkText(field, start, walk.at);
    if (fact.row.topicName === true) checkTopic(walk, fact, start, walk.at);
  }
  return true;
}

function checkTopic(walk: PacketWalk, fact: PropertyFact, start: number, end: number): void {
  const { bytes } = walk;
  if (start === end) walk.fault(start, end, `${fact.row.name} is empty`, 'MQTT-4.7.3-1');
  for (let at = start; at < end; at++) {
    if (bytes[at] === 0x23 || bytes[at] === 0x2b) {
      walk.fault(start, end, `${fact.row.name} has a wildcard character`, 'MQTT-3.3.2-14');
      return;
    }
  }
}

/** One field, with its length: so has Wireshark. */
function describeContentType(walk: PacketWalk): void {
  const { at, bytes, sink, source } = walk;
  if (!walk.has(2)) return;
  const length = bytes[at]! * 256 + bytes[at + 1]!;
  if (!walk.has(2 + length)) return;
  walk.at = at + 2 + length;
  if (sink.wants(fields.contentType)) {
    sink.add(fields.contentType, source, at, walk.at, decodeText(bytes.subarray(at + 2, walk.at)));
  }
  if (walk.checks) walk.checkText(fields.contentType, at + 2, walk.at);
}

function checkRange(walk: PacketWalk, fact: PropertyFact, value: number, size: number): void {
  if (!walk.checks || value < 0) return;
  const [minimum, maximum] = fact.row.wireType === 'flag' ? [0, 1] : (fact.row.range ?? [0, Number.MAX_SAFE_INTEGER]);
  if (fact.row.identifier === topicAlias && value === 0)
    walk.fault(walk.at - size, walk.at, 'Topic Alias is 0', 'MQTT-3.3.2-8');
  if (value >= minimum && value <= maximum) return;
  walk.fault(walk.at - size, walk.at, `${fact.row.name} is ${value}, allowed are ${minimum} to ${maximum}`);
}

function checkPlace(
  walk: PacketWalk,
  fact: PropertyFact,
  scope: PropertyScope,
  seen: SeenProperties,
  begin: number,
): void {
  const { name, identifier, scopes, repeatable } = fact.row;
  const where = scope === 'WILL' ? 'the Will Properties' : scope;
  if (!scopes.includes(scope)) walk.fault(begin, begin + 1, `${name} does not belong in ${where}`);
  else if (
    seen.has(identifier) &&
    (repeatable !== true || (scope === 'SUBSCRIBE' && identifier === subscriptionIdentifier))
  ) {
    walk.fault(begin, begin + 1, `${name} stands more than once in ${where}`);
  } else if (scope === 'PUBLISH' && identifier === subscriptionIdentifier && walk.packet.isByClient) {
    walk.fault(begin, begin + 1, 'A client sends no Subscription Identifier with a PUBLISH', 'MQTT-3.3.4-6');
  } else if (scope === 'DISCONNECT' && identifier === sessionExpiryInterval && !walk.packet.isByClient) {
    walk.fault(begin, begin + 1, 'A server sends no Session Expiry Interval with DISCONNECT', 'MQTT-3.14.2-2');
  }
}

function checkUnknown(walk: PacketWalk, identifier: number, begin: number, end: number): void {
  const size = variableByteIntegerSize(walk.bytes, begin);
  const isPadded = identifier >= 0x80 && begin + size <= end && walk.bytes[begin + size - 1] === 0;
  if (isPadded) {
    walk.fault(begin, begin + size, `Property Identifier takes ${size} bytes and could take fewer`, 'MQTT-1.5.5-1');
  } else {
    walk.fault(begin, begin + 1, `There is no property 0x${identifier.toString(16).padStart(2, '0')}`);
  }
}

/** What one property asks of the others. */
function checkTogether(walk: PacketWalk, scope: PropertyScope, seen: SeenProperties, begin: number, end: number): void {
  if (scope !== 'CONNECT' && scope !== 'AUTH' && scope !== 'CONNACK') return;
  const hasMethod = seen.has(authenticationMethod);
  if (seen.has(authenticationData) && !hasMethod) {
    walk.fault(begin, end, 'Authentication Data without Authentication Method');
  } else if (scope === 'AUTH' && !hasMethod && walk.bytes[walk.packet.bodyStart] !== 0) {
    // Reason Code 0 without properties is what an empty AUTH means, at length.
    walk.fault(begin, end, 'AUTH without Authentication Method');
  }
}

function propertyValue(fact: PropertyFact, bytes: Uint8Array, start: number, end: number): FieldValue {
  switch (fact.row.wireType) {
    case 'varint':
      return variableByteIntegerAt(bytes, start, end);
    case 'utf8':
      return decodeText(bytes.subarray(start + 2, end));
    case 'binary':
      return bytes.subarray(start + 2, end);
    case 'pair': {
      const keyEnd = start + 2 + bytes[start]! * 256 + bytes[start + 1]!;
      return `${decodeText(bytes.subarray(start + 2, keyEnd))}=${decodeText(bytes.subarray(keyEnd + 2, end))}`;
    }
    default: {
      let value = 0;
      for (let at = start; at < end; at++) value = value * 256 + bytes[at]!;
      return value;
    }
  }
}

/** Wireshark's remark on a length of 0 where there must be a topic. */
export const emptyTopic: Diagnostic = {
  severity: 'warning',
  group: 'Protocol',
  message: 'Length cannot be 0',
  rule: undefined,
};
