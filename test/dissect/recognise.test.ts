import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Flow } from '../../src/capture/flow.ts';
import { DecodeAsError, parseDecodeAs } from '../../src/dissect/decode-as.ts';
import { Dissector } from '../../src/dissect/dissector.ts';
import { expectOnTcp, recognise } from '../../src/dissect/recognise.ts';
import { segmentFrame } from '../capture/made-frames.ts';
import { capturesDirectory } from '../support/captures.ts';
import { dissectFile } from './dissected.ts';

const text = (characters: string) => Uint8Array.from(characters, (character) => character.charCodeAt(0));
const connect = text('\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a');
const flowTo = (serverPort: number) => ({ client: { port: 50_000 }, server: { port: serverPort } }) as unknown as Flow;

function recognised(
  bytes: Uint8Array,
  port: number,
  options: { rules?: string[]; looks?: boolean; isWhole?: boolean } = {},
) {
  const expectation = expectOnTcp(flowTo(port), (options.rules ?? []).map(parseDecodeAs), options.looks ?? true);
  return recognise(expectation, bytes, 0, bytes.length, options.isWhole ?? false);
}

describe('what a connection carries', () => {
  it.each([
    ['a CONNECT on any port', connect, 4711, 'mqtt'],
    ['a CONNECT of 3.1', text('\x10\x0f\0\x06MQIsdp\x03\x02\0\x3c\0\x01a'), 4711, 'mqtt'],
    ['another protocol in a CONNECT', text('\x10\x0d\0\x04AMQP\x04\x02\0\x3c\0\x01a'), 4711, 'data'],
    ['anything on 1883', text('\x30\x03\0\x01a'), 1883, 'mqtt'],
    ['a ClientHello on any port', text('\x16\x03\x01\0\x05\x01\0\0\x01\x02'), 4711, 'tls'],
    ['a ClientHello on 1883', text('\x16\x03\x01\0\x05\x01\0\0\x01\x02'), 1883, 'tls'],
    ['anything on 8883', text('\x99\x99\x99'), 8883, 'tls'],
    ['a CONNECT on 8883', connect, 8883, 'mqtt'],
    ['a request on any port', text('GET /mqtt HTTP/1.1\r\n'), 4711, 'http'],
    ['a frame in the middle of a WebSocket', text('\x82\x02\xc0\0'), 9001, 'websocket'],
    ['anything else on a port of HTTP', text('\x01\x02\x03'), 8080, 'data'],
    ['anything else', text('SSH-2.0-OpenSSH'), 22, 'data'],
  ] as const)('%s is told by its first bytes', (_what, bytes, port, expected) => {
    expect(recognised(bytes, port)).toBe(expected);
  });

  it('is not decided before there are bytes enough', () => {
    for (let length = 1; length < 8; length++) {
      expect(recognised(connect.subarray(0, length), 4711), `${length} bytes`).toBe('undecided');
    }
    expect(recognised(connect.subarray(0, 8), 4711)).toBe('mqtt');
    expect(recognised(connect.subarray(0, 3), 4711, { isWhole: true })).toBe('data');
    expect(recognised(connect.subarray(0, 1), 1883)).toBe('mqtt');
  });

  it('is what a rule says, the last that fits', () => {
    expect(recognised(text('xyz'), 4711, { rules: ['tcp.port==4711,mqtt'] })).toBe('mqtt');
    expect(recognised(connect, 1883, { rules: ['tcp.port==1883,data'] })).toBe('data');
    expect(recognised(connect, 4711, { rules: ['tcp.port==4000-5000,tls', 'tcp.port==4711:2,http'] })).toBe('http');
    expect(recognised(connect, 4713, { rules: ['tcp.port==4000-5000,tls', 'tcp.port==4711:2,http'] })).toBe('tls');
    expect(recognised(text('x'), 9, { rules: ['tcp.port==50000,mqtt'] })).toBe('mqtt');
  });

  it('is looked at on the usual ports only, if so asked', () => {
    expect(recognised(connect, 4711, { looks: false })).toBe('data');
    expect(recognised(connect, 1883, { looks: false })).toBe('mqtt');
    expect(recognised(text('GET / HTTP/1.1'), 8080, { looks: false })).toBe('http');
  });
});

describe('rules', () => {
  it.each([
    ['tcp.port==11883,mqtt', { firstPort: 11883, lastPort: 11883, application: 'mqtt' }],
    [' tcp.port == 1-5 , ws ', { firstPort: 1, lastPort: 5, application: 'websocket' }],
    ['tcp.port==10:3,SSL', { firstPort: 10, lastPort: 12, application: 'tls' }],
  ])('%s is read', (rule, expected) => {
    expect(parseDecodeAs(rule)).toEqual(expected);
  });

  it.each([
    ['tcp.port=11883,mqtt', /expected tcp.port==PORT,PROTOCOL/],
    ['udp.port==1,mqtt', /expected tcp.port instead of udp.port/],
    ['tcp.port==1,amqp', /amqp is not known; expected mqtt/],
    ['tcp.port==70000,mqtt', /ports from 0 to 65535/],
    ['tcp.port==5-1,mqtt', /ports from 0 to 65535/],
    ['', /expected tcp.port/],
  ])('%s is refused with what was expected', (rule, message) => {
    expect(() => parseDecodeAs(rule)).toThrow(DecodeAsError);
    expect(() => parseDecodeAs(rule)).toThrow(message);
  });
});

describe('MQTT on port 11883', () => {
  const path = join(capturesDirectory, 'lab-port-11883.pcap');
  const countMqtt = async (options: object) =>
    (await dissectFile(path, options)).filter((frame) => frame.protocol() === 'MQTT').length;

  it('is recognised, decoded by rule, or not looked for', async () => {
    expect(await countMqtt({})).toBe(28);
    expect(await countMqtt({ recognise: false, decodeAs: [parseDecodeAs('tcp.port==11883,mqtt')] })).toBe(28);
    expect(await countMqtt({ recognise: false })).toBe(0);
  });

  it('is recognised where the first bytes come one by one', () => {
    const dissector = new Dissector();
    const infos = [...connect].map((byte, index) =>
      dissector
        .next(
          segmentFrame(
            { destinationPort: 4711, sequence: 100 + index, payload: Uint8Array.of(byte) },
            index + 1,
            index * 1e6,
          ),
        )
        .info(),
    );
    expect(infos.at(-1)).toBe('Connect Command');
  });
});
