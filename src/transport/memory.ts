/**
 * Two Transports joined in memory: what one writes the other reads. Nothing here depends on time or chance, so a simulation that
 * passes its own `schedule` decides when, and with `split` in which pieces, bytes arrive.
 */
import type { PeerAddress, Transport, TransportHandlers } from './transport.ts';

export interface MemoryPairOptions {
  /** Cuts what was written into the chunks that arrive, e.g. byte by byte. Default: one chunk for each write. */
  readonly split?: (bytes: Uint8Array) => Iterable<Uint8Array>;
  /** Bytes on their way in one direction from which on `write` returns false. At least 1; default 65,536. */
  readonly highWaterMark?: number;
  /** Runs a task later, tasks in the order given. Default: as a microtask. */
  readonly schedule?: (task: () => void) => void;
}

/** Makes both ends. Bytes are copied on `write`, so the writer may reuse its buffer once `released` was called. */
export function memoryPair(options: MemoryPairOptions = {}): [Transport, Transport] {
  const settings = {
    split: options.split ?? ((bytes: Uint8Array) => [bytes]),
    highWaterMark: options.highWaterMark ?? 65_536,
    schedule: options.schedule ?? ((task: () => void) => void Promise.resolve().then(task)),
  };
  const first = new MemoryTransport('memory-1', settings);
  const second = new MemoryTransport('memory-2', settings);
  first.join(second);
  second.join(first);
  return [first, second];
}

/*
 *   open ──end()──▶ ending ──both directions empty──▶ closed
 *     │               │
 *     └──destroy()────┴── also from either side ────▶ closed
 *
 * When one side ends, the other, having read everything, ends as well: there is no half-open state.
 */
type State = 'open' | 'ending' | 'closed';

class MemoryTransport implements Transport {
  readonly peer: PeerAddress;
  readonly #settings: Required<MemoryPairOptions>;
  #other: MemoryTransport | undefined;
  #state: State = 'open';
  #handlers: TransportHandlers | undefined;
  #isPaused = false;
  #isCloseTold = false;
  #isDeliveryScheduled = false;
  #needsDrain = false;
  /** Chunks that the other side wrote and that were not delivered here yet. */
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;

  constructor(name: string, settings: Required<MemoryPairOptions>) {
    this.peer = { address: name, port: 0, family: 'memory' };
    this.#settings = settings;
  }

  join(other: MemoryTransport): void {
    this.#other = other;
  }

  get bufferedBytes(): number {
    return this.#other!.#inboxBytes;
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    this.#scheduleDelivery();
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    const other = this.#other!;
    if (this.#state === 'open' && other.#state !== 'closed') {
      for (const piece of this.#settings.split(new Uint8Array(bytes))) {
        other.#inbox.push(piece);
        other.#inboxBytes += piece.length;
      }
      other.#scheduleDelivery();
    }
    if (released !== undefined) this.#settings.schedule(released);
    if (this.#state !== 'open' || other.#inboxBytes < this.#settings.highWaterMark) return true;
    this.#needsDrain = true;
    return false;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#scheduleDelivery();
  }

  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.#scheduleDelivery();
    this.#other!.#scheduleDelivery();
  }

  destroy(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#drop();
    const other = this.#other!;
    other.#state = 'closed';
    other.#drop();
    this.#scheduleDelivery();
    other.#scheduleDelivery();
  }

  #drop(): void {
    this.#inbox = [];
    this.#inboxBytes = 0;
  }

  #scheduleDelivery(): void {
    if (this.#isDeliveryScheduled || this.#handlers === undefined) return;
    this.#isDeliveryScheduled = true;
    this.#settings.schedule(() => {
      this.#isDeliveryScheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const handlers = this.#handlers!;
    const other = this.#other!;
    // Who has ended wants to hear nothing more; what still comes is taken so that the other side can finish.
    if (this.#state !== 'open') this.#drop();
    let next = 0;
    while (next < this.#inbox.length && !this.#isPaused && this.#state === 'open') {
      const chunk = this.#inbox[next]!;
      next += 1;
      this.#inboxBytes -= chunk.length;
      handlers.data(chunk);
    }
    // A handler may have ended or destroyed this side and so replaced the inbox.
    if (this.#state === 'open') this.#inbox.splice(0, next);
    else this.#drop();
    if (this.#inboxBytes === 0) {
      other.#tellDrain();
      if (other.#state === 'ending' && this.#state === 'open') this.end();
    }
    if (this.#state === 'ending' && this.#inboxBytes === 0 && other.#inboxBytes === 0 && other.#state !== 'open') {
      this.#state = 'closed';
      other.#scheduleDelivery();
    }
    if (this.#state === 'closed' && !this.#isCloseTold) {
      this.#isCloseTold = true;
      handlers.close(undefined);
    }
  }

  #tellDrain(): void {
    if (!this.#needsDrain || this.#state !== 'open') return;
    this.#needsDrain = false;
    this.#settings.schedule(() => {
      if (this.#state === 'open') this.#handlers?.drain();
    });
  }
}
