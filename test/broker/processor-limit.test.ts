import { describe, expect, it } from 'vitest';
import { isProcessorLimited } from '../../src/broker/processor-limit.ts';
import { temporaryFiles } from './config/temporary.ts';

/** A root directory with these files. */
function rootWith(files: Readonly<Record<string, string>>): string {
  return temporaryFiles(files).directory;
}

describe('isProcessorLimited', () => {
  it('is so on a machine with one processor, and not where nothing is known of control groups', () => {
    expect(isProcessorLimited(rootWith({}), 1)).toBe(true);
    expect(isProcessorLimited(rootWith({}), 2)).toBe(false);
  });

  it('is so with a quota of the group, or of one that it is in, in version 2', () => {
    const group = { 'proc/self/cgroup': '0::/system.slice/broker.service\n' };
    const own = 'sys/fs/cgroup/system.slice/broker.service/cpu.max';
    const outer = 'sys/fs/cgroup/system.slice/cpu.max';
    expect(isProcessorLimited(rootWith({ ...group, [own]: 'max 100000\n', [outer]: 'max 100000\n' }), 8)).toBe(false);
    expect(isProcessorLimited(rootWith({ ...group, [own]: '50000 100000\n', [outer]: 'max 100000\n' }), 8)).toBe(true);
    expect(isProcessorLimited(rootWith({ ...group, [own]: 'max 100000\n', [outer]: '400000 100000\n' }), 8)).toBe(true);
  });

  it('is so in a container that sees its own group as the root', () => {
    const group = { 'proc/self/cgroup': '0::/\n' };
    expect(isProcessorLimited(rootWith({ ...group, 'sys/fs/cgroup/cpu.max': '100000 100000\n' }), 8)).toBe(true);
    expect(isProcessorLimited(rootWith({ ...group, 'sys/fs/cgroup/cpu.max': 'max 100000\n' }), 8)).toBe(false);
  });

  it('is so with a quota in version 1, whose hierarchies have names', () => {
    const group = { 'proc/self/cgroup': '5:memory:/a\n4:cpu,cpuacct:/a/b\n0::/\n' };
    const quota = 'sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us';
    expect(isProcessorLimited(rootWith({ ...group, [quota]: '-1\n' }), 8)).toBe(false);
    expect(isProcessorLimited(rootWith({ ...group, [quota]: '20000\n' }), 8)).toBe(true);
  });

  it('can be asked of this process', () => {
    expect(typeof isProcessorLimited()).toBe('boolean');
  });
});
