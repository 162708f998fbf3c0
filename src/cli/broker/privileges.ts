/** Giving up root's rights. [mosquitto.conf(5) user] */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { defaultUser } from '../../broker/config/configuration.ts';
import type { Log } from '../../broker/log.ts';

/** The user that was asked for cannot be become. */
export class PrivilegeError extends Error {}

export interface Account {
  readonly name: string;
  readonly userId: number;
  readonly groupId: number;
}

/** Part of Node since 0.9, missing from its types. */
type WithInitgroups = NodeJS.Process & { initgroups(user: string, extraGroup: number): void };

const fallbackUser = 'nobody';

/**
 * Whom the process is to become; undefined if it is to stay who it is.
 * @throws {PrivilegeError} if a user other than the default is asked for and does not exist
 */
export function chooseAccount(user: string, log: Log): Account | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  if (user === 'root') {
    log.write('warning', 'Warning: Clearwing should not be run as root.');
    return undefined;
  }
  const account = findAccount(user);
  if (account !== undefined) return account;
  const problem = `Unable to drop privileges to '${user}' because this user does not exist.`;
  if (user !== defaultUser) throw new PrivilegeError(problem);
  const fallback = findAccount(fallbackUser);
  if (fallback !== undefined) {
    log.write('information', `Running as user '${fallbackUser}', as there is no user '${user}'.`);
    return fallback;
  }
  log.write('warning', `Warning: ${problem} Neither does '${fallbackUser}': running as root.`);
  return undefined;
}

/** @throws {PrivilegeError} if the system refuses */
export function become(account: Account): void {
  try {
    (process as WithInitgroups).initgroups(account.name, account.groupId);
    process.setgid!(account.groupId);
    process.setuid!(account.userId);
  } catch (error) {
    throw new PrivilegeError(`Unable to drop privileges to '${account.name}': ${(error as Error).message}.`);
  }
}

/** Looks a user up in /etc/passwd, and only if it is not there wherever else the system keeps users. */
function findAccount(name: string): Account | undefined {
  try {
    for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
      const [user, , userId, groupId] = line.split(':');
      if (user === name) return { name, userId: Number(userId), groupId: Number(groupId) };
    }
  } catch {
    // Then the program id is asked.
  }
  try {
    const ask = (option: string) =>
      Number(execFileSync('id', [option, '--', name], { stdio: ['ignore', 'pipe', 'ignore'] }));
    return { name, userId: ask('-u'), groupId: ask('-g') };
  } catch {
    return undefined;
  }
}
