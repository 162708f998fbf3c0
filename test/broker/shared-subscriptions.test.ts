import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SharedGroup, SharedSubscriptions } from '../../src/broker/shared-subscriptions.ts';

function groupOf(members: string): SharedGroup<string> {
  const group = new SharedGroup<string>('share', 'a/b');
  for (const member of members) group.add(member);
  return group;
}

/** Who gets the next messages, when each member is as willing as `willing` says. */
function served(group: SharedGroup<string>, count: number, willing: Record<string, 0 | 1 | 2> = {}): string {
  let result = '';
  for (let index = 0; index < count; index++) result += group.choose((member) => willing[member] ?? 2) ?? '-';
  return result;
}

describe('SharedGroup', () => {
  it('gives each message to one member, in turn', () => {
    expect(served(groupOf('abc'), 7)).toBe('abcabca');
    expect(served(groupOf('a'), 3)).toBe('aaa');
    expect(served(groupOf(''), 1)).toBe('-');
  });

  it('passes over members that cannot take the message', () => {
    expect(served(groupOf('abcd'), 6, { b: 0, d: 0 })).toBe('acacac');
    expect(served(groupOf('ab'), 2, { a: 0, b: 0 })).toBe('--');
  });

  it('lets a message be queued only if no member can take it now, and then in turn', () => {
    expect(served(groupOf('abc'), 4, { a: 1, b: 1 })).toBe('cccc');
    expect(served(groupOf('abc'), 6, { a: 1, b: 1, c: 1 })).toBe('abcabc');
    expect(served(groupOf('abc'), 4, { a: 1, b: 0, c: 1 })).toBe('acac');
  });

  it('goes on where it was when members become ready again', () => {
    const group = groupOf('abc');
    expect(served(group, 2, { b: 0 })).toBe('ac');
    expect(served(group, 4)).toBe('abca');
  });

  it('asks each member at most once per message', () => {
    const group = groupOf('abcde');
    for (let skipped = 0; skipped < 5; skipped++) {
      const asked: string[] = [];
      expect(
        group.choose((member) => {
          asked.push(member);
          return 0;
        }),
      ).toBeUndefined();
      expect(asked.sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
      served(group, 1);
    }
  });

  it('keeps the turn of the others when members come and go', () => {
    const group = groupOf('abcd');
    expect(served(group, 1)).toBe('a');
    expect(group.remove('b')).toBe(true);
    expect(group.remove('b')).toBe(false);
    expect(served(group, 2)).toBe('cd');
    expect(group.add('e')).toBe(true);
    expect(group.add('e')).toBe(false);
    expect(served(group, 5)).toBe('acdea');
    for (const member of 'acd') group.remove(member);
    expect(served(group, 2)).toBe('ee');
    group.remove('e');
    expect(group.size).toBe(0);
    expect(served(group, 1)).toBe('-');
    group.add('f');
    expect(served(group, 2)).toBe('ff');
  });

  it('shares evenly over any membership: between two members that stay ready, counts differ by one at most', () => {
    const change = fc.oneof(
      fc.record({ kind: fc.constantFrom('add' as const, 'remove' as const), member: fc.nat(9) }),
      fc.record({ kind: fc.constant('serve' as const), member: fc.nat(60) }),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const group = new SharedGroup<number>('s', 'f');
        const members = new Set<number>();
        for (const { kind, member } of changes) {
          if (kind === 'add') {
            expect(group.add(member)).toBe(!members.has(member));
            members.add(member);
          } else if (kind === 'remove') {
            expect(group.remove(member)).toBe(members.delete(member));
          } else if (members.size > 0) {
            const counts = new Map([...members].map((each) => [each, 0]));
            for (let index = 0; index < member; index++) {
              const chosen = group.choose(() => 2)!;
              counts.set(chosen, counts.get(chosen)! + 1);
            }
            expect(counts.size).toBe(members.size);
            expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThanOrEqual(1);
          }
          expect(group.size).toBe(members.size);
          expect(new Set(group.members())).toEqual(members);
          for (let each = 0; each < 10; each++) expect(group.has(each)).toBe(members.has(each));
        }
      }),
      { seed: 6, numRuns: 300 },
    );
  });
});

describe('SharedSubscriptions', () => {
  it('keeps groups apart by Share Name and by Topic Filter', () => {
    const shared = new SharedSubscriptions<string>();
    const first = shared.add('consumers', 'a/b', 'one');
    expect(first.isNew).toBe(true);
    expect(first.group).toMatchObject({ shareName: 'consumers', topicFilter: 'a/b' });
    expect(shared.add('consumers', 'a/b', 'two')).toEqual({ group: first.group, isNew: false });
    expect(shared.add('others', 'a/b', 'one').group).not.toBe(first.group);
    expect(shared.add('consumers', 'b', 'one').group).not.toBe(first.group);
    // `consumers/a` as a Share Name is not valid; `b` under it would be the same text.
    expect(shared.get('consumers', 'a/b')).toBe(first.group);
    expect(shared.get('nobody', 'a/b')).toBeUndefined();
    expect(shared.groupCount).toBe(3);
    expect(shared.size).toBe(4);
  });

  it('counts a member once and tells when a group is new and when it has become empty', () => {
    const shared = new SharedSubscriptions<string>();
    const { group } = shared.add('s', 'f', 'one');
    shared.add('s', 'f', 'one');
    shared.add('s', 'f', 'two');
    expect(shared.size).toBe(2);
    expect(shared.remove('s', 'f', 'three')).toBeUndefined();
    expect(shared.remove('s', 'g', 'one')).toBeUndefined();
    expect(shared.remove('s', 'f', 'one')).toBeUndefined();
    expect(shared.remove('s', 'f', 'two')).toBe(group);
    expect(shared.remove('s', 'f', 'two')).toBeUndefined();
    expect(shared.size).toBe(0);
    expect(shared.groupCount).toBe(0);
    const again = shared.add('s', 'f', 'one');
    expect(again.isNew).toBe(true);
    expect(again.group).not.toBe(group);
  });
});
