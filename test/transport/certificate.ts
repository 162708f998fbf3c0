/** Certificates for tests, made on the spot with the system's openssl. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A self-signed certificate for localhost, 127.0.0.1 and ::1 (or for another name), good for a day. */
export function makeCertificate(name = 'localhost', addresses = 'IP:127.0.0.1,IP:::1'): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'clearwing-certificate-'));
  try {
    const [keyPath, certPath] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const alternatives = [`DNS:${name}`, addresses].filter((entry) => entry !== '').join(',');
    execFileSync(
      'openssl',
      // biome-ignore format: option and value belong together
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1',
        '-subj', `/CN=${name}`, '-addext', `subjectAltName=${alternatives}`, '-keyout', keyPath, '-out', certPath],
      { stdio: 'pipe' },
    );
    return { cert: readFileSync(certPath, 'utf8'), key: readFileSync(keyPath, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
