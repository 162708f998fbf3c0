import { expect, it } from 'vitest';
import { loadConfiguration } from '../../../src/broker/config/load.ts';
import { changesThatNeedRestart, matchListeners } from '../../../src/broker/config/reload.ts';
import { temporaryFiles } from './temporary.ts';

function load(text: string) {
  return loadConfiguration(temporaryFiles().write('broker.conf', text));
}

it('names the changed keys that need a restart, and no others', () => {
  const before = load(
    'pid_file /a\nsys_interval 10\nlistener 1883\nmax_connections 5\nallow_anonymous true\nlistener 1884\nprotocol websockets\n',
  );
  expect(changesThatNeedRestart(before, before)).toEqual([]);
  const after = load(
    'sys_interval 20\nuser root\nlistener 1883\nmax_connections 6\nallow_anonymous false\nlistener 1885 ::1\nlog_type all\n',
  );
  expect(changesThatNeedRestart(before, after)).toEqual([
    'pid_file',
    'max_connections of listener 1883',
    'listener 1884',
    'protocol of listener 1884',
    'user',
    'listener 1885 ::1',
  ]);
});

it('finds the settings of open listeners by port and address, and keeps those of one that is gone', () => {
  const before = load(
    'per_listener_settings true\nlistener 1\nallow_anonymous true\nlistener 2 ::1\nallow_anonymous true\n',
  );
  const after = load('per_listener_settings true\nlistener 3\nlistener 1\npassword_file /p\n');
  const matched = matchListeners(before.listeners, after);
  expect(matched.map(({ port, security }) => [port, security.allowAnonymous, security.passwordFile])).toEqual([
    [1, false, '/p'],
    [2, true, undefined],
  ]);
});
