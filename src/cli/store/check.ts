/** `clearwing store check`: whether everything can be read and goes together. */
import { type CheckResult, checkStore } from '../../broker/persistence/inspection/check-store.ts';
import type { Damage } from '../../broker/persistence/inspection/store-contents.ts';
import { StoreFile, StoreUnavailableError } from '../../broker/persistence/inspection/store-file.ts';
import { StorageError } from '../../protocol/errors.ts';
import { counted, printable } from './printable.ts';

/** Resolves with the exit status. @throws {StoreUnavailableError} if it cannot be checked */
export async function checkDirectory(directory: string, isJson: boolean): Promise<number> {
  // What cannot be checked is no result, so nothing is printed before it is clear.
  const file = await openOrDamage(directory);
  let isFirst = true;
  const tell = (damage: Damage) => {
    if (isJson) process.stdout.write(`${isFirst ? '' : ','}\n    ${JSON.stringify(damage)}`);
    else process.stdout.write(`Damaged: ${damage.kind} ${printable(damage.key)}: ${printable(damage.reason)}\n`);
    isFirst = false;
  };
  if (isJson) process.stdout.write(`{\n  "directory": ${JSON.stringify(directory)},\n  "damage": [`);
  let result: CheckResult = { recordCount: 0, damageCount: 1, unreferencedCount: 0 };
  if (file instanceof StoreFile) {
    try {
      result = checkStore(file, tell);
    } finally {
      await file.close();
    }
  } else {
    tell(file);
  }
  const { recordCount, damageCount, unreferencedCount } = result;
  if (isJson) {
    const counts = `"recordCount": ${recordCount},\n  "damageCount": ${damageCount},\n  "unreferencedCount": ${unreferencedCount}`;
    process.stdout.write(`${isFirst ? '' : '\n  '}],\n  ${counts}\n}\n`);
  } else {
    process.stdout.write(`${counted(recordCount, 'record')} read, ${damageCount || 'none'} damaged.\n`);
    if (unreferencedCount > 0) {
      const messages = counted(unreferencedCount, 'message');
      process.stdout.write(`${messages} that nothing refers to: freed when the broker starts.\n`);
    }
  }
  return damageCount === 0 ? 0 : 2;
}

/** The file, or why it cannot even be opened. */
async function openOrDamage(directory: string): Promise<StoreFile | Damage> {
  try {
    return await StoreFile.open(directory);
  } catch (error) {
    if (error instanceof StoreUnavailableError || !(error instanceof StorageError)) throw error;
    return { kind: 'file', key: directory, reason: error.message };
  }
}
