/** The Eclipse Paho client for Python against the broker, over TCP and WebSocket, in each protocol version. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { brokerUnderTest } from '../support/broker-process.ts';
import { describeWithPeer, peerPath } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { testPatienceMs, useBroker } from '../support/suite.ts';

const script = fileURLToPath(new URL('./paho_scenarios.py', import.meta.url));

const everywhere = [
  'burst',
  'keepalive',
  'payloads',
  'qos',
  'retain',
  'session',
  'takeover',
  'unsubscribe',
  'wildcards',
  'will',
];
const withFive = [
  'v5_connack',
  'v5_properties',
  'v5_shared',
  'v5_subscribe_options',
  'v5_topic_alias',
  'v5_will_properties',
];

describeWithPeer('paho', 'paho-mqtt 1.6 for Python', () => {
  const broker = useBroker({ webSocket: true });

  for (const transport of ['tcp', 'websockets'] as const) {
    for (const version of ['31', '311', '5'] as const) {
      it.concurrent(
        `goes through every scenario over ${transport} with version ${version}`,
        async () => {
          const port = transport === 'tcp' ? broker.port : broker.wsPort;
          const { stdout, stderr } = await run(peerPath('paho'), [script, String(port), transport, version]);
          const lines = stdout.trim().split('\n');
          // mosquitto 2.0.11 keeps Retain As Published as it was when the same filter is subscribed to again.
          const names = [...everywhere, ...(version === '5' ? withFive : [])].filter(
            (name) => brokerUnderTest !== 'mosquitto' || name !== 'v5_subscribe_options',
          );
          const told =
            brokerUnderTest === 'mosquitto' ? lines.filter((line) => !/v5_subscribe_options/.test(line)) : lines;
          expect(told.sort(), stderr).toEqual(names.map((name) => `ok ${name}`).sort());
        },
        testPatienceMs,
      );
    }
  }
});
