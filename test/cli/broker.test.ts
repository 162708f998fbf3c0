import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, expect, it, onTestFinished } from 'vitest';
import { hashPassword } from '../../src/broker/access/password-hash.ts';
import { version } from '../../src/cli/version.ts';
import { type TemporaryFiles, temporaryFiles } from '../broker/config/temporary.ts';
import { type BrokerProgram, commandLine, freePort } from '../support/broker-process.ts';
import { describeWithPeer, peerPath } from '../support/peers.ts';
import { type RunningCommand, type RunResult, run, start } from '../support/run.ts';
import { until } from '../support/until.ts';

const isRoot = process.getuid?.() === 0;
/** Started by root, the broker would become somebody who cannot read the files of these tests again. */
const stayRoot = isRoot ? 'user root\n' : '';

function runBroker(args: readonly string[], files?: TemporaryFiles): Promise<RunResult> {
  const [command, ...first] = commandLine('clearwing', 'broker');
  return run(command, [...first, ...args], files === undefined ? {} : { directory: files.directory });
}

async function startProgram(args: readonly string[], program: BrokerProgram = 'clearwing'): Promise<RunningCommand> {
  const [command, ...first] = commandLine(program, 'broker');
  const running = start(command, [...first, ...args]);
  onTestFinished(() => void running.stop('SIGKILL'));
  await running.waitForOutput(/ running$/m, 'stderr');
  return running;
}

function linesOf(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

/** Lines of a log without their time. */
function textsOf(text: string): string[] {
  return linesOf(text).map((line) => line.replace(/^\d+: /, ''));
}

/** What happens to a connection: `connected`, or the system's error code. */
function tryConnect(port: number, host: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    socket.once('connect', () => {
      socket.destroy();
      resolve('connected');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

describe('clearwing broker without configuration', () => {
  it('says what it does in Mosquitto’s words and serves this machine only', async () => {
    const port = await freePort();
    const broker = await startProgram(['-p', String(port)]);
    expect(await tryConnect(port, '127.0.0.1')).toBe('connected');
    expect(await tryConnect(port, '::1')).toBe('connected');
    const outside = Object.values(networkInterfaces())
      .flat()
      .find((one) => one !== undefined && !one.internal && one.family === 'IPv4');
    if (outside !== undefined) expect(await tryConnect(port, outside.address)).toBe('ECONNREFUSED');
    const { status, stderr, stdout } = await broker.stop('SIGTERM');
    expect(status).toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^\d{10}: clearwing version/);
    expect(textsOf(stderr).filter((line) => !/connection|Client/.test(line))).toEqual([
      `clearwing version ${version} starting`,
      'Using default config.',
      'Starting in local only mode. Connections will only be possible from clients running on this machine.',
      'Create a configuration file which defines a listener to allow remote access.',
      'For more details see https://mosquitto.org/documentation/authentication-methods/',
      `Opening ipv4 listen socket on port ${port}.`,
      `Opening ipv6 listen socket on port ${port}.`,
      `clearwing version ${version} running`,
      `clearwing version ${version} terminating`,
    ]);
  });

  it('listens on every -p', async () => {
    const ports = [await freePort(), await freePort()];
    const broker = await startProgram(ports.flatMap((port) => ['--port', String(port)]));
    for (const port of ports) expect(await tryConnect(port, '127.0.0.1')).toBe('connected');
    expect((await broker.stop('SIGINT')).status).toBe(0);
  });

  it('survives SIGHUP, SIGUSR1 and SIGUSR2', async () => {
    const port = await freePort();
    const broker = await startProgram(['-p', String(port)]);
    for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGHUP'] as const) broker.kill(signal);
    await broker.waitForOutput('Reloading config.', 'stderr');
    expect(await tryConnect(port, '127.0.0.1')).toBe('connected');
    expect((await broker.stop('SIGTERM')).status).toBe(0);
  });

  it('logs everything with -v and nothing with -q', async () => {
    const port = await freePort();
    const verbose = await startProgram(['-v', '-p', String(port)]);
    expect(await tryConnect(port, '127.0.0.1')).toBe('connected');
    await verbose.waitForOutput(/New connection from 127\.0\.0\.1:\d+ on port/, 'stderr');
    await verbose.stop('SIGTERM');
    const [command, ...first] = commandLine('clearwing', 'broker');
    const quiet = start(command, [...first, '-q', '-p', String(port)]);
    await until(async () => (await tryConnect(port, '127.0.0.1')) === 'connected', 'the broker to listen');
    expect(await quiet.stop('SIGTERM')).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });
});

describe('clearwing broker', () => {
  it('ends at once when it is told to a second time', async () => {
    const port = await freePort();
    const file = temporaryFiles().write(
      'c',
      `${stayRoot}listener ${port} 127.0.0.1\nallow_anonymous true\nshutdown_timeout 3600\n`,
    );
    const broker = await startProgram(['-c', file]);
    // This peer never closes its side, so the broker waits for it.
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    await new Promise((resolve) => socket.once('connect', resolve));
    await broker.waitForOutput('New connection', 'stderr');
    broker.kill('SIGTERM');
    await until(async () => (await tryConnect(port, '127.0.0.1')) === 'ECONNREFUSED', 'the listener to close');
    broker.kill('SIGTERM');
    expect((await broker.finished).status).toBe(1);
  });

  it('says in one line that a port is taken, with status 1', async () => {
    const port = await freePort();
    const first = await startProgram(['-p', String(port)]);
    const { status, stderr } = await runBroker(['-p', String(port)]);
    expect(status).toBe(1);
    expect(textsOf(stderr).filter((line) => line.startsWith('Error'))).toEqual([
      `Error: Address already in use (127.0.0.1 port ${port})`,
    ]);
    expect(stderr).not.toMatch(/ running$/m);
    await first.stop('SIGTERM');
  });

  it('says so on standard error even if the log goes elsewhere', async () => {
    const files = temporaryFiles();
    const path = files.write(
      'c',
      `${stayRoot}log_dest file ${files.path('log')}\nlistener 1883 no.such.host.invalid\n`,
    );
    const { status, stderr } = await runBroker(['-c', path]);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^Error: (Name or service not known|Temporary failure in name resolution) \(no\.such\.host\.invalid\)\n$/,
    );
    expect(readFileSync(files.path('log'), 'utf8')).toContain(stderr.trimEnd());
  });

  it.each([
    [
      ['-c', 'bad.conf'],
      3,
      'Error: Unknown configuration variable "alow_anonymous" at bad.conf:2; did you mean "allow_anonymous"?\n',
    ],
    [['-c', 'missing.conf'], 3, 'Error: Unable to open config file missing.conf: no such file or directory.\n'],
    [['-c', '.'], 3, 'Error: The config file . is a directory.\n'],
    [['-c'], 3, 'Error: -c argument given, but no config file specified.\n'],
    [['-p'], 3, 'Error: -p argument given, but no port specified.\n'],
    [['-p', '0'], 3, 'Error: Invalid port specified (0); expected 1 to 65535.\n'],
    [['-p', 'abc'], 3, 'Error: Invalid port specified (abc); expected 1 to 65535.\n'],
    [
      Array.from({ length: 11 }, () => ['-p', '1883']).flat(),
      3,
      'Error: Only 10 ports can be specified on the command line.\n',
    ],
    [['--verbos'], 3, "Error: Unknown option '--verbos'. Did you mean '--verbose'?\n"],
    [['1883'], 3, "Error: Unknown option '1883'. '--help' lists the options.\n"],
    [
      ['--test-config', '-c', 'bad.conf'],
      3,
      'Error: Unknown configuration variable "alow_anonymous" at bad.conf:2; did you mean "allow_anonymous"?\n',
    ],
    [['--test-config', '-c', 'acl.conf'], 3, 'Error: Invalid ACL topic "a#" at acl:1.\n'],
    [
      ['--test-config', '-c', 'nopw.conf'],
      13,
      'Error: Unable to open password file none: no such file or directory.\n',
    ],
  ])('refuses %j', async (args, status, stderr) => {
    const files = temporaryFiles({
      'bad.conf': '# x\nalow_anonymous true\n',
      'acl.conf': 'acl_file acl\n',
      acl: 'topic a#\n',
      'nopw.conf': 'password_file none\n',
    });
    expect(await runBroker(args, files)).toMatchObject({ status, stderr, stdout: '' });
  });

  it('refuses access files that cannot be used, before it listens', async () => {
    const files = temporaryFiles({ acl: 'topic reed a\n' });
    const port = await freePort();
    const path = files.write('c', `${stayRoot}listener ${port}\nallow_anonymous true\nacl_file ${files.path('acl')}\n`);
    const { status, stderr } = await runBroker(['-c', path]);
    expect(status).toBe(3);
    expect(stderr).toContain(
      `Error: Invalid topic access type "reed"; expected read, write, readwrite or deny at ${files.path('acl')}:1.`,
    );
    expect(stderr).not.toContain('Opening');
  });

  it('checks a configuration without starting', async () => {
    const files = temporaryFiles({
      'c.conf': 'listener 1883\npersistence_file x\nallow_anonymous true\npassword_file p\n',
      p: 'ben:plain\n',
    });
    expect(await runBroker(['--test-config', '-c', 'c.conf'], files)).toMatchObject({
      status: 0,
      stdout: 'Configuration file is OK.\n',
      stderr:
        'Warning: c.conf:2: persistence_file has no effect in this release: the store is always the directory `clearwing.db` in `persistence_location`.\n' +
        'Error: Invalid password hash type for user ben at p:1, removing entry.\n',
    });
  });

  it('shows its help and its version', async () => {
    const help = await runBroker(['--help']);
    expect(help.status).toBe(0);
    expect(help.stdout).toContain(
      'Usage: clearwing broker [-c config_file] [--data directory] [-d] [-h] [-p port] [-v] [-q]\n',
    );
    expect(await runBroker(['--version'])).toMatchObject({ status: 0, stdout: `clearwing version ${version}\n` });
  });

  it.runIf(isRoot)('gives up root’s rights and leaves its files to the user it becomes', async () => {
    const files = temporaryFiles();
    const port = await freePort();
    const path = files.write(
      'c',
      `user nobody\nlistener ${port} 127.0.0.1\nallow_anonymous true\nlog_dest stderr\nlog_dest file ${files.path('log')}\npid_file ${files.path('pid')}\n`,
    );
    const broker = await startProgram(['-c', path]);
    const ids = (name: string) =>
      new RegExp(`^${name}:\\s+(\\d+)\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${broker.pid}/status`, 'utf8'));
    expect(ids('Uid')?.slice(1)).toEqual(['65534', '65534']);
    expect(ids('Gid')?.[1]).not.toBe('0');
    expect(readFileSync(files.path('pid'), 'utf8')).toBe(`${broker.pid}\n`);
    expect((await broker.stop('SIGTERM')).status).toBe(0);
    expect(await runBroker(['-c', files.write('d', `user no-such-user\nlistener ${port}\n`)])).toMatchObject({
      status: 1,
    });
  });

  it('runs on, and says so, when its log file cannot be written', async () => {
    const files = temporaryFiles();
    const port = await freePort();
    const text = `listener ${port} 127.0.0.1\nallow_anonymous true\nlog_dest stderr\nlog_dest file ${files.path('none/log')}\n`;
    const broker = await startProgram(['-c', files.write('c', text)]);
    const { status, stderr } = await broker.stop('SIGTERM');
    expect(status).toBe(0);
    expect(stderr.match(/^.*(error|unable|ENOENT).*$/gim)).toEqual([
      expect.stringContaining('Unable to open log file'),
    ]);
  });

  it('writes its number to the pid file and removes it', async () => {
    const files = temporaryFiles();
    const port = await freePort();
    const path = files.write(
      'c',
      `${stayRoot}listener ${port} 127.0.0.1\nallow_anonymous true\npid_file ${files.path('pid')}\n`,
    );
    const broker = await startProgram(['-c', path]);
    expect(readFileSync(files.path('pid'), 'utf8')).toBe(`${broker.pid}\n`);
    // A second one that does not come up leaves it alone.
    expect((await runBroker(['-c', path])).status).toBe(1);
    expect(readFileSync(files.path('pid'), 'utf8')).toBe(`${broker.pid}\n`);
    await broker.stop('SIGTERM');
    expect(existsSync(files.path('pid'))).toBe(false);
    const unwritable = files.write('d', `listener ${port} 127.0.0.1\npid_file /nowhere/pid\n`);
    const { status, stderr } = await runBroker(['-c', unwritable]);
    expect(status).toBe(1);
    expect(stderr).toContain('Error: Unable to write pid file /nowhere/pid: no such file or directory.');
  });
});

describe('clearwing broker -d', () => {
  it('comes back when the broker listens, which then runs on its own', async () => {
    const files = temporaryFiles();
    const port = await freePort();
    const path = files.write(
      'c',
      `${stayRoot}listener ${port} 127.0.0.1\nallow_anonymous true\npid_file ${files.path('pid')}\nlog_dest file ${files.path('log')}\n`,
    );
    expect(await runBroker(['-d', '-c', path])).toMatchObject({ status: 0, stdout: '', stderr: '' });
    const pid = Number(readFileSync(files.path('pid'), 'utf8'));
    expect(await tryConnect(port, '127.0.0.1')).toBe('connected');

    // The second one cannot listen: its status and the reason come back.
    expect(await runBroker(['--daemon', '-c', path])).toMatchObject({
      status: 1,
      stderr: `Error: Address already in use (127.0.0.1 port ${port})\n`,
    });
    expect(await runBroker(['-d', '-c', files.path('none')])).toMatchObject({
      status: 3,
      stderr: `Error: Unable to open config file ${files.path('none')}: no such file or directory.\n`,
    });

    process.kill(pid, 'SIGTERM');
    await until(() => !existsSync(files.path('pid')), 'the pid file to go');
    await until(() => readFileSync(files.path('log'), 'utf8').includes('terminating'), 'the last line');
  });
});

describeWithPeer(['mosquitto_pub', 'mosquitto_sub'], 'SIGHUP', () => {
  const publish = (port: number, ...args: string[]) =>
    run(peerPath('mosquitto_pub'), ['-h', '127.0.0.1', '-p', String(port), '-V', '5', '-q', '1', '-m', 'x', ...args]);

  it('reads configuration, password and ACL files again, and opens the log file again', async () => {
    const files = temporaryFiles();
    const port = await freePort();
    files.write('passwords', `ben:${hashPassword('old', 'sha512-pbkdf2')}\n`);
    files.write('acl', 'user ben\ntopic write a\n');
    const general = `${stayRoot}log_dest stderr\npassword_file ${files.path('passwords')}\nacl_file ${files.path('acl')}\n`;
    const path = files.write('c', `${general}listener ${port} 127.0.0.1\n`);
    const broker = await startProgram(['-c', path]);
    const asBen = (password: string, topicName: string) =>
      publish(port, '-u', 'ben', '-P', password, '-d', '-t', topicName);
    expect((await asBen('old', 'a')).stdout).toContain('RC:16');
    expect((await asBen('old', 'b')).stdout).toContain('RC:135');
    expect((await asBen('new', 'a')).status).not.toBe(0);

    files.write('passwords', `ben:${hashPassword('new', 'sha512-pbkdf2')}\n`);
    files.write('acl', 'user ben\ntopic write b\n');
    files.write(
      'c',
      `${general}log_type all\nmax_connections_total 50\nlistener ${port} 127.0.0.1\nmax_connections 7\n`,
    );
    broker.kill('SIGHUP');
    await broker.waitForOutput(
      `Warning: These changes take effect when the broker is started again: max_connections of listener ${port} 127.0.0.1.`,
      'stderr',
    );
    expect((await asBen('new', 'b')).stdout).toContain('RC:16');
    expect((await asBen('new', 'a')).stdout).toContain('RC:135');
    expect((await asBen('old', 'b')).status).not.toBe(0);
    // `log_type all` is in force: packets are logged now.
    await broker.waitForOutput('Received PUBLISH from', 'stderr');
    expect((await broker.stop('SIGTERM')).status).toBe(0);
  });

  it('with a broken configuration is logged and changes nothing', async () => {
    const files = temporaryFiles({ acl: 'topic write a\n' });
    const port = await freePort();
    const good = `${stayRoot}listener ${port} 127.0.0.1\nallow_anonymous true\nacl_file ${files.path('acl')}\n`;
    const path = files.write('c', good);
    const broker = await startProgram(['-c', path]);
    const problems = [
      ['c', `${good}nonsense\n`, `Error: Unknown configuration variable "nonsense" at ${path}:`],
      ['acl', 'topic reed a\n', `Error: Invalid topic access type "reed"`],
    ] as const;
    for (const [name, content, message] of problems) {
      writeFileSync(files.path('c'), good);
      files.write(name, content);
      broker.kill('SIGHUP');
      await broker.waitForOutput(message, 'stderr');
      expect((await publish(port, '-d', '-t', 'a')).stdout).toContain('RC:16');
      expect((await publish(port, '-d', '-t', 'b')).stdout).toContain('RC:135');
    }
    expect(broker.stderr()).toContain('Error: The configuration was not reloaded; everything stays as it was.');
    expect((await broker.stop('SIGTERM')).status).toBe(0);
  });

  it('does not end a broker whose log goes to topics, where subscribers read it', async () => {
    const port = await freePort();
    const file = temporaryFiles().write(
      'c',
      `${stayRoot}listener ${port} 127.0.0.1\nallow_anonymous true\nlog_dest stderr\nlog_dest topic\nlog_type all\n`,
    );
    const broker = await startProgram(['-c', file]);
    const subscriber = start(peerPath('mosquitto_sub'), [
      '-h',
      '127.0.0.1',
      '-p',
      String(port),
      '-v',
      '-t',
      '$SYS/broker/log/#',
      '-i',
      'reader',
    ]);
    onTestFinished(() => void subscriber.stop());
    await subscriber.waitForOutput(/^\$SYS\/broker\/log\/M\/subscribe \d+: reader 0 \$SYS\/broker\/log\/#$/m);
    broker.kill('SIGHUP');
    await subscriber.waitForOutput(/^\$SYS\/broker\/log\/I \d+: Reloading config\.$/m);
    expect(subscriber.stdout()).not.toContain('PUBLISH');
    expect((await broker.stop('SIGTERM')).status).toBe(0);
  });
});

describeWithPeer('mosquitto', 'clearwing broker and mosquitto', () => {
  it.each([
    ['-p', ''],
    ['-c', 'listener {port} 127.0.0.1\nallow_anonymous true\n'],
    ['-c', 'listener {port}\nallow_anonymous true\nlog_timestamp true\n'],
    ['-c', 'port {port}\nbind_address 127.0.0.1\nallow_anonymous true\n'],
  ])('log their start and end in the same lines with %s %j', async (option, text) => {
    const logs: string[][] = [];
    for (const program of ['clearwing', 'mosquitto'] as const) {
      const port = await freePort();
      const file = temporaryFiles().write('c', `${stayRoot}${text.replaceAll('{port}', String(port))}`);
      const broker = await startProgram(option === '-p' ? ['-p', String(port)] : ['-c', file], program);
      const { stderr, status } = await broker.stop('SIGTERM');
      expect(status).toBe(0);
      logs.push(
        textsOf(stderr)
          .map((line) =>
            line
              .replaceAll(String(port), 'PORT')
              .replaceAll(file, 'FILE')
              .replace(/^\w+ version \S+/, 'NAME'),
          )
          // Theirs alone: what is deprecated, and being root, which both say in their own words.
          .filter((line) => !/deprecated|should not be run as root/.test(line)),
      );
    }
    expect(logs[0]).toEqual(logs[1]);
  });

  it.each([
    [['-c', 'bad.conf']],
    [['-c', 'missing.conf']],
    [['-c', '.']],
    [['-c', 'nopw.conf']],
    [['-c', 'acl.conf']],
    [['-c', 'pid.conf']],
    [['-c', 'user.conf']],
    [['-c']],
    [['-p']],
    [['-p', '0']],
    [['-p', '65536']],
    [['--nonsense']],
  ])('end with the same status for %j', async (args) => {
    const port = await freePort();
    const statuses: Array<number | null> = [];
    for (const program of ['clearwing', 'mosquitto'] as const) {
      const listener = `${stayRoot}listener ${port} 127.0.0.1\n`;
      const files = temporaryFiles({
        'bad.conf': 'nonsense\n',
        'nopw.conf': `${listener}password_file none\n`,
        'acl.conf': `${listener}acl_file acl\n`,
        acl: 'topic a#\n',
        'pid.conf': `${listener}pid_file /nowhere/pid\n`,
        'user.conf': isRoot ? `user no-such-user\nlistener ${port} 127.0.0.1\n` : 'nonsense\n',
      });
      const [command, ...first] = commandLine(program, 'broker');
      statuses.push((await run(command, [...first, ...args], { directory: files.directory })).status);
    }
    expect(statuses[0]).toBe(statuses[1]);
    expect(statuses[0]).not.toBe(0);
  });
});
