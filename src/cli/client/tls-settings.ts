/** From `--cafile` and its like to the TLS options of the client library, with everything checked before anything is sent. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, rootCertificates } from 'node:tls';
import type { TlsOptions } from '../../client/types.ts';
import { type Ending, exitStatus } from './exit-status.ts';
import type { ClientSettings } from './settings.ts';

/** TLS cannot be used as it was asked for. */
export class TlsRefusal extends Error {
  readonly ending: Ending;
  constructor(...lines: string[]) {
    super(lines[0]);
    this.ending = { status: exitStatus.failure, lines };
  }
}

const versions = new Map<string, NonNullable<TlsOptions['minVersion']>>([
  ['tlsv1.1', 'TLSv1.1'],
  ['tlsv1.2', 'TLSv1.2'],
  ['tlsv1.3', 'TLSv1.3'],
]);

/** OpenSSL keeps these apart from the cipher list of earlier versions; Node takes one list for all. */
const tls13Suites = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';

/** Where systems keep the certificates they trust. */
const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** Files of a `--capath` directory that are looked at, and bytes of each. */
const directoryFilesMax = 10_000;
const certificateBytesMax = 1_048_576;

/**
 * The TLS options, or undefined for a connection without TLS.
 * @throws {TlsRefusal} with what to print
 */
export function tlsOptionsOf(settings: ClientSettings): TlsOptions | undefined {
  if (settings.isTlsOff) return undefined;
  const minVersion = settings.tlsVersion === undefined ? undefined : versions.get(settings.tlsVersion);
  if (settings.tlsVersion !== undefined && minVersion === undefined) {
    throw new TlsRefusal('Error: Problem setting TLS options, check the options are valid.');
  }
  refuseEngines(settings);
  if (!usesTls(settings)) return undefined;
  const ca = [
    ...(settings.caFile === undefined ? [] : [certificatesOf(settings.caFile)]),
    ...(settings.caPath === undefined ? [] : certificatesIn(settings.caPath)),
    ...(trustsSystem(settings) ? systemCertificates() : []),
  ];
  const isPsk = settings.pskKey !== undefined;
  const ciphers = settings.ciphers === undefined || isPsk ? settings.ciphers : `${settings.ciphers}:${tls13Suites}`;
  const options: TlsOptions = {
    ...(ca.length > 0 && { ca }),
    ...(settings.certFile !== undefined && { cert: readPem(settings.certFile) }),
    ...(settings.keyFile !== undefined && { key: readPem(settings.keyFile) }),
    ...(ciphers !== undefined && { ciphers }),
    ...(minVersion !== undefined && { minVersion }),
    ...(settings.tlsAlpn !== undefined && { alpnProtocols: [settings.tlsAlpn] }),
    ...(settings.isInsecure && { checkServerIdentity: false }),
    ...(isPsk && { psk: { identity: settings.pskIdentity ?? '', key: pskKeyOf(settings.pskKey ?? '') } }),
  };
  checkContext(options);
  return options;
}

/** Whether anything asks for TLS. */
export function usesTls(settings: ClientSettings): boolean {
  if (settings.isTlsOff) return false;
  return (
    settings.caFile !== undefined ||
    settings.caPath !== undefined ||
    settings.pskKey !== undefined ||
    trustsSystem(settings)
  );
}

function trustsSystem(settings: ClientSettings): boolean {
  if (settings.useSystemCertificates) return true;
  const hasOwn = settings.caFile !== undefined || settings.caPath !== undefined || settings.pskKey !== undefined;
  return settings.port === 8883 && !hasOwn;
}

function refuseEngines(settings: ClientSettings): void {
  if (settings.tlsEngine !== undefined) {
    throw new TlsRefusal(
      `Error: Problem setting TLS engine, is ${settings.tlsEngine} a valid engine?`,
      'OpenSSL engines are not supported.',
    );
  }
  if (settings.keyForm === undefined || settings.keyForm === 'pem') return;
  throw new TlsRefusal(
    settings.keyForm === 'engine'
      ? 'Error: Problem setting key form: OpenSSL engines are not supported, the key must be a PEM file.'
      : "Error: Problem setting key form, it must be one of 'pem' or 'engine'.",
  );
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    throw new TlsRefusal('Error: Problem setting TLS options: File not found.', `Unable to read "${path}".`);
  }
}

function hasCertificate(pem: Buffer): boolean {
  return /-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----/.test(pem.toString('latin1'));
}

function certificatesOf(path: string): Buffer {
  const pem = readPem(path);
  if (hasCertificate(pem)) return pem;
  throw new TlsRefusal(
    `Error: Unable to load CA certificates, check cafile "${path}".`,
    'Unable to connect (A TLS error occurred.).',
  );
}

/** Every file that holds certificates; `openssl rehash` leaves links to the same ones, which count once. */
function certificatesIn(directory: string): Buffer[] {
  let names: string[];
  try {
    names = readdirSync(directory).sort().slice(0, directoryFilesMax);
  } catch {
    throw new TlsRefusal('Error: Problem setting TLS options: File not found.', `Unable to read "${directory}".`);
  }
  const found = new Map<string, Buffer>();
  for (const name of names) {
    const path = join(directory, name);
    try {
      const status = statSync(path);
      if (!status.isFile() || status.size > certificateBytesMax) continue;
      const pem = readFileSync(path);
      if (hasCertificate(pem)) found.set(pem.toString('latin1'), pem);
    } catch {
      // A link to nowhere, or a file for others' eyes: what is missing shows when the server's certificate is checked.
    }
  }
  if (found.size > 0) return [...found.values()];
  throw new TlsRefusal(
    `Error: Unable to load CA certificates, check capath "${directory}".`,
    'Unable to connect (A TLS error occurred.).',
  );
}

function systemCertificates(): (string | Buffer)[] {
  const { SSL_CERT_FILE: named } = process.env;
  for (const path of named === undefined ? systemBundles : [named, ...systemBundles]) {
    try {
      const pem = readFileSync(path);
      if (hasCertificate(pem)) return [pem];
    } catch {
      // Not here; the next system keeps them elsewhere.
    }
  }
  return [...rootCertificates];
}

function pskKeyOf(hex: string): Uint8Array {
  if (/^([0-9a-fA-F]{2})+$/.test(hex)) return Buffer.from(hex, 'hex');
  throw new TlsRefusal(
    'Error: Problem setting TLS-PSK options.',
    'The key must be hexadecimal digits, two for each byte.',
  );
}

/** Finds out now, not in the middle of a handshake, that certificate and key do not belong together or a cipher does not exist. */
function checkContext(options: TlsOptions): void {
  const { ca, cert, key, ciphers } = options;
  try {
    createSecureContext({
      ...(ca !== undefined && { ca: ca as Buffer[] }),
      ...(cert !== undefined && { cert: cert as Buffer }),
      ...(key !== undefined && { key: key as Buffer }),
      ...(ciphers !== undefined && { ciphers }),
    });
  } catch (error) {
    throw new TlsRefusal('Unable to connect (A TLS error occurred.).', `Error: ${(error as Error).message}`);
  }
}
