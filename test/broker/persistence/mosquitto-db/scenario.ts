/**
 * Fills a broker with one of everything that outlives it, so that its database holds it after SIGTERM: sessions of all kinds, messages in
 * every state that a broken connection can leave them in, and retained messages.
 */
import { openClient, type RawClient } from '../../../support/raw-client.ts';
import { property, publish5, pubrec, pubrel, subscribe, subscribe5 } from '../../../support/raw-packets.ts';

/** Payload that is no text. */
export const binaryPayload: Uint8Array = Uint8Array.of(0, 0xff, 0xfe, 0x80, 10, 13);
/** Seconds; far enough away for any test. */
export const messageExpiryInterval = 4_000_000;
export const sessionExpiryInterval = 5_000_000;

/** Resolves with the clients that are still connected; the broker is to be stopped while they are. */
export async function fillBroker(port: number): Promise<RawClient[]> {
  const publisher = await openClient(port, {
    clientIdentifier: 'publisher',
    username: 'meter',
    password: 'x',
    keepAlive: 0,
  });
  const published: number[] = [];
  const send = async (
    topic: string,
    payload: string | Uint8Array,
    qos: number,
    list: readonly Uint8Array[] = [],
    retain = false,
  ) => {
    const id = qos === 0 ? 0 : published.push(qos);
    publisher.send(publish5(topic, payload, { qos, id, retain, properties: list }));
    if (qos === 1) await publisher.expect('PUBACK');
    if (qos === 2) {
      await publisher.expect('PUBREC');
      publisher.send(pubrel(id));
      await publisher.expect('PUBCOMP');
    }
  };

  // Retained: plain, with every property, with an end, without text, and one that is taken back.
  await send('retained/plain', 'one', 0, [], true);
  await send(
    'retained/properties',
    'two',
    1,
    [
      property.payloadFormatIndicator(1),
      property.contentType('text/plain'),
      property.responseTopic('answers/here'),
      property.correlationData(binaryPayload),
      property.userProperty('k', 'v'),
      property.userProperty('k', 'ü'),
    ],
    true,
  );
  await send('retained/expires', 'three', 2, [property.messageExpiryInterval(messageExpiryInterval)], true);
  await send('retained/binary', binaryPayload, 1, [], true);
  await send('retained/gone', 'x', 1, [], true);
  await send('retained/gone', '', 1, [], true);
  await send('ünïcode/☃', 'snow', 1, [], true);

  // Sessions that are away while messages come.
  const away = await openClient(port, { version: 4, cleanStart: false, clientIdentifier: 'away-311', keepAlive: 0 });
  away.send(
    subscribe(1, [
      ['q/#', 2],
      ['only/zero', 0],
      ['+/one', 1],
    ]),
  );
  await away.expect('SUBACK');
  await away.leave();
  const away5 = await openClient(port, {
    cleanStart: false,
    clientIdentifier: 'away-5',
    username: 'reader',
    password: 'y',
    keepAlive: 0,
    properties: [property.sessionExpiryInterval(sessionExpiryInterval)],
  });
  away5.send(subscribe5(1, [['q/+', 1 | 4 | 8]], [property.subscriptionIdentifier(77)]));
  await away5.expect('SUBACK');
  away5.send(subscribe5(2, [['$share/group/shared/#', 1]]));
  await away5.expect('SUBACK');
  await away5.leave();
  // Comes after a client with a user name and has none.
  const plain = await openClient(port, { version: 4, cleanStart: false, clientIdentifier: 'plain', keepAlive: 0 });
  await plain.leave();

  await send('q/one', 'first', 1);
  await send('q/two', 'second', 2, [property.userProperty('n', '2')]);
  await send('q/three', 'third', 1, [property.messageExpiryInterval(messageExpiryInterval)], true);
  await send('q/zero', 'never kept', 0);

  // In flight: received and not acknowledged; QoS 2 without PUBREC, and with it.
  const busy = await openClient(port, {
    cleanStart: false,
    clientIdentifier: 'busy',
    keepAlive: 0,
    properties: [property.sessionExpiryInterval(0xffff_ffff), property.receiveMaximum(4)],
    will: { topic: 'last/words', payload: new TextEncoder().encode('busy is gone'), qos: 1 },
  });
  busy.send(subscribe5(1, [['b/#', 2]], [property.subscriptionIdentifier(5)]));
  await busy.expect('SUBACK');
  for (const [index, qos] of [1, 2, 2, 1, 1, 2].entries()) await send(`b/${index + 1}`, `b${index + 1}`, qos);
  const got = await busy.collect();
  if (got.length !== 4) throw new Error(`${got.length} messages in flight`);
  busy.send(pubrec(got[2]!.id as number));
  await busy.collect();
  // QoS 2 on its way in, without PUBREL.
  busy.send(publish5('in/one', 'not released', { qos: 2, id: 40 }), publish5('in/two', 'nor this', { qos: 2, id: 41 }));
  await busy.expect('PUBREC');
  await busy.expect('PUBREC');
  return [publisher, busy];
}
