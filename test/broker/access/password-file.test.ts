import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { AccessFileError } from '../../../src/broker/access/access-file-error.ts';
import { PasswordVerifier, readPasswordFile } from '../../../src/broker/access/password-file.ts';
import {
  decoyHash,
  hasArgon2,
  hashPassword,
  type PasswordHash,
  parsePasswordHash,
  verifyPassword,
} from '../../../src/broker/access/password-hash.ts';
import { describeWithPeer, peerPath } from '../../support/peers.ts';
import { temporaryFiles } from '../config/temporary.ts';

const bytes = (text: string) => Buffer.from(text);

function parsed(text: string): PasswordHash {
  const hash = parsePasswordHash(text);
  if (typeof hash === 'string') throw new Error(hash);
  return hash;
}

describe('password hashes', () => {
  it.each([
    ['$6$', 'sha512' as const, undefined],
    ['$7$101$', 'sha512-pbkdf2' as const, undefined],
    ['$7$5000$', 'sha512-pbkdf2' as const, 5000],
  ])('%s… are made, read and checked', async (beginning, kind, iterations) => {
    const text = hashPassword('geheim – 秘密', kind, iterations);
    expect(text.startsWith(beginning)).toBe(true);
    expect(hashPassword('geheim – 秘密', kind, iterations)).not.toBe(text);
    const hash = parsed(text);
    expect(await verifyPassword(hash, bytes('geheim – 秘密'))).toBe(true);
    for (const wrong of ['geheim', '', 'geheim – 秘密 ']) expect(await verifyPassword(hash, bytes(wrong))).toBe(false);
  });

  it('are compatible with those that mosquitto_passwd 2.0.11 wrote', async () => {
    const old = parsed(
      '$6$Sx9jQsMxk21UOZPi$uGtrJVeDIuAe91Wky4KVpLxTHKzeUzX2tfjPS9xflA5HniPq0hHudc5EbavEkWgMp1UxhJgkE4mpkjzhs9qKOA==',
    );
    expect(await verifyPassword(old, bytes('alt'))).toBe(true);
    const recent = parsed(
      '$7$101$dwFxmIocXiFGD6aI$b3y6FzacLy+Q0z3XOvojduVcEvemXrkW3X4ollKc9XN19Kl9xjvxpwaSUkvt6wmGIw5GrWkDs3cjyxjc9CI7TA==',
    );
    expect(await verifyPassword(recent, bytes('neu'))).toBe(true);
    expect(await verifyPassword(recent, bytes('secret'))).toBe(false);
  });

  const salt = 'Sx9jQsMxk21UOZPi';
  const digest = Buffer.alloc(64, 1).toString('base64');
  it.each([
    ['', 'Invalid password hash type'],
    ['plain', 'Invalid password hash type'],
    ['plain$6$x', 'Invalid password hash type'],
    [`$5$${salt}$${digest}`, 'Invalid password hash type'],
    ['$6$abc', 'Invalid password hash'],
    [`$6$$${digest}`, 'Unable to decode password salt'],
    [`$6$a=b$${digest}`, 'Unable to decode password salt'],
    [`$6$${salt}$lmn?`, 'Unable to decode password'],
    [`$6$${salt}$${digest.slice(8)}`, 'Unable to decode password'],
    [`$7$0$${salt}$${digest}`, 'Invalid hash iterations'],
    [`$7$-1$${salt}$${digest}`, 'Invalid hash iterations'],
    [`$7$9999999999$${salt}$${digest}`, 'Invalid hash iterations'],
    [`$7$101$${salt}`, 'Invalid password hash'],
    [`$7$101$${salt}$${digest}$x`, 'Invalid password hash'],
  ])('%j is refused: %s', (text, problem) => {
    expect(parsePasswordHash(text)).toBe(problem);
  });

  it('of Argon2id are checked if Node.js can, and otherwise refused with the reason', async () => {
    // Made with the reference implementation: password `password`, salt `somesalt`, t=2, m=64 MiB, p=1.
    const text = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
    if (!hasArgon2) {
      expect(parsePasswordHash(text)).toMatch(/^This release of Node\.js has no Argon2id/);
      return;
    }
    expect(await verifyPassword(parsed(text), bytes('password'))).toBe(true);
    expect(await verifyPassword(parsed(text), bytes('Password'))).toBe(false);
    expect(parsePasswordHash('$argon2id$v=19$m=99999999999,t=2,p=1$c29tZXNhbHQ$CTFh')).toBe('Invalid password hash');
  });

  it('of a decoy cost the same and fit no password', async () => {
    const like = parsed(hashPassword('x', 'sha512-pbkdf2', 777));
    const decoy = decoyHash(like);
    expect(decoy).toMatchObject({ kind: 'sha512-pbkdf2', iterations: 777 });
    expect(await verifyPassword(decoy, bytes('x'))).toBe(false);
  });
});

describe('readPasswordFile', () => {
  it('takes the users it can use and names the lines it cannot', () => {
    const files = temporaryFiles();
    const good = hashPassword('x', 'sha512-pbkdf2');
    const path = files.write(
      'passwords',
      `# comment\nben:${good}\r\n\nplain:secret\nnocolon\nempty:\nben:${hashPassword('y', 'sha512')}\nname with spaces:${good}\nconstructor:${good}`,
    );
    const file = readPasswordFile(path);
    expect([...file.users.keys()]).toEqual(['ben', 'name with spaces', 'constructor']);
    expect(file.problems).toEqual([
      `Invalid password hash type for user plain at ${path}:4, removing entry`,
      `Missing password hash for user nocolon at ${path}:5, removing entry`,
      `Missing password hash for user empty at ${path}:6, removing entry`,
      `Second entry for user ben at ${path}:7, removing entry`,
    ]);
  });

  it('checks unknown users at the cost that most known ones have', () => {
    const files = temporaryFiles();
    const lines = [100, 200, 200].map((cost, index) => `u${index}:${hashPassword('x', 'sha512-pbkdf2', cost)}`);
    expect(readPasswordFile(files.write('p', lines.join('\n'))).decoy).toMatchObject({ iterations: 200 });
    expect(readPasswordFile(files.write('q', '')).decoy).toMatchObject({ kind: 'sha512-pbkdf2', iterations: 101 });
  });

  it('names a file that cannot be read', () => {
    expect(() => readPasswordFile('/nowhere/p')).toThrow(AccessFileError);
    expect(() => readPasswordFile('/nowhere/p')).toThrow(
      'Unable to open password file /nowhere/p: no such file or directory.',
    );
  });
});

describe('PasswordVerifier', () => {
  it('answers many at once without holding up the event loop, and no more than it can remember', async () => {
    const files = temporaryFiles();
    const file = readPasswordFile(files.write('p', `ben:${hashPassword('x', 'sha512-pbkdf2', 20)}\n`));
    const verifier = new PasswordVerifier();
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const checks: Array<Promise<boolean> | undefined> = [];
    for (let index = 0; index < 10_100; index++)
      checks.push(verifier.verify(file, index % 2 ? 'ben' : 'eve', bytes('x')));
    const accepted = checks.filter((check) => check !== undefined);
    expect(accepted.length).toBeGreaterThanOrEqual(10_000);
    expect(accepted.length).toBeLessThan(10_100);
    const answers = await Promise.all(accepted);
    clearInterval(timer);
    expect(answers.every((answer, index) => answer === (index % 2 === 1))).toBe(true);
    expect(turns).toBeGreaterThan(10);
    expect(await verifier.verify(file, 'ben', bytes('x'))).toBe(true);
  });
});

describeWithPeer('mosquitto_passwd', 'files of mosquitto_passwd', () => {
  it('are read, with both kinds of hash', async () => {
    const files = temporaryFiles();
    const path = files.path('p');
    const passwd = (...args: string[]) => execFileSync(peerPath('mosquitto_passwd'), args);
    passwd('-c', '-b', path, 'ben', 'pass word');
    passwd('-H', 'sha512', '-b', path, 'ada', 'ünïcode');
    const file = readPasswordFile(path);
    expect(file.problems).toEqual([]);
    const verifier = new PasswordVerifier();
    expect(await verifier.verify(file, 'ben', bytes('pass word'))).toBe(true);
    expect(await verifier.verify(file, 'ada', bytes('ünïcode'))).toBe(true);
    expect(await verifier.verify(file, 'ada', bytes('pass word'))).toBe(false);
  });
});
