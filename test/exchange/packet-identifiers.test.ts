import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketIdentifiers } from '../../src/exchange/packet-identifiers.ts';

describe('PacketIdentifiers', () => {
  it('[MQTT-2.2.1-3] gives identifiers from 1 and never one that is held', () => {
    const identifiers = new PacketIdentifiers<string>();
    expect([identifiers.allocate('a'), identifiers.allocate('b'), identifiers.allocate('c')]).toEqual([1, 2, 3]);
    expect(identifiers.release(2)).toBe('b');
    expect(identifiers.get(2)).toBeUndefined();
    expect(identifiers.get(3)).toBe('c');
    expect(identifiers.count).toBe(2);
  });

  it('skips a held identifier when the numbers wrap', () => {
    const identifiers = new PacketIdentifiers<number>();
    expect(identifiers.allocate(-1)).toBe(1);
    const given: number[] = [];
    for (let turn = 0; turn < 70_000; turn++) {
      const identifier = identifiers.allocate(turn);
      given.push(identifier);
      expect(identifiers.release(identifier)).toBe(turn);
    }
    expect(given.slice(0, 1000)).toEqual(Array.from({ length: 1000 }, (_, index) => index + 2));
    expect(given).toContain(65_535);
    expect(given).toContain(2);
    expect(given).not.toContain(1);
    expect(given).not.toContain(0);
    expect(identifiers.get(1)).toBe(-1);
  });

  it('gives out all 65,535 and then none', () => {
    const identifiers = new PacketIdentifiers<number>();
    const given = new Set<number>();
    for (let turn = 0; turn < 65_535; turn++) given.add(identifiers.allocate(turn));
    expect(given.size).toBe(65_535);
    expect(given.has(0)).toBe(false);
    expect(identifiers.allocate(1)).toBe(0);
    expect(identifiers.release(40_000)).toBe(39_999);
    expect(identifiers.allocate(5)).toBe(40_000);
  });

  it('lists holders in the order of their allocation, also across the wrap', () => {
    const identifiers = new PacketIdentifiers<number>();
    expect(identifiers.reserve(65_534, 0)).toBe(true);
    expect([identifiers.allocate(1), identifiers.allocate(2), identifiers.allocate(3)]).toEqual([65_535, 1, 2]);
    expect(identifiers.holders()).toEqual([0, 1, 2, 3]);
    expect(identifiers.reserve(1, 9)).toBe(false);
  });

  it('answers undefined for identifiers that nobody holds, 0 and nonsense included', () => {
    const identifiers = new PacketIdentifiers<string>();
    for (const identifier of [0, 1, 4, 65_535, 65_536, -1]) {
      expect(identifiers.get(identifier)).toBeUndefined();
      expect(identifiers.release(identifier)).toBeUndefined();
    }
    identifiers.allocate('a');
    expect(identifiers.get(0)).toBeUndefined();
    expect(identifiers.release(5)).toBeUndefined();
    expect(identifiers.count).toBe(1);
  });

  it('behaves like a map of what is held, whatever the order of allocations and releases', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constant('allocate' as const), fc.nat(200)), { maxLength: 400 }), (steps) => {
        const identifiers = new PacketIdentifiers<number>();
        const held = new Map<number, number>();
        let serial = 0;
        for (const step of steps) {
          if (step === 'allocate') {
            const identifier = identifiers.allocate(serial);
            expect(held.has(identifier)).toBe(false);
            expect(identifier).toBeGreaterThan(0);
            held.set(identifier, serial++);
          } else {
            const identifier = [...held.keys()][step % Math.max(1, held.size)] ?? 9999;
            expect(identifiers.release(identifier)).toBe(held.get(identifier));
            held.delete(identifier);
          }
          expect(identifiers.count).toBe(held.size);
        }
        expect(identifiers.holders()).toEqual([...held.values()]);
      }),
    );
  });
});
