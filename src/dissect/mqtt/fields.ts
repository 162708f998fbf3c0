/**
 * The fields of MQTT: Wireshark's, under its names, with its labels and types, and ours, marked as such: properties under names of their own, the
 * state of the conversation, payloads and what is against the protocol.
 */
import { type PropertyKey, type PropertyRow, propertyRows } from '../../protocol/properties.ts';
import { defineFields, type FieldDescriptor, type FieldRow, type FieldType } from '../field.ts';
import {
  grantedQosNames,
  packetTypeNames,
  propertyNames,
  qosNames,
  reasonCodeNames,
  retainHandlingNames,
  returnCodeNames,
  setNames,
  versionNames,
} from './value-names.ts';

/** Rows of the same few kinds, each in one line. */
const uint8 = (name: string, label: string, values?: FieldRow['values']): FieldRow =>
  values === undefined ? { name, label, type: 'uint8' } : { name, label, type: 'uint8', values };
const uint16 = (name: string, label: string): FieldRow => ({ name, label, type: 'uint16' });
const uint32 = (name: string, label: string): FieldRow => ({ name, label, type: 'uint32' });
const string = (name: string, label: string): FieldRow => ({ name, label, type: 'string' });
const bytes = (name: string, label: string): FieldRow => ({ name, label, type: 'bytes' });
const none = (name: string, label: string): FieldRow => ({ name, label, type: 'none' });
const hexadecimal = (name: string, label: string): FieldRow => ({
  name,
  label,
  type: 'uint8',
  display: 'hexadecimal',
});
const flag = (name: string, label: string, mask: number): FieldRow => ({
  name,
  label,
  type: 'boolean',
  mask,
  values: setNames,
});
const bits = (name: string, label: string, mask: number, values?: FieldRow['values']): FieldRow =>
  values === undefined ? { name, label, type: 'uint8', mask } : { name, label, type: 'uint8', mask, values };

const wiresharkRows = {
  length: { name: 'mqtt.len', label: 'Msg Len', type: 'uint64' },
  headerFlags: hexadecimal('mqtt.hdrflags', 'Header Flags'),
  packetType: bits('mqtt.msgtype', 'Message Type', 0xf0, packetTypeNames),
  headerReserved: { ...bits('mqtt.hdr_reserved', 'Reserved', 0x0f), about: 'Fixed Header Reserved Field' },
  retainReserved: { ...bits('mqtt.retain_reserved', 'Reserved', 0x01), about: 'Fixed Header Reserved Field' },
  dup: flag('mqtt.dupflag', 'DUP Flag', 0x08),
  qos: bits('mqtt.qos', 'QoS Level', 0x06, qosNames),
  retain: flag('mqtt.retain', 'Retain', 0x01),
  connackReserved: flag('mqtt.conack.flags.reserved', 'Reserved', 0xfe),
  connackFlags: hexadecimal('mqtt.conack.flags', 'Acknowledge Flags'),
  sessionPresent: {
    ...flag('mqtt.conack.flags.sp', 'Session Present', 0x01),
    about: 'Session Present (version 3.1.1)',
  },
  returnCode: uint8('mqtt.conack.val', 'Return Code', returnCodeNames),
  packetIdentifier: uint16('mqtt.msgid', 'Message Identifier'),
  requestedQos: uint8('mqtt.sub.qos', 'Requested QoS', qosNames),
  grantedQos: uint8('mqtt.suback.qos', 'Granted QoS', grantedQosNames),
  topicLength: uint16('mqtt.topic_len', 'Topic Length'),
  topic: string('mqtt.topic', 'Topic'),
  willTopicLength: uint16('mqtt.willtopic_len', 'Will Topic Length'),
  willTopic: string('mqtt.willtopic', 'Will Topic'),
  willMessage: bytes('mqtt.willmsg', 'Will Message'),
  willMessageText: string('mqtt.willmsg_text', 'Will Message'),
  willMessageLength: uint16('mqtt.willmsg_len', 'Will Message Length'),
  userNameLength: uint16('mqtt.username_len', 'User Name Length'),
  userName: string('mqtt.username', 'User Name'),
  passwordLength: uint16('mqtt.passwd_len', 'Password Length'),
  password: string('mqtt.passwd', 'Password'),
  message: bytes('mqtt.msg', 'Message'),
  messageText: string('mqtt.msg_text', 'Message'),
  messageDecodedAs: string('mqtt.msg_decoded_as', 'Message decoded as'),
  protocolNameLength: uint16('mqtt.proto_len', 'Protocol Name Length'),
  protocolName: string('mqtt.protoname', 'Protocol Name'),
  clientIdentifierLength: uint16('mqtt.clientid_len', 'Client ID Length'),
  clientIdentifier: string('mqtt.clientid', 'Client ID'),
  protocolLevel: { ...uint8('mqtt.ver', 'Version', versionNames), about: 'MQTT version' },
  connectFlags: hexadecimal('mqtt.conflags', 'Connect Flags'),
  userNameFlag: flag('mqtt.conflag.uname', 'User Name Flag', 0x80),
  passwordFlag: flag('mqtt.conflag.passwd', 'Password Flag', 0x40),
  willRetain: flag('mqtt.conflag.retain', 'Will Retain', 0x20),
  willQos: bits('mqtt.conflag.qos', 'QoS Level', 0x18, qosNames),
  willFlag: flag('mqtt.conflag.willflag', 'Will Flag', 0x04),
  cleanSession: flag('mqtt.conflag.cleansess', 'Clean Session Flag', 0x02),
  connectReserved: flag('mqtt.conflag.reserved', '(Reserved)', 0x01),
  keepAlive: uint16('mqtt.kalive', 'Keep Alive'),
  subscriptionOptions: hexadecimal('mqtt.subscription_options', 'Subscription Options'),
  subscriptionQos: bits('mqtt.subscription_options_qos', 'QoS', 0x03, qosNames),
  noLocal: flag('mqtt.subscription_options_nl', 'No Local', 0x04),
  retainAsPublished: flag('mqtt.subscription_options_rap', 'Retain As Published', 0x08),
  retainHandling: bits('mqtt.subscription_options_retain', 'Retain Handling', 0x30, retainHandlingNames),
  subscriptionReserved: {
    ...bits('mqtt.subscription_options_reserved', 'Reserved', 0xc0),
    display: 'hexadecimal',
  },
  connackReasonCode: uint8('mqtt.connack.reason_code', 'Reason Code', reasonCodeNames('CONNACK')),
  pubackReasonCode: uint8('mqtt.puback.reason_code', 'Reason Code', reasonCodeNames('PUBACK')),
  pubrecReasonCode: uint8('mqtt.pubrec.reason_code', 'Reason Code', reasonCodeNames('PUBREC')),
  pubrelReasonCode: uint8('mqtt.pubrel.reason_code', 'Reason Code', reasonCodeNames('PUBREL')),
  pubcompReasonCode: uint8('mqtt.pubcomp.reason_code', 'Reason Code', reasonCodeNames('PUBCOMP')),
  subackReasonCode: uint8('mqtt.suback.reason_code', 'Reason Code', reasonCodeNames('SUBACK')),
  unsubackReasonCode: uint8('mqtt.unsuback.reason_code', 'Reason Code', reasonCodeNames('UNSUBACK')),
  disconnectReasonCode: uint8('mqtt.disconnect.reason_code', 'Reason Code', reasonCodeNames('DISCONNECT')),
  authReasonCode: uint8('mqtt.auth.reason_code', 'Reason Code', reasonCodeNames('AUTH')),
  properties: none('mqtt.properties', 'Properties'),
  willProperties: none('mqtt.will_properties', 'Will Properties'),
  propertyLength: { name: 'mqtt.property_len', label: 'Total Length', type: 'uint64' },
  propertyIdentifier: {
    ...uint8('mqtt.property_id', 'ID', propertyNames),
    display: 'hexadecimal',
    about: 'Property Id',
  },
  propertyNumber: uint32('mqtt.prop_number', 'Value'),
  contentType: string('mqtt.property.content_type', 'Content Type'),
  maximumQos: uint8('mqtt.property.max_qos', 'QoS', qosNames),
  topicAlias: uint16('mqtt.property.topic_alias', 'Topic Alias'),
  unknownProperty: string('mqtt.prop_unknown', 'Unknown Property'),
  propertyStringLength: uint32('mqtt.prop_string_len', 'Length'),
  propertyString: string('mqtt.prop_string', 'Value'),
  propertyKeyLength: uint32('mqtt.prop_key_len', 'Key Length'),
  propertyKey: string('mqtt.prop_key', 'Key'),
  propertyValueLength: uint32('mqtt.prop_value_len', 'Value Length'),
  propertyValue: string('mqtt.prop_value', 'Value'),
  illegalTopicLength: none('mqtt.illegal_topic_length', 'Length cannot be 0'),
  unknownVersion: none('mqtt.unknown_version', 'Unknown version (missing the CONNECT packet?)'),
  unknownTopicAlias: none('mqtt.unknown_topic_alias', 'Unknown topic alias'),
} as const satisfies Record<string, FieldRow>;

const ours = (name: string, label: string, type: FieldType, about: string): FieldRow => ({
  name,
  label,
  type,
  about,
  isOurs: true,
});

const ourRows = {
  client: ours(
    'mqtt.client',
    'Client',
    'string',
    'Client Identifier of the connection, also one that the Server assigned',
  ),
  version: {
    ...ours(
      'mqtt.version',
      'MQTT version',
      'uint8',
      'Version of the connection, from its CONNECT or from what only one version can mean',
    ),
    values: versionNames,
  },
  versionIsInferred: ours(
    'mqtt.version_inferred',
    'Version inferred',
    'boolean',
    'No CONNECT was seen: the version is read off the packets',
  ),
  direction: ours('mqtt.direction', 'Sent by', 'string', 'client or server'),
  connectFrame: ours(
    'mqtt.connect_frame',
    'CONNECT in frame',
    'frame-number',
    'The CONNECT that the packet belongs to',
  ),
  qosState: ours(
    'mqtt.qos_state',
    'Handshake',
    'string',
    'Where a delivery or a request stands after this packet: published, received, released, complete, refused, requested, answered, unknown',
  ),
  answersFrame: ours('mqtt.ack_to_frame', 'Answers frame', 'frame-number', 'The packet that this one answers'),
  answerTime: ours(
    'mqtt.ack_time',
    'Time since that frame',
    'relative-time',
    'Time since the packet that this one answers',
  ),
  publishFrame: ours('mqtt.publish_frame', 'PUBLISH in frame', 'frame-number', 'The PUBLISH that began this delivery'),
  handshakeTime: ours(
    'mqtt.handshake_time',
    'Time since the PUBLISH',
    'relative-time',
    'From the PUBLISH to its last acknowledgement',
  ),
  repeated: ours('mqtt.repeated', 'Repeated', 'boolean', 'The packet was sent before'),
  repeatsFrame: ours(
    'mqtt.repeats_frame',
    'First sent in frame',
    'frame-number',
    'Where a repeated packet was first seen',
  ),
  identifierReused: ours(
    'mqtt.identifier_reused',
    'Packet Identifier reused',
    'boolean',
    'The Packet Identifier was still in use',
  ),
  identifierFrame: ours(
    'mqtt.identifier_frame',
    'In use since frame',
    'frame-number',
    'What the reused Packet Identifier was in use for',
  ),
  unanswered: ours(
    'mqtt.unanswered',
    'Unanswered',
    'frame-number',
    'On the packet that ends a connection or begins the next: a packet of it that was never answered',
  ),
  missingBytes: ours('mqtt.missing_bytes', 'Bytes missing', 'uint32', 'Not captured, before or inside this packet'),
  skipped: ours(
    'mqtt.skipped',
    'Skipped',
    'bytes',
    'Bytes in which no packet could be found after others were missing',
  ),
  undecoded: ours('mqtt.undecoded', 'Undecoded', 'bytes', 'Bytes of the packet that have no meaning'),
  incomplete: ours('mqtt.incomplete', 'Incomplete', 'none', 'Bytes are missing before the packet or in it'),
  violation: ours('mqtt.violation', 'Violation', 'none', 'Something that the protocol does not allow'),
  payloadFormat: ours(
    'mqtt.payload.format',
    'Payload format',
    'string',
    'What a payload was decoded as: text, json, cbor, msgpack, sparkplug, hex',
  ),
  payloadText: ours('mqtt.payload.text', 'Payload', 'string', 'The decoded payload, as text'),
} as const satisfies Record<string, FieldRow>;

function typeOf(row: PropertyRow): FieldType {
  if (row.wireType === 'flag' || row.wireType === 'byte') return 'uint8';
  if (row.wireType === 'uint16') return 'uint16';
  if (row.wireType === 'uint32' || row.wireType === 'varint') return 'uint32';
  return row.wireType === 'binary' ? 'bytes' : 'string';
}

/** `User Property` is `mqtt.property.user_property`; its value is `name=value`. */
function propertyFieldName(row: PropertyRow): string {
  return `mqtt.property.${row.name.toLowerCase().replaceAll(' ', '_')}`;
}

/** The properties that Wireshark has under the very same name. */
const namedByWireshark: readonly PropertyKey[] = ['contentType', 'topicAlias'];

const propertyFieldRows = Object.fromEntries(
  Object.entries(propertyRows)
    .filter(([key]) => !namedByWireshark.includes(key as PropertyKey))
    .map(([key, row]) => [
      `property:${key}`,
      {
        name: propertyFieldName(row),
        label: row.name,
        type: typeOf(row),
        about: `${row.name}${row.unit === undefined ? '' : `, in ${row.unit}`} (MQTT 5.0 §${row.section})`,
        isOurs: true,
      } satisfies FieldRow,
    ]),
) as Record<`property:${string}`, FieldRow>;

export const fields = defineFields('mqtt', 'MQ Telemetry Transport Protocol', {
  ...wiresharkRows,
  ...ourRows,
  ...propertyFieldRows,
});

/** What is to be known of a property by its identifier; undefined for identifiers that are none. */
export interface PropertyFact {
  readonly row: PropertyRow;
  /** Our field for it; undefined where Wireshark's has the same name. */
  readonly field: FieldDescriptor | undefined;
}

export const propertyFacts: readonly (PropertyFact | undefined)[] = (() => {
  const facts: (PropertyFact | undefined)[] = new Array(256).fill(undefined);
  for (const [key, row] of Object.entries(propertyRows)) {
    facts[row.identifier] = { row, field: (fields as Record<string, FieldDescriptor>)[`property:${key}`] };
  }
  return facts;
})();
