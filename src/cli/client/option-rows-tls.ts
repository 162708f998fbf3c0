/** Options about TLS. */
import type { OptionRow } from './option-rows.ts';
import type { ClientSettings } from './settings.ts';

const all = ['pub', 'sub', 'rr'] as const;

type TextSetting = {
  [K in keyof ClientSettings]: string | undefined extends ClientSettings[K] ? K : never;
}[keyof ClientSettings];

function textRow(flag: string, setting: TextSetting, name: string, missing: string, help: string): OptionRow {
  return {
    flag,
    commands: all,
    argument: { name, missing },
    section: 'TLS',
    help,
    set: (settings, { text }) => {
      settings[setting] = text;
    },
  };
}

export const tlsRows: readonly OptionRow[] = [
  textRow(
    '--cafile',
    'caFile',
    'file',
    'no file specified',
    'Uses TLS and trusts the certificate authorities in this PEM file.',
  ),
  textRow(
    '--capath',
    'caPath',
    'directory',
    'no directory specified',
    'Uses TLS and trusts the certificate authorities in the PEM files of this directory.',
  ),
  {
    flag: '--tls-use-os-certs',
    commands: all,
    section: 'TLS',
    help: 'Uses TLS and trusts the certificate authorities of the system. So do mqtts and wss URLs, and port 8883 without other TLS options.',
    set: (settings) => {
      settings.useSystemCertificates = true;
    },
  },
  textRow('--cert', 'certFile', 'file', 'no file specified', 'Certificate of this client, PEM.'),
  textRow('--key', 'keyFile', 'file', 'no file specified', 'Private key of this client, PEM.'),
  textRow(
    '--keyform',
    'keyForm',
    'form',
    'no keyform specified',
    'Kind of the private key; pem is the only one that is supported.',
  ),
  textRow('--ciphers', 'ciphers', 'list', 'no ciphers specified', 'Ciphers to offer, as OpenSSL names them.'),
  textRow(
    '--tls-version',
    'tlsVersion',
    'version',
    'no version specified',
    'Lowest TLS version to use: tlsv1.1, tlsv1.2 or tlsv1.3. Default tlsv1.2.',
  ),
  textRow(
    '--tls-alpn',
    'tlsAlpn',
    'protocol',
    'no protocol specified',
    'Application protocol to ask for, where a port serves several.',
  ),
  {
    flag: '--insecure',
    commands: all,
    section: 'TLS',
    help: "Does not compare the server's certificate with its host name. For tests only: it lets others pose as the server.",
    set: (settings) => {
      settings.isInsecure = true;
    },
  },
  {
    flag: '--no-tls',
    commands: all,
    since: '2.1',
    section: 'TLS',
    help: 'Does not use TLS, whatever other options or the options file say.',
    set: (settings) => {
      settings.isTlsOff = true;
    },
  },
  textRow('--psk', 'pskKey', 'hex', 'no key specified', 'Uses TLS with this pre-shared key, in hexadecimal digits.'),
  textRow('--psk-identity', 'pskIdentity', 'identity', 'no identity specified', 'Identity that goes with --psk.'),
  textRow(
    '--tls-engine',
    'tlsEngine',
    'engine',
    'no engine_id specified',
    'OpenSSL engine. Not supported; it is refused.',
  ),
  textRow(
    '--tls-engine-kpass-sha1',
    'tlsEngineKeyPasswordSha1',
    'sha1',
    'no kpass sha1 specified',
    'Password of the key in the OpenSSL engine. Not supported; it is refused.',
  ),
];
