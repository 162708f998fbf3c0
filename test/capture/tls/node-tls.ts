/** Conversations over Node's own TLS through a relay, with their key logs. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { until } from '../../support/until.ts';
import type { Certificate } from '../../transport/certificate.ts';
import { type Recording, Relay } from './recording.ts';

export interface Spoken {
  readonly recording: Recording;
  readonly keyLog: string;
  /** To resume it. */
  readonly session: Buffer | undefined;
  readonly said: readonly [string, string];
  readonly isResumed: boolean;
}

/** A server that answers each line with itself in capitals. */
export class CapitalServer {
  readonly #server;
  readonly #relay: Relay;

  private constructor(server: ReturnType<typeof createServer>, relay: Relay) {
    this.#server = server;
    this.#relay = relay;
  }

  static async open(options: TlsOptions): Promise<CapitalServer> {
    const server = createServer({ noDelay: true, ...options }, (socket) => {
      socket.on('data', (data) => socket.write(data.toString('latin1').toUpperCase()));
      socket.on('error', () => socket.destroy());
    });
    // Those without tickets.
    const sessions = new Map<string, Buffer>();
    server.on('newSession', (identifier: Buffer, data: Buffer, done: () => void) => {
      sessions.set(identifier.toString('hex'), data);
      done();
    });
    server.on('resumeSession', (identifier: Buffer, done: (error: Error | null, data: Buffer | null) => void) => {
      done(null, sessions.get(identifier.toString('hex')) ?? null);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const relay = await Relay.open((server.address() as AddressInfo).port);
    return new CapitalServer(server, relay);
  }

  /** Says lines one after the other, each when the one before was answered. `between` is called after each. */
  async speak(
    options: ConnectionOptions,
    lines: readonly string[],
    between: (client: TLSSocket, index: number, say: (text: string) => void) => Promise<void> = async () => {},
  ): Promise<Spoken> {
    const client = connect({ host: '127.0.0.1', port: this.#relay.port, rejectUnauthorized: false, ...options });
    client.setNoDelay(true);
    let keyLog = '';
    let answers = '';
    let session: Buffer | undefined;
    client.on('keylog', (line: Buffer) => {
      keyLog += line.toString('latin1');
    });
    client.on('session', (data: Buffer) => {
      session = data;
    });
    client.on('data', (data: Buffer) => {
      answers += data.toString('latin1');
    });
    await once(client, 'secureConnect');
    let said = '';
    const say = (text: string) => {
      client.write(text);
      said += text;
    };
    for (const [index, line] of lines.entries()) {
      say(line);
      // Looked for as it comes: to ask again and again would take more time than all the rest.
      while (answers !== said.toUpperCase()) await once(client, 'data');
      await between(client, index, say);
    }
    const isResumed = client.isSessionReused();
    if (!isResumed) await until(() => session !== undefined, 'a session');
    client.end();
    await once(client, 'close');
    return { recording: this.#relay.last, keyLog, session, said: [said, said.toUpperCase()], isResumed };
  }

  close(): void {
    this.#relay.close();
    this.#server.close();
  }
}

/** As `makeCertificate`, with a key of RSA. */
export function makeRsaCertificate(): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'clearwing-certificate-'));
  try {
    const [keyPath, certPath] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const names = ['-subj', '/CN=localhost', '-keyout', keyPath, '-out', certPath];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', ...names], {
      stdio: 'pipe',
    });
    return { cert: readFileSync(certPath, 'utf8'), key: readFileSync(keyPath, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
