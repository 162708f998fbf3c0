/** `$clearwing/tap`: who may have it, and what comes of it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ConnectOptions, connect } from '../../../src/client/node.ts';
import type { MqttError } from '../../../src/protocol/errors.ts';
import type { BrokerProcess } from '../../support/broker-process.ts';
import { clientPrograms } from '../../support/client-programs.ts';
import { describeWithPeer, peerPath } from '../../support/peers.ts';
import { run } from '../../support/run.ts';
import { testPatienceMs, useBroker } from '../../support/suite.ts';
import { until } from '../../support/until.ts';

const debian = clientPrograms('mosquitto');
const tapTopic = '$clearwing/tap';
const notAuthorized = 0x87;

function open(broker: BrokerProcess, options: ConnectOptions = {}) {
  return connect(`mqtt://127.0.0.1:${broker.port}`, { reconnect: false, ...options });
}

/** The Reason Code that a client gets who asks for the tap. */
async function answer(broker: BrokerProcess, topicFilter: string, options?: ConnectOptions): Promise<number> {
  const client = await open(broker, options);
  try {
    return (await client.subscribe(topicFilter)).reasonCodes[0] as number;
  } catch (error) {
    return (error as MqttError).reasonCode ?? -1;
  } finally {
    await client.end();
  }
}

describe('the tap by subscription', () => {
  describe('on a listener that other machines could reach', () => {
    const broker = useBroker();

    it.each([tapTopic, '$clearwing/#', '$clearwing/+', '$share/group/$clearwing/tap'])(
      'is refused (%s)',
      async (topicFilter) => {
        expect(await answer(broker, topicFilter)).toBe(notAuthorized);
      },
    );

    it('is no matter of #, nor of other topics below $clearwing', async () => {
      expect(await answer(broker, '#')).toBe(0);
      expect(await answer(broker, '$clearwing/other')).toBe(0);
    });

    it('is nobody else to publish', async () => {
      const client = await open(broker);
      await expect(client.publish(tapTopic, 'x', { qos: 1 })).rejects.toMatchObject({ reasonCode: notAuthorized });
      await client.end();
    });
  });

  describe('with capture_users', () => {
    const broker = useBroker({ config: 'capture_users watcher other' });

    it('is for them alone, and only while they are connected', async () => {
      expect(await answer(broker, tapTopic)).toBe(notAuthorized);
      expect(await answer(broker, tapTopic, { username: 'somebody' })).toBe(notAuthorized);
      expect(await answer(broker, tapTopic, { username: 'watcher', sessionExpiryInterval: 60 })).toBe(notAuthorized);
      expect(await answer(broker, tapTopic, { username: 'watcher' })).toBe(0);
      expect(await answer(broker, '$clearwing/#', { username: 'other', protocolVersion: 4 })).toBe(0);
    });
  });

  describe('on a broker that only this machine can reach', () => {
    const broker = useBroker({ withoutConfig: true });

    it('shows everybody but those who watch, each message a capture of its own', async () => {
      const watcher = await open(broker);
      const pieces: Uint8Array[] = [];
      watcher.on('message', ({ payload }) => void pieces.push(payload));
      await watcher.subscribe(tapTopic);
      const client = await open(broker, { clientIdentifier: 'seen' });
      await client.publish('a/b', 'the payload', { qos: 1 });
      await client.end();
      await until(() => Buffer.concat(pieces).includes('the payload'), 'the tap shows the message');
      for (const piece of pieces) expect(Buffer.from(piece.subarray(0, 4)).toString('hex')).toBe('0a0d0d0a');
      // What a watcher is sent would otherwise be shown to it, and so on without end.
      await new Promise((resolve) => setTimeout(resolve, 200));
      const count = pieces.length;
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(pieces.length).toBe(count);
      await watcher.end();
    });
  });

  describeWithPeer(['tshark', 'mosquitto_pub', 'mosquitto_sub'], 'as a file', () => {
    const broker = useBroker({ withoutConfig: true });

    it(
      'is what mosquitto_sub -N writes, and tshark reads, connections that were there before included',
      async () => {
        const early = await open(broker, { clientIdentifier: 'early' });
        const watcher = debian.sub(broker.port, ['-t', tapTopic, '-N', '-W', '3']);
        // Until its subscription is there nothing is sent; what is published meanwhile is not lost to others.
        await until(async () => {
          await early.publish('before', 'x');
          return watcher.stdout().length > 0;
        }, 'the watcher gets something');
        await debian.pub(broker.port, ['-t', 'a/b', '-m', 'hello', '-q', '2']);
        const { stdoutBytes } = await watcher.finished;
        await early.end();
        const file = join(broker.directory, 'feed.pcapng');
        writeFileSync(file, stdoutBytes);
        const decode = `tcp.port==${broker.port},mqtt`;
        const all = await run(peerPath('tshark'), ['-n', '-r', file, '-d', decode]);
        expect(all.status, all.stderr).toBe(0);
        const texts = [
          'Connect Command',
          'Publish Message (id=1) [a/b]',
          'Publish Complete (id=1)',
          'Publish Message [before]',
        ];
        for (const text of texts) expect(all.stdout).toContain(text);
        const comments = await run(peerPath('tshark'), ['-n', '-r', file, '-T', 'fields', '-e', 'frame.comment']);
        expect(comments.stdout).toContain('connected before the recording began: client early, MQTT 5.0');
      },
      testPatienceMs,
    );
  });
});
