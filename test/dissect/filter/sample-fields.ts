/** A few fields of every type, and frames made of them by hand. */
import {
  type FieldDescriptor,
  type FieldType,
  type FieldValue,
  TimeValue,
  type ValueNames,
} from '../../../src/dissect/field.ts';
import { compileFilter } from '../../../src/dissect/filter/display-filter.ts';
import type { FieldRegistry, FieldValues } from '../../../src/dissect/filter/field-values.ts';

const rows: ReadonlyArray<readonly [name: string, type: FieldType, values?: ValueNames]> = [
  ['frame', 'protocol'],
  ['frame.number', 'uint32'],
  ['frame.time', 'absolute-time'],
  ['frame.time_relative', 'relative-time'],
  ['eth', 'protocol'],
  ['eth.src', 'ethernet'],
  ['ip', 'protocol'],
  ['ip.addr', 'ipv4'],
  ['ip.src', 'ipv4'],
  ['ipv6', 'protocol'],
  ['ipv6.addr', 'ipv6'],
  ['tcp', 'protocol'],
  ['tcp.port', 'uint16'],
  ['tcp.analysis.flags', 'none'],
  ['mqtt', 'protocol'],
  ['mqtt.msgtype', 'uint8', { 1: 'Connect Command', 3: 'Publish Message', 4: 'Publish Ack' }],
  [
    'mqtt.qos',
    'uint8',
    { 0: 'At most once delivery (Fire and Forget)', 1: 'At least once delivery', 2: 'Exactly once' },
  ],
  ['mqtt.retain', 'boolean', { 1: 'Set', 0: 'Not set' }],
  ['mqtt.len', 'uint64'],
  ['mqtt.topic', 'string'],
  ['mqtt.clientid', 'string'],
  ['mqtt.msg', 'bytes'],
  ['mqtt.ack_time', 'relative-time'],
  ['mqtt.temperature', 'double'],
  ['mqtt.offset', 'int8'],
  ['mqtt.prop', 'uint32'],
  // Two fields of one name, as Wireshark has them.
  ['mqtt.prop', 'uint32'],
];

const fields: FieldDescriptor[] = [];
for (const [index, [name, type, values]] of rows.entries()) {
  const field = { name, type, label: name, index, ...(values === undefined ? {} : { values }) } as FieldDescriptor;
  const protocol = fields.find((one) => one.name === name.split('.')[0]) ?? field;
  fields.push(Object.assign(field, { protocol }));
}

export const sampleRegistry: FieldRegistry = {
  find: (name) => {
    const found = fields.filter((field) => field.name === name);
    return found.length === 0 ? undefined : found;
  },
  names: () => new Set(fields.map(({ name }) => name)),
};

export interface SampleFrame {
  /** By name; of two fields with one name, the second is `name/2`. Of protocols, the bytes. */
  readonly [name: string]: readonly FieldValue[];
}

/** Bytes of a protocol are given as values; layers, where they are not 1, as `name#`. */
export class SampleValues implements FieldValues {
  readonly #frame: SampleFrame;
  /** What was asked for: a filter must announce it. */
  readonly asked = new Set<FieldDescriptor>();

  constructor(frame: SampleFrame) {
    this.#frame = frame;
  }

  valuesOf(field: FieldDescriptor): readonly FieldValue[] | undefined {
    this.asked.add(field);
    const isSecond = fields.find(({ name }) => name === field.name) !== field;
    return this.#frame[isSecond ? `${field.name}/2` : field.name];
  }

  bytesOf(field: FieldDescriptor): readonly Uint8Array[] | undefined {
    return this.valuesOf(field) as Uint8Array[] | undefined;
  }

  reachesOf(field: FieldDescriptor): readonly Uint8Array[] | undefined {
    return this.bytesOf(field);
  }

  layersOf(field: FieldDescriptor): readonly number[] | undefined {
    const layers = this.#frame[`${field.name}#`] as number[] | undefined;
    return layers ?? this.valuesOf(field)?.map(() => 1);
  }
}

export function matches(filter: string, frame: SampleFrame): boolean {
  return compileFilter(filter, sampleRegistry).matches(new SampleValues(frame));
}

export function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(/[^0-9a-f]/g, ''), 'hex'));
}

/** A PUBLISH and a PUBACK in one segment. */
export const publishFrame: SampleFrame = {
  frame: [bytes('00 01 02 03 04 05 06 07 30 0a 74 65 6d 70')],
  'frame.number': [7],
  'frame.time': [new TimeValue(1_593_866_096, 789_000_000)],
  'frame.time_relative': [new TimeValue(1, 500_000_000)],
  eth: [bytes('00 01 02')],
  'eth.src': [bytes('02 42 ac 11 00 02')],
  ip: [bytes('45 00')],
  'ip.addr': [0x7f000001, 0x0a010203],
  'ip.src': [0x7f000001],
  tcp: [bytes('07 5b')],
  'tcp.port': [1883, 50_000],
  'tcp.analysis.flags': [undefined],
  mqtt: [bytes('30 0a 00 04 74 65 6d 70'), bytes('40 02 00 01')],
  'mqtt.msgtype': [3, 4],
  'mqtt.qos': [1],
  'mqtt.retain': [true],
  'mqtt.len': [10, 2],
  'mqtt.topic': ['temp/Küche'],
  'mqtt.msg': [bytes('32 31 2e 35 ff')],
  'mqtt.ack_time': [new TimeValue(0, 2_000_000)],
  'mqtt.temperature': [21.5],
  'mqtt.offset': [-5],
  'mqtt.prop': [1],
  'mqtt.prop/2': [2],
};
