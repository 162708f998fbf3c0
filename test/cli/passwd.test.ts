import { existsSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readPasswordFile } from '../../src/broker/access/password-file.ts';
import { parsePasswordHash, verifyPassword } from '../../src/broker/access/password-hash.ts';
import { type TemporaryFiles, temporaryFiles } from '../broker/config/temporary.ts';
import { startBroker } from '../support/broker-process.ts';
import { clearwingMain } from '../support/paths.ts';
import { describeWithPeer, peerPath } from '../support/peers.ts';
import { type RunResult, run } from '../support/run.ts';

function passwd(files: TemporaryFiles, args: readonly string[], input = ''): Promise<RunResult> {
  return run(process.execPath, [clearwingMain, 'passwd', ...args], { directory: files.directory, input });
}

async function accepts(line: string | undefined, password: string): Promise<boolean> {
  const hash = parsePasswordHash((line ?? '').slice((line ?? '').indexOf(':') + 1));
  return typeof hash !== 'string' && verifyPassword(hash, Buffer.from(password));
}

function linesOf(files: TemporaryFiles, name = 'p'): string[] {
  return readFileSync(files.path(name), 'utf8').split('\n').slice(0, -1);
}

describe('clearwing passwd', () => {
  it('makes a file for its owner alone, adds, changes in place and deletes users', async () => {
    const files = temporaryFiles();
    expect(await passwd(files, ['-c', '-b', 'p', 'ben', 'one'])).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(statSync(files.path('p')).mode & 0o777).toBe(0o600);
    await passwd(files, ['-b', 'p', 'ada', 'two']);
    await passwd(files, ['-H', 'sha512', '-b', 'p', 'eve', 'three']);
    await passwd(files, ['-I', '1000', '-b', 'p', 'ben', 'four']);
    const lines = linesOf(files);
    expect(lines.map((line) => line.replace(/\$[^$]*\$[^$]*$/, ''))).toEqual(['ben:$7$1000', 'ada:$7$101', 'eve:$6']);
    expect(await accepts(lines[0], 'four')).toBe(true);
    expect(await accepts(lines[1], 'two')).toBe(true);
    expect(await accepts(lines[2], 'three')).toBe(true);
    expect((await passwd(files, ['-D', 'p', 'ada'])).status).toBe(0);
    expect(linesOf(files)).toEqual([lines[0], lines[2]]);
    expect(await passwd(files, ['-D', 'p', 'ada'])).toMatchObject({
      status: 1,
      stderr: 'Warning: User ada not found in password file.\n',
    });
    expect(readdirSync(files.directory)).toEqual(['p']);
  });

  it('keeps comments, blank lines and lines it does not know, and the mode of the file', async () => {
    const files = temporaryFiles();
    files.write('p', '# staff\nben:plain\n\n???\n#ada:x', 0o640);
    await passwd(files, ['-b', 'p', 'ada', 'x']);
    await passwd(files, ['-b', 'p', 'ben', 'y']);
    const lines = linesOf(files);
    expect(lines.map((line) => line.replace(/\$.*/, '$'))).toEqual(['# staff', 'ben:$', '', '???', '#ada:x', 'ada:$']);
    expect(statSync(files.path('p')).mode & 0o777).toBe(0o640);
  });

  it('writes through a link, and to what is no file', async () => {
    const files = temporaryFiles({ real: '' });
    symlinkSync(files.path('real'), files.path('p'));
    await passwd(files, ['-b', 'p', 'ben', 'x']);
    expect(lstatSync(files.path('p')).isSymbolicLink()).toBe(true);
    expect(await accepts(linesOf(files, 'real')[0], 'x')).toBe(true);
    const command = `${process.execPath} ${clearwingMain} passwd -c -b /dev/stdout ben x | cat`;
    const { stdout } = await run('sh', ['-c', command]);
    expect(await accepts(stdout.trimEnd(), 'x')).toBe(true);
  });

  it('hashes plain text passwords, and only those', async () => {
    const files = temporaryFiles({ p: '# staff\nben:secret\nada:with:colon\n' });
    expect((await passwd(files, ['-U', 'p'])).status).toBe(0);
    const lines = linesOf(files);
    expect(lines[0]).toBe('# staff');
    expect(await accepts(lines[1], 'secret')).toBe(true);
    expect(await accepts(lines[2], 'with:colon')).toBe(true);
    expect(await passwd(files, ['-U', 'p'])).toMatchObject({
      status: 0,
      stderr:
        'Warning: The password of user ben is hashed already and stays as it is.\nWarning: The password of user ada is hashed already and stays as it is.\n',
    });
    expect(linesOf(files)).toEqual(lines);
  });

  it('leaves a file alone in which a user has no password to hash', async () => {
    const files = temporaryFiles({ p: 'ben:secret\nada\n' });
    expect(await passwd(files, ['-U', 'p'])).toMatchObject({
      status: 1,
      stderr: 'Error: Corrupt password file at line 2.\n',
    });
    expect(linesOf(files)).toEqual(['ben:secret', 'ada']);
  });

  it('reads the password from a pipe', async () => {
    const files = temporaryFiles();
    expect(await passwd(files, ['-c', 'p', 'ben'], 'p w\r\np w')).toMatchObject({
      status: 0,
      stdout: 'Password: \nReenter password: \n',
    });
    expect(await accepts(linesOf(files)[0], 'p w')).toBe(true);
  });

  it('asks on a terminal, without showing what is typed', async () => {
    const files = temporaryFiles();
    const command = `${process.execPath} ${clearwingMain} passwd -c p ben`;
    // \x7f is backspace. The terminal's own echo is off while it asks.
    const { stdout, status } = await run('script', ['-qec', command, '/dev/null'], {
      directory: files.directory,
      input: 'gehx\x7feim\rgeheim\r',
    });
    expect(status).toBe(0);
    // What script itself echoes before the program runs is not the program's.
    expect(stdout.slice(stdout.indexOf('Password: '))).toBe('Password: \r\nReenter password: \r\n');
    expect(await accepts(linesOf(files)[0], 'geheim')).toBe(true);
  });

  it('shows its usage', async () => {
    const files = temporaryFiles();
    const { status, stdout } = await passwd(files, ['--help']);
    expect(status).toBe(0);
    expect(stdout).toContain(
      'Usage: clearwing passwd [-H sha512 | -H sha512-pbkdf2] [-I iterations] [-c | -D] passwordfile username\n',
    );
    expect(await passwd(files, [])).toMatchObject({ status: 1, stdout });
  });

  it('refuses names and passwords that MQTT cannot carry', async () => {
    const files = temporaryFiles({ p: '' });
    const long = 'x'.repeat(65_536);
    expect((await passwd(files, ['-b', 'p', long, 'x'])).stderr).toBe(
      'Error: Username must be less than 65536 characters long.\n',
    );
    expect((await passwd(files, ['-b', 'p', 'x', long])).stderr).toBe(
      'Error: Password must be less than 65536 characters long.\n',
    );
  });

  it('does not touch a file that is not UTF-8', async () => {
    const files = temporaryFiles();
    files.write('p', Buffer.from('J\xfcrgen:x\n', 'latin1'));
    expect(await passwd(files, ['-b', 'p', 'ben', 'x'])).toMatchObject({
      status: 1,
      stderr: 'Error: Corrupt password file at line 1: not UTF-8.\n',
    });
  });
});

describeWithPeer('mosquitto_passwd', 'clearwing passwd and mosquitto_passwd', () => {
  const usage = /^[^\n]* is a tool for managing password files[\s\S]*/;
  const existing =
    'ben:$7$101$dwFxmIocXiFGD6aI$b3y6FzacLy+Q0z3XOvojduVcEvemXrkW3X4ollKc9XN19Kl9xjvxpwaSUkvt6wmGIw5GrWkDs3cjyxjc9CI7TA==\n';

  const cases: Array<[args: string[], input?: string]> = [
    [[]],
    [['-c', '-b', 'new', 'ben', 'x']],
    [['-b', 'p', 'ben', 'x']],
    [['-b', 'p', 'ada', 'x']],
    [['-b', 'p', 'ada', '']],
    [['-H', 'sha512', '-b', 'p', 'ada', 'x']],
    [['-I', '5', '-b', 'p', 'ada', 'x']],
    [['-I', '0', '-b', 'p', 'ada', 'x']],
    [['-I', 'x', '-b', 'p', 'ada', 'x']],
    [['-I']],
    [['-H']],
    [['-H', 'md5', '-b', 'p', 'ada', 'x']],
    [['-D', 'p', 'ben']],
    [['-D', 'p', 'ada']],
    [['-D', 'p']],
    [['-U', 'plain']],
    [['-U']],
    [['-U', 'p', 'more']],
    [['-c', 'p']],
    [['-c', '-b', 'p', 'ben']],
    [['-b', 'p', 'ben']],
    [['p']],
    [['-c', '-D', 'p', 'ben']],
    [['-c', '-U', 'p']],
    [['-D', '-U', 'p']],
    [['-b', '-D', 'p', 'ben']],
    [['-bc', 'p', 'ben', 'x']],
    [['p', '-b', 'ben', 'x']],
    [['-z']],
    [['-b', 'missing', 'ben', 'x']],
    [['-D', 'missing', 'ben']],
    [['-b', 'directory', 'ben', 'x']],
    [['-c', '-b', 'directory', 'ben', 'x']],
    [['-c', '-b', 'directory/none/p', 'ben', 'x']],
    [['-b', 'p', 'a:b', 'x']],
    [['-b', 'p', 'a\tb', 'x']],
    [['p', 'ada'], 'one\none\n'],
    [['p', 'ada'], 'one\ntwo\n'],
    [['p', 'ada'], '\n\n'],
    [['p', 'ada'], ''],
    [['p', 'ada'], 'one\n'],
    [['-c', 'new', 'ada'], 'one\none\n'],
  ];

  it.each(cases)('answer %j alike', async (args: string[], input = '') => {
    const results = await Promise.all(
      ['clearwing', 'mosquitto'].map(async (program) => {
        const files = temporaryFiles({ p: existing, plain: 'ben:x\nada:y\n', 'directory/x': '' });
        const { status, stdout, stderr } =
          program === 'clearwing'
            ? await passwd(files, args, input)
            : await run(peerPath('mosquitto_passwd'), args, { directory: files.directory, input });
        const content = (name: string) =>
          existsSync(files.path(name))
            ? readFileSync(files.path(name), 'utf8').replace(/[^$\n]*\$[^$\n]{86}==$/gm, 'hash')
            : undefined;
        return {
          status,
          // Where the two end a line they did not finish is of no use to anybody.
          stdout: stdout.replace(usage, 'usage').trimEnd(),
          // The classic program names existing files by their whole path.
          stderr: stderr.replaceAll(`${files.directory}/`, ''),
          p: content('p'),
          plain: content('plain'),
          fresh: content('new'),
        };
      }),
    );
    expect(results[0]).toEqual(results[1]);
  });
});

describeWithPeer(['mosquitto', 'mosquitto_pub', 'mosquitto_passwd'], 'password files', () => {
  it.each(['clearwing', 'mosquitto'] as const)('made by either program are understood by %s', async (program) => {
    const files = temporaryFiles();
    await passwd(files, ['-c', '-b', 'p', 'ours', 'one']);
    await passwd(files, ['-H', 'sha512', '-b', 'p', 'oursOld', 'zwei – 二']);
    await passwd(files, ['-I', '2000', '-b', 'p', 'oursSlow', 'three']);
    await run(peerPath('mosquitto_passwd'), ['-b', files.path('p'), 'theirs', 'four']);
    await run(peerPath('mosquitto_passwd'), ['-H', 'sha512', '-b', files.path('p'), 'theirsOld', 'five']);
    expect(readPasswordFile(files.path('p')).problems).toEqual([]);
    const broker = await startBroker({
      program,
      config: 'listener {port} 127.0.0.1\npassword_file {directory}/passwords',
      files: { passwords: readFileSync(files.path('p'), 'utf8') },
    });
    try {
      const connect = async (username: string, password: string) => {
        const where = ['-h', '127.0.0.1', '-p', String(broker.port), '-t', 'a', '-m', 'x'];
        return (await run(peerPath('mosquitto_pub'), [...where, '-u', username, '-P', password])).status;
      };
      const users = { ours: 'one', oursOld: 'zwei – 二', oursSlow: 'three', theirs: 'four', theirsOld: 'five' };
      for (const [username, password] of Object.entries(users)) {
        expect(await connect(username, password), username).toBe(0);
        expect(await connect(username, `${password}!`), username).toBe(5);
      }
    } finally {
      await broker.stop();
    }
  });
});
