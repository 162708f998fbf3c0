/** A password file: one `user:hash` per line. */
import { readTextLines, TextFileError } from '../config/text-file.ts';
import { AccessFileError } from './access-file-error.ts';
import { decoyHash, type PasswordHash, parsePasswordHash, verifyPassword } from './password-hash.ts';

/** A million users with the hashes of Mosquitto 2.0 take some 120 MB. */
const fileBytesMax = 1024 * 1024 * 1024;

export interface PasswordFile {
  readonly path: string;
  readonly users: ReadonlyMap<string, PasswordHash>;
  /** Checked for users that are not in the file, so that the time to the answer does not tell who is. */
  readonly decoy: PasswordHash;
  /** Lines that are not used, each a sentence with user, file and line. */
  readonly problems: readonly string[];
}

/**
 * Reads a password file. Lines that cannot be used are reported and left out, as in Mosquitto; plain text passwords are such.
 * @throws {AccessFileError} if it cannot be read
 */
export function readPasswordFile(path: string): PasswordFile {
  const users = new Map<string, PasswordHash>();
  const problems: string[] = [];
  try {
    for (const { number, text } of readTextLines(path, 'password file', fileBytesMax)) {
      if (text.trim() === '' || text.startsWith('#')) continue;
      const [username = '', hashText] = text.split(':');
      const place = `at ${path}:${number}, removing entry`;
      const hash = parsePasswordHash((hashText ?? '').trim());
      if (hashText === undefined || hashText.trim() === '') {
        problems.push(`Missing password hash for user ${username} ${place}`);
      } else if (typeof hash === 'string') {
        problems.push(`${hash} for user ${username} ${place}`);
      } else if (users.has(username)) {
        problems.push(`Second entry for user ${username} ${place}`);
      } else {
        users.set(username, hash);
      }
    }
  } catch (error) {
    if (error instanceof TextFileError) throw new AccessFileError(error.message, path, 0);
    throw error;
  }
  return { path, users, decoy: decoyHash(commonest(users)), problems };
}

/** The first of the hashes that cost the same as most others. */
function commonest(users: ReadonlyMap<string, PasswordHash>): PasswordHash | undefined {
  const groups = new Map<string, { count: number; readonly first: PasswordHash }>();
  for (const hash of users.values()) {
    const cost = costOf(hash);
    const group = groups.get(cost);
    if (group === undefined) groups.set(cost, { count: 1, first: hash });
    else group.count++;
  }
  return [...groups.values()].sort((a, b) => b.count - a.count)[0]?.first;
}

function costOf(hash: PasswordHash): string {
  switch (hash.kind) {
    case 'sha512':
      return '6';
    case 'sha512-pbkdf2':
      return `7 ${hash.iterations}`;
    case 'argon2id':
      return `${hash.memoryKib} ${hash.passes} ${hash.parallelism}`;
  }
}

/** Checks that run at once: as many as the thread pool has to spare beside files and names. */
const concurrentMax = 2;
/** Checks that wait; a storm of connects beyond that is told to come back later. */
const waitingMax = 10_000;

/** Runs password checks a few at a time, in order. */
export class PasswordVerifier {
  readonly #waiting: Array<() => void> = [];
  #next = 0;
  #running = 0;

  /**
   * @param password empty if the client gave none
   * @returns undefined if too many are waiting
   */
  verify(file: PasswordFile, username: string, password: Uint8Array): Promise<boolean> | undefined {
    if (this.#waiting.length - this.#next >= waitingMax) return undefined;
    const known = file.users.get(username);
    return this.#turn().then(async () => {
      try {
        const isRight = await verifyPassword(known ?? file.decoy, password);
        return isRight && known !== undefined;
      } finally {
        this.#running--;
        this.#startNext();
      }
    });
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#startNext();
    });
  }

  #startNext(): void {
    while (this.#running < concurrentMax && this.#next < this.#waiting.length) {
      this.#running++;
      this.#waiting[this.#next++]!();
    }
    // Shifting one by one would move the whole queue each time.
    if (this.#next === this.#waiting.length) {
      this.#waiting.length = 0;
      this.#next = 0;
    }
  }
}
