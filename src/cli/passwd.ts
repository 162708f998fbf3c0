/** `clearwing passwd`: manages password files, with the options, messages and exit statuses of mosquitto_passwd(1). */
import { defaultIterations, type HashKind, hashPassword, iterationsMax } from '../broker/access/password-hash.ts';
import { PasswordFileError, readPasswordLines, writePasswordLines } from './passwd/password-lines.ts';
import { PasswordPromptError, promptForNewPassword } from './passwd/prompt.ts';
import { addUser, hashPlainText, removeUser } from './passwd/rewrite.ts';

/** Bytes of a user name or password that MQTT can carry. [MQTT 5.0 §1.5.4] */
const credentialBytesMax = 65_535;

interface Request {
  readonly action: 'create' | 'update' | 'delete' | 'upgrade';
  readonly path: string;
  readonly username: string;
  /** Undefined to ask for it. */
  readonly password: string | undefined;
  readonly kind: HashKind;
  readonly iterations: number;
}

/** The arguments cannot be used; without a message the usage says it. */
class UsageError extends Error {}

export async function main(args: readonly string[], invokedAs: string): Promise<number> {
  const isHelp = args.includes('-h') || args.includes('--help');
  try {
    if (isHelp || args.length === 0) throw new UsageError();
    return await perform(parseArguments(args));
  } catch (error) {
    if (error instanceof UsageError) {
      if (error.message === '') process.stdout.write(usage(invokedAs));
      else process.stderr.write(`Error: ${error.message}\n`);
      // The classic program treats a wish for help as an error.
      return isHelp && !invokedAs.startsWith('mosquitto') ? 0 : 1;
    }
    if (error instanceof PasswordFileError || error instanceof PasswordPromptError) {
      process.stderr.write(`Error: ${error.message}\n`);
      return error instanceof PasswordPromptError ? error.exitStatus : 1;
    }
    throw error;
  }
}

async function perform(request: Request): Promise<number> {
  const { path, username } = request;
  if (request.action === 'create') {
    const line = await newLine(request);
    writePasswordLines(path, [line]);
    return 0;
  }
  const lines = readPasswordLines(path);
  switch (request.action) {
    case 'delete': {
      const kept = removeUser(lines, username);
      if (kept.length === lines.length) {
        process.stderr.write(`Warning: User ${username} not found in password file.\n`);
        return 1;
      }
      writePasswordLines(path, kept);
      return 0;
    }
    case 'upgrade': {
      const { upgraded, alreadyHashed } = hashPlainText(lines, (password) =>
        hashPassword(password, request.kind, request.iterations),
      );
      for (const name of alreadyHashed) {
        process.stderr.write(`Warning: The password of user ${name} is hashed already and stays as it is.\n`);
      }
      writePasswordLines(path, upgraded);
      return 0;
    }
    default:
      writePasswordLines(path, addUser(lines, username, await newLine(request)));
      return 0;
  }
}

async function newLine(request: Request): Promise<string> {
  const password = request.password ?? (await promptForNewPassword());
  checkLength(password, 'Password');
  return `${request.username}:${hashPassword(password, request.kind, request.iterations)}`;
}

function parseArguments(args: readonly string[]): Request {
  let kind: HashKind = 'sha512-pbkdf2';
  let iterations = defaultIterations;
  const flags = new Set<string>();
  let index = 0;
  for (; index < args.length; index++) {
    const argument = args[index]!;
    if (argument === '-H') kind = parseKind(args[++index]);
    else if (argument === '-I') iterations = parseIterations(args[++index]);
    else if (/^-[bcDU]$/.test(argument)) flags.add(argument);
    else break;
  }
  for (const [one, other] of [
    ['-c', '-D'],
    ['-c', '-U'],
    ['-D', '-U'],
    ['-b', '-D'],
  ] as const) {
    if (flags.has(one) && flags.has(other)) throw new UsageError(`${one} and ${other} cannot be used together.`);
  }
  const rest = args.slice(index);
  const [path, username = '', password] = rest;
  const isBatch = flags.has('-b');
  const common = { path: path ?? '', username, password: isBatch ? password : undefined, kind, iterations };
  if (flags.has('-U')) {
    if (rest.length !== 1) throw new UsageError('-U argument given but password file missing.');
    return { ...common, action: 'upgrade' };
  }
  if (flags.has('-c') && rest.length < (isBatch ? 3 : 2)) {
    const missing = isBatch ? 'password file, username, or password' : 'password file or username';
    throw new UsageError(`-c argument given but ${missing} missing.`);
  }
  if (flags.has('-D') && rest.length < 2) {
    throw new UsageError('-D argument given but password file or username missing.');
  }
  const action = flags.has('-c') ? 'create' : flags.has('-D') ? 'delete' : 'update';
  if (action === 'update' && rest.length !== (isBatch ? 3 : 2)) throw new UsageError();
  checkUsername(username);
  return { ...common, action };
}

function parseKind(text: string | undefined): HashKind {
  if (text === undefined) throw new UsageError('-H argument given but not enough other arguments.');
  if (text === 'sha512' || text === 'sha512-pbkdf2') return text;
  throw new UsageError(`Unknown hash type '${text}'`);
}

function parseIterations(text: string | undefined): number {
  if (text === undefined) throw new UsageError('-I argument given but not enough other arguments.');
  const iterations = /^\d+$/.test(text) ? Number(text) : 0;
  if (iterations < 1) throw new UsageError('Number of iterations must be > 0.');
  if (iterations > iterationsMax) throw new UsageError(`Number of iterations must be <= ${iterationsMax}.`);
  return iterations;
}

function checkUsername(username: string): void {
  checkLength(username, 'Username');
  for (const character of username) {
    const code = character.charCodeAt(0);
    if (code < 0x20 || code === 0x7f) throw new UsageError('Username must not contain control characters.');
    if (character === ':') throw new UsageError("Username must not contain the ':' character.");
  }
}

function checkLength(text: string, what: 'Username' | 'Password'): void {
  if (Buffer.byteLength(text) > credentialBytesMax) {
    throw new UsageError(`${what} must be less than 65536 characters long.`);
  }
}

function usage(name: string): string {
  const indent = ' '.repeat('Usage: '.length);
  return `${name} is a tool for managing password files for clearwing and mosquitto.

Usage: ${name} [-H sha512 | -H sha512-pbkdf2] [-I iterations] [-c | -D] passwordfile username
${indent}${name} [-H sha512 | -H sha512-pbkdf2] [-I iterations] [-c] -b passwordfile username password
${indent}${name} [-H sha512 | -H sha512-pbkdf2] [-I iterations] -U passwordfile
 -b : run in batch mode to allow passing passwords on the command line.
 -c : create a new password file. This will overwrite existing files.
 -D : delete the username rather than adding/updating its password.
 -H : specify the hashing algorithm. Defaults to sha512-pbkdf2, which is recommended.
      Mosquitto 1.6 and earlier defaulted to sha512.
 -I : number of iterations of sha512-pbkdf2. Defaults to ${defaultIterations}. More make a stolen file
      harder to use, and each connect slower.
 -U : update a plain text password file to use hashed passwords. Those that are hashed already stay.

Without -b the password is asked for, or read from standard input (two lines) if that is no terminal.
`;
}
