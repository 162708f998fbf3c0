/** What CONNACK says of the server, to the byte. [MQTT 5.0 §3.2.2.3] */
import { describe, expect } from 'vitest';
import { exchangeUntilClosed, openClient, uniqueName } from '../support/raw-client.ts';
import { connect, pingreq, property, toHex } from '../support/raw-packets.ts';
import { rule, useBroker } from '../support/suite.ts';

describe('CONNACK', () => {
  const broker = useBroker();
  const limited = useBroker({
    config: 'max_keepalive 30\nmax_packet_size 1000\nretain_available false\nmax_inflight_messages 5',
  });

  rule('tells an MQTT 5 client Topic Alias Maximum 10 and Receive Maximum 20, in that order', async () => {
    const { connack } = await openClient(broker.port, { version: 5 });
    expect(toHex(connack.bytes)).toBe('20 09 00 00 06 22 00 0a 21 00 14');
  });

  rule('tells of limits in the order that Mosquitto has', async () => {
    const { connack } = await openClient(limited.port, { version: 5 });
    expect(toHex(connack.bytes)).toBe('20 13 00 00 10 22 00 0a 13 00 1e 25 00 27 00 00 03 e8 21 00 05');
  });

  rule(
    '[MQTT-3.1.2-24] ends the connection of a client whose Maximum Packet Size is below that of the CONNACK',
    async () => {
      const fields = { clientIdentifier: uniqueName('c'), properties: [property.maximumPacketSize(10)] };
      expect(await exchangeUntilClosed(broker.port, 5, connect(fields), pingreq)).toEqual([]);
    },
    { mosquitto: 'sends the CONNACK' },
  );
});
