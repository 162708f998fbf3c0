/** What a password file becomes, line by line. Comments and whatever else is not `user:hash` stay as they are. */
import { parsePasswordHash } from '../../broker/access/password-hash.ts';
import { PasswordFileError } from './password-lines.ts';

/** The lines with the user's line put in the place of its old one, or at the end. */
export function addUser(lines: readonly string[], username: string, newLine: string): string[] {
  const first = lines.findIndex((line) => usernameOf(line) === username);
  if (first < 0) return [...lines, newLine];
  // Further lines of the same user would never be looked at.
  return lines.flatMap((line, index) => {
    if (usernameOf(line) !== username) return [line];
    return index === first ? [newLine] : [];
  });
}

/** The lines without those of the user. */
export function removeUser(lines: readonly string[], username: string): string[] {
  return lines.filter((line) => usernameOf(line) !== username);
}

/**
 * The lines with their plain text passwords hashed.
 * @throws {PasswordFileError} if a line has no password: it would look as if it were done
 */
export function hashPlainText(
  lines: readonly string[],
  hash: (password: string) => string,
): { readonly upgraded: string[]; readonly alreadyHashed: string[] } {
  const alreadyHashed: string[] = [];
  const upgraded = lines.map((line, index) => {
    if (line.trim() === '' || line.startsWith('#')) return line;
    const username = usernameOf(line);
    const password = line.slice((username ?? '').length + 1);
    if (!username || password === '') throw new PasswordFileError(`Corrupt password file at line ${index + 1}.`);
    if (typeof parsePasswordHash(password) !== 'string' || /^\$argon2id\$v=\d+\$m=/.test(password)) {
      alreadyHashed.push(username);
      return line;
    }
    return `${username}:${hash(password)}`;
  });
  return { upgraded, alreadyHashed };
}

function usernameOf(line: string): string | undefined {
  const colon = line.startsWith('#') ? -1 : line.indexOf(':');
  return colon < 0 ? undefined : line.slice(0, colon);
}
