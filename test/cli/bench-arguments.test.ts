/** The command line of `clearwing bench`, its help, and its reference. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BenchArgumentError, optionForm, parseBenchArguments } from '../../src/cli/bench/arguments.ts';
import { benchHelp, benchOptionTables } from '../../src/cli/bench/help.ts';
import { benchOptionRows } from '../../src/cli/bench/option-rows.ts';
import { benchCommandNames } from '../../src/cli/bench/settings.ts';
import { repositoryDirectory } from '../support/paths.ts';

function settingsOf(...args: string[]) {
  const parsed = parseBenchArguments(args);
  if (parsed.action !== 'run') throw new Error('no run');
  return parsed.settings;
}

describe('parseBenchArguments', () => {
  it('reads options as pub and sub have them, with = as well', () => {
    const args = [
      '-h',
      'there',
      '-p',
      '1',
      '-u',
      'me',
      '-P',
      'x',
      '-V',
      'mqttv5',
      '-q',
      '2',
      '--seconds=3',
      '-t',
      'a/b',
    ];
    expect(settingsOf('flow', ...args, '--flow', '1-2,3→3')).toMatchObject({
      ...{ host: 'there', port: 1, username: 'me', password: 'x', protocol: '5', qos: [2], seconds: 3 },
      ...{ topicPrefix: 'a/b', flows: [{ name: '1→2' }, { name: '3→3' }] },
    });
  });

  it.each([
    ['mqtt://there', { host: 'there', port: 1883, usesWebSocket: false, topicPrefix: 'bench' }],
    ['mqtt://u%40:p%3A@[::1]:99/a/b', { host: '::1', port: 99, username: 'u@', password: 'p:', topicPrefix: 'a/b' }],
    ['ws://there/path?x=1', { port: 80, usesWebSocket: true, webSocketPath: '/path?x=1' }],
    ['ws://there', { webSocketPath: '/mqtt' }],
  ])('reads the URL %s', (url, expected) => {
    expect(settingsOf('flow', '-L', url)).toMatchObject(expected);
  });

  it('lets a flow be uneven in a mix', () => {
    expect(() => settingsOf('flow', '--flow', '2-5')).toThrow('not even');
    expect(settingsOf('flow', '--flow', '2-5', '--mix', 'hash=1').flows[0]!.kinds).toEqual(Array(5).fill('hash'));
  });

  it.each([
    [[], 'which of flow, latency, connect, idle, retained, subscribe, churn?'],
    [['flwo'], "there is no 'bench flwo'; did you mean 'flow'?"],
    [
      ['--json'],
      "the first argument must be one of flow, latency, connect, idle, retained, subscribe, churn, not the option '--json'",
    ],
    [['flow', '--sceonds', '3'], "bench flow: unknown option '--sceonds'; did you mean '--seconds'?"],
    [['flow', 'x'], "bench flow: 'x' is one argument too many"],
    [['flow', '--seconds'], '--seconds: the value (SECONDS) is missing'],
    [['flow', '--json=1'], '--json takes no value'],
    [['flow', '-q', '3'], "-q is '3'; expected 0 to 2"],
    [['flow', '-q', '1,1'], '-q has 1 twice'],
    [['retained', '-q', '2'], "-q is '2'; expected 0 to 1"],
    [['flow', '-s', '7'], "-s is '7'; expected 8 to 1048576"],
    [['flow', '--flow', 'x'], "--flow: 'x' is no flow"],
    [['flow', '--mix', 'most=1'], "--mix: 'most=1' is no mix"],
    [['flow', '--mix', 'hash=0'], "--mix: the mix 'hash=0' has no subscribers"],
    [['flow', '--flow', '2000-1', '--topics', '64'], '--topics: 2000 publishers with 64 topics each'],
    [['flow', '-L', 'mqtts://x'], '-L begins with mqtts://; expected mqtt:// or ws:// (there is no TLS here)'],
    [['flow', '-L', 'x'], "-L is 'x'; expected a URL"],
    [['flow', '-t', 'a/#'], "-t is 'a/#'"],
    [['flow', '-A', '127.0.0.1,x'], "-A has 'x'; expected IP addresses"],
    [['flow', '-P', 'x'], '--pw needs --username before MQTT 5'],
    [['flow', '--receive-maximum', '5'], '--receive-maximum needs -V 5'],
    [['latency', '--rate', '0'], "--rate is '0'; expected 0.1 to"],
    [['connect', '--flow', '1-1'], "bench connect: unknown option '--flow'"],
  ])('refuses %j and says why', (args, message) => {
    expect(() => parseBenchArguments(args)).toThrow(BenchArgumentError);
    expect(() => parseBenchArguments(args)).toThrow(message);
  });
});

describe('the help', () => {
  it('of bench names what can be measured, in lines that fit a terminal', () => {
    const text = benchHelp(undefined, 'clearwing bench');
    for (const name of benchCommandNames) expect(text).toMatch(new RegExp(`^  ${name} `, 'm'));
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(110);
  });

  it.each(benchCommandNames)('of %s has every option that it takes, and no other', (command) => {
    for (const args of [
      [command, '--help'],
      ['help', command],
      [command, '-q', '--help'],
    ]) {
      expect(parseBenchArguments(args)).toEqual({ action: 'help', command });
    }
    const text = benchHelp(command, 'clearwing bench');
    const forms = benchOptionRows.filter((row) => row.commands.includes(command)).map(optionForm);
    for (const form of forms) expect(text).toContain(`  ${form}`);
    expect(text.match(/^ {2} {0,4}-.*/gm)).toHaveLength(forms.length);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(110);
  });
});

it('docs/reference/bench.md has the options of the table; `npx vitest run -u` writes them anew', async () => {
  const path = join(repositoryDirectory, 'docs/reference/bench.md');
  const text = readFileSync(path, 'utf8');
  const pattern = /(<!-- options: [^>]*-->\n)[\s\S]*?(<!-- end of options -->)/;
  expect(text).toMatch(pattern);
  const current = text.replace(pattern, (_, begin, end) => `${begin}\n${benchOptionTables()}\n${end}`);
  await expect(current).toMatchFileSnapshot(path);
});
