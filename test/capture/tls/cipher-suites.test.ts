import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { allCipherSuites, type CipherSuite, findCipherSuite } from '../../../src/capture/tls/cipher-suites.ts';
import { describeWithPeer, peerPath } from '../../support/peers.ts';

/** What a name of IANA's registry says. */
function factsOf(name: string): Partial<CipherSuite> | undefined {
  const match = /_(?:WITH_)?((AES|ARIA)_(128|256)_(GCM|CCM_8|CCM|CBC)|CHACHA20_POLY1305)(?:_SHA(256|384)?)?$/.exec(
    name,
  );
  if (match === null) return undefined;
  const [whole, , family, bits, mode, digits] = match;
  const sha = whole.endsWith('_SHA') ? 'sha1' : digits === '384' ? 'sha384' : 'sha256';
  const isTls13 = !name.includes('_WITH_');
  if (family === undefined) {
    return { kind: isTls13 ? 'tls13' : 'implicit', cipher: 'chacha20-poly1305', hash: 'sha256', tagLength: 16 };
  }
  if (mode === 'CBC') {
    if (family === 'ARIA') return undefined;
    const tagLength = { sha1: 20, sha256: 32, sha384: 48 }[sha];
    const hash = sha === 'sha384' ? 'sha384' : 'sha256';
    return { kind: 'cbc', cipher: `aes-${bits}-cbc` as CipherSuite['cipher'], hash, mac: sha, tagLength };
  }
  const cipher = `${family.toLowerCase()}-${bits}-${mode!.slice(0, 3).toLowerCase()}` as CipherSuite['cipher'];
  return { kind: isTls13 ? 'tls13' : 'explicit', cipher, hash: sha, tagLength: mode === 'CCM_8' ? 8 : 16 };
}

describeWithPeer('tshark', 'cipher suites, by the names that Wireshark has of their numbers', () => {
  const output = spawnSync(peerPath('tshark'), ['-G', 'values'], { encoding: 'utf8', maxBuffer: 1 << 28 }).stdout;
  const names = new Map<number, string>();
  for (const [, code, name] of output.matchAll(/^V\ttls\.handshake\.ciphersuite\t(\d+)\t(\S+)$/gm)) {
    names.set(Number(code), name!);
  }

  it('are what their names say', () => {
    expect(names.size).toBeGreaterThan(300);
    for (const suite of allCipherSuites()) {
      const name = names.get(suite.code);
      expect(suite, `${suite.code.toString(16)} ${name}`).toMatchObject(factsOf(name ?? '') ?? { name });
    }
  });

  it('are all that can be opened', () => {
    const missing = [...names].filter(([code, name]) => {
      // Of a draft, whose nonces are others than those of RFC 7905; and of an exchange that nobody uses.
      if ((code >= 0xcc13 && code <= 0xcc15) || name.includes('ECCPWD')) return false;
      return factsOf(name) !== undefined && findCipherSuite(code) === undefined;
    });
    expect(missing).toEqual([]);
  });
});

describe('cipher suites', () => {
  it('that are unknown are none', () => {
    expect(findCipherSuite(0)).toBeUndefined();
    expect(findCipherSuite(0x00ff)).toBeUndefined();
    expect(findCipherSuite(0x1a1a)).toBeUndefined();
  });
});
