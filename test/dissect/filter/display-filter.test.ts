import { describe, expect, it } from 'vitest';
import { TimeValue } from '../../../src/dissect/field.ts';
import { compileFilter } from '../../../src/dissect/filter/display-filter.ts';
import { bytes, matches, publishFrame, SampleValues, sampleRegistry } from './sample-fields.ts';

/** Filters that hold of `publishFrame`, and filters that do not. */
const table: Readonly<Record<string, { readonly holds: readonly string[]; readonly fails: readonly string[] }>> = {
  presence: {
    holds: [
      '',
      '  \n',
      'mqtt',
      '.mqtt',
      'mqtt.topic',
      'tcp.analysis.flags',
      'mqtt.prop',
      'ip.addr#1',
      'mqtt.msg[4]',
      '{mqtt}',
    ],
    fails: ['ipv6', 'mqtt.clientid', 'ip.addr#2', 'mqtt.msg[5]', 'mqtt.msg[3:3]', 'not mqtt'],
  },
  'comparison with any and all values': {
    holds: [
      'tcp.port == 1883',
      'tcp.port !== 1883',
      'any tcp.port != 1883',
      'tcp.port > 40000',
      'all tcp.port > 1000',
      'tcp.port != 80',
      'all tcp.port != 80',
      'any tcp.port === 1883',
      'tcp.port ~= 1883',
    ],
    fails: [
      'tcp.port === 1883',
      'tcp.port != 1883',
      'all tcp.port == 1883',
      'all tcp.port > 40000',
      'mqtt.clientid != "a"',
      'mqtt.clientid == "a"',
      'all mqtt.clientid == "a"',
    ],
  },
  'words for operators': {
    holds: [
      'mqtt.qos eq 1',
      'mqtt.qos ne 2',
      'mqtt.qos gt 0',
      'mqtt.qos ge 1',
      'mqtt.qos lt 2',
      'mqtt.qos le 1',
      'mqtt.qos any_eq 1',
      'mqtt.qos all_eq 1',
      'mqtt.qos any_ne 2',
      'mqtt.qos all_ne 2',
      'mqtt.msgtype bitwise_and 4',
    ],
    fails: ['mqtt.qos eq 0', 'mqtt.qos ne 1', 'mqtt.qos gt 1', 'mqtt.qos ge 2', 'mqtt.qos lt 1', 'mqtt.qos le 0'],
  },
  'logic, by precedence': {
    holds: [
      'mqtt or ipv6 and ipv6',
      'not ipv6 and mqtt',
      'not (ipv6 and mqtt)',
      '! ipv6',
      'not not mqtt',
      'mqtt xor ipv6',
      'mqtt ^^ ipv6',
      'ipv6 || mqtt && tcp',
      'tcp xor mqtt xor ip',
      'mqtt xor mqtt or tcp',
    ],
    fails: ['(mqtt or ipv6) and ipv6', 'not mqtt or ipv6', 'mqtt xor tcp', 'mqtt && ipv6', 'ipv6 || not tcp'],
  },
  'names of values, whatever the case': {
    holds: [
      'mqtt.msgtype == "Publish Message"',
      'mqtt.msgtype == "PUBLISH ack"',
      'mqtt.retain == "Set"',
      'mqtt.retain == set',
      'mqtt.retain == True',
      'mqtt.retain == 1',
      'mqtt.retain == 2',
      'mqtt.msgtype in {"Connect Command" .. "Publish Message"}',
    ],
    fails: [
      'mqtt.msgtype == "Connect Command"',
      'mqtt.retain == "not set"',
      'mqtt.retain == FALSE',
      'mqtt.retain == 0',
    ],
  },
  'numbers in every notation': {
    holds: [
      'mqtt.len == 10',
      'mqtt.len == 0xA',
      'mqtt.len == 012',
      'mqtt.len == 0b1010',
      "mqtt.len == '\\n'",
      'mqtt.temperature == 21.5',
      'mqtt.temperature > 2e1',
      'mqtt.offset == -5',
      'mqtt.offset > -128',
      'mqtt.len > -1',
    ],
    fails: ['mqtt.len == 0x10', 'mqtt.len == 010', 'mqtt.offset == 5'],
  },
  text: {
    holds: [
      'mqtt.topic == "temp/Küche"',
      'mqtt.topic contains "temp"',
      'mqtt.topic contains temp',
      "mqtt.topic contains '/'",
      'mqtt.topic > "temp"',
      'mqtt.topic < "tenp"',
      String.raw`mqtt.topic == "temp/K\u00fcche"`,
      String.raw`mqtt.topic == "temp/K\xc3\xbcche"`,
      'mqtt.topic contains r"p/K"',
      'mqtt.topic in {"a" .. "u"}',
    ],
    fails: [
      'mqtt.topic == "temp/küche"',
      'mqtt.topic contains "Temp"',
      'mqtt.topic contains ""',
      'mqtt.topic == "temp"',
    ],
  },
  'regular expressions': {
    holds: [
      'mqtt.topic matches "^TEMP/"',
      'mqtt.topic ~ "KÜCHE$"',
      'mqtt.topic matches "^.{10}$"',
      'mqtt.msg matches "^21.5"',
      String.raw`mqtt.msg matches "\\xff$"`,
      'all mqtt.topic matches "e"',
      'mqtt.topic[0:4] matches "TEMP"',
      'mqtt matches "temp"',
    ],
    fails: ['mqtt.topic matches "(?-i)^TEMP"', 'mqtt.topic matches "^/"', 'mqtt.msg matches "^.$"'],
  },
  'bytes and slices': {
    holds: [
      'mqtt.msg == 32:31:2e:35:ff',
      'mqtt.msg == 32-31-2e-35-ff',
      'mqtt.msg == 32312e35ff',
      'mqtt.msg == "21.5\\xff"',
      'mqtt.msg contains "1.5"',
      'mqtt.msg contains 2e:35',
      'mqtt.msg contains 0x2e',
      'mqtt.msg[0] == 32',
      'mqtt.msg[-1] == ff',
      'mqtt.msg[1:2] == "1."',
      'mqtt.msg[1-2] == 31:2e',
      'mqtt.msg[:2] == "21"',
      'mqtt.msg[3:] == 35:ff',
      'mqtt.msg[-2:1] == 35',
      'mqtt.msg[-3--2] == 2e:35',
      'mqtt.msg[0,4] == 32:ff',
      'mqtt.msg[0:2,-1] == 32:31:ff',
      'mqtt.msg[0:3][1] == 31',
      'eth.src[0:3] == 02:42:ac',
      'eth.src == 02:42:ac:11:00:02',
      'eth.src == 0242.ac11.0002',
      'ip.src[0] == 7f',
      'mqtt.topic[5:3] == "K\\xc3\\xbc"',
      'frame[8] == 30',
      'frame contains "temp"',
      'mqtt contains 00:01',
      'eth.src contains 42',
      'mqtt.msg > 70:70',
      'mqtt.msg[5] != 00',
      'mqtt.msg == mqtt.msg',
      'mqtt.msg contains mqtt.msg',
    ],
    fails: [
      'mqtt.msg == 32:31',
      'mqtt.msg[5] == 00',
      'mqtt.msg contains ff:ff',
      'mqtt.msg contains 35:ff:00',
      'all mqtt contains 00:04',
      'mqtt.msg == eth.src',
      'mqtt.msg < 70:70',
    ],
  },
  'addresses and networks': {
    holds: [
      'ip.addr == 127.0.0.1',
      'ip.addr == 10.0.0.0/8',
      'ip.addr == 10.9.9.9/8',
      'ip.addr == 0.0.0.0/0',
      'ip.src != 10.0.0.0/8',
      'ip.addr > 126.255.255.255',
      'ip.addr in {10.1.2.0 .. 10.1.2.9}',
      'ip.addr in {192.168.0.0/16, 127.0.0.0/8}',
      'ip.addr == ip.src',
      'ip.addr !== ip.src',
      'ip.src & 255.0.0.0 == 127.0.0.0',
      'string(ip.src) == "127.0.0.1"',
    ],
    fails: [
      'ip.addr === 127.0.0.1',
      'ip.addr != 10.0.0.0/8',
      'ip.src == 10.0.0.0/8',
      'ip.addr === ip.src',
      'ip.src > 127.0.0.0/8',
    ],
  },
  times: {
    holds: [
      'frame.time == "2020-07-04T12:34:56.789Z"',
      'frame.time == "2020-07-04 14:34:56.789+02:00"',
      'frame.time == "Jul 4, 2020 12:34:56.789 UTC"',
      'frame.time > 2020-07-04',
      'frame.time < "2020-07-05"',
      'frame.time > "2020-07-04 12:34Z"',
      'frame.time_relative == 1.5',
      'frame.time_relative > 1',
      'frame.time_relative in {1.4 .. 1.6}',
      'frame.time_relative + 0.6 == 2.1',
      'frame.time_relative - 2 == -0.5',
      '-frame.time_relative < 0',
      'abs(frame.time_relative - 2) == 0.5',
      'mqtt.ack_time == 0.002',
      'mqtt.ack_time < frame.time_relative',
      'mqtt.ack_time > -1',
    ],
    fails: [
      'frame.time == "2020-07-04T12:34:56Z"',
      'frame.time_relative < 1.5',
      'mqtt.ack_time > 0.002',
      '{mqtt.ack_time - 0.002}',
    ],
  },
  sets: {
    holds: [
      'tcp.port in {80, 1883}',
      'tcp.port in {1000..2000}',
      'tcp.port in {80, 49999..50001}',
      'tcp.port not in {80, 81}',
      'tcp.port ! in {80}',
      'mqtt.clientid not in {"a"}',
      'all tcp.port in {1883, 50000}',
      'mqtt.msgtype in {mqtt.prop, 3}',
      'mqtt.qos in {mqtt.prop .. mqtt.msgtype}',
      'mqtt.offset in {-6 .. -4}',
    ],
    fails: [
      'tcp.port in {80}',
      'tcp.port in {2000..1000}',
      'all tcp.port in {1883}',
      'tcp.port not in {1883}',
      'all tcp.port not in {1883}',
      'mqtt.clientid in {"a"}',
    ],
  },
  calculations: {
    holds: [
      'mqtt.len + 1 == 11',
      'mqtt.len - 10 == -8',
      'mqtt.len * 2 + 1 == 21',
      'mqtt.len / 3 == 3',
      'mqtt.len % 3 == 1',
      'mqtt.len == 2 + 2 * 4',
      'mqtt.len == {2 + 3} * 2',
      '-mqtt.len == -10',
      'mqtt.len == +10',
      'mqtt.len & 8',
      'mqtt.len & 8 == 8',
      'mqtt.len + 1 & 3 == 3',
      'mqtt.len - 2',
      'mqtt.len / 0 != 1',
      'mqtt.len + mqtt.qos == 11',
      'mqtt.len > mqtt.qos > 0',
      'mqtt.msg[0:2] & f0:f0 == 30:30',
      'mqtt.msg[0] & 02',
      'frame[8] & 0xf0 == 30',
    ],
    fails: [
      'mqtt.len / 0 == 1',
      'mqtt.len % 0 == 1',
      'mqtt.len & 1',
      'mqtt.qos - 1',
      'mqtt.msg[0] & 80',
      'mqtt.len < mqtt.qos < 5',
    ],
  },
  functions: {
    holds: [
      'len(mqtt.topic) == 11',
      'len(mqtt.msg) == 5',
      'len(mqtt) == 8',
      'len(ip.addr) == 4',
      'count(mqtt) == 2',
      'count(mqtt.msgtype) > 1',
      'upper(mqtt.topic) == "TEMP/KÜCHE"',
      'lower(mqtt.topic) contains "küche"',
      'string(mqtt.len) matches "^1"',
      'string(eth.src) == "02:42:ac:11:00:02"',
      'max(mqtt.len) == 10',
      'min(mqtt.len) == 2',
      'max(mqtt.len, 100) == 100',
      'max(tcp.port, 1) == 50000',
      'abs(mqtt.offset) == 5',
      'abs(mqtt.len - 6) == 4',
      'len(mqtt.topic) + 1 == 12',
      'mqtt.topic == upper(mqtt.topic) or mqtt',
      'max(len(mqtt.topic), 3) == 11',
      'string(ip.src)[0:3] == "127"',
      'len(mqtt.topic#1) == 11',
    ],
    fails: [
      'len(mqtt.clientid) == 0',
      'count(mqtt.clientid) == 0',
      'max(mqtt.len) == 2',
      'mqtt.topic == upper(mqtt.topic)',
    ],
  },
  'fields that share a name': {
    holds: ['mqtt.prop == 1', 'mqtt.prop == 2', 'count(mqtt.prop) == 2', 'mqtt.prop !== 1'],
    fails: ['mqtt.prop === 1', 'mqtt.prop != 1', 'mqtt.prop == 3'],
  },
};

describe('compileFilter', () => {
  for (const [subject, { holds, fails }] of Object.entries(table)) {
    it(`decides by ${subject}`, () => {
      for (const filter of holds) expect(matches(filter, publishFrame), filter).toBe(true);
      for (const filter of fails) expect(matches(filter, publishFrame), filter).toBe(false);
    });
  }

  it('restricts a field to layers, counted from the outermost or back from the innermost', () => {
    const frame = { 'ip.addr': [1, 2, 3, 4, 5, 6], 'ip.addr#': [1, 1, 2, 2, 3, 3] };
    const first = (filter: string) =>
      [1, 2, 3, 4, 5, 6].filter((value) => matches(`${filter} == 0.0.0.${value}`, frame));
    expect(first('ip.addr#1')).toEqual([1, 2]);
    expect(first('ip.addr#[2]')).toEqual([3, 4]);
    expect(first('ip.addr#[1-2]')).toEqual([1, 2, 3, 4]);
    expect(first('ip.addr#[2:]')).toEqual([3, 4, 5, 6]);
    expect(first('ip.addr#[1,3]')).toEqual([1, 2, 5, 6]);
    expect(first('ip.addr#[-1]')).toEqual([5, 6]);
    expect(first('ip.addr#4')).toEqual([]);
    expect(first('ip.addr#0')).toEqual([]);
  });

  it('compares IPv6 addresses and networks', () => {
    const frame = { 'ipv6.addr': [bytes('fe80 0000 0000 0000 0000 0000 0a00 0001')] };
    for (const filter of ['fe80::a00:1', 'fe80::/10', 'febf::/10', 'fe80::10.0.0.1', 'fe80:0:0:0:0:0:a00:1']) {
      expect(matches(`ipv6.addr == ${filter}`, frame), filter).toBe(true);
    }
    for (const filter of ['::1', 'fec0::/10', 'fe80::/128', '::/1']) {
      expect(matches(`ipv6.addr == ${filter}`, frame), filter).toBe(false);
    }
    expect(matches('ipv6.addr[0:2] == fe:80', frame)).toBe(true);
    expect(matches('ipv6.addr > ::', frame)).toBe(true);
    expect(matches('string(ipv6.addr) == "fe80::a00:1"', frame)).toBe(true);
  });

  it('orders texts by their characters and not by the units of UTF-16', () => {
    expect(matches('mqtt.topic > "\uffee"', { 'mqtt.topic': ['🙂'] })).toBe(true);
    expect(matches('mqtt.topic < "🙂"', { 'mqtt.topic': ['\ue000'] })).toBe(true);
    expect(matches('mqtt.topic < "ab"', { 'mqtt.topic': ['a'] })).toBe(true);
  });

  it('reads times without a zone as local time', () => {
    const local = new Date(2020, 6, 4, 12, 34, 56);
    const frame = { 'frame.time': [new TimeValue(local.getTime() / 1000, 0)] };
    expect(matches('frame.time == "2020-07-04 12:34:56"', frame)).toBe(true);
    expect(matches('frame.time == "Jul  4, 2020 12:34:56"', frame)).toBe(true);
  });

  it('takes cut addresses as they are', () => {
    expect(matches('ipv6.addr == fe80::/10', { 'ipv6.addr': [bytes('fe')] })).toBe(false);
    expect(matches('eth.src[0] == 02', { 'eth.src': [bytes('02')] })).toBe(true);
    expect(matches('eth.src[5] == 02', { 'eth.src': [bytes('02')] })).toBe(false);
  });

  it('names the fields it looks at, and looks at no others', () => {
    const filter = compileFilter(
      'mqtt && (frame contains "a" || ip.addr#1 == 1.2.3.4 || mqtt.prop == 3)',
      sampleRegistry,
    );
    const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name).sort();
    expect(names(filter.fields)).toEqual(['frame', 'ip.addr', 'mqtt', 'mqtt.prop', 'mqtt.prop']);
    expect(names(filter.bytesFields)).toEqual(['frame']);
    expect(names(filter.layeredFields)).toEqual(['ip.addr']);
    const values = new SampleValues(publishFrame);
    filter.matches(values);
    for (const field of values.asked) expect(filter.fields).toContain(field);
  });

  it('does not look at what cannot change the answer', () => {
    const values = new SampleValues({ 'mqtt.qos': [0] });
    expect(compileFilter('mqtt.qos > 0 && mqtt.topic contains "a"', sampleRegistry).matches(values)).toBe(false);
    expect([...values.asked].map(({ name }) => name)).toEqual(['mqtt.qos']);
  });

  it('may be used for any number of frames, in any order', () => {
    const filter = compileFilter('mqtt.topic matches "a+" && count(mqtt.topic) == 1', sampleRegistry);
    const yes = new SampleValues({ 'mqtt.topic': ['caat'] });
    const no = new SampleValues({ 'mqtt.topic': ['x', 'a'] });
    expect([yes, no, yes, yes, no].map((values) => filter.matches(values))).toEqual([true, false, true, true, false]);
  });
});
