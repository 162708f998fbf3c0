import { describe, expect, it } from 'vitest';
import { type OutboundEntry, OutboundExchange } from '../../src/exchange/outbound-exchange.ts';

interface Entry extends OutboundEntry {
  readonly name: string;
}

function entry(name: string, qos: 1 | 2): Entry {
  return { name, qos, packetIdentifier: 0, state: 'idle' };
}

describe('OutboundExchange', () => {
  it('[MQTT-4.3.2-1] ends a QoS 1 delivery with its PUBACK and no other acknowledgement', () => {
    const exchange = new OutboundExchange<Entry>(10);
    const message = entry('a', 1);
    exchange.begin(message);
    expect(exchange.pubcomp(message.packetIdentifier)).toBeUndefined();
    expect(exchange.pubrec(message.packetIdentifier, 0)).toBe('unknown');
    expect(exchange.puback(message.packetIdentifier)).toBe(message);
    expect(exchange.puback(message.packetIdentifier)).toBeUndefined();
    expect(exchange.count).toBe(0);
  });

  it('[MQTT-4.3.3-1] ends a QoS 2 delivery with PUBREC and PUBCOMP in this order', () => {
    const exchange = new OutboundExchange<Entry>(10);
    const message = entry('a', 2);
    exchange.begin(message);
    expect(exchange.pubcomp(message.packetIdentifier)).toBeUndefined();
    expect(exchange.puback(message.packetIdentifier)).toBeUndefined();
    expect(exchange.pubrec(message.packetIdentifier, 0)).toBe('release');
    expect(exchange.pubrec(message.packetIdentifier, 0)).toBe('release');
    expect(exchange.pubcomp(message.packetIdentifier)).toBe(message);
    expect(exchange.pubcomp(message.packetIdentifier)).toBeUndefined();
  });

  it('[MQTT-4.3.3-4] ends a QoS 2 delivery with a PUBREC that refuses, and gives its quota back', () => {
    const exchange = new OutboundExchange<Entry>(1);
    const message = entry('a', 2);
    exchange.begin(message);
    expect(exchange.hasQuota).toBe(false);
    expect(exchange.pubrec(message.packetIdentifier, 0x97)).toBe('ended');
    expect(exchange.hasQuota).toBe(true);
    expect(exchange.pubrec(message.packetIdentifier, 0)).toBe('unknown');
  });

  it('[MQTT-3.3.4-9] has quota for as many as the Receive Maximum, until acknowledgements come', () => {
    const exchange = new OutboundExchange<Entry>(2);
    const [a, b] = [entry('a', 1), entry('b', 2)];
    exchange.begin(a);
    exchange.begin(b);
    expect(exchange.hasQuota).toBe(false);
    exchange.pubrec(b.packetIdentifier, 0);
    expect(exchange.hasQuota).toBe(false);
    exchange.puback(a.packetIdentifier);
    expect(exchange.hasQuota).toBe(true);
  });

  it('[MQTT-4.4.0-1] hands out what is unacknowledged after a reconnect, in order, with its identifier, within the new quota', () => {
    const exchange = new OutboundExchange<Entry>(10);
    const entries = ['a', 'b', 'c', 'd'].map((name, index) => entry(name, index === 1 ? 2 : 1));
    for (const one of entries) exchange.begin(one);
    exchange.pubrec(2, 0);
    expect(exchange.connectionMade(2).map((one) => one.name)).toEqual(['b']);
    // The released one takes quota, too.
    expect(exchange.nextResend()?.name).toBe('a');
    expect(exchange.nextResend()).toBeUndefined();
    expect(exchange.hasResends).toBe(true);
    expect(exchange.puback(1)?.name).toBe('a');
    expect(exchange.nextResend()?.name).toBe('c');
    expect(exchange.pubcomp(2)?.name).toBe('b');
    expect(exchange.nextResend()?.name).toBe('d');
    expect(entries.map((one) => one.packetIdentifier)).toEqual([1, 2, 3, 4]);
    expect(exchange.hasResends).toBe(false);
  });

  it('does not send again, nor count twice, what is acknowledged before it was sent again', () => {
    const exchange = new OutboundExchange<Entry>(10);
    const entries = ['a', 'b', 'c'].map((name) => entry(name, 1));
    for (const one of entries) exchange.begin(one);
    exchange.connectionMade(1);
    expect(exchange.nextResend()?.name).toBe('a');
    expect(exchange.puback(2)?.name).toBe('b');
    expect(exchange.hasQuota).toBe(false);
    exchange.puback(1);
    expect(exchange.nextResend()?.name).toBe('c');
    expect(exchange.hasQuota).toBe(false);
  });

  it('keeps every order of acknowledgements of three deliveries consistent', () => {
    const orders = [
      [1, 2, 3],
      [1, 3, 2],
      [2, 1, 3],
      [2, 3, 1],
      [3, 1, 2],
      [3, 2, 1],
    ];
    for (const qos of [1, 2] as const) {
      for (const order of orders) {
        const exchange = new OutboundExchange<Entry>(3);
        for (const name of ['a', 'b', 'c']) exchange.begin(entry(name, qos));
        for (const identifier of order) {
          if (qos === 1) expect(exchange.puback(identifier)).toBeDefined();
          else {
            expect(exchange.pubrec(identifier, 0)).toBe('release');
            expect(exchange.pubcomp(identifier)).toBeDefined();
          }
        }
        expect(exchange.count).toBe(0);
        expect(exchange.hasQuota).toBe(true);
      }
    }
  });
});
