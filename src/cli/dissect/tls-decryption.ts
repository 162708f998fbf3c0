/** `-o tls.keylog_file:FILE`, and the secrets within pcapng files: what TLS is decrypted with. */
import type { CaptureDecoder } from '../../capture/capture-decoder.ts';
import { KeyLogFile } from '../../capture/node/key-log-file.ts';
import { nodeTlsCiphers } from '../../capture/node/tls-ciphers.ts';
import { KeyLogDecryption } from '../../capture/tls/key-log-decryption.ts';
import { CaptureSecretSource, type SecretSource } from '../../capture/tls/tls-secrets.ts';
import { DissectArgumentError } from './arguments.ts';

/**
 * @param path - of the key log; undefined or empty if there is none
 * @param isLive - frames may be captured now: then the file may come later, and its secrets
 * @throws {DissectArgumentError} if it cannot be read, or has no secrets
 */
export function openTlsDecryption(
  path: string | undefined,
  decoder: CaptureDecoder,
  isLive: boolean,
): KeyLogDecryption {
  const sources: SecretSource[] = [new CaptureSecretSource(decoder)];
  if (path === undefined || path === '') return new KeyLogDecryption(nodeTlsCiphers, sources);
  const file = new KeyLogFile(path);
  try {
    file.open();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!isLive || code !== 'ENOENT') throw new DissectArgumentError(`-o tls.keylog_file:${path}: ${whyNot(error)}`);
  }
  const decryption = new KeyLogDecryption(nodeTlsCiphers, [file, ...sources]);
  if (file.secrets > 0) return decryption;
  if (isLive) {
    process.stderr.write(`clearwing: "${path}" has no secrets yet; it is looked at again while packets come.\n`);
  } else {
    const lines = file.skippedLines === 0 ? '' : `; ${file.skippedLines} of its lines are of another kind`;
    throw new DissectArgumentError(
      `-o tls.keylog_file:${path}: there are no secrets in it${lines}. Expected lines such as "CLIENT_RANDOM <64 digits> <96 digits>"`,
    );
  }
  return decryption;
}

function whyNot(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
      return 'it may not be read (permission denied)';
    case 'EISDIR':
      return 'it is a directory, not a file';
    default:
      return message;
  }
}
