/** All Sessions by Client Identifier, and their ends. */
import { WheelTimer } from '../base/timer-wheel.ts';
import type { WillMessage } from '../codec/packets.ts';
import { AbsentQueues } from './absent-queues.ts';
import type { ClientIdentity } from './auth.ts';
import { ConnectedClient } from './connected-client.ts';
import type { BrokerContext } from './context.ts';
import { ExpiredSessions } from './expired-sessions.ts';
import { neverExpires, Session } from './session.ts';
import { publishPendingWill, scheduleWill } from './will.ts';

class SessionExpiry extends WheelTimer {
  readonly #end: () => void;
  constructor(end: () => void) {
    super();
    this.#end = end;
  }
  override onExpire(): void {
    this.#end();
  }
}

export class Sessions {
  /** What waits for those whose clients are away. */
  readonly absent: AbsentQueues;
  readonly #context: BrokerContext;
  readonly #byClientIdentifier = new Map<string, Session>();
  readonly #expiries = new Map<Session, SessionExpiry>();
  readonly #expired: ExpiredSessions<Session>;

  constructor(context: BrokerContext) {
    this.#context = context;
    this.absent = new AbsentQueues(context);
    this.#expired = new ExpiredSessions(context.clock, (session) => this.#endExpired(session));
  }

  get count(): number {
    return this.#byClientIdentifier.size;
  }

  get(clientIdentifier: string): Session | undefined {
    return this.#byClientIdentifier.get(clientIdentifier);
  }

  /** The Session that a client finds: one that has expired ends now, if it has not yet. */
  find(clientIdentifier: string): Session | undefined {
    const session = this.#byClientIdentifier.get(clientIdentifier);
    if (session === undefined || !this.#expired.has(session)) return session;
    this.#endExpired(session);
    return undefined;
  }

  /** Whether it has expired and is only waiting to end. */
  hasExpired(session: Session): boolean {
    return this.#expired.has(session);
  }

  all(): IterableIterator<Session> {
    return this.#byClientIdentifier.values();
  }

  create(identity: ClientIdentity): Session {
    const session = new Session(this.#context, identity);
    this.#byClientIdentifier.set(identity.clientIdentifier, session);
    return session;
  }

  /**
   * The connection of a Session ended: the Session ends too, or its expiry starts to run. [MQTT-3.1.2-23]
   * @param will what is to be published now or after its delay
   */
  leave(session: Session, will: WillMessage | undefined): void {
    if (session.identity instanceof ConnectedClient) session.identity.forgetConnection();
    if (will !== undefined) scheduleWill(this.#context, session, will);
    if (session.expiryInterval === 0) {
      this.end(session);
      return;
    }
    const seconds = this.lifetimeOf(session);
    if (seconds !== Number.POSITIVE_INFINITY) this.expireAt(session, this.#context.clock.now() + seconds * 1000);
    session.record(session.pendingWill?.will, session.pendingWill?.dueAt ?? 0);
    if (session.residentCount > 0) this.absent.note(session);
  }

  /** Seconds that the Session lives without a connection; Infinity if it never expires. */
  lifetimeOf(session: Session): number {
    const { persistentClientExpiration } = this.#context.settings;
    const seconds = session.expiryInterval === neverExpires ? Number.POSITIVE_INFINITY : session.expiryInterval;
    return persistentClientExpiration > 0 ? Math.min(seconds, persistentClientExpiration) : seconds;
  }

  /** Ends an absent Session at that time, in milliseconds since the epoch, unless it is resumed before. */
  expireAt(session: Session, expiresAt: number): void {
    session.expiresAt = expiresAt;
    const delayMs = expiresAt - this.#context.clock.now();
    if (delayMs <= 0) {
      this.#expired.add(session);
      return;
    }
    const expiry = new SessionExpiry(() => {
      this.#expiries.delete(session);
      this.#expired.add(session);
    });
    this.#expiries.set(session, expiry);
    this.#context.wheel.schedule(expiry, delayMs);
  }

  #endExpired(session: Session): void {
    const { counters, settings, log } = this.#context;
    counters.clientsExpired++;
    if (settings.connectionMessages) {
      log.write('notice', `Expiring client ${session.clientIdentifier} due to timeout.`);
    }
    this.end(session);
  }

  /** No Session ends by itself any more. */
  stop(): void {
    this.#expired.stop();
  }

  /** The client came back in time. */
  resume(session: Session): void {
    session.expiresAt = 0;
    this.#expired.delete(session);
    const expiry = this.#expiries.get(session);
    if (expiry === undefined) return;
    this.#expiries.delete(session);
    this.#context.wheel.cancel(expiry);
  }

  /** Ends a Session: a waiting will is published, subscriptions and messages go. */
  end(session: Session): void {
    this.resume(session);
    this.absent.forget(session);
    if (this.#byClientIdentifier.get(session.clientIdentifier) === session) {
      this.#byClientIdentifier.delete(session.clientIdentifier);
    }
    for (const subscription of session.subscriptions.values()) this.#context.routes.remove(subscription);
    // First, because it notes in the store that there is no will any more.
    publishPendingWill(this.#context, session);
    session.unrecord();
    session.clear();
  }
}
