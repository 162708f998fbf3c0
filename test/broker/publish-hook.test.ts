/** The onPublish hook: sees, replaces and drops messages at every QoS. */
import { describe, expect, it } from 'vitest';
import { type ClientIdentity, Message } from '../../src/broker/index.ts';
import { property, pubrel } from '../support/raw-packets.ts';
import { failures, ways } from './hook-ways.ts';
import { InMemoryBroker, type MemoryClient } from './in-memory.ts';

const withPayload = (message: Message, payload: string, topicName = message.topicName) =>
  new Message(
    topicName,
    Buffer.from(payload),
    message.qos,
    message.retain,
    message.properties,
    message.expiresAt,
    message.publisher,
  );

/** Publishes and, at QoS 2, releases; gives what came back. */
async function publishThrough(net: InMemoryBroker, client: MemoryClient, topic: string, payload: string, qos: number) {
  const id = client.publish(topic, payload, { qos });
  await net.pass(10);
  const answers = await client.texts();
  if (qos === 2 && answers[0]?.startsWith('PUBREC') && !answers[0].includes('code=')) {
    client.send(pubrel(id));
    await net.pass(10);
    answers.push(...(await client.texts()));
  }
  return answers;
}

async function started(onPublish: (message: Message, client: ClientIdentity | undefined) => unknown) {
  const net = new InMemoryBroker({ hooks: { onPublish: onPublish as () => undefined } });
  const subscriber = await net.connect();
  subscriber.acknowledgeAll();
  await subscriber.subscribe(['#', 2]);
  const publisher = await net.connect({ clientIdentifier: 'p', username: 'u' });
  return { net, subscriber, publisher };
}

const acknowledged = [[], ['PUBACK id=1'], ['PUBREC id=1', 'PUBCOMP id=1']];

describe('onPublish', () => {
  for (const qos of [0, 1, 2]) {
    for (const [way, see] of ways((answer: unknown) => answer)) {
      it(`sees the message and answers nothing ${way}: it is routed as it was, QoS ${qos}`, async () => {
        const seen: unknown[] = [];
        const { net, subscriber, publisher } = await started((message, client) => {
          seen.push([message.topicName, `${Buffer.from(message.payload)}`, message.qos, message.retain]);
          seen.push([client?.clientIdentifier, client?.username]);
          return see(undefined);
        });
        expect(await publishThrough(net, publisher, 't/1', 'hello', qos)).toEqual(acknowledged[qos]);
        expect(seen).toEqual([
          ['t/1', 'hello', qos, false],
          ['p', 'u'],
        ]);
        expect((await subscriber.texts()).filter((one) => one.startsWith('PUBLISH'))).toEqual([
          `PUBLISH ${qos === 0 ? '' : 'id=1 '}[t/1] "hello"`,
        ]);
      });

      it(`answers another Message ${way}: that one is routed, QoS ${qos}`, async () => {
        const { net, subscriber, publisher } = await started((message) =>
          see(withPayload(message, `${Buffer.from(message.payload)}!`, 'other/topic')),
        );
        expect(await publishThrough(net, publisher, 't/1', 'hello', qos)).toEqual(acknowledged[qos]);
        expect((await subscriber.texts()).filter((one) => one.startsWith('PUBLISH'))).toEqual([
          `PUBLISH ${qos === 0 ? '' : 'id=1 '}[other/topic] "hello!"`,
        ]);
      });

      it(`answers false ${way}: the message is acknowledged and dropped, QoS ${qos}`, async () => {
        const { net, subscriber, publisher } = await started((message) => see(message.topicName === 'keep'));
        const { net: fresh, publisher: other } = await started(() => see(false));
        expect(await publishThrough(fresh, other, 't/1', 'x', qos)).toEqual(acknowledged[qos]);
        expect(fresh.counters.publishMessagesReceived).toBe(1);
        expect(fresh.counters.publishRefused).toBe(0);
        await publishThrough(net, publisher, 'drop', 'x', qos);
        expect(await subscriber.texts()).toEqual([]);
      });
    }

    for (const [way, fail] of failures) {
      it(`that ${way} refuses the message with 0x80, QoS ${qos}, and the next one goes its way`, async () => {
        let isFailing = true;
        const { net, subscriber, publisher } = await started(() => (isFailing ? fail() : undefined));
        const refused = [[], ['PUBACK id=1 code=0x80'], ['PUBREC id=1 code=0x80']];
        expect(await publishThrough(net, publisher, 't', 'lost', qos)).toEqual(refused[qos]);
        expect(net.lines('error')).toEqual(['A hook failed: the directory is down']);
        expect(net.counters.publishRefused).toBe(1);
        isFailing = false;
        await publishThrough(net, publisher, 't', 'kept', qos);
        expect((await subscriber.texts()).filter((one) => one.startsWith('PUBLISH')).join()).toContain('"kept"');
        expect(publisher.isClosed).toBe(false);
      });
    }
  }

  it('keeps the identifier of a dropped QoS 2 message until its PUBREL, as for any other', async () => {
    const { net, subscriber, publisher } = await started(() => false);
    const id = publisher.publish('t', 'x', { qos: 2 });
    expect(await publisher.texts()).toEqual([`PUBREC id=${id}`]);
    publisher.send(pubrel(id), pubrel(id));
    expect(await publisher.texts()).toEqual([`PUBCOMP id=${id}`, `PUBCOMP id=${id} code=0x92`]);
    await net.settle();
    expect(await subscriber.texts()).toEqual([]);
  });

  it('sees every message of a burst, none by the quick way', async () => {
    let seen = 0;
    const { subscriber, publisher } = await started(() => void seen++);
    for (let count = 0; count < 50; count++) publisher.publish('t', String(count));
    expect((await subscriber.payloads()).length).toBe(50);
    expect(seen).toBe(50);
  });

  it('sees a retained message before it is kept', async () => {
    const { net, publisher } = await started((message) => withPayload(message, 'censored'));
    publisher.publish('t', 'raw', { retain: true });
    await net.settle();
    const late = await net.connect();
    await late.subscribe('t');
    expect(await late.payloads()).toEqual(['censored']);
  });

  it.each([
    ['a message on no topic', ''],
    ['a message on a filter', 'a/#'],
  ])('that answers %s refuses the message instead of routing it', async (_, topicName) => {
    const { net, subscriber, publisher } = await started((message) => withPayload(message, 'x', topicName));
    expect(await publishThrough(net, publisher, 't', 'x', 1)).toEqual(['PUBACK id=1 code=0x80']);
    expect(await subscriber.texts()).toEqual([]);
    expect(net.lines('error').join()).toContain('no Topic Name');
  });

  it('that answers a message which no packet can carry has it dropped by name; nobody is disconnected', async () => {
    const { net, subscriber, publisher } = await started((message) =>
      message.topicName === 'good'
        ? undefined
        : new Message('bad', message.payload, message.qos, false, { contentType: 'a\0b' }, 0, undefined),
    );
    const fields = { clientIdentifier: 'away', cleanStart: false, properties: [property.sessionExpiryInterval(60)] };
    const away = await net.connect(fields);
    await away.subscribe(['#', 1]);
    await away.drop();
    for (const qos of [0, 1]) {
      publisher.publish('t', 'x', { qos });
      publisher.publish('good', 'y', { qos });
    }
    await net.settle();
    const back = await net.connect(fields);
    expect(await back.payloads()).toEqual(['y']);
    expect(await subscriber.payloads()).toEqual(['y', 'y']);
    expect([publisher.isClosed, subscriber.isClosed, back.isClosed]).toEqual([false, false, false]);
    expect(net.counters.publishMessagesDropped).toBe(3);
    expect(net.lines('error')[2]).toMatch(/^Dropped PUBLISH to away: 'bad' \(1 bytes\) cannot be sent: .*U\+0000/);
  });

  it('sees wills, which it may replace or drop', async () => {
    const seen: string[] = [];
    const { net, subscriber } = await started(async (message, client) => {
      seen.push(`${client?.clientIdentifier} ${message.topicName}`);
      return message.topicName === 'will/dropped' ? false : withPayload(message, 'rewritten');
    });
    for (const name of ['dropped', 'rewritten']) {
      const client = await net.connect({ clientIdentifier: name, will: { topic: `will/${name}` } });
      await client.drop();
    }
    expect(await subscriber.texts()).toEqual(['PUBLISH [will/rewritten] "rewritten"']);
    expect(seen).toEqual(['dropped will/dropped', 'rewritten will/rewritten']);
  });

  it('is not asked about what the program itself or the broker publishes', async () => {
    const { net, subscriber } = await started(() => false);
    net.broker.publish('own', 'mine');
    expect(await subscriber.payloads()).toEqual(['mine']);
  });

  it('of a client that reconnects meanwhile does not open its QoS 2 exchange twice', async () => {
    const pending: ((value: undefined) => void)[] = [];
    const { net, subscriber } = await started(() => new Promise((resolve) => pending.push(resolve)));
    const fields = { clientIdentifier: 'q', cleanStart: false, properties: [property.sessionExpiryInterval(60)] };
    const first = await net.connect(fields);
    const id = first.publish('t', 'once', { qos: 2 });
    await net.settle();
    await first.drop();
    const second = await net.connect(fields);
    second.publish('t', 'once', { qos: 2 });
    await net.settle();
    pending[1]?.(undefined);
    expect(await second.texts()).toEqual([`PUBREC id=${id}`]);
    second.send(pubrel(id));
    expect(await second.texts()).toEqual([`PUBCOMP id=${id}`]);
    // The answer for the first connection comes last. Had it opened the exchange again, the next message would be taken for a repetition.
    pending[0]?.(undefined);
    await net.settle();
    const third = await net.connect(fields);
    third.publish('t', 'next', { qos: 2 });
    await net.settle();
    pending[2]?.(undefined);
    expect(await third.texts()).toEqual([`PUBREC id=${id}`]);
    third.send(pubrel(id));
    await net.settle();
    expect((await subscriber.texts()).filter((one) => one.startsWith('PUBLISH'))).toEqual([
      'PUBLISH id=1 [t] "once"',
      'PUBLISH id=2 [t] "next"',
    ]);
  });
});
