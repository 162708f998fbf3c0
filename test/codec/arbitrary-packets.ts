/** fast-check arbitraries for packets that may be sent, made from the tables of properties and reason codes. */
import fc from 'fast-check';
import type { Packet } from '../../src/codec/packets.ts';
import { PacketType, type PacketTypeName } from '../../src/protocol/packet-types.ts';
import { type PropertyRow, type PropertyScope, propertyRows } from '../../src/protocol/properties.ts';
import { ReasonCode, reasonCodeRows } from '../../src/protocol/reason-codes.ts';
import type { ProtocolVersion } from '../../src/protocol/version.ts';

const text = fc
  .oneof(fc.string({ maxLength: 60 }), fc.string({ unit: 'binary', maxLength: 20 }))
  .map((some) => some.replaceAll('\0', ''));
const topicName = text.map((some) => some.replaceAll(/[+#]/g, '/')).filter((some) => some !== '');
const bytes = fc.uint8Array({ maxLength: 200 });
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const);
const packetIdentifier = fc.integer({ min: 1, max: 65_535 });

function anyValueOf(row: PropertyRow, scope: PropertyScope): fc.Arbitrary<unknown> {
  const limits: Record<string, number> = { byte: 0xff, uint16: 0xffff, uint32: 0xffff_ffff, varint: 268_435_455 };
  const one: fc.Arbitrary<unknown> =
    row.wireType === 'flag'
      ? fc.boolean()
      : row.wireType === 'utf8'
        ? row.topicName
          ? topicName
          : text
        : row.wireType === 'binary'
          ? bytes
          : row.wireType === 'pair'
            ? fc.tuple(text, text)
            : fc.integer({ min: row.range?.[0] ?? 0, max: row.range?.[1] ?? limits[row.wireType]! });
  const isSingle = row.wireType === 'varint' && scope === 'SUBSCRIBE';
  return row.repeatable ? fc.array(one, { minLength: 1, maxLength: isSingle ? 1 : 4 }) : one;
}

/** Any properties of a scope, or none. */
function properties<T>(scope: PropertyScope): fc.Arbitrary<T | undefined> {
  const rows = Object.entries(propertyRows).filter(([, row]) => row.scopes.includes(scope));
  const record = fc.record(Object.fromEntries(rows.map(([key, row]) => [key, anyValueOf(row, scope)])), {
    requiredKeys: [],
    noNullPrototype: true,
  });
  return fc.option(record, { nil: undefined }).map((some) => {
    return (some === undefined || Object.keys(some).length === 0 ? undefined : some) as T | undefined;
  });
}

function reasonCode(name: PacketTypeName): fc.Arbitrary<ReasonCode> {
  const values = Object.values(reasonCodeRows).filter((row) => row.packets.includes(name));
  return fc.constantFrom(...values.map((row) => row.value as ReasonCode));
}

const connect = fc
  .record({
    type: fc.constant(PacketType.CONNECT),
    protocolVersion: fc.constantFrom(3 as const, 4 as const, 5 as const),
    isBridge: fc.boolean(),
    cleanStart: fc.boolean(),
    keepAlive: fc.integer({ min: 0, max: 65_535 }),
    clientIdentifier: text,
    willMessage: fc.option(
      fc.record({ topicName, payload: bytes, qos, retain: fc.boolean(), properties: properties<object>('WILL') }),
      { nil: undefined },
    ),
    username: fc.option(text, { nil: undefined }),
    password: fc.option(bytes, { nil: undefined }),
    properties: properties<{ authenticationMethod?: string; authenticationData?: Uint8Array }>('CONNECT'),
  })
  .filter(({ properties: some }) => some?.authenticationData === undefined || some.authenticationMethod !== undefined)
  .filter((packet) => packet.password === undefined || packet.username !== undefined || packet.protocolVersion === 5)
  .map((packet) => ({ ...packet, isBridge: packet.isBridge && packet.protocolVersion !== 5 }));

const publish = fc
  .record({
    type: fc.constant(PacketType.PUBLISH),
    topicName,
    payload: fc.oneof(
      bytes,
      fc.integer({ min: 0, max: 3000 }).map((size) => new Uint8Array(size).fill(size)),
    ),
    qos,
    retain: fc.boolean(),
    dup: fc.boolean(),
    packetIdentifier,
    properties: properties<object>('PUBLISH'),
  })
  .map((packet) => (packet.qos === 0 ? { ...packet, packetIdentifier: 0, dup: false } : packet));

const acknowledge = fc
  .constantFrom('PUBACK' as const, 'PUBREC' as const, 'PUBREL' as const, 'PUBCOMP' as const)
  .chain((name) =>
    fc.record({
      type: fc.constant(PacketType[name]),
      packetIdentifier,
      reasonCode: reasonCode(name),
      properties: properties<object>(name),
    }),
  );

const packets: fc.Arbitrary<unknown>[] = [
  connect,
  fc
    .record({
      type: fc.constant(PacketType.CONNACK),
      sessionPresent: fc.boolean(),
      reasonCode: reasonCode('CONNACK'),
      properties: properties<object>('CONNACK'),
    })
    .map((packet) => ({
      ...packet,
      sessionPresent: packet.sessionPresent && packet.reasonCode === ReasonCode.success,
    })),
  publish,
  publish,
  acknowledge,
  fc.record({
    type: fc.constant(PacketType.SUBSCRIBE),
    packetIdentifier,
    subscriptions: fc.array(
      fc.record({
        topicFilter: text,
        qos,
        noLocal: fc.constant(false),
        retainAsPublished: fc.boolean(),
        retainHandling: fc.constantFrom(0, 1, 2),
      }),
      { minLength: 1, maxLength: 5 },
    ),
    properties: properties<object>('SUBSCRIBE'),
  }),
  fc.record({
    type: fc.constant(PacketType.SUBACK),
    packetIdentifier,
    reasonCodes: fc.array(reasonCode('SUBACK'), { minLength: 1, maxLength: 5 }),
    properties: properties<object>('SUBACK'),
  }),
  fc.record({
    type: fc.constant(PacketType.UNSUBSCRIBE),
    packetIdentifier,
    topicFilters: fc.array(text, { minLength: 1, maxLength: 5 }),
    properties: properties<object>('UNSUBSCRIBE'),
  }),
  fc.record({
    type: fc.constant(PacketType.UNSUBACK),
    packetIdentifier,
    reasonCodes: fc.array(reasonCode('UNSUBACK'), { minLength: 1, maxLength: 5 }),
    properties: properties<object>('UNSUBACK'),
  }),
  fc.record({ type: fc.constantFrom(PacketType.PINGREQ, PacketType.PINGRESP) }),
  fc.record({
    type: fc.constant(PacketType.DISCONNECT),
    reasonCode: reasonCode('DISCONNECT'),
    properties: properties<object>('DISCONNECT'),
  }),
  fc
    .record({
      type: fc.constant(PacketType.AUTH),
      reasonCode: reasonCode('AUTH'),
      properties: properties<object>('AUTH'),
    })
    .map((packet) => ({ ...packet, properties: { authenticationMethod: 'm', ...packet.properties } })),
];

/** A packet with a version in which it exists; CONNECT with its own. */
export const anyVersionedPacket: fc.Arbitrary<{ packet: Packet; version: ProtocolVersion }> = fc
  .record({ packet: fc.oneof(...packets) as fc.Arbitrary<Packet>, version: fc.constantFrom(3, 4, 5) })
  .map(({ packet, version }) => {
    if (packet.type === PacketType.CONNECT) return { packet, version: packet.protocolVersion };
    return { packet, version: packet.type === PacketType.AUTH ? 5 : (version as ProtocolVersion) };
  });

/** The Reason Code that is read where this one was written as a Connect Return Code. */
function asReturnCode(code: ReasonCode): ReasonCode {
  const kept: ReasonCode[] = [
    ReasonCode.success,
    ReasonCode.unsupportedProtocolVersion,
    ReasonCode.clientIdentifierNotValid,
    ReasonCode.badUserNameOrPassword,
    ReasonCode.notAuthorized,
  ];
  const refusals: ReasonCode[] = [ReasonCode.banned, ReasonCode.badAuthenticationMethod, ReasonCode.topicNameInvalid];
  if (kept.includes(code)) return code;
  return refusals.includes(code) ? ReasonCode.notAuthorized : ReasonCode.serverUnavailable;
}

/** What is left of a packet in a version that does not have all its fields. */
export function withoutLaterFields(packet: Packet, version: ProtocolVersion): Packet {
  if (version === 5 || packet.type === PacketType.PINGREQ || packet.type === PacketType.PINGRESP) return packet;
  const plain = { ...packet, properties: undefined } as Packet;
  switch (plain.type) {
    case PacketType.CONNECT:
      return { ...plain, willMessage: plain.willMessage && { ...plain.willMessage, properties: undefined } };
    case PacketType.CONNACK:
      return {
        ...plain,
        sessionPresent: plain.sessionPresent && version === 4,
        reasonCode: asReturnCode(plain.reasonCode),
      };
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
    case PacketType.DISCONNECT:
      return { ...plain, reasonCode: ReasonCode.success };
    case PacketType.SUBSCRIBE:
      return {
        ...plain,
        subscriptions: plain.subscriptions.map(({ topicFilter, qos: requested }) => ({
          topicFilter,
          qos: requested,
          noLocal: false,
          retainAsPublished: false,
          retainHandling: 0,
        })),
      };
    case PacketType.SUBACK:
      return {
        ...plain,
        reasonCodes: plain.reasonCodes.map((code) => (code > 2 ? ReasonCode.unspecifiedError : code)),
      };
    case PacketType.UNSUBACK:
      return { ...plain, reasonCodes: [] };
    default:
      return plain;
  }
}
