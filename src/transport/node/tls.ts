/** TLS settings of both sides, in the terms of Node's `tls`. */
import { isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TlsOptions as NodeTlsOptions, type TLSSocket } from 'node:tls';

type Pem = string | Uint8Array;
type TlsVersion = 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** What a client may set. PEM text or bytes. */
export interface TlsClientOptions {
  readonly ca?: Pem | readonly Pem[] | undefined;
  readonly cert?: Pem | undefined;
  readonly key?: Pem | undefined;
  readonly passphrase?: string | undefined;
  /** Name for SNI and for checking the certificate. Default: the host. */
  readonly servername?: string | undefined;
  readonly alpnProtocols?: readonly string[] | undefined;
  readonly ciphers?: string | undefined;
  readonly minVersion?: TlsVersion | undefined;
  readonly maxVersion?: TlsVersion | undefined;
  /** Default true: the server's certificate must be valid. */
  readonly rejectUnauthorized?: boolean | undefined;
  /** Default true: the server's certificate must be for its host name. */
  readonly checkServerIdentity?: boolean | undefined;
  readonly psk?: { readonly identity: string; readonly key: Uint8Array } | undefined;
}

/** What a listener may set. PEM text or bytes. */
export interface TlsServerOptions {
  readonly cert?: Pem | undefined;
  readonly key?: Pem | undefined;
  readonly passphrase?: string | undefined;
  /** Who may sign client certificates. */
  readonly ca?: Pem | readonly Pem[] | undefined;
  readonly crl?: Pem | readonly Pem[] | undefined;
  /** Ask for a client certificate and refuse connections without a valid one. Default false. */
  readonly requireClientCertificate?: boolean | undefined;
  readonly alpnProtocols?: readonly string[] | undefined;
  readonly ciphers?: string | undefined;
  readonly minVersion?: TlsVersion | undefined;
  readonly maxVersion?: TlsVersion | undefined;
  /** Milliseconds a handshake may take. Default 10,000. */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Looks up a pre-shared key by the identity the client gave; `undefined` refuses it. */
  readonly pskKey?: ((identity: string) => Uint8Array | undefined) | undefined;
  readonly pskHint?: string | undefined;
}

function pem(value: Pem): string | Buffer {
  return typeof value === 'string' ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function pems(value: Pem | readonly Pem[]): (string | Buffer)[] {
  return typeof value === 'string' || value instanceof Uint8Array ? [pem(value)] : value.map(pem);
}

/** Copies what both sides share, leaving out what is undefined so that Node's defaults hold. */
function commonOptions(options: TlsClientOptions | TlsServerOptions): ConnectionOptions {
  return {
    ...(options.ca !== undefined && { ca: pems(options.ca) }),
    ...(options.cert !== undefined && { cert: pem(options.cert) }),
    ...(options.key !== undefined && { key: pem(options.key) }),
    ...(options.passphrase !== undefined && { passphrase: options.passphrase }),
    ...(options.alpnProtocols !== undefined && { ALPNProtocols: [...options.alpnProtocols] }),
    ...(options.ciphers !== undefined && { ciphers: options.ciphers }),
    ...(options.minVersion !== undefined && { minVersion: options.minVersion }),
    ...(options.maxVersion !== undefined && { maxVersion: options.maxVersion }),
  };
}

/** The options of `tls.connect` for a host. */
export function tlsClientOptions(options: TlsClientOptions, host: string): ConnectionOptions {
  const { psk } = options;
  return {
    ...commonOptions(options),
    // An IP address is no server name [RFC 6066 §3]; the empty string keeps SNI away and `host` is what is checked then.
    servername: options.servername ?? (isIP(host) ? '' : host),
    rejectUnauthorized: options.rejectUnauthorized ?? true,
    ...(options.checkServerIdentity === false && { checkServerIdentity: () => undefined }),
    ...(psk !== undefined && {
      pskCallback: () => ({ identity: psk.identity, psk: psk.key }),
      // There is no certificate to check, and PSK suites are not in Node's default list, nor in its TLS 1.3.
      ciphers: options.ciphers ?? 'PSK',
      maxVersion: options.maxVersion ?? 'TLSv1.2',
      checkServerIdentity: () => undefined,
    }),
  };
}

/** The options of `tls.createServer` and `https.createServer`. */
export function tlsServerOptions(options: TlsServerOptions): NodeTlsOptions {
  const { pskKey } = options;
  return {
    ...(commonOptions(options) as NodeTlsOptions),
    ...(options.crl !== undefined && { crl: pems(options.crl) }),
    requestCert: options.requireClientCertificate ?? false,
    rejectUnauthorized: options.requireClientCertificate ?? false,
    handshakeTimeout: options.handshakeTimeoutMs ?? 10_000,
    ...(pskKey !== undefined && {
      pskCallback: (_socket: TLSSocket, identity: string) => pskKey(identity) ?? null,
      ciphers: options.ciphers ?? 'PSK:DEFAULT',
      ...(options.pskHint !== undefined && { pskIdentityHint: options.pskHint }),
    }),
  };
}

/** Runs the client's side of the handshake over a connected socket. Rejects with Node's error; the socket is destroyed then. */
export function startTls(socket: Socket, host: string, options: TlsClientOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secured = connect({ ...tlsClientOptions(options, host), socket, host });
    // These listeners stay: an error between the handshake and whoever takes the socket over must not end the process.
    secured.on('error', reject);
    secured.on('close', () => reject(new Error('the connection was closed during the TLS handshake')));
    secured.once('secureConnect', () => resolve(secured));
  });
}
