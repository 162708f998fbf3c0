/**
 * Which state the client is in: connecting, coming back after a loss, and the end.
 *
 *                 ┌─────────── no attempt succeeded ──────────────────────────┐
 *                 │                                                           ▼
 *     connecting ─┴─accepted─▶ connected ──lost, no reconnect──────────────▶ closed
 *                                │ ▲  │                                       ▲
 *                           lost │ │  └──end──▶ closing ──ended, or lost──────┤
 *                                ▼ │ accepted                                 │
 *                             reconnecting ──given up, or end─────────────────┘
 *
 * `close` and an aborted signal lead from every state to closed.
 */
import type { Clock } from '../base/clock.ts';
import type { ConnackPacket, Packet } from '../codec/packets.ts';
import { ConnectionClosedError, type MqttError, TimeoutError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import { attemptConnect, backOffMs, type Dial, mayGoBetter } from './connect-attempt.ts';
import { reasonCodeOf } from './handshake.ts';
import { KeepAlive } from './keep-alive.ts';
import type { Link, LinkHandlers } from './link.ts';
import type { ResolvedOptions } from './options.ts';
import { abortError } from './requests.ts';
import type { ClientState } from './types.ts';

/** Who lives on the connection. */
export interface LifecycleHandlers {
  /** A connection was accepted; called in the turn of its CONNACK, before what follows that is looked at. */
  connected(link: Link, connack: ConnackPacket, isFirst: boolean): void;
  /** A packet came. What is thrown ends the connection as the server's fault. */
  packet(link: Link, packet: Packet): void;
  /** The link takes more. */
  drain(): void;
  /** The link has sent everything. */
  idle(): void;
  /** The connection is to be kept alive. */
  ping(link: Link): void;
  /** The connection is gone, by whomever. */
  connectionLost(cause: Error): void;
  /** The connection went away without our doing. */
  disconnected(cause: Error, willReconnect: boolean): void;
  /** An attempt to come back failed; others will be made. */
  attemptFailed(error: Error): void;
  /** It is over. `reason` is for those who still wait for something, `error` what `closed` says. */
  closed(reason: Error, error: Error | undefined): void;
}

const ignoringHandlers: LinkHandlers = {
  packet: () => {},
  drain: () => {},
  idle: () => {},
  fault: () => {},
  close: () => {},
};

export class Lifecycle {
  /** Resolves at the end, with the reason if there was one. */
  readonly closed: Promise<Error | undefined>;
  readonly #options: ResolvedOptions;
  readonly #dial: Dial;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #handlers: LifecycleHandlers;
  /** Ends the attempt under way and the wait for the next one. */
  readonly #stopper = new AbortController();
  #state: ClientState = 'connecting';
  #clientIdentifier: string;
  #connack: ConnackPacket | undefined;
  #link: Link | undefined;
  #keepAlive: KeepAlive | undefined;
  /** Waits since a connection last proved stable: each is longer than the one before. */
  #waits = 0;
  #acceptedMs = 0;
  #resolveClosed!: (error: Error | undefined) => void;

  constructor(options: ResolvedOptions, dial: Dial, clock: Clock, random: () => number, handlers: LifecycleHandlers) {
    this.#options = options;
    this.#dial = dial;
    this.#clock = clock;
    this.#random = random;
    this.#handlers = handlers;
    this.#clientIdentifier = options.clientIdentifier;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    options.given.signal?.addEventListener('abort', this.#onAbort);
  }

  get state(): ClientState {
    return this.#state;
  }

  /** Neither closing nor closed. */
  get isOpen(): boolean {
    return this.#state !== 'closing' && this.#state !== 'closed';
  }

  get clientIdentifier(): string {
    return this.#clientIdentifier;
  }

  /** That of the connection in use, or of the last one; undefined before the first. */
  get connack(): ConnackPacket | undefined {
    return this.#connack;
  }

  /** The connection, while there is one. */
  get link(): Link | undefined {
    return this.#link;
  }

  /** Makes the first connection. */
  async open(): Promise<void> {
    const { signal } = this.#options.given;
    try {
      if (signal?.aborted) throw abortError(signal);
      await this.#connect(true);
    } catch (error) {
      this.close(error as Error);
      throw error;
    }
  }

  /** Tries until a connection is accepted; rejects with the last error. */
  async #connect(isFirst: boolean): Promise<void> {
    const policy = this.#options.reconnect;
    for (let failures = 0; ; ) {
      if (!isFirst || failures > 0) await this.#wait(backOffMs(policy!, this.#waits++, this.#random));
      try {
        await attemptConnect({
          options: this.#options,
          dial: this.#dial,
          clock: this.#clock,
          clientIdentifier: this.#clientIdentifier,
          cleanStart: this.#cleanStart(isFirst),
          signal: this.#stopper.signal,
          accepted: (link, connack) => this.#accepted(link, connack, isFirst),
        });
        return;
      } catch (error) {
        failures++;
        const mayRetry = policy !== undefined && (!isFirst || policy.initially) && failures < policy.attemptsMax;
        if (!mayRetry || this.#stopper.signal.aborted || !mayGoBetter(error, isFirst)) throw error;
        this.#handlers.attemptFailed(error as Error);
      }
    }
  }

  /** A Session that outlived its connection is to be resumed, whatever the first connection wanted. */
  #cleanStart(isFirst: boolean): boolean {
    if (isFirst) return this.#options.cleanStart;
    const granted = this.#connack!.properties?.sessionExpiryInterval;
    const expiry = granted ?? this.#options.properties?.sessionExpiryInterval ?? 0;
    return expiry > 0 ? false : this.#options.cleanStart;
  }

  #wait(delayMs: number): Promise<void> {
    const { signal } = this.#stopper;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#clock.clearTimer(timer);
        reject(signal.reason);
      };
      const timer = this.#clock.setTimer(delayMs, () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort);
    });
  }

  #accepted(link: Link, connack: ConnackPacket, isFirst: boolean): void {
    this.#state = 'connected';
    this.#acceptedMs = this.#clock.monotonic();
    this.#link = link;
    this.#connack = connack;
    const { properties } = connack;
    if (properties?.assignedClientIdentifier !== undefined)
      this.#clientIdentifier = properties.assignedClientIdentifier;
    link.handlers = {
      packet: (packet) => this.#handlers.packet(link, packet),
      drain: () => this.#handlers.drain(),
      idle: () => this.#handlers.idle(),
      fault: (error) => this.fail(error),
      close: (error) => this.#lost(lostError(error)),
    };
    // [MQTT-3.2.2-21]
    const keepAlive = properties?.serverKeepAlive ?? this.#options.keepAlive;
    const onDead = (): void => {
      link.destroy();
      this.#lost(new TimeoutError('the server did not answer within the keep alive time'));
    };
    this.#keepAlive = new KeepAlive(link, this.#clock, keepAlive, () => this.#handlers.ping(link), onDead);
    this.#handlers.connected(link, connack, isFirst);
  }

  /** Leaves the connection because of what the server did, and says why. */
  fail(error: MqttError): void {
    const link = this.#link;
    if (link === undefined) return;
    if (link.version === 5) {
      link.send({ type: PacketType.DISCONNECT, reasonCode: reasonCodeOf(error), properties: undefined });
    }
    link.end();
    this.#lost(error);
  }

  /** The server said goodbye. */
  dismissed(error: ConnectionClosedError): void {
    this.#link?.destroy();
    this.#lost(error);
  }

  #lost(cause: Error): void {
    if (this.#link === undefined) return;
    this.#leaveConnection(cause);
    const { reconnect } = this.#options;
    // Two clients with one Client Identifier, say, would otherwise take it from each other without end and at full speed.
    if (this.#clock.monotonic() - this.#acceptedMs >= (reconnect?.lastDelayMs ?? 0)) this.#waits = 0;
    // Whoever took the Session over came later and has the right to stay.
    const isTakenOver = cause instanceof ConnectionClosedError && cause.reasonCode === ReasonCode.sessionTakenOver;
    const willReconnect = this.#state === 'connected' && reconnect !== undefined && !isTakenOver;
    if (willReconnect) this.#state = 'reconnecting';
    this.#handlers.disconnected(cause, willReconnect);
    if (!willReconnect) this.close(cause);
    // A listener may have ended the client meanwhile.
    else if (this.#state === 'reconnecting') this.#connect(false).catch((error: Error) => this.close(error));
  }

  #leaveConnection(cause: Error): void {
    this.#link!.handlers = ignoringHandlers;
    this.#link = undefined;
    this.#keepAlive?.stop();
    this.#handlers.connectionLost(cause);
  }

  /** No new work is taken from now on. False if there is no connection on which the old could be finished. */
  beginEnd(): boolean {
    if (this.#link === undefined || !this.isOpen) return false;
    this.#state = 'closing';
    return true;
  }

  /**
   * Sends DISCONNECT and, once the stream has ended, closes; without a connection at once.
   * @throws {MqttError} the packet cannot be sent; the client is closed all the same
   */
  disconnect(reasonCode: ReasonCode, properties: PropertiesOf<'DISCONNECT'> | undefined): void {
    const link = this.#link;
    if (link === undefined) {
      // While closing, the stream is about to end anyway.
      if (this.isOpen) this.close(undefined);
      return;
    }
    this.#state = 'closing';
    try {
      link.send({ type: PacketType.DISCONNECT, reasonCode, properties });
    } catch (error) {
      this.close(undefined);
      throw error;
    }
    this.#leaveConnection(endedError());
    link.handlers = { ...ignoringHandlers, close: () => this.close(undefined) };
    link.end();
  }

  readonly #onAbort = (): void => {
    const error = abortError(this.#options.given.signal!);
    if (this.#link !== undefined) this.disconnect(ReasonCode.success, undefined);
    this.close(error);
  };

  /** Closes at once, dropping the connection if there is one. */
  close(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#options.given.signal?.removeEventListener('abort', this.#onAbort);
    const reason = error === undefined ? endedError() : closedError(error);
    const link = this.#link;
    if (link !== undefined) {
      this.#leaveConnection(reason);
      link.destroy();
    }
    this.#stopper.abort(reason);
    this.#handlers.closed(reason, error);
    this.#resolveClosed(error);
  }
}

export function endedError(): ConnectionClosedError {
  return new ConnectionClosedError('the client was ended');
}

function lostError(error: Error | undefined): ConnectionClosedError {
  if (error === undefined) return new ConnectionClosedError('the server closed the connection');
  return new ConnectionClosedError(`the connection was lost: ${error.message}`, undefined, error);
}

/** What those are told who waited for something else than the connection. */
function closedError(error: Error): Error {
  const { code, reasonCode } = error as Partial<MqttError>;
  if (code === 'MQTT_ERR_CONNECTION_CLOSED' || code === 'MQTT_ERR_ABORTED') return error;
  return new ConnectionClosedError(`the client was closed: ${error.message}`, reasonCode, error);
}
