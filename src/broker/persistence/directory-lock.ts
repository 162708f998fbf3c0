/**
 * Keeps a second broker off a store. The lock is a socket that this process listens on: the system lets go of it however the process
 * ends, so nothing is left behind that would keep the next one from starting, as a file with a process number would.
 */
import { createHash } from 'node:crypto';
import { realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StorageError } from '../../protocol/errors.ts';

/** What socket paths may have on every system. */
const socketPathBytesMax = 100;
const lockName = 'lock';
/** Errors of directories in which no socket can be made. */
const cannotHoldSocket = new Set(['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'EINVAL', 'ENOSYS', 'EACCES', 'EROFS']);

/** Somebody else has the lock. */
export class DirectoryInUseError extends StorageError {}

export class DirectoryLock {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Takes the lock of a directory that exists.
   * @throws {StorageError} if another process, or another store of this one, has it
   */
  static async take(directory: string): Promise<DirectoryLock> {
    // One path for all who come here by different ones, as which lock is taken goes by its length.
    const inside = join(realpathSync(directory), lockName);
    const isShort = Buffer.byteLength(inside) <= socketPathBytesMax;
    let server = process.platform === 'win32' || !isShort ? 'impossible' : await lockAt(inside);
    if (server === 'impossible') server = await lockAt(outsidePath(directory));
    if (typeof server !== 'string') return new DirectoryLock(server);
    if (server === 'taken') {
      throw new DirectoryInUseError(
        `${directory} is in use by another broker. Stop that one, or give this one a directory of its own (persistence_location, or --data).`,
      );
    }
    throw new StorageError(
      `${directory} cannot be locked, so two brokers could write to it. Use a directory of a local file system.`,
    );
  }

  release(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** A name for the directory, whatever path it is reached by, among the system's temporary files. */
function outsidePath(directory: string): string {
  const { dev, ino } = statSync(directory, { bigint: true });
  const name = `clearwing-${createHash('sha256').update(`${dev} ${ino}`).digest('hex').slice(0, 24)}`;
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.lock`);
}

async function lockAt(path: string): Promise<Server | 'taken' | 'impossible'> {
  const server = await listenAt(path);
  if (server !== 'taken') return server;
  if (await answers(path)) return 'taken';
  // Left by a process that is gone. Moved aside first: if somebody has taken the lock just now, it is his socket that was moved.
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    // Somebody else has moved it.
    return await listenAt(path);
  }
  if (await answers(aside)) {
    renameSync(aside, path);
    return 'taken';
  }
  rmSync(aside, { force: true });
  return await listenAt(path);
}

function listenAt(path: string): Promise<Server | 'taken' | 'impossible'> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve('taken');
      else if (cannotHoldSocket.has(error.code ?? '')) resolve('impossible');
      else reject(error);
    });
    server.listen({ path, exclusive: true }, () => {
      // It must not keep the process alive.
      server.unref();
      resolve(server);
    });
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
