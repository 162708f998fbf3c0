/** Gets the programs that the tests talk to from the system's packages, where that can be done without asking. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { findPeer, forgetPeers, peers } from './peers.mjs';

/**
 * Installs what is missing, as root on Debian; elsewhere says how.
 * @returns {string[]} the peers that are still missing
 */
export function installPeers() {
  const missing = missingPeers();
  if (missing.length === 0) return [];
  const packages = [...new Set(missing.map((name) => peers[name].debianPackage))];
  const isRoot = process.getuid?.() === 0;
  if (isDebian() && isRoot) {
    console.log(`Installing ${packages.join(', ')}, which the tests talk to`);
    aptGet(['update', '-qq']);
    aptGet(['install', '-y', '-qq', '--no-install-recommends', ...packages]);
    if (packages.includes('mosquitto')) stopService('mosquitto');
    forgetPeers();
    return reportMissing(missingPeers());
  }
  console.log(`Some tests need programs that are not installed. On Debian this installs them:
  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages.join(' ')}`);
  return reportMissing(missing);
}

function reportMissing(missing) {
  if (missing.length > 0) console.log(`Not installed: ${missing.join(', ')}. The tests that need them are skipped.`);
  return missing;
}

function missingPeers() {
  return Object.keys(peers).filter((name) => findPeer(name) === undefined);
}

function isDebian() {
  try {
    return existsSync('/usr/bin/apt-get') && /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}

function aptGet(args) {
  spawnSync('apt-get', args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

/** The package starts a broker on port 1883, which nobody asked for; one that was there before is left alone. */
function stopService(name) {
  if (existsSync('/run/systemd/system')) spawnSync('systemctl', ['disable', '--now', name], { stdio: 'ignore' });
  else if (existsSync(`/etc/init.d/${name}`)) spawnSync(`/etc/init.d/${name}`, ['stop'], { stdio: 'ignore' });
}
