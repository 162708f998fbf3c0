/**
 * Hashed passwords as `mosquitto_passwd` writes them: `$6$salt$hash` (SHA-512, release 1.6 and older), `$7$iterations$salt$hash`
 * (PBKDF2 with HMAC-SHA-512, 2.0) and `$argon2id$v=19$m=…,t=…,p=…$salt$hash` (2.1).
 */
import * as crypto from 'node:crypto';

export type PasswordHash =
  | { readonly kind: 'sha512'; readonly salt: Buffer; readonly digest: Buffer }
  | { readonly kind: 'sha512-pbkdf2'; readonly iterations: number; readonly salt: Buffer; readonly digest: Buffer }
  | {
      readonly kind: 'argon2id';
      readonly memoryKib: number;
      readonly passes: number;
      readonly parallelism: number;
      readonly salt: Buffer;
      readonly digest: Buffer;
    };

export type HashKind = 'sha512' | 'sha512-pbkdf2';

/** Bytes of a SHA-512 digest, which Mosquitto also takes from PBKDF2. */
const digestBytes = 64;
/** What Mosquitto 2.0 writes. */
const saltBytes = 12;
/** What Mosquitto 2.0 writes. */
export const defaultIterations = 101;
export const iterationsMax = 2_147_483_647;
/** 4 GiB; a hash that asks for more would be an attack on the broker rather than on a password. */
const argonMemoryKibMax = 4 * 1024 * 1024;

/** Argon2 as Node has it from 24.7 on. */
type Argon2 = (
  algorithm: 'argon2id',
  parameters: {
    readonly message: Uint8Array;
    readonly nonce: Uint8Array;
    readonly parallelism: number;
    readonly tagLength: number;
    readonly memory: number;
    readonly passes: number;
  },
  callback: (error: Error | null, digest: Buffer) => void,
) => void;
const argon2 = (crypto as unknown as { readonly argon2?: Argon2 }).argon2;

/** Whether this Node.js can check passwords hashed with Argon2id. */
export const hasArgon2 = argon2 !== undefined;

/**
 * Reads a hash.
 * @returns what is wrong with it, for a message, if it cannot be used
 */
export function parsePasswordHash(text: string): PasswordHash | string {
  const [empty, kind, ...parts] = text.split('$');
  if (empty !== '' || kind === undefined) return 'Invalid password hash type';
  switch (kind) {
    case '6':
      return parseDigest(parts, (salt, digest) => ({ kind: 'sha512', salt, digest }));
    case '7': {
      const iterations = /^\d{1,10}$/.test(parts[0] ?? '') ? Number(parts[0]) : 0;
      if (iterations < 1 || iterations > iterationsMax) return 'Invalid hash iterations';
      return parseDigest(parts.slice(1), (salt, digest) => ({ kind: 'sha512-pbkdf2', iterations, salt, digest }));
    }
    case 'argon2id':
      return parseArgon2(parts);
    default:
      return 'Invalid password hash type';
  }
}

function parseDigest(parts: string[], make: (salt: Buffer, digest: Buffer) => PasswordHash): PasswordHash | string {
  if (parts.length !== 2) return 'Invalid password hash';
  const salt = decodeBase64(parts[0]!);
  if (salt === undefined) return 'Unable to decode password salt';
  const digest = decodeBase64(parts[1]!);
  if (digest?.length !== digestBytes) return 'Unable to decode password';
  return make(salt, digest);
}

function parseArgon2(parts: string[]): PasswordHash | string {
  if (!hasArgon2) return 'This release of Node.js has no Argon2id (24.7 and later have) to check the password hash';
  const [version, parameters, saltText, digestText] = parts;
  const match = /^m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,3})$/.exec(parameters ?? '');
  if (parts.length !== 4 || version !== 'v=19' || match === null) return 'Invalid password hash';
  const [memoryKib, passes, parallelism] = match.slice(1).map(Number) as [number, number, number];
  if (memoryKib > argonMemoryKibMax || memoryKib < 8 * parallelism || passes < 1 || parallelism < 1) {
    return 'Invalid password hash parameters';
  }
  const salt = decodeBase64(saltText!);
  if (salt === undefined || salt.length < 8) return 'Unable to decode password salt';
  const digest = decodeBase64(digestText!);
  if (digest === undefined || digest.length < 4) return 'Unable to decode password';
  return { kind: 'argon2id', memoryKib, passes, parallelism, salt, digest };
}

/** Undefined for what is no base64 or stands for nothing; padding may be missing. */
function decodeBase64(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length > 0 ? bytes : undefined;
}

/** Whether a password is the one that was hashed. Works on the thread pool, so it holds nobody up. */
export async function verifyPassword(hash: PasswordHash, password: Uint8Array): Promise<boolean> {
  return crypto.timingSafeEqual(await digestOf(hash, password), hash.digest);
}

function digestOf(hash: PasswordHash, password: Uint8Array): Promise<Buffer> {
  if (hash.kind === 'sha512') return Promise.resolve(sha512(password, hash.salt));
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, digest: Buffer) => (error === null ? resolve(digest) : reject(error));
    if (hash.kind === 'sha512-pbkdf2') {
      crypto.pbkdf2(password, hash.salt, hash.iterations, digestBytes, 'sha512', done);
    } else {
      const { memoryKib, passes, parallelism, salt, digest } = hash;
      const cost = { memory: memoryKib, passes, parallelism, tagLength: digest.length };
      argon2!('argon2id', { message: password, nonce: salt, ...cost }, done);
    }
  });
}

function sha512(password: Uint8Array, salt: Uint8Array): Buffer {
  return crypto.createHash('sha512').update(password).update(salt).digest();
}

/**
 * Hashes a password for a password file, with a new salt.
 * @param iterations of PBKDF2, 1–2,147,483,647; more cost an attacker more, and each connect as well
 */
export function hashPassword(password: string, kind: HashKind, iterations: number = defaultIterations): string {
  const salt = crypto.randomBytes(saltBytes);
  if (kind === 'sha512') {
    return `$6$${salt.toString('base64')}$${sha512(Buffer.from(password), salt).toString('base64')}`;
  }
  const digest = crypto.pbkdf2Sync(password, salt, iterations, digestBytes, 'sha512');
  return `$7$${iterations}$${salt.toString('base64')}$${digest.toString('base64')}`;
}

/** A hash that no password has, and that costs as much to check as `like`. */
export function decoyHash(like: PasswordHash | undefined): PasswordHash {
  const salt = crypto.randomBytes(saltBytes);
  const digest = crypto.randomBytes(digestBytes);
  if (like === undefined) return { kind: 'sha512-pbkdf2', iterations: defaultIterations, salt, digest };
  return { ...like, salt, digest: like.kind === 'argon2id' ? crypto.randomBytes(like.digest.length) : digest };
}
