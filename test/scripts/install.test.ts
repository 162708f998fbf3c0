import { describe, expect, it } from 'vitest';
import { isComplete, isInstalled } from '../../scripts/install.mjs';

const here = { os: [process.platform], cpu: [process.arch] };
const elsewhere = { os: ['plan9'], cpu: [process.arch] };
const packageA = { version: '1.0.0', integrity: 'sha512-a' };

describe('isComplete', () => {
  it('holds when each package is there at its version', () => {
    expect(isComplete({ '': {}, 'node_modules/a': packageA }, { 'node_modules/a': packageA })).toBe(true);
  });

  it.each([
    ['missing', {}],
    ['of another version', { 'node_modules/a': { ...packageA, version: '1.0.1' } }],
    ['of another content', { 'node_modules/a': { ...packageA, integrity: 'sha512-b' } }],
  ])('does not hold when a package is %s', (_, present) => {
    expect(isComplete({ '': {}, 'node_modules/a': packageA }, present)).toBe(false);
  });

  it('misses no optional package of another machine', () => {
    expect(isComplete({ 'node_modules/a': { ...packageA, ...elsewhere, optional: true } }, {})).toBe(true);
  });

  it('misses the optional package of this machine', () => {
    expect(isComplete({ 'node_modules/a': { ...packageA, ...here, optional: true } }, {})).toBe(false);
  });
});

describe('isInstalled', () => {
  it('holds where these tests run', () => {
    expect(isInstalled()).toBe(true);
  });
});
