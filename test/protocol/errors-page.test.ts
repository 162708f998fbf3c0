/** docs/reference/errors.md, made from src/protocol/errors.ts. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as errors from '../../src/protocol/errors.ts';
import { reasonCodeName } from '../../src/protocol/reason-codes.ts';
import { repositoryDirectory } from '../support/paths.ts';

const { MqttError, errorCodes } = errors;

/** One error of each class, or of each code where a class has several. */
const samples: readonly errors.MqttError[] = [
  new errors.MalformedPacketError('text', 3),
  new errors.ProtocolError('text'),
  new errors.PacketTooLargeError('text'),
  new errors.RefusedError('text', 0x87),
  new errors.ConnectionClosedError('text'),
  new errors.TimeoutError('text'),
  new errors.OptionError('text'),
  new errors.OptionError('text', 'MQTT_ERR_OPTION_RANGE'),
  new errors.OptionError('text', 'MQTT_ERR_TOPIC'),
  new errors.StorageError('text'),
  new errors.FilterSyntaxError('text', 4, 2),
];

const source = readFileSync(join(repositoryDirectory, 'src', 'protocol', 'errors.ts'), 'utf8');

/** What the source says of a class. */
function meaningOf(name: string): string {
  const comment = new RegExp(String.raw`/\*\*([^/]*?)\*/\s*export class ${name} `).exec(source)?.[1];
  return comment === undefined ? '' : comment.replaceAll(/\s*\n \* ?/g, ' ').trim();
}

const classOf = (code: string) => samples.find((sample) => sample.code === code)?.constructor.name ?? 'MqttError';

function errorsReference(): string {
  const lines = [
    '# Errors',
    '',
    '<!-- Made from src/protocol/errors.ts by `npx vitest run test/protocol/errors-page.test.ts -u`. -->',
    '',
    'What `clearwing/client`, `clearwing/broker` and `clearwing/codec` throw, or reject with, is an `MqttError`. Its message is for people: it',
    'names the value that was wrong and what was expected. Programs go by these:',
    '',
    '| field | meaning |',
    '|---|---|',
    '| `code` | one of the codes below; stable, so that programs may depend on it |',
    '| `reasonCode` | the Reason Code of MQTT 5.0 that the other side gave, or is given; `undefined` if there is none |',
    '| `rule` | the statement of the specification that was broken, such as `MQTT-3.3.1-4`; `undefined` if there is none |',
    '| `cause` | the error behind it, if there is one, such as the system’s `ECONNREFUSED` |',
    '',
    'Failures of the system while a broker opens its listeners (`EADDRINUSE`, `EACCES`, …) are Node’s own errors.',
    '',
    '## Codes',
    '',
    '| code | meaning | class |',
    '|---|---|---|',
    ...Object.entries(errorCodes).map(([code, meaning]) => `| \`${code}\` | ${meaning} | \`${classOf(code)}\` |`),
    '',
    '## Classes',
    '',
    'All of them extend `MqttError`, which stands for itself where no class is named above.',
    '',
    '| class | fields of its own | `reasonCode` if nothing closer is known | what it says |',
    '|---|---|---|---|',
  ];
  const seen = new Set<string>();
  for (const sample of samples) {
    const { name } = sample.constructor;
    if (seen.has(name)) continue;
    seen.add(name);
    const known = new Set(['name', 'code', 'reasonCode', 'rule', 'stack', 'message', 'cause']);
    const own = Object.keys(sample).filter((key) => !known.has(key));
    const given = name === 'RefusedError' ? undefined : sample.reasonCode;
    const shown =
      given === undefined ? '–' : `0x${given.toString(16).toUpperCase().padStart(2, '0')} ${reasonCodeName(given)}`;
    lines.push(
      `| \`${name}\` | ${own.map((key) => `\`${key}\``).join(', ') || '–'} | ${shown} | ${meaningOf(name) || '–'} |`,
    );
  }
  return `${lines.join('\n')}\n`;
}

describe('docs/reference/errors.md', () => {
  it('is what src/protocol/errors.ts says', async () => {
    // When this fails, run `npx vitest run test/protocol/errors-page.test.ts -u` and commit the page.
    await expect(errorsReference()).toMatchFileSnapshot('../../docs/reference/errors.md');
  });

  it('has every class', () => {
    const classes = Object.values(errors).filter(
      (one) => typeof one === 'function' && one.prototype instanceof MqttError,
    );
    for (const one of classes) expect(samples.map((sample) => sample.constructor)).toContain(one);
  });
});

describe('errors', () => {
  it('are what they say: an Error with its class’s name, a code of the table and the cause', () => {
    for (const sample of samples) {
      expect(sample).toBeInstanceOf(Error);
      expect(sample.name).toBe(sample.constructor.name);
      expect(Object.keys(errorCodes)).toContain(sample.code);
      expect(sample.message).toBe('text');
      expect('cause' in sample).toBe(false);
    }
    const cause = new Error('below');
    expect(new MqttError('MQTT_ERR_ABORTED', 'text', { cause }).cause).toBe(cause);
  });

  it('are thrown with every code that there is', () => {
    const all = (readdirSync(join(repositoryDirectory, 'src'), { recursive: true }) as string[])
      .filter((path) => path.endsWith('.ts'))
      .map((path) => readFileSync(join(repositoryDirectory, 'src', path), 'utf8'))
      .join('\n');
    for (const code of Object.keys(errorCodes)) {
      // Once in the table, and at least once where it is thrown.
      expect(all.split(new RegExp(`\\b${code}\\b`)).length, code).toBeGreaterThan(2);
    }
  });
});
