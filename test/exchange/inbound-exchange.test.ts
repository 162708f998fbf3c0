import { describe, expect, it } from 'vitest';
import { InboundExchange } from '../../src/exchange/inbound-exchange.ts';
import { InboundTopicAliases, OutboundTopicAliases } from '../../src/exchange/topic-aliases.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';

describe('InboundExchange', () => {
  it('[MQTT-4.3.3-10] tells the first PUBLISH of an identifier from its repetitions until the PUBREL', () => {
    const exchange = new InboundExchange<string>();
    expect(exchange.begin(7, 'first')).toBe('deliver');
    expect(exchange.begin(7, 'again')).toBe('duplicate');
    expect(exchange.release(7)).toBe('first');
    expect(exchange.release(7)).toBeUndefined();
    expect(exchange.begin(7, 'new')).toBe('deliver');
  });

  it('[MQTT-3.3.4-7] is full at the Receive Maximum, QoS 1 and 2 counted together', () => {
    const exchange = new InboundExchange<string>(2);
    exchange.beginQos1();
    expect(exchange.isFull).toBe(false);
    exchange.begin(1, 'a');
    expect(exchange.isFull).toBe(true);
    exchange.endQos1();
    expect(exchange.isFull).toBe(false);
  });

  it('keeps QoS 2 identifiers over a lost connection, and forgets QoS 1 work', () => {
    const exchange = new InboundExchange<string>(5);
    exchange.beginQos1();
    exchange.begin(3, 'kept');
    exchange.connectionLost();
    expect(exchange.count).toBe(1);
    expect([...exchange.entries()]).toEqual([[3, 'kept']]);
  });
});

describe('topic aliases', () => {
  it('stand for the last Topic Name given with them', () => {
    const aliases = new InboundTopicAliases(2);
    expect(aliases.resolve('a/b', 1)).toBe('a/b');
    expect(aliases.resolve('', 1)).toBe('a/b');
    expect(aliases.resolve('c', 1)).toBe('c');
    expect(aliases.resolve('', 1)).toBe('c');
  });

  it('[MQTT-3.3.2-8] [MQTT-3.3.2-9] are refused outside their range, and when they stand for nothing', () => {
    const aliases = new InboundTopicAliases(2);
    const reasonOf = (topicName: string, alias: number): unknown => {
      try {
        return aliases.resolve(topicName, alias);
      } catch (error) {
        return error instanceof ProtocolError ? error.reasonCode : error;
      }
    };
    expect(reasonOf('a', 0)).toBe(0x94);
    expect(reasonOf('a', 3)).toBe(0x94);
    expect(reasonOf('', 2)).toBe(0x82);
  });

  it('are given out up to the maximum that the peer granted', () => {
    const aliases = new OutboundTopicAliases(2);
    expect([aliases.assign('a'), aliases.assign('b'), aliases.assign('c')]).toEqual([1, 2, 0]);
    expect([aliases.get('b'), aliases.get('c')]).toEqual([2, 0]);
  });
});
