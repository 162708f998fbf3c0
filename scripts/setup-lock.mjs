/**
 * Lets one process at a time change node_modules and dist. The lock is a file that names its holder, who touches it while at
 * work; a lock whose holder is gone, or that nobody has touched for a while, is taken away.
 */
import { readFileSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const touchIntervalMs = 500;
const abandonedAfterMs = 15_000;
const pollIntervalMs = 50;

/**
 * Runs `work` while holding the lock; waits for as long as another living process holds it.
 * @template T
 * @param {string} path of the lock file
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(path, work) {
  await acquire(path);
  const touching = setInterval(() => ifPresent(() => touch(path)), touchIntervalMs);
  try {
    return await work();
  } finally {
    clearInterval(touching);
    ifPresent(() => unlinkSync(path));
  }
}

async function acquire(path) {
  const holder = JSON.stringify({ hostname: hostname(), pid: process.pid });
  for (;;) {
    try {
      writeFileSync(path, holder, { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isAbandoned(path)) ifPresent(() => unlinkSync(path));
    else await sleep(pollIntervalMs);
  }
}

function isAbandoned(path) {
  return (
    ifPresent(() => {
      if (Date.now() - statSync(path).mtimeMs > abandonedAfterMs) return true;
      const text = readFileSync(path, 'utf8');
      // Empty between its creation and its first write.
      if (text === '') return false;
      const holder = JSON.parse(text);
      return holder.hostname === hostname() && !isRunning(holder.pid);
    }) ?? false
  );
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code !== 'ESRCH';
  }
}

function touch(path) {
  const now = new Date();
  utimesSync(path, now, now);
}

/** Runs an action on a file that another process may remove at any time. */
function ifPresent(action) {
  try {
    return action();
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  }
}
