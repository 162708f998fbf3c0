import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { startBroker } from './broker-process.ts';
import { describePacket, PacketScanner, readPacket } from './packet-reader.ts';
import { repositoryDirectory } from './paths.ts';
import { describeWithPeer } from './peers.ts';
import { openClient } from './raw-client.ts';
import { connect, hex, join, publish, publish5, subscribe, toHex } from './raw-packets.ts';
import { run } from './run.ts';
import { slowest } from './slowest-first.ts';
import { startWireRecorder } from './wire-recorder.ts';

describe('the packet builders and the packet reader', () => {
  it('agree with bytes written by hand', () => {
    expect(toHex(connect({ version: 4, keepAlive: 15 }))).toBe('10 0c 00 04 4d 51 54 54 04 02 00 0f 00 00');
    expect(toHex(subscribe(1, [['counter/slow/q0', 0]]).subarray(0, 4))).toBe('82 14 00 01');
    const long = publish('a', 'x'.repeat(200));
    expect(toHex(long.subarray(0, 3))).toBe('30 cb 01');
  });

  it('cut a stream into the same packets wherever it is split', () => {
    const packets = [connect({ version: 4 }), publish('a/b', 'x'.repeat(300)), hex('c0 00'), hex('e0 00')];
    const stream = join(...packets);
    for (let split = 0; split <= stream.length; split++) {
      const scanner = new PacketScanner();
      const found = [...scanner.push(stream.subarray(0, split)), ...scanner.push(stream.subarray(split))];
      expect(found.map(toHex)).toEqual(packets.map(toHex));
    }
  });

  it('describe a packet in one line', () => {
    expect(describePacket(readPacket(subscribe(1, [['counter/slow/q0', 0]]), 4))).toBe(
      '82 14 SUBSCRIBE id=1 [counter/slow/q0] q0',
    );
    expect(describePacket(readPacket(publish5('a', 'hi', { qos: 1, id: 7, dup: true }), 5))).toBe(
      '3a 08 PUBLISH id=7 dup [a] "hi"',
    );
  });
});

describe('run', () => {
  it('gives input and takes both outputs and the exit status', async () => {
    const result = await run('/bin/sh', ['-c', 'cat; echo oops >&2; exit 3'], { input: 'in\n' });
    expect(result).toMatchObject({ status: 3, stdout: 'in\n', stderr: 'oops\n' });
  });
});

describeWithPeer('mosquitto', 'the recorder, between a raw client and mosquitto', () => {
  it('writes down both directions and how the connection ended', async () => {
    const broker = await startBroker({ program: 'mosquitto' });
    const recorder = await startWireRecorder(broker.port);
    const client = await openClient(recorder.port, { version: 4 });
    client.send(publish('a', 'x', { qos: 1, id: 9 }));
    await client.expectBytes('40 02 00 09');
    client.send('e0 00');
    await client.expectClosed();
    expect(recorder.ladder(1).slice(1)).toEqual([
      'B>C 20 02 CONNACK flags=0 code=0',
      'C>B 32 06 PUBLISH id=9 [a] "x"',
      'B>C 40 02 PUBACK id=9',
      'C>B e0 00 DISCONNECT',
    ]);
    expect(await recorder.waitForEnd(1)).toEqual({ connection: 1, by: 'broker' });
    await recorder.close();
    expect(await broker.stop()).toBe(0);
  });
});

describe('the order of test files', () => {
  it('lists files that are there', () => {
    for (const path of slowest) expect(existsSync(`${repositoryDirectory}/test/${path}.test.ts`), path).toBe(true);
  });
});
