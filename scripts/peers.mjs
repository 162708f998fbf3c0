/**
 * Other people's MQTT programs that the tests talk to. They come from the system's package manager, never from npm, and a
 * machine may lack any of them.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Directories that hold daemons and are often missing from the PATH of a person who is not root. */
const systemDirectories = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/bin',
  '/usr/local/bin',
  '/opt/homebrew/bin',
  '/opt/homebrew/sbin',
];

/**
 * Each peer: the Debian package that brings it, and the programs that may be it, the best one first.
 * @type {Readonly<Record<string, { debianPackage: string, programs: readonly string[], check?: readonly string[] }>>}
 */
export const peers = {
  mosquitto: { debianPackage: 'mosquitto', programs: ['mosquitto'] },
  mosquitto_passwd: { debianPackage: 'mosquitto', programs: ['mosquitto_passwd'] },
  mosquitto_pub: { debianPackage: 'mosquitto-clients', programs: ['mosquitto_pub'] },
  mosquitto_sub: { debianPackage: 'mosquitto-clients', programs: ['mosquitto_sub'] },
  mosquitto_rr: { debianPackage: 'mosquitto-clients', programs: ['mosquitto_rr'] },
  tshark: { debianPackage: 'tshark', programs: ['tshark'] },
  dumpcap: { debianPackage: 'wireshark-common', programs: ['dumpcap'] },
  sharkd: { debianPackage: 'wireshark-common', programs: ['sharkd'] },
  openssl: { debianPackage: 'openssl', programs: ['openssl'] },
  strace: { debianPackage: 'strace', programs: ['strace'] },
  paho: {
    debianPackage: 'python3-paho-mqtt',
    programs: ['/usr/bin/python3', 'python3'],
    check: ['-c', 'import paho.mqtt.client'],
  },
  chromium: { debianPackage: 'chromium', programs: ['chromium', 'chromium-browser', 'google-chrome'] },
};

/** @type {Map<string, string | undefined>} */
const found = new Map();

/**
 * The program to start for a peer, as an absolute path; for `paho` the Python that has it. Undefined if it is not installed.
 * Looked up once per process.
 * @param {string} name a key of `peers`
 * @returns {string | undefined}
 */
export function findPeer(name) {
  if (!found.has(name)) found.set(name, locate(name));
  return found.get(name);
}

/** Forgets what was looked up, after something was installed. */
export function forgetPeers() {
  found.clear();
}

function locate(name) {
  const peer = peers[name];
  if (peer === undefined) throw new Error(`no peer is named '${name}'; there are ${Object.keys(peers).join(', ')}`);
  for (const program of peer.programs) {
    const path = program.startsWith('/') ? executable(program) : inPath(program);
    if (path === undefined) continue;
    if (peer.check === undefined || spawnSync(path, peer.check, { stdio: 'ignore' }).status === 0) return path;
  }
  return undefined;
}

function inPath(program) {
  const directories = (process.env.PATH ?? '').split(delimiter).filter((directory) => directory !== '');
  for (const directory of [...directories, ...systemDirectories]) {
    const path = executable(join(directory, program));
    if (path !== undefined) return path;
  }
  return undefined;
}

function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}
