/** The dissector and the codec read packets independently of each other: here each is held against the other, packet by packet. */
import { describe, expect, it } from 'vitest';
import type { Packet } from '../../../src/codec/packets.ts';
import type { FieldValue } from '../../../src/dissect/field.ts';
import { MqttPacket } from '../../../src/dissect/mqtt/packet.ts';
import type { UpperLayer } from '../../../src/dissect/stream-dissector.ts';
import { PacketType } from '../../../src/protocol/packet-types.ts';
import { type PropertyKey, propertyRows } from '../../../src/protocol/properties.ts';
import { invalidVectors, type Vector, validVectors } from '../../codec/vectors.ts';
import { Feed, opened, tilingFault, valuesOf, violationsOf } from './streams.ts';

const byServer: readonly number[] = [PacketType.CONNACK, PacketType.SUBACK, PacketType.UNSUBACK, PacketType.PINGRESP];

/** The layers that a vector's bytes make, where they may stand in a connection. */
function layersOf(vector: Vector): UpperLayer[] {
  const type = vector.bytes[0]! >> 4;
  const feed = type === PacketType.CONNECT ? new Feed() : opened(vector.version);
  const layers = feed.send(byServer.includes(type) ? 1 : 0, vector.bytes);
  return layers.length > 0 ? layers : feed.end(byServer.includes(type) ? 1 : 0);
}

function nameOf(vector: Vector): string {
  return `${vector.file}: ${vector.name} (${vector.version})`;
}

type Expected = Record<string, readonly unknown[]>;

/** Fields that the properties of a packet must give; of the will behind the others. */
function addProperties(expected: Record<string, unknown[]>, properties: object | undefined): void {
  for (const [key, value] of Object.entries(properties ?? {})) {
    const row = propertyRows[key as PropertyKey];
    const name = `mqtt.property.${row.name.toLowerCase().replaceAll(' ', '_')}`;
    const values = row.repeatable === true ? (value as unknown[]) : [value];
    expected[name] ??= [];
    for (const one of values) {
      if (row.wireType === 'pair') expected[name].push((one as [string, string]).join('='));
      else expected[name].push(row.wireType === 'flag' ? Number(one) : one);
    }
  }
}

function expectedOf(packet: Packet, version: number): Expected {
  const expected: Record<string, unknown[]> = { 'mqtt.msgtype': [packet.type] };
  if ('packetIdentifier' in packet)
    expected['mqtt.msgid'] = packet.packetIdentifier === 0 ? [] : [packet.packetIdentifier];
  if ('properties' in packet) addProperties(expected, packet.properties);
  switch (packet.type) {
    case PacketType.CONNECT: {
      const will = packet.willMessage;
      addProperties(expected, will?.properties);
      expected['mqtt.ver'] = [packet.protocolVersion + (packet.isBridge ? 0x80 : 0)];
      expected['mqtt.kalive'] = [packet.keepAlive];
      expected['mqtt.clientid'] = [packet.clientIdentifier];
      expected['mqtt.conflag.cleansess'] = [packet.cleanStart];
      expected['mqtt.conflag.willflag'] = [will !== undefined];
      expected['mqtt.willtopic'] = will === undefined ? [] : [will.topicName];
      expected['mqtt.willmsg'] = will === undefined ? [] : [will.payload];
      if (will !== undefined) {
        expected['mqtt.conflag.qos'] = [will.qos];
        expected['mqtt.conflag.retain'] = [will.retain];
      }
      expected['mqtt.username'] = packet.username === undefined ? [] : [packet.username];
      expected['mqtt.passwd'] =
        packet.password === undefined ? [] : [new TextDecoder('utf-8', { ignoreBOM: true }).decode(packet.password)];
      break;
    }
    case PacketType.CONNACK:
      expected['mqtt.conack.flags.sp'] = version === 3 ? [] : [packet.sessionPresent];
      break;
    case PacketType.PUBLISH:
      expected['mqtt.topic'] = packet.topicName === '' ? [''] : [packet.topicName];
      expected['mqtt.msg'] = [packet.payload];
      expected['mqtt.qos'] = [packet.qos];
      expected['mqtt.dupflag'] = [packet.dup];
      expected['mqtt.retain'] = [packet.retain];
      break;
    case PacketType.SUBSCRIBE:
      expected['mqtt.topic'] = packet.subscriptions.map((one) => one.topicFilter).filter((filter) => filter !== '');
      if (version === 5) {
        expected['mqtt.subscription_options_qos'] = packet.subscriptions.map((one) => one.qos);
        expected['mqtt.subscription_options_nl'] = packet.subscriptions.map((one) => one.noLocal);
        expected['mqtt.subscription_options_rap'] = packet.subscriptions.map((one) => one.retainAsPublished);
        expected['mqtt.subscription_options_retain'] = packet.subscriptions.map((one) => one.retainHandling);
      } else expected['mqtt.sub.qos'] = packet.subscriptions.map((one) => one.qos);
      break;
    case PacketType.UNSUBSCRIBE:
      expected['mqtt.topic'] = packet.topicFilters.filter((filter) => filter !== '');
      break;
    case PacketType.SUBACK:
      expected[version === 5 ? 'mqtt.suback.reason_code' : 'mqtt.suback.qos'] = [...packet.reasonCodes];
      break;
    case PacketType.UNSUBACK:
      expected['mqtt.unsuback.reason_code'] = [...packet.reasonCodes];
      break;
    default:
  }
  return expected;
}

/** Reason Codes that may be left out: then there is no field, and the packet says 0. */
const reasonCodeFields: Readonly<Record<number, string>> = {
  [PacketType.PUBACK]: 'mqtt.puback.reason_code',
  [PacketType.PUBREC]: 'mqtt.pubrec.reason_code',
  [PacketType.PUBREL]: 'mqtt.pubrel.reason_code',
  [PacketType.PUBCOMP]: 'mqtt.pubcomp.reason_code',
  [PacketType.DISCONNECT]: 'mqtt.disconnect.reason_code',
  [PacketType.AUTH]: 'mqtt.auth.reason_code',
};

describe('a valid packet of the test vectors', () => {
  it('is shown with the values that the codec decodes', () => {
    for (const vector of validVectors) {
      const [layer, ...others] = layersOf(vector);
      expect(others, nameOf(vector)).toEqual([]);
      const actual: Record<string, FieldValue[]> = {};
      const expected = expectedOf(vector.packet, vector.version);
      for (const name of Object.keys(expected)) actual[name] = valuesOf(layer!, name);
      // 3.1 does not use the upper bits, and shows the byte.
      const qos = actual['mqtt.sub.qos'];
      if (qos !== undefined) actual['mqtt.sub.qos'] = qos.map((value) => (value as number) & 3);
      // Views compare as what they show.
      expect(plain(actual), nameOf(vector)).toEqual(plain(expected));
      const codeField = reasonCodeFields[vector.packet.type];
      if (codeField !== undefined && 'reasonCode' in vector.packet) {
        expect(valuesOf(layer!, codeField)[0] ?? 0, nameOf(vector)).toBe(vector.packet.reasonCode);
      }
    }
  });

  it('is covered by its fields without gap or overlap', () => {
    for (const vector of validVectors) {
      for (const layer of layersOf(vector)) expect(tilingFault(layer), nameOf(vector)).toBeUndefined();
    }
  });

  it('violates nothing', () => {
    for (const vector of validVectors) {
      for (const layer of layersOf(vector)) {
        const violations = violationsOf(layer).filter(({ message }) => !isAboutMeaning(message));
        expect(violations, nameOf(vector)).toEqual([]);
      }
    }
  });
});

/** Said of packets that are well-formed and out of place here, where nothing goes before them, or that are merely odd. */
function isAboutMeaning(message: string): boolean {
  return (
    message.startsWith('There is nothing that this packet answers') ||
    message.endsWith('has control characters') ||
    message === 'A second CONNACK' ||
    message === 'Topic Alias is 0' ||
    message === 'The Topic Alias is larger than the other end allows' ||
    message === 'A client sends no Subscription Identifier with a PUBLISH' ||
    message === 'A wildcard stands where none may be' ||
    message === 'Topic Filter is empty' ||
    message.startsWith('This is no Shared Subscription') ||
    message.startsWith('No Client Identifier')
  );
}

function plain(values: Expected): unknown {
  return Object.fromEntries(
    Object.entries(values).map(([name, list]) => [
      name,
      list.map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value)),
    ]),
  );
}

describe('a packet of the test vectors that is no packet, or not allowed', () => {
  for (const vector of invalidVectors) {
    it(`has a violation where the codec refuses ${nameOf(vector)}`, () => {
      const violations = layersOf(vector).flatMap(violationsOf);
      expect(violations.length).toBeGreaterThan(0);
      const { rule } = vector.error;
      if (rule !== undefined) expect(violations.map((violation) => violation.rule)).toContain(rule);
    });
  }

  it('is covered by its fields all the same', () => {
    for (const vector of invalidVectors) {
      for (const layer of layersOf(vector)) {
        expect(tilingFault(layer), nameOf(vector)).toBeUndefined();
        expect(layer).toBeInstanceOf(MqttPacket);
      }
    }
  });
});
