import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/base/clock.ts';
import { PacketType } from '../../src/protocol/packet-types.ts';
import { ReasonCode } from '../../src/protocol/reason-codes.ts';
import { publish, ScriptedServer, type ServerSide, settle } from './scripted-server.ts';

const unsuback = (side: ServerSide, packetIdentifier: number, ...reasonCodes: ReasonCode[]) =>
  side.send({ type: PacketType.UNSUBACK, packetIdentifier, reasonCodes, properties: undefined });

describe('subscribing', () => {
  it('sends the options and resolves with what was granted', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const subscribing = client.subscribe(['a/+', '$share/g/b'], { qos: 2, retainAsPublished: true, retainHandling: 2 });
    const packet = await side.take('SUBSCRIBE');
    expect(packet.subscriptions).toEqual(
      ['a/+', '$share/g/b'].map((topicFilter) => ({
        topicFilter,
        qos: 2,
        noLocal: false,
        retainAsPublished: true,
        retainHandling: 2,
      })),
    );
    const reasonCodes = [ReasonCode.grantedQos1, ReasonCode.grantedQos2];
    side.send({
      type: PacketType.SUBACK,
      packetIdentifier: packet.packetIdentifier,
      reasonCodes,
      properties: undefined,
    });
    const subscription = await subscribing;
    expect(subscription.topicFilters).toEqual(['a/+', '$share/g/b']);
    expect(subscription.reasonCodes).toEqual(reasonCodes);
    expect(subscription.suback.packetIdentifier).toBe(packet.packetIdentifier);
    client.destroy();
  });

  it('rejects if every filter was refused', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const outcome = client.subscribe(['a', 'b']).catch((error: Error) => error);
    const { packetIdentifier } = await side.take('SUBSCRIBE');
    const reasonCodes = [ReasonCode.notAuthorized, ReasonCode.quotaExceeded];
    side.send({ type: PacketType.SUBACK, packetIdentifier, reasonCodes, properties: { reasonString: 'no' } });
    expect(await outcome).toMatchObject({
      code: 'MQTT_ERR_REFUSED',
      reasonCode: ReasonCode.notAuthorized,
      message: 'the server refused the subscription to "a", "b": Not authorized (no)',
    });
    client.destroy();
  });

  it('rejects what cannot be asked for, naming it, and sends nothing', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const attempts: [() => Promise<unknown>, string, string][] = [
      [() => client.subscribe('a+'), 'topicFilter "a+" is no Topic Filter', 'MQTT_ERR_TOPIC'],
      [() => client.subscribe(['ok', '']), 'topicFilter "" is no Topic Filter', 'MQTT_ERR_TOPIC'],
      [() => client.subscribe('$share/g'), 'expected $share/{name}/{filter}', 'MQTT_ERR_TOPIC'],
      [() => client.subscribe([]), 'no Topic Filter was given', 'MQTT_ERR_OPTION'],
      [() => client.subscribe('a', { qos: 5 as never }), 'qos 5; expected 0, 1 or 2', 'MQTT_ERR_OPTION_RANGE'],
      [
        () => client.subscribe('a', { retainHandling: 3 as never }),
        'retainHandling 3; expected 0–2',
        'MQTT_ERR_OPTION_RANGE',
      ],
      [
        () => client.subscribe('$share/g/a', { noLocal: true }),
        'noLocal with the Shared Subscription',
        'MQTT_ERR_OPTION',
      ],
      [() => client.unsubscribe('#/a'), 'topicFilter "#/a" is no Topic Filter', 'MQTT_ERR_TOPIC'],
      [() => client.subscribe('a', { properties: { subscriptionIdentifiers: [0] } }), '', 'MQTT_ERR_OPTION_RANGE'],
    ];
    for (const [attempt, message, code] of attempts) {
      await expect(attempt(), message).rejects.toMatchObject({ message: expect.stringContaining(message), code });
    }
    await settle();
    expect(side.unread).toEqual([]);
    client.destroy();
  });

  it('rejects what the server said it does not support', async () => {
    const limits = {
      wildcardSubscriptionAvailable: false,
      sharedSubscriptionAvailable: false,
      subscriptionIdentifiersAvailable: false,
    };
    const { client, side } = await new ScriptedServer().connected({}, limits);
    const properties = { subscriptionIdentifiers: [1] };
    for (const [attempt, reasonCode] of [
      [client.subscribe('a/#'), ReasonCode.wildcardSubscriptionsNotSupported],
      [client.subscribe('$share/g/a'), ReasonCode.sharedSubscriptionsNotSupported],
      [client.subscribe('a', { properties }), ReasonCode.subscriptionIdentifiersNotSupported],
    ] as const) {
      await expect(attempt).rejects.toMatchObject({ code: 'MQTT_ERR_REFUSED', reasonCode });
    }
    await settle();
    expect(side.unread).toEqual([]);
    client.destroy();
  });

  it('stops at its signal: at once while offline, with an UNSUBSCRIBE if the server has it or will have', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected({ cleanStart: false, sessionExpiryInterval: 60 });
    const aborted = { code: 'MQTT_ERR_ABORTED' };
    await expect(client.subscribe('a', { signal: AbortSignal.abort() })).rejects.toMatchObject(aborted);

    const early = new AbortController();
    const unanswered = client.subscribe('early', { signal: early.signal });
    const { packetIdentifier } = await side.take('SUBSCRIBE');
    early.abort();
    await expect(unanswered).rejects.toMatchObject(aborted);
    side.send({ type: PacketType.SUBACK, packetIdentifier, reasonCodes: [0], properties: undefined });
    const first = await side.take('UNSUBSCRIBE');
    expect(first.topicFilters).toEqual(['early']);
    unsuback(side, first.packetIdentifier, 0);

    const late = new AbortController();
    const answered = client.subscribe('late', { signal: late.signal });
    await side.grant();
    const subscription = await answered;
    const reading = (async () => {
      for await (const _ of subscription);
    })();
    late.abort();
    const second = await side.take('UNSUBSCRIBE');
    expect(second.topicFilters).toEqual(['late']);
    unsuback(side, second.packetIdentifier, 0);
    await reading;

    side.cut();
    await settle(1);
    const offline = new AbortController();
    const waiting = client.subscribe('offline', { signal: offline.signal });
    offline.abort();
    await expect(waiting).rejects.toMatchObject(aborted);
    const again = await server.connection(2);
    await again.accept(undefined, false);
    await settle();
    expect(again.unread).toEqual([]);
    client.destroy();
  });
});

describe('unsubscribing', () => {
  it('keeps a filter that another subscription has as well', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const seen: string[] = [];
    const subscribe = async (filters: string[], name: string) => {
      const subscribing = client.subscribe(filters, {
        onMessage: (message) => void seen.push(`${name} ${message.topicName}`),
      });
      await side.grant();
      return subscribing;
    };
    const first = await subscribe(['a', 'b'], 'first');
    const second = await subscribe(['b'], 'second');
    const leaving = first.unsubscribe();
    const packet = await side.take('UNSUBSCRIBE');
    expect(packet.topicFilters).toEqual(['a']);
    unsuback(side, packet.packetIdentifier, 0);
    await leaving;
    side.send(publish('b', ''));
    await settle();
    expect(seen).toEqual(['second b']);
    const third = await subscribe(['b'], 'third');
    expect((await third.unsubscribe()).reasonCodes).toEqual([ReasonCode.success]);
    side.send(publish('b', ''));
    await settle();
    expect(side.unread).toEqual([]);
    expect(seen).toEqual(['second b', 'second b']);
    expect(second.topicFilters).toEqual(['b']);
    client.destroy();
  });

  it('by the client ends subscriptions whose filters are all gone, but not for refused ones', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const subscribing = client.subscribe(['a', 'b']);
    await side.grant();
    const subscription = await subscribing;
    let isOver = false;
    const reading = (async () => {
      for await (const _ of subscription);
      isOver = true;
    })();
    const first = client.unsubscribe(['a', 'b'], { properties: { userProperties: [['k', 'v']] } });
    const packet = await side.take('UNSUBSCRIBE');
    expect(packet).toMatchObject({ topicFilters: ['a', 'b'], properties: { userProperties: [['k', 'v']] } });
    unsuback(side, packet.packetIdentifier, ReasonCode.success, ReasonCode.notAuthorized);
    expect((await first).reasonCodes).toEqual([ReasonCode.success, ReasonCode.notAuthorized]);
    await settle();
    expect(isOver).toBe(false);
    const second = client.unsubscribe('b');
    unsuback(side, (await side.take('UNSUBSCRIBE')).packetIdentifier, ReasonCode.noSubscriptionExisted);
    await second;
    await reading;
    client.destroy();
  });

  it('works in 3.1.1, whose UNSUBACK says nothing', async () => {
    const { client, side } = await new ScriptedServer().connected({ protocolVersion: 4 });
    const subscribing = client.subscribe('a');
    await side.grant();
    const leaving = (await subscribing).unsubscribe();
    unsuback(side, (await side.take('UNSUBSCRIBE')).packetIdentifier);
    expect((await leaving).reasonCodes).toEqual([]);
    client.destroy();
  });
});

describe('request and response', () => {
  it('sends Response Topic and Correlation Data and resolves with the answer that bears them', async () => {
    const { client, side } = await new ScriptedServer().connected({}, { responseInformation: 'answers/' });
    const first = client.request('ask', 'one', { qos: 1, properties: { contentType: 'x' } });
    const second = client.request('ask', 'two');
    const filter = (await side.grant()).subscriptions[0]!.topicFilter;
    expect(filter).toMatch(/^answers\/[0-9a-z]{20}$/);
    const one = await side.take('PUBLISH');
    const two = await side.take('PUBLISH');
    expect(one).toMatchObject({ topicName: 'ask', qos: 1, properties: { contentType: 'x', responseTopic: filter } });
    const { correlationData } = one.properties!;
    expect(two.properties!.correlationData).not.toEqual(correlationData);
    side.send(publish(filter, 'stray', { properties: { correlationData: Uint8Array.of(1) } }));
    side.send(publish(filter, 'to two', { properties: { correlationData: two.properties!.correlationData! } }));
    side.send(publish(filter, 'to one', { properties: { correlationData: correlationData! } }));
    expect((await first).text()).toBe('to one');
    expect((await second).text()).toBe('to two');
    const third = client.request('ask', 'three');
    await side.take('PUBLISH');
    side.send(publish(filter, 'without'));
    expect((await third).text()).toBe('without');
    client.destroy();
  });

  it('takes a Response Topic of the caller', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const asking = client.request('ask', '', { responseTopic: 'mine' });
    expect((await side.grant()).subscriptions[0]!.topicFilter).toBe('mine');
    const { properties } = await side.take('PUBLISH');
    expect(properties!.responseTopic).toBe('mine');
    side.send(publish('mine', 'yes', { properties: { correlationData: properties!.correlationData! } }));
    expect((await asking).text()).toBe('yes');
    client.destroy();
  });

  it('rejects after timeoutMs, at its signal, when refused and at the end of the client', async () => {
    const clock = new VirtualClock();
    const server = new ScriptedServer();
    const starting = server.start({}, clock);
    const side = await server.connection(1);
    await clock.advanceAsync(0);
    await side.accept();
    const client = await starting;
    const late = client.request('ask', '', { timeoutMs: 500 }).catch((error: Error) => error);
    await clock.advanceAsync(0);
    await side.grant();
    await clock.advanceAsync(500);
    expect(await late).toMatchObject({
      code: 'MQTT_ERR_TIMEOUT',
      message: 'no answer to the request to "ask" within 500 ms',
    });

    const controller = new AbortController();
    const stopped = client.request('ask', '', { signal: controller.signal }).catch((error: Error) => error);
    controller.abort();
    expect(await stopped).toMatchObject({ code: 'MQTT_ERR_ABORTED' });

    const invalid = client.request('ask/#', '').catch((error: Error) => error);
    expect(await invalid).toMatchObject({ code: 'MQTT_ERR_TOPIC' });

    const refused = client.request('ask', '', { responseTopic: 'other' }).catch((error: Error) => error);
    await clock.advanceAsync(0);
    while (side.unread[0]?.type === PacketType.PUBLISH) side.unread.shift();
    const { packetIdentifier } = await side.take('SUBSCRIBE');
    const reasonCodes = [ReasonCode.notAuthorized];
    side.send({ type: PacketType.SUBACK, packetIdentifier, reasonCodes, properties: undefined });
    expect(await refused).toMatchObject({ reasonCode: ReasonCode.notAuthorized });

    const open = client.request('ask', '').catch((error: Error) => error);
    client.destroy();
    expect(await open).toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED' });
    expect(clock.pendingTimers).toBe(0);
  });

  it('needs MQTT 5', async () => {
    const { client } = await new ScriptedServer().connected({ protocolVersion: 4 });
    await expect(client.request('a', '')).rejects.toMatchObject({ code: 'MQTT_ERR_OPTION' });
    client.destroy();
  });
});
