/** `clearwing store`: looks into a store, checks it, and takes what is in it out and in. */
import { StorageError } from '../protocol/errors.ts';
import { parseStoreArguments, StoreArgumentError } from './store/arguments.ts';
import { checkDirectory } from './store/check.ts';
import { exportStore, OutputError } from './store/export.ts';
import { ExportFileError } from './store/export-lines.ts';
import { ImportFileError, importStore } from './store/import.ts';
import { showInfo } from './store/info.ts';
import { printable } from './store/printable.ts';

const failure = 1;

export async function main(args: readonly string[], invokedAs: string): Promise<number> {
  try {
    const request = parseStoreArguments(args);
    switch (request.action) {
      case 'help':
        process.stdout.write(usage(invokedAs));
        return 0;
      case 'info':
        return await showInfo(request.directory, request.isJson);
      case 'check':
        return await checkDirectory(request.directory, request.isJson);
      case 'export':
        return await exportStore(request);
      case 'import':
        return await importStore(request);
    }
  } catch (error) {
    if (error instanceof StoreArgumentError) {
      process.stderr.write(`Error: ${printable(error.message)}\n'${invokedAs} --help' tells more.\n`);
      return failure;
    }
    const isExpected = [StorageError, ExportFileError, ImportFileError, OutputError].some(
      (kind) => error instanceof kind,
    );
    if (!isExpected) throw error;
    process.stderr.write(`Error: ${printable((error as Error).message.replace(/\.$/, ''))}.\n`);
    return failure;
  }
}

function usage(name: string): string {
  return `${name} looks into the store of a broker that is not running, and fills one.

Usage: ${name} info DIR [--json]
       ${name} check DIR [--json]
       ${name} export DIR [-o FILE] [--keep-going]
       ${name} import DIR FILE [--merge | --replace] [--from clearwing | mosquitto]

DIR is what the broker was given as --data or persistence_location, or the directory clearwing.db in it.

 info    how much of what is inside, and the biggest queues.
 check   read every record, verify checksums and references, and say what is damaged.
 export  everything that is inside, as JSON, an object a line.
 import  make a store from such an export, or from a mosquitto.db (versions 5 and 6: Mosquitto 1.6
         and 2.0). All of it or, if something goes wrong, nothing.

 --from        take FILE for this kind of file, however it begins.
 --json        print JSON.
 --keep-going  leave out what is damaged, say so, and export the rest.
 --merge       add to what the store holds. What it has already stays.
 -o, --output  write to this file instead of the standard output.
 --replace     do without what the store holds.

FILE may be - for the standard input, if it is an export.

Exit status: 0 if all is well. 1 if nothing was done: arguments that cannot be used, no store, a store
in use, a file that cannot be read. 2 if something was told of on the way: damage that was found, or
something that was left out.
`;
}
