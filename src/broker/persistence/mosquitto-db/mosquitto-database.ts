/** Mosquitto's own database, `mosquitto.db`, as the items of a store. The file is gone through twice: messages are found, then referred to. */
import { closeSync, openSync, readSync } from 'node:fs';
import { StorageError } from '../../../protocol/errors.ts';
import { textOf } from '../data-directory.ts';
import type { LeaveOut, MessageNumber, StoredItem } from '../stored-item.ts';
import {
  ChunkFault,
  chunkNames,
  chunkType,
  type Dialect,
  readClientChunk,
  readDeliveryChunk,
  readDialect,
  readMessageChunk,
  readMessageNumber,
  readSubscriptionChunk,
} from './chunks.ts';
import { deliveryOf } from './delivery-of-chunk.ts';
import { FileWindow } from './file-window.ts';
import { ItemFault, messageOf, sessionOf, subscriptionOf } from './item-of-chunk.ts';

const magic = Buffer.from([0x00, 0xb5, 0x00, ...Buffer.from('mosquitto db')]);
const versionAt = 19;
const headerBytes = 23;
const chunkHeaderBytes = 8;

/** Whether a file begins as such a database does. @throws the system's error */
export function isMosquittoDatabase(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const start = Buffer.alloc(magic.length);
    return readSync(file, start, 0, start.length, 0) === start.length && start.equals(magic);
  } finally {
    closeSync(file);
  }
}

interface Chunk {
  readonly type: number;
  /** Of its body. */
  readonly offset: number;
  readonly length: number;
}

/** A message of the file. */
interface MessagePlace {
  readonly offset: number;
  readonly length: number;
  /** Deliveries that are still to come, or to be told of. */
  references: number;
  state: 'not read' | 'given out' | 'left out';
}

export class MosquittoDatabase {
  readonly version: 5 | 6;
  readonly #path: string;
  readonly #file: FileWindow;
  readonly #dialect: Dialect;
  readonly #messages = new Map<MessageNumber, MessagePlace>();

  /**
   * Opens a file and finds its messages.
   * @throws {StorageError} with the byte at which it is damaged, if it is
   */
  static open(path: string): MosquittoDatabase {
    let file: FileWindow;
    try {
      file = new FileWindow(path);
    } catch (error) {
      throw new StorageError(`${path} cannot be read: ${textOf(error)}`, error);
    }
    try {
      return new MosquittoDatabase(path, file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  private constructor(path: string, file: FileWindow) {
    this.#path = path;
    this.#file = file;
    this.version = this.#readVersion();
    const first = this.#chunkAt(headerBytes);
    if (first?.type !== chunkType.cfg) throw this.#damage(headerBytes, 'its first chunk is not the configuration');
    this.#dialect = this.#decode(first, (body) => readDialect(body, this.version));
    for (const chunk of this.#chunks()) {
      if (chunk.type === chunkType.message) {
        const number = this.#decode(chunk, (body) => readMessageNumber(body, this.#dialect), 8);
        const { offset, length } = chunk;
        this.#messages.set(number, { offset, length, references: 0, state: 'not read' });
      } else if (chunk.type === chunkType.delivery) {
        const place = this.#messages.get(this.#decode(chunk, (body) => readMessageNumber(body, this.#dialect), 8));
        if (place !== undefined) place.references++;
      }
    }
  }

  close(): void {
    this.#file.close();
  }

  /**
   * All that is in the file. What is not understood, or cannot be, is left out.
   * @throws {StorageError} with the byte at which the file is damaged
   */
  *items(leaveOut: LeaveOut): IterableIterator<StoredItem> {
    const positions = new Map<string, number>();
    for (const chunk of this.#chunks()) {
      try {
        yield* this.#itemsOf(chunk, positions);
      } catch (error) {
        if (!(error instanceof ItemFault)) throw error;
        const name = chunkNames[chunk.type] ?? `chunk of type ${chunk.type}`;
        leaveOut(error.what ?? `the ${name} at byte ${chunk.offset - chunkHeaderBytes}`, error.message);
      }
    }
  }

  *#itemsOf(chunk: Chunk, positions: Map<string, number>): IterableIterator<StoredItem> {
    switch (chunk.type) {
      case chunkType.cfg:
      case chunkType.message:
        return;
      case chunkType.client: {
        const session = this.#decode(chunk, (body) => sessionOf(readClientChunk(body, this.#dialect)));
        yield { kind: 'session', session };
        return;
      }
      case chunkType.subscription: {
        const read = this.#decode(chunk, readSubscriptionChunk);
        yield { kind: 'subscription', ...subscriptionOf(read) };
        return;
      }
      case chunkType.delivery: {
        // The bytes are used up before the message is read.
        const { number, clientIdentifier, ...item } = this.#decode(chunk, (body) =>
          deliveryOf(readDeliveryChunk(body, this.#dialect)),
        );
        const place = this.#placeOf(number, `a message for '${clientIdentifier}'`);
        yield* this.#message(number, place, `a message for '${clientIdentifier}'`);
        if (item.kind === 'inbound') {
          yield { ...item, clientIdentifier, number };
          return;
        }
        const position = (positions.get(clientIdentifier) ?? 0) + 1;
        positions.set(clientIdentifier, position);
        yield { ...item, clientIdentifier, number, position };
        return;
      }
      case chunkType.retained: {
        const number = this.#decode(chunk, (body) => readMessageNumber(body, this.#dialect));
        const message = this.#readMessage(this.#placeOf(number, 'a retained message'), true);
        yield { kind: 'retained', message };
        return;
      }
      default:
        throw new ItemFault('this release does not know what it is');
    }
  }

  #placeOf(number: MessageNumber, what: string): MessagePlace {
    const place = this.#messages.get(number);
    if (place === undefined) throw new ItemFault(`message ${number} is not in the file; it may have expired`, what);
    return place;
  }

  /** The message itself, when it is first referred to. */
  *#message(number: MessageNumber, place: MessagePlace, what: string): IterableIterator<StoredItem> {
    if (place.state === 'given out') return;
    if (place.state === 'left out') throw new ItemFault(`message ${number}, which it is, was left out`, what);
    try {
      const message = this.#readMessage(place, false);
      place.state = 'given out';
      yield { kind: 'message', number, references: place.references, message };
    } catch (error) {
      if (error instanceof ItemFault) place.state = 'left out';
      throw error;
    }
  }

  #readMessage(place: MessagePlace, isRetained: boolean) {
    const body = this.#file.readAlone(place.offset, place.length);
    return this.#guard(place.offset, chunkType.message, () =>
      messageOf(readMessageChunk(body, this.#dialect), isRetained),
    );
  }

  #readVersion(): 5 | 6 {
    const { size } = this.#file;
    if (size === 0) throw new StorageError(`${this.#path} is empty`);
    const header = this.#file.read(0, Math.min(size, headerBytes));
    if (!header.subarray(0, magic.length).equals(magic.subarray(0, header.length))) {
      throw new StorageError(`${this.#path} is no database of Mosquitto: it does not begin as one`);
    }
    if (header.length < headerBytes) throw this.#damage(size, 'it ends in its header');
    const version = header.readUInt32BE(versionAt);
    if (version === 5 || version === 6) return version;
    throw new StorageError(
      version >= 1 && version <= 4
        ? `${this.#path} has version ${version} of Mosquitto's format, which 1.5 and older wrote. Start Mosquitto 1.6 or 2.0 on it and stop it again: it then has version 5 or 6`
        : `${this.#path} has version ${version} of Mosquitto's format; this release of Clearwing reads 5 and 6`,
    );
  }

  *#chunks(): IterableIterator<Chunk> {
    for (let offset = headerBytes; ; ) {
      const chunk = this.#chunkAt(offset);
      if (chunk === undefined) return;
      yield chunk;
      offset = chunk.offset + chunk.length;
    }
  }

  /** The chunk whose header is there; undefined at the end of the file. */
  #chunkAt(offset: number): Chunk | undefined {
    const left = this.#file.size - offset;
    if (left === 0) return undefined;
    if (left < chunkHeaderBytes) throw this.#damage(offset, `it ends in the header of a chunk (${left} of 8 bytes)`);
    const header = this.#file.read(offset, chunkHeaderBytes);
    const type = header.readUInt32BE(0);
    const length = header.readUInt32BE(4);
    if (length > left - chunkHeaderBytes) {
      const name = chunkNames[type] ?? `type ${type}`;
      throw this.#damage(offset, `a chunk (${name}) of ${length} bytes where ${left - chunkHeaderBytes} are left`);
    }
    return { type, offset: offset + chunkHeaderBytes, length };
  }

  /** What the first bytes of a chunk, or all of it, say. */
  #decode<T>({ type, offset, length }: Chunk, decode: (body: Buffer) => T, wanted = length): T {
    const body = this.#file.read(offset, Math.min(length, wanted));
    return this.#guard(offset, type, () => decode(body));
  }

  #guard<T>(offset: number, type: number, decode: () => T): T {
    try {
      return decode();
    } catch (error) {
      if (!(error instanceof ChunkFault)) throw error;
      throw this.#damage(offset - chunkHeaderBytes, `the chunk (${chunkNames[type]}) is damaged: ${error.message}`);
    }
  }

  #damage(offset: number, what: string): StorageError {
    return new StorageError(`${this.#path} is damaged or cut off at byte ${offset}: ${what}`);
  }
}
