/** Decrypts recorded TLS 1.2 and 1.3 with secrets that somebody logged. Fits `TlsDecryption` of the dissector. */
import type { Flow } from '../flow.ts';
import { SessionMemory } from './session-memory.ts';
import type { TlsCiphers } from './tls-ciphers.ts';
import { TlsConnection } from './tls-connection.ts';
import { type SecretSource, TlsSecrets } from './tls-secrets.ts';

export class KeyLogDecryption {
  readonly secrets: TlsSecrets;
  readonly #ciphers: TlsCiphers;
  readonly #sessions = new SessionMemory();

  /**
   * @param ciphers - `nodeTlsCiphers`, or those of another runtime
   * @param sources - asked for more whenever a secret is missing
   */
  constructor(ciphers: TlsCiphers, sources: readonly SecretSource[]) {
    this.#ciphers = ciphers;
    this.secrets = new TlsSecrets(sources);
  }

  begin(_flow?: Flow): TlsConnection {
    return new TlsConnection(this.secrets, this.#ciphers, this.#sessions);
  }
}
