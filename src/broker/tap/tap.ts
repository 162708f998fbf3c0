/**
 * Where the bytes of connections can be watched while they run: chunks, not packets, with connection, direction and time.
 *
 *     Connection.data ────┐
 *     PacketOutput.flush ─┼─▶ Tap ─▶ TapConsumer (a capture file, the feed of `$clearwing/tap`, an embedding program)
 *     open, end, close ───┘
 *
 * While nobody watches, `isActive` is false and the connections ask for nothing else. A consumer copies what it keeps, returns at once, and drops and
 * counts what it cannot keep up with: it never makes a connection wait.
 */
import type { PeerAddress } from '../../transport/transport.ts';

/** What is to be known of a connection that is watched. */
export interface TapSubject {
  /** The client's end. */
  readonly peer: PeerAddress;
  /** The broker's end, where the transport knows it. */
  readonly local: PeerAddress | undefined;
  /** The port of its listener; 0 for a Unix socket. */
  readonly listenerPort: number;
  /** As the log names it; `<unknown>` before its CONNECT. */
  readonly name: string;
  /** Protocol level; undefined before its CONNECT. */
  readonly protocolLevel: number | undefined;
  /** Whether the network sees its bytes encrypted. */
  readonly isEncrypted: boolean;
}

/** Which end something comes from. */
export type TapEnd = 'client' | 'broker';

export interface TapConsumer {
  /** A connection was accepted, or was there already when watching began (`isNew` false). */
  opened(subject: TapSubject, isNew: boolean): void;
  /** Bytes of the MQTT stream; they may change after the call. */
  chunk(subject: TapSubject, from: TapEnd, bytes: Uint8Array): void;
  /** This end will send nothing more. */
  ended(subject: TapSubject, end: TapEnd): void;
  /** Nothing more comes of it. @param isBroken whether it broke off instead of being ended */
  closed(subject: TapSubject, isBroken: boolean): void;
}

export class Tap {
  /** Whether anybody watches; to be asked before anything is told. */
  isActive = false;
  #consumers: readonly TapConsumer[] = [];
  /** Those that are told of nothing: what they are sent is itself the watching. */
  readonly #ignored = new WeakSet<TapSubject>();
  readonly #subjects: () => Iterable<TapSubject>;

  /** @param subjects the connections that are there */
  constructor(subjects: () => Iterable<TapSubject>) {
    this.#subjects = subjects;
  }

  /** From now on the consumer is told of everything; first of the connections that are there. */
  add(consumer: TapConsumer): void {
    if (this.#consumers.includes(consumer)) return;
    this.#consumers = [...this.#consumers, consumer];
    this.isActive = true;
    for (const subject of this.#subjects()) if (!this.#ignored.has(subject)) consumer.opened(subject, false);
  }

  remove(consumer: TapConsumer): void {
    this.#consumers = this.#consumers.filter((one) => one !== consumer);
    this.isActive = this.#consumers.length > 0;
  }

  /** Tells nothing more of a connection, which itself watches. */
  ignore(subject: TapSubject): void {
    if (this.#ignored.has(subject)) return;
    for (const consumer of this.#consumers) consumer.closed(subject, false);
    this.#ignored.add(subject);
  }

  opened(subject: TapSubject): void {
    for (const consumer of this.#consumers) consumer.opened(subject, true);
  }

  chunk(subject: TapSubject, from: TapEnd, bytes: Uint8Array): void {
    if (this.#ignored.has(subject)) return;
    for (const consumer of this.#consumers) consumer.chunk(subject, from, bytes);
  }

  ended(subject: TapSubject, end: TapEnd): void {
    if (this.#ignored.has(subject)) return;
    for (const consumer of this.#consumers) consumer.ended(subject, end);
  }

  closed(subject: TapSubject, isBroken: boolean): void {
    if (this.#ignored.has(subject)) return;
    for (const consumer of this.#consumers) consumer.closed(subject, isBroken);
  }
}
