import { StorageError } from '../../protocol/errors.ts';

/** A store was to close and has not done so in time; something of it may still wait for the disk. */
export class StoreTimeoutError extends StorageError {}
