import { describe, expect, it } from 'vitest';
import { groupDigits, hexDigits } from '../../src/payload/hex.ts';

describe('hexDigits', () => {
  it('gives every byte two digits in the case asked for', () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    expect(hexDigits(bytes)).toBe(Buffer.from(bytes).toString('hex'));
    expect(hexDigits(bytes, 'upper')).toBe(Buffer.from(bytes).toString('hex').toUpperCase());
    expect(hexDigits(new Uint8Array())).toBe('');
  });
});

describe('groupDigits', () => {
  it('puts the separator between groups and never at the end', () => {
    expect(groupDigits('01aabb', 2, ':')).toBe('01:aa:bb');
    expect(groupDigits('01aab', 2, ' ')).toBe('01 aa b');
    expect(groupDigits('01', 2, ' ')).toBe('01');
    expect(groupDigits('', 2, ' ')).toBe('');
    expect(groupDigits('0102', 0, ' ')).toBe('0102');
  });
});
