/**
 * Keeps node_modules what package-lock.json says. npm leaves a lock file of its own in node_modules when it has finished; the
 * comparison of the two takes milliseconds and also notices an install that was broken off, one that left the development
 * tools out, and one made on another kind of machine.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryDirectory } from './repository.mjs';

/** Whether node_modules holds what package-lock.json says. */
export function isInstalled() {
  const wanted = readPackages(join(repositoryDirectory, 'package-lock.json'));
  if (wanted === undefined) throw new Error(`package-lock.json is missing or unreadable in ${repositoryDirectory}`);
  const present = readPackages(join(repositoryDirectory, 'node_modules', '.package-lock.json'));
  return present !== undefined && isComplete(wanted, present);
}

/**
 * Whether every package that this machine needs is there, at its version.
 * @param {Record<string, object>} wanted `packages` of package-lock.json
 * @param {Record<string, object>} present `packages` of npm's own lock file in node_modules
 */
export function isComplete(wanted, present) {
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const installed = present[path];
    if (installed !== undefined) return installed.version === entry.version && installed.integrity === entry.integrity;
    return entry.optional === true && !isForThisMachine(entry);
  });
}

/**
 * Runs `npm ci`.
 * @throws {Error} if it fails; npm has then said why
 */
export async function install() {
  const npmProgram = process.env.npm_execpath;
  // Under `npm start` the npm that runs us is used, elsewhere the one in the PATH (a script of the shell on Windows).
  const isJavaScript = npmProgram !== undefined && /npm-cli\.[cm]?js$/.test(npmProgram);
  const command = isJavaScript ? process.execPath : 'npm';
  const options = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const child = spawn(command, isJavaScript ? [npmProgram, ...options] : options, {
    cwd: repositoryDirectory,
    // What npm prints when all is well is of no interest; its errors go to standard error.
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: !isJavaScript && process.platform === 'win32',
    // Set-up builds what it needs by itself; see build.mjs.
    env: { ...process.env, CLEARWING_SETUP: '1' },
  });
  const status = await new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`npm cannot be started: ${error.message}`)));
    child.once('exit', (code, signal) => resolve(code ?? signal));
  });
  if (status !== 0) throw new Error(`npm ci failed (${status})`);
}

/** Optional packages are mostly binaries for one system each; those for this one are needed, the rest must not be missed. */
function isForThisMachine(entry) {
  if (entry.os === undefined || entry.cpu === undefined) return false;
  return (
    entry.os.includes(process.platform) && entry.cpu.includes(process.arch) && entry.libc?.includes(libc()) !== false
  );
}

/** Linux has two C libraries, told apart by whether Node was built with glibc. */
function libc() {
  if (process.platform !== 'linux') return undefined;
  return process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}
