import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, renameSync } from 'node:fs';
import { delimiter } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { logTypes } from '../../../src/broker/log.ts';
import { type BrokerLog, createLog, printable } from '../../../src/broker/logging/broker-log.ts';
import { defaultLoggingSettings, type LoggingSettings } from '../../../src/broker/logging/settings.ts';
import { start } from '../../support/run.ts';
import { until } from '../../support/until.ts';
import { type TemporaryFiles, temporaryFiles } from '../config/temporary.ts';
import { buildProgram } from './program.ts';

function open(settings: Partial<LoggingSettings>): BrokerLog {
  const log = createLog({ ...defaultLoggingSettings, toStderr: false, ...settings });
  onTestFinished(() => log.close());
  return log;
}

function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8').split('\n').slice(0, -1);
}

/** A program that has `log`, open with these settings, and runs `body`. */
function program(files: TemporaryFiles, settings: string, body: string): string {
  const path = files.path('program.mjs');
  buildProgram(
    path,
    `import { createLog } from './src/broker/logging/broker-log.ts';
     import { defaultLoggingSettings } from './src/broker/logging/settings.ts';
     const log = createLog({ ...defaultLoggingSettings, ...${settings} });
     ${body}`,
  );
  return path;
}

describe('a log file', () => {
  it('gets one line per write, with epoch seconds in front, in order', async () => {
    const file = temporaryFiles().path('a.log');
    const log = open({ file });
    const before = Math.floor(Date.now() / 1000);
    for (let index = 0; index < 100; index++) log.write('notice', `line ${index}`);
    await log.close();
    const lines = linesOf(file);
    expect(lines.map((line) => line.replace(/^\d+: /, ''))).toEqual(
      Array.from({ length: 100 }, (_, index) => `line ${index}`),
    );
    const stamp = Number(lines[0]?.split(':')[0]);
    expect(stamp).toBeGreaterThanOrEqual(before);
    expect(stamp).toBeLessThanOrEqual(Math.ceil(Date.now() / 1000));
  });

  it('is appended to, with the time as it is wanted', async () => {
    const files = temporaryFiles({ 'a.log': 'old\n' });
    const log = open({ file: files.path('a.log'), timestampFormat: '%Y at' });
    log.write('error', 'x');
    log.configure({ ...defaultLoggingSettings, toStderr: false, file: files.path('a.log'), hasTimestamp: false });
    log.write('error', 'y');
    await log.close();
    expect(linesOf(files.path('a.log'))).toEqual(['old', `${new Date().getFullYear()} at: x`, 'y']);
  });

  it('has only the types that are asked for', async () => {
    const file = temporaryFiles().path('a.log');
    const log = open({ file, hasTimestamp: false, types: new Set(['debug', 'error']) });
    for (const type of logTypes) log.write(type, type);
    expect(logTypes.filter((type) => log.isEnabled(type))).toEqual(['error', 'debug']);
    await log.close();
    expect(linesOf(file)).toEqual(['error', 'debug']);
  });

  it('is opened again under its name after it was moved away', async () => {
    const files = temporaryFiles();
    const log = open({ file: files.path('a.log'), hasTimestamp: false });
    log.write('error', 'first');
    await until(() => existsSync(files.path('a.log')) && linesOf(files.path('a.log')).length === 1, 'the first line');
    renameSync(files.path('a.log'), files.path('a.log.1'));
    log.write('error', 'second');
    log.reopen();
    log.write('error', 'third');
    await log.close();
    expect(linesOf(files.path('a.log'))).toEqual(['third']);
    await until(() => linesOf(files.path('a.log.1')).length === 2, 'the second line');
    expect(linesOf(files.path('a.log.1'))).toEqual(['first', 'second']);
  });

  it('that is full loses lines, not the broker', async () => {
    const log = open({ file: '/dev/full' });
    for (let index = 0; index < 1000; index++) {
      log.write('error', 'x'.repeat(1000));
      if (index % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await log.close();
  });

  it('that cannot be opened is reported on stderr, where the lines then go', async () => {
    const files = temporaryFiles();
    const path = program(
      files,
      "{ toStderr: false, file: '/nowhere/a.log', hasTimestamp: false }",
      "log.write('notice', 'here');",
    );
    const result = await start(process.execPath, [path]).finished;
    expect(result.stderr).toBe(
      'Error: Unable to open log file /nowhere/a.log for writing: no such file or directory.\nhere\n',
    );
    expect(result.status).toBe(0);
  });

  it('can be a named pipe without a reader: that is an error, not a wait', async () => {
    const files = temporaryFiles();
    execFileSync('mkfifo', [files.path('pipe')]);
    const path = program(
      files,
      `{ toStderr: false, file: ${JSON.stringify(files.path('pipe'))}, hasTimestamp: false }`,
      '',
    );
    const result = await start(process.execPath, [path]).finished;
    expect(result.stderr).toContain('Unable to open log file');
  });
});

describe('standard output and error', () => {
  it('can both be written to', async () => {
    const files = temporaryFiles();
    const path = program(
      files,
      '{ toStdout: true, hasTimestamp: false }',
      "log.write('error', 'a'); log.write('error', 'b'); await log.close();",
    );
    const result = await start(process.execPath, [path]).finished;
    expect([result.status, result.stdout, result.stderr]).toEqual([0, 'a\nb\n', 'a\nb\n']);
  });

  it('that nobody reads any more do not end the program', async () => {
    const files = temporaryFiles();
    const path = program(
      files,
      '{ toStderr: false, toStdout: true }',
      `process.stderr.write('started\\n');
       let turns = 0;
       setInterval(() => {
         log.write('error', 'x'.repeat(10_000));
         if (++turns === 20) log.close().then(() => { process.stderr.write('alive\\n'); process.exit(0); });
       }, 1);`,
    );
    const running = start(process.execPath, [path]);
    running.process.stdout?.destroy();
    await running.waitForOutput('alive', 'stderr');
    expect((await running.finished).status).toBe(0);
  });

  it('that are read slowly do not hold up the program, and the lines that were lost are counted', async () => {
    const files = temporaryFiles();
    const path = program(
      files,
      '{ toStderr: false, toStdout: true, hasTimestamp: false }',
      `let turns = 0;
       const timer = setInterval(() => {
         for (let index = 0; index < 100; index++) log.write('error', 'x'.repeat(1000));
         if (++turns === 50) {
           clearInterval(timer);
           process.stderr.write('done\\n');
           process.stdin.once('data', () => log.write('error', 'last'));
         }
       }, 1);`,
    );
    const running = start(process.execPath, [path], { keepInputOpen: true });
    running.process.stdout?.pause();
    // Nobody reads, yet the program comes to its end: 5 MB were logged, 1 MiB of it may wait.
    await running.waitForOutput('done', 'stderr');
    running.process.stdout?.resume();
    await running.waitForLines(500);
    running.write('go\n');
    await running.waitForOutput('last');
    running.endInput();
    const { stdout, status } = await running.finished;
    expect(status).toBe(0);
    const lost = [...stdout.matchAll(/\((\d+) log lines were lost here\)/g)].reduce(
      (sum, match) => sum + Number(match[1]),
      0,
    );
    expect(lost).toBeGreaterThan(0);
    expect(stdout.split('\n').filter((line) => line.startsWith('x')).length + lost).toBe(5000);
  });

  it('get their last lines when a crash is reported', async () => {
    const files = temporaryFiles();
    const path = program(
      files,
      '{ hasTimestamp: false }',
      "log.write('error', 'crash'); log.flushSync(); process.exit(1);",
    );
    const result = await start(process.execPath, [path]).finished;
    expect([result.status, result.stderr]).toEqual([1, 'crash\n']);
  });
});

describe('log topics', () => {
  it('have Mosquitto’s names, the whole line as payload, and no debug lines', async () => {
    const log = open({ toTopic: true, types: new Set(logTypes), timestampFormat: 'T' });
    const published: string[] = [];
    log.publishWith((topic, text) => published.push(`${topic} ${text}`));
    for (const type of logTypes) log.write(type, 'x');
    expect(log.isEnabled('debug')).toBe(false);
    await until(() => published.length >= 7, 'the lines');
    expect(published).toEqual([
      '$SYS/broker/log/E T: x',
      '$SYS/broker/log/W T: x',
      '$SYS/broker/log/N T: x',
      '$SYS/broker/log/I T: x',
      '$SYS/broker/log/M/subscribe T: x',
      '$SYS/broker/log/M/unsubscribe T: x',
      '$SYS/broker/log/WS T: x',
    ]);
  });

  it('do not publish what publishing makes the broker log', async () => {
    const file = temporaryFiles().path('a.log');
    const log = open({ toTopic: true, file, hasTimestamp: false });
    const published: string[] = [];
    log.publishWith((_, text) => {
      published.push(text);
      log.write('warning', `sent ${text}`);
    });
    log.write('notice', 'a');
    await until(() => published.length > 0, 'the line');
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(published).toEqual(['a']);
    await log.close();
    expect(linesOf(file)).toEqual(['a', 'sent a']);
  });
});

describe('syslog', () => {
  it('goes through the program logger, with facility and severity', async () => {
    const files = temporaryFiles();
    files.write('bin/logger', `#!/bin/sh\necho "$@" > ${files.path('arguments')}\ncat > ${files.path('lines')}\n`);
    chmodSync(files.path('bin/logger'), 0o755);
    const path = program(
      files,
      '{ toStderr: false, toSyslog: true, hasTimestamp: false, facility: 2 }',
      "log.write('error', 'e'); log.write('notice', 'n'); await log.close();",
    );
    const result = await start(process.execPath, [path], {
      environment: { PATH: `${files.path('bin')}${delimiter}${process.env.PATH}` },
    }).finished;
    expect(result.status).toBe(0);
    expect(linesOf(files.path('lines'))).toEqual(['<147>e', '<149>n']);
    expect(readFileSync(files.path('arguments'), 'utf8')).toMatch(/^--id=\d+ --tag clearwing --prio-prefix\n$/);
  });

  it('that cannot be reached is replaced by stderr, with a warning', async () => {
    const files = temporaryFiles();
    const path = program(
      files,
      '{ toStderr: false, toSyslog: true, hasTimestamp: false }',
      `const timer = setInterval(() => {
         if (!log.showsOnStderr) return;
         clearInterval(timer);
         log.write('error', 'later');
         log.close();
       }, 5);`,
    );
    const result = await start(process.execPath, [path], { environment: { PATH: files.directory } }).finished;
    expect(result.stderr).toBe(
      'Warning: Unable to log to syslog: the program logger is not installed; logging to stderr instead.\nlater\n',
    );
  });
});

describe('a log without destination', () => {
  it('is silent and says that nothing is enabled', () => {
    const log = open({ types: new Set(logTypes) });
    expect(logTypes.filter((type) => log.isEnabled(type))).toEqual([]);
    log.write('error', 'x');
  });
});

describe('printable', () => {
  it('keeps strangers from forging lines and steering terminals', () => {
    expect(printable('a\tb ü 漢 😀')).toBe('a\tb ü 漢 😀');
    expect(printable('id\n1700000000: forged\r\x1b[2J\x7f\x85')).toBe(
      'id\\x0a1700000000: forged\\x0d\\x1b[2J\\x7f\\x85',
    );
  });

  it('cuts what is too long', () => {
    expect(printable('x'.repeat(100_000))).toBe(`${'x'.repeat(8192)}…`);
  });
});
