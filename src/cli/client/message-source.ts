/** Payloads from files and from standard input. */
import { createReadStream, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { variableByteIntegerMax } from '../../protocol/version.ts';
import { CommandFailure } from './client-connection.ts';
import { describeSystemError, exitStatus } from './exit-status.ts';
import type { MessageSource } from './settings.ts';

/**
 * The payload of a message that is not read line by line.
 * @throws {CommandFailure} with what to print
 */
export async function loadPayload(source: Exclude<MessageSource, { kind: 'lines' }>): Promise<Uint8Array> {
  switch (source.kind) {
    case 'text':
      return source.payload;
    case 'nothing':
      return new Uint8Array();
    case 'file':
      return loadFile(source.path);
    case 'standard input':
      return loadStandardInput();
  }
}

async function loadFile(path: string): Promise<Uint8Array> {
  const ending = `Error loading input file "${path}".`;
  try {
    if (statSync(path).isDirectory()) throw failure(`Error: Unable to open file "${path}": Is a directory.`, ending);
    return await readAll(
      createReadStream(path),
      `Error: File must be less than ${variableByteIntegerMax} bytes.\n`,
      ending,
    );
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    const system = error as NodeJS.ErrnoException;
    const reason = system.code === 'ENOENT' ? '' : `: ${describeSystemError(system) ?? system.message}`;
    throw failure(`Error: Unable to open file "${path}"${reason}.`, ending);
  }
}

async function loadStandardInput(): Promise<Uint8Array> {
  const ending = 'Error loading input from stdin.';
  const limit = `Error: Message length must be less than ${variableByteIntegerMax} bytes.\n`;
  const payload = await readAll(process.stdin, limit, ending);
  if (payload.length === 0) throw failure('Error: Zero length input.', ending);
  return payload;
}

/** Reads to the end, or gives up before more is kept than a message can carry. */
async function readAll(stream: Readable, ...tooLong: string[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > variableByteIntegerMax) throw failure(...tooLong);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

function failure(...lines: string[]): CommandFailure {
  return new CommandFailure({ status: exitStatus.failure, lines });
}
