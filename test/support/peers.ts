/** Suites that need somebody else's MQTT program: they run where it is installed, and say so where it is not. */
import { describe, it } from 'vitest';
import { findPeer } from '../../scripts/peers.mjs';

export type PeerName =
  | 'mosquitto'
  | 'mosquitto_passwd'
  | 'mosquitto_pub'
  | 'mosquitto_sub'
  | 'mosquitto_rr'
  | 'tshark'
  | 'dumpcap'
  | 'sharkd'
  | 'openssl'
  | 'strace'
  | 'paho'
  | 'chromium';

/** With `CI=true` (or 1) nothing may be skipped: a missing peer fails. */
const isContinuousIntegration = !['', '0', 'false'].includes(process.env.CI ?? '');

/** Whether a peer is installed. */
export function hasPeer(name: PeerName): boolean {
  return findPeer(name) !== undefined;
}

/**
 * The program to start, as an absolute path; for `paho` the Python that has the `paho.mqtt` module.
 * @throws {Error} if it is not installed
 */
export function peerPath(name: PeerName): string {
  const path = findPeer(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return path;
}

/**
 * A `describe` for suites that need one or more peers. Where one is missing the suite is skipped and its title says why;
 * with `CI=true` it fails instead.
 */
export function describeWithPeer(names: PeerName | readonly PeerName[], title: string, define: () => void): void {
  const missing = (typeof names === 'string' ? [names] : names).filter((name) => !hasPeer(name));
  if (missing.length === 0) {
    describe(title, define);
  } else if (isContinuousIntegration) {
    describe(title, () => {
      it(`has ${missing.join(', ')}`, () => {
        throw new Error(`${missing.join(', ')} must be installed where CI=true`);
      });
    });
  } else {
    describe.skip(`${title} (skipped: ${missing.join(', ')} not installed)`, define);
  }
}
