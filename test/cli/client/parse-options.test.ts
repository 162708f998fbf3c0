import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Argument } from '../../../src/cli/client/argument.ts';
import { optionFileBytesMax } from '../../../src/cli/client/option-files.ts';
import { optionRows } from '../../../src/cli/client/option-rows.ts';
import { parseOptions } from '../../../src/cli/client/parse-options.ts';
import { isSettable, propertyTargets } from '../../../src/cli/client/property-option.ts';
import { proxyUrl, readProxy } from '../../../src/cli/client/proxy-option.ts';
import type { ClientCommand } from '../../../src/cli/client/settings.ts';
import { type PropertyKey, propertyRows } from '../../../src/protocol/properties.ts';
import { proxyAddress } from '../../../src/transport/node/socks.ts';

type Environment = Readonly<Record<string, string | undefined>>;

function parse(command: ClientCommand, words: readonly string[], environment: Environment = {}) {
  return parseOptions(
    command,
    words.map((word) => new Argument(Buffer.from(word))),
    environment,
  );
}

function settingsOf(command: ClientCommand, words: readonly string[], environment: Environment = {}) {
  const parsed = parse(command, words, environment);
  if (parsed.kind !== 'run') throw new Error(JSON.stringify(parsed));
  return parsed.settings;
}

function refusalOf(command: ClientCommand, words: readonly string[], environment: Environment = {}): string {
  const parsed = parse(command, words, environment);
  return parsed.kind === 'refused' ? parsed.text : `not refused but ${parsed.kind}`;
}

describe('the option table', () => {
  it('has no flag twice for a command', () => {
    for (const command of ['pub', 'sub', 'rr'] as const) {
      const names = optionRows
        .filter((row) => row.commands.includes(command))
        .flatMap(({ flag, alias }) => (alias === undefined ? [flag] : [flag, alias]));
      expect(new Set(names).size).toBe(names.length);
    }
  });

  it('does something for every option but those that are read before', () => {
    const idle = optionRows.filter(({ set, apply }) => set === undefined && apply === undefined);
    expect(idle.map(({ flag }) => flag)).toEqual(['-o', '--help', '--version']);
  });

  it('takes every long form as it takes the short one', () => {
    for (const row of optionRows) {
      if (row.alias === undefined || row.flag === '-D') continue;
      const command = row.commands[0]!;
      const value: Record<string, string> = { '-p': '1234', '-k': '30', '-q': '1', '-V': '5', '-L': 'mqtt://h/t' };
      const argument = row.argument === undefined ? [] : [value[row.flag] ?? 'x'];
      // What needs another option gets it: an identifier for -c, a topic for sub.
      const more = [
        ...(row.flag === '-i' || row.flag === '-I' ? [] : ['-i', 'id']),
        ...(command === 'sub' ? ['-t', 't'] : []),
      ];
      const [short, long] = [row.flag, row.alias].map((flag) => {
        const { format: _, ...settings } = settingsOf(command, [flag, ...argument, ...more]);
        return settings;
      });
      expect(long).toEqual(short);
    }
  });
});

describe('parseOptions', () => {
  it('reads numbers whole or not at all', () => {
    for (const [words, text] of [
      [['-p', '1883x'], 'Error: Invalid port given: 1883x\n'],
      [['-p', ''], 'Error: Invalid port given: \n'],
      [['-p', '0'], 'Error: Invalid port given: 0\n'],
      [['-q', '1.0'], 'Error: Invalid QoS given: 1.0\n'],
      [['-k', '1e2'], 'Error: Invalid keepalive given, it must be between 5 and 65535 inclusive.\n\n'],
      [['-M', 'many'], 'Error: Maximum inflight messages must be greater than 0.\n\n'],
      [['--repeat', '1.5'], 'Error: --repeat argument must be >0.\n\n'],
      [['--repeat-delay', 'soon'], 'Error: --repeat-delay argument must be >=0.0.\n\n'],
      [['--will-qos', 'x'], 'Error: Invalid will QoS x.\n\n'],
      [['-D', 'publish', 'topic-alias', '1x'], "Error: Property value '1x' not a number.\n\n"],
    ] as const) {
      expect(refusalOf('pub', words)).toBe(text);
    }
    expect(refusalOf('sub', ['-C', '1x'])).toBe('Error: Invalid message count "1x".\n\n');
    expect(refusalOf('sub', ['--random-filter', '100.1'])).toMatch(/between 0\.1-100\.0/);
    expect(settingsOf('pub', ['--repeat-delay', '.25']).repeatDelayMs).toBe(250);
  });

  it('refuses topics that nobody can publish or subscribe to', () => {
    expect(refusalOf('pub', ['-t', ''])).toBe("Error: Invalid publish topic '', does it contain '+' or '#'?\n");
    expect(refusalOf('sub', ['-t', ''])).toMatch(/^Error: Invalid subscription topic ''/);
    expect(refusalOf('pub', ['-t', 'x'.repeat(65_536)])).toMatch(/^Error: Invalid publish topic/);
  });

  it('takes URLs apart', () => {
    expect(settingsOf('pub', ['-L', 'mqtt://u%40:p:w@host:1234/a/b?c#d'.replace('#d', '')])).toMatchObject({
      host: 'host',
      port: 1234,
      username: 'u%40',
      password: 'p:w',
      topicName: 'a/b?c',
      useWebSocket: false,
      useSystemCertificates: false,
    });
    expect(settingsOf('sub', ['-L', 'WSS://[::1]/a/#', '-t', 'b'])).toMatchObject({
      host: '::1',
      port: 443,
      topicFilters: ['a/#', 'b'],
      useWebSocket: true,
      useSystemCertificates: true,
    });
    expect(settingsOf('sub', ['-L', 'ws://h/t']).port).toBe(80);
    expect(settingsOf('sub', ['-L', 'mqtts://h/t']).port).toBe(8883);
    expect(settingsOf('sub', ['--unix', '/x', '-L', 'mqtt://h/t']).unixPath).toBeUndefined();
    for (const url of [
      'mqtt:///t',
      'mqtt://u@/t',
      'mqtt://h:x/t',
      'mqtt://h:0/t',
      'mqtt://h:65536/t',
      'mqtt://[::1/t',
      'mqtt://h/',
    ]) {
      expect(refusalOf('sub', ['-L', url])).toMatch(/^Error: Invalid /);
    }
  });

  it('lets -i or -I of the command line have an infinite session', () => {
    expect(settingsOf('sub', ['-t', 't', '-c', '-i', 'id', '-V', '5']).sessionExpiryInterval).toBe(0xffff_ffff);
    expect(settingsOf('sub', ['-t', 't', '-c', '-i', 'id', '-V', '5', '-x', '7']).sessionExpiryInterval).toBe(7);
    expect(settingsOf('sub', ['-t', 't', '-i', 'id', '-x', '∞', '-V', '5']).sessionExpiryInterval).toBe(0xffff_ffff);
    const given = ['-D', 'connect', 'session-expiry-interval', '9'];
    expect(settingsOf('sub', ['-t', 't', '-c', '-i', 'id', ...given]).sessionExpiryInterval).toBe(9);
  });

  it('refuses -x and -D connect session-expiry-interval together', () => {
    const given = ['-D', 'connect', 'session-expiry-interval', '9'];
    expect(refusalOf('pub', ['-x', '5', ...given])).toBe(
      'Error in CONNECT properties: Duplicate property in property list\n',
    );
  });

  it('knows for every property on which packets it can be put', () => {
    for (const [word, target] of propertyTargets) {
      for (const [key, row] of Object.entries(propertyRows)) {
        const name = row.name.toLowerCase().replaceAll(' ', '-');
        const values = row.wireType === 'pair' ? ['k', 'v'] : [/utf8|binary/.test(row.wireType) ? 'text' : '1'];
        const parsed = parse('rr', ['-D', word, name, ...values]);
        const expected = isSettable(target, key as PropertyKey) ? 'run' : 'refused';
        expect([word, name, parsed.kind]).toEqual([word, name, expected]);
        if (parsed.kind !== 'run') continue;
        const value = (parsed.properties[target] as Record<string, unknown>)[key];
        const single =
          { pair: ['k', 'v'], utf8: 'text', binary: Buffer.from('text'), flag: true }[row.wireType as string] ?? 1;
        expect(value).toEqual(row.repeatable === true ? [single] : single);
      }
    }
  });

  it('keeps the order of properties, and repeats those that may be repeated', () => {
    const words = ['user-property b 1', 'content-type x', 'user-property a 2', 'user-property b 3', 'topic-alias 0x10'];
    const parsed = parse(
      'pub',
      words.flatMap((line) => ['-D', 'publish', ...line.split(' ')]),
    );
    expect(parsed).toMatchObject({
      properties: {
        PUBLISH: {
          userProperties: [
            ['b', '1'],
            ['a', '2'],
            ['b', '3'],
          ],
          contentType: 'x',
          topicAlias: 16,
        },
      },
      settings: { protocolVersion: 5 },
    });
    expect(Object.keys((parsed as { properties: { PUBLISH: object } }).properties.PUBLISH)).toEqual([
      'userProperties',
      'contentType',
      'topicAlias',
    ]);
  });

  it.each([
    ['connect receive-maximum 0', 'CONNECT properties: receive-maximum 0 is out of range; expected 1-65535'],
    [
      'connect maximum-packet-size 0',
      'CONNECT properties: maximum-packet-size 0 is out of range; expected 1-4294967295',
    ],
    [
      'connect request-problem-information 2',
      'CONNECT properties: request-problem-information 2 is out of range; expected 0-1',
    ],
    [
      'publish payload-format-indicator 2',
      'PUBLISH properties: payload-format-indicator 2 is out of range; expected 0-1',
    ],
    ['publish topic-alias 0', 'PUBLISH properties: topic-alias 0 is out of range; expected 1-65535'],
    [
      'subscribe subscription-identifier 0',
      'SUBSCRIBE properties: subscription-identifier 0 is out of range; expected 1-268435455',
    ],
    [
      'publish response-topic a/+',
      "PUBLISH properties: response-topic 'a/+' is no Topic Name; does it contain '+' or '#'?",
    ],
    ['will response-topic #', "Will properties: response-topic '#' is no Topic Name; does it contain '+' or '#'?"],
  ])('refuses what the specification does not allow: -D %s', (words, text) => {
    expect(refusalOf('pub', ['-D', ...words.split(' ')])).toBe(`Error in ${text}\n`);
  });

  it('says of every packet it knows that it cannot set its properties, and of others that it does not know them', () => {
    for (const packet of ['connack', 'puback', 'pubrec', 'pubrel', 'pubcomp', 'suback', 'unsuback', 'auth']) {
      expect(refusalOf('pub', ['-D', packet, 'reason-string', 'x'])).toBe(
        `Error: reason-string property not supported for ${packet} in --property argument.\n\n`,
      );
    }
    expect(refusalOf('pub', ['-D', 'pingreq', 'reason-string', 'x'])).toMatch(/^Error: Invalid command/);
    expect(refusalOf('pub', ['-D', 'publish', 'content-type', 'a\u0001'])).toMatch(/^Error: Malformed UTF-8/);
    expect(refusalOf('pub', ['-D', 'publish', 'correlation-data', 'x'.repeat(65_536)])).toMatch(/too long/);
  });
});

describe('proxies', () => {
  it.each([
    ['socks5h://h', { host: 'h', port: 1080, username: undefined, password: undefined }],
    ['socks5h://h:', { host: 'h', port: 1080, username: undefined, password: undefined }],
    ['socks5h://h:9', { host: 'h', port: 9, username: undefined, password: undefined }],
    ['socks5h://u@h', { host: 'h', port: 1080, username: 'u', password: undefined }],
    ['socks5h://u:@[::1]:9', { host: '::1', port: 9, username: 'u', password: '' }],
    ['socks5h://a%3ab%40%25:%3A@h', { host: 'h', port: 1080, username: 'a:b@%', password: ':' }],
  ])('reads %s, and tells the library the same', (url, expected) => {
    const proxy = readProxy(url);
    expect(proxy).toEqual(expected);
    if (typeof proxy === 'string') return;
    expect(proxyAddress(proxyUrl(proxy))).toEqual({ ...expected, password: expected.password ?? '' });
  });

  it.each([
    'socks5h://',
    'socks5h://:1',
    'socks5h://@h',
    'socks5h://:p@h',
    'socks5h://a:b:c@h',
    'socks5h://a%20@h',
    'socks5h://[::1',
    'socks5h://[]',
  ])('refuses %s', (url) => {
    expect(readProxy(url)).toBe('Error: Invalid proxy.\n');
  });

  it('refuses ports and schemes', () => {
    for (const port of ['0', '65536', 'x', '-1'])
      expect(readProxy(`socks5h://h:${port}`)).toBe(`Error: Invalid proxy port ${port}\n`);
    for (const url of ['socks5://h', 'http://h', 'h'])
      expect(readProxy(url)).toBe(`Error: Unsupported proxy protocol: ${url}\n`);
  });
});

describe('option files', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'clearwing-options-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  function write(name: string, content: string | Buffer): string {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  }

  it('are read line by line before the command line, which counts more', () => {
    write(
      'mosquitto_sub',
      '# comment\n\n-t a/b\r\n  -q 1\n-d\n--will-topic w\n--will-payload  two  blanks \n-h from-file\n-D connect user-property k v\n',
    );
    const settings = settingsOf('sub', ['-h', 'from-words', '-t', 'c'], { XDG_CONFIG_HOME: directory, HOME: '/none' });
    expect(settings).toMatchObject({
      topicFilters: ['a/b', 'c'],
      qos: 1,
      isDebug: true,
      host: 'from-words',
      protocolVersion: 5,
    });
    expect(Buffer.from(settings.willPayload!).toString()).toBe(' two  blanks ');
    expect(settings.properties).toHaveLength(1);
  });

  it('are looked for in $XDG_CONFIG_HOME, or else in $HOME/.config, and need not be there', () => {
    write('mosquitto_pub', '-q 2');
    expect(settingsOf('pub', [], { XDG_CONFIG_HOME: directory }).qos).toBe(2);
    expect(settingsOf('pub', [], { XDG_CONFIG_HOME: join(directory, 'none'), HOME: directory }).qos).toBe(0);
    expect(settingsOf('pub', [], { HOME: join(directory, 'none') }).qos).toBe(0);
    expect(settingsOf('pub', [], {}).qos).toBe(0);
  });

  it('are named with -o, and then the one at home is not read', () => {
    const path = write('mine', '-k 30\n');
    write('mosquitto_rr', '-q 2');
    const settings = settingsOf('rr', ['-t', 'x', '-o', path], { XDG_CONFIG_HOME: directory });
    expect([settings.keepAlive, settings.qos]).toEqual([30, 0]);
    // An argument that looks like it is none.
    expect(settingsOf('rr', ['-m', '-o'], { XDG_CONFIG_HOME: directory }).qos).toBe(2);
    expect(settingsOf('rr', ['-D', 'publish', 'user-property', '-o', '-o'], { XDG_CONFIG_HOME: directory }).qos).toBe(
      2,
    );
    expect(refusalOf('pub', ['-o'])).toBe('Error: -o argument given but no options file specified.\n\n');
    expect(refusalOf('pub', ['-o', path, '-o', path])).toBe('Error: Duplicate -o argument given.\n\n');
    expect(refusalOf('pub', ['-o', join(directory, 'none')])).toMatch(
      /^Error: Unable to read options file ".*none": ENOENT/,
    );
    expect(refusalOf('pub', ['-o', directory])).toMatch(/^Error: Unable to read options file/);
  });

  it('are refused for the same reasons as words', () => {
    const path = write('wrong', '-t a\n-bogus\n');
    expect(refusalOf('pub', ['-o', path])).toBe("Error: Unknown option '-bogus'.\n");
    write('wrong', '-d extra\n');
    expect(refusalOf('pub', ['-o', path])).toBe("Error: Unknown option 'extra'.\n");
    write('wrong', Buffer.from([0x2d, 0x74, 0x20, 0xff]));
    expect(refusalOf('pub', ['-o', path])).toMatch(/^Error: Malformed UTF-8/);
    write('wrong', '-t\n');
    expect(refusalOf('pub', ['-o', path])).toBe('Error: -t argument given but no topic specified.\n\n');
    write('wrong', Buffer.alloc(optionFileBytesMax + 1, '#'));
    expect(refusalOf('pub', ['-o', path])).toMatch(/larger than/);
  });
});
