/** All secrets that there are, from wherever they come. */
import { type CaptureSecrets, tlsKeyLogSecrets } from '../pcapng-blocks.ts';
import { KeyLogReader } from './key-log-reader.ts';
import { SecretTable } from './secret-table.ts';

/** Where secrets come from, more of them while a capture goes on. */
export interface SecretSource {
  /**
   * Puts what is new into the table. To be called often, so it must cost little where nothing is new.
   * @param isFirst - whether somebody needs a secret for the first time: what there is by now must not be missed
   */
  update(table: SecretTable, isFirst: boolean): void;
}

export class TlsSecrets {
  readonly table = new SecretTable();
  readonly #sources: readonly SecretSource[];

  constructor(sources: readonly SecretSource[]) {
    this.#sources = sources;
    this.update(true);
  }

  /** Looks whether there are new ones. @param isFirst - see `SecretSource` */
  update(isFirst: boolean): void {
    for (const source of this.#sources) source.update(this.table, isFirst);
  }
}

/** Secrets within a pcapng file: its Decryption Secrets Blocks, which come before the frames that need them. */
export class CaptureSecretSource implements SecretSource {
  readonly #capture: { readonly secrets: readonly CaptureSecrets[] };
  #read = 0;

  /** @param capture - a `CaptureDecoder`, whose list grows while it reads */
  constructor(capture: { readonly secrets: readonly CaptureSecrets[] }) {
    this.#capture = capture;
  }

  update(table: SecretTable): void {
    const { secrets } = this.#capture;
    while (this.#read < secrets.length) {
      const { type, bytes } = secrets[this.#read++]!;
      if (type !== tlsKeyLogSecrets) continue;
      const reader = new KeyLogReader(table);
      reader.push(bytes);
      reader.peek();
    }
  }
}
