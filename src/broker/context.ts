/** What the parts of the broker see of each other; `broker.ts` puts it together. */
import type { Clock } from '../base/clock.ts';
import type { TimerWheel } from '../base/timer-wheel.ts';
import type { Authority } from './auth.ts';
import type { Connection } from './connection.ts';
import type { Counters } from './counters.ts';
import type { FlowControl } from './flow-control.ts';
import type { FramerPool } from './framer-pool.ts';
import type { BrokerHooks } from './hooks.ts';
import type { Log } from './log.ts';
import type { Message } from './message.ts';
import type { BrokerSettings } from './options.ts';
import type { OutputPool } from './output-buffer.ts';
import type { OutputTurn } from './output-turn.ts';
import type { Store } from './persistence/store.ts';
import type { RetainedMessages } from './retained.ts';
import type { Route, Routes } from './routes.ts';
import type { Session } from './session.ts';
import type { SessionOutput } from './session-output.ts';
import type { Sessions } from './sessions.ts';
import type { Tap } from './tap/tap.ts';
import type { TapFeed } from './tap/tap-feed.ts';
import type { WireForms } from './wire-forms.ts';

export interface BrokerContext {
  readonly settings: BrokerSettings;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
  /** Whether packet lines are logged; kept beside the log because every packet asks. */
  readonly logsPackets: boolean;
  readonly counters: Counters;
  readonly authority: Authority;
  readonly hooks: BrokerHooks;
  readonly sessions: Sessions;
  readonly routes: Routes;
  readonly retained: RetainedMessages;
  /** Where persistent Sessions and retained messages are kept; undefined if nothing outlives the process. */
  readonly store: Store | undefined;
  readonly wireForms: WireForms;
  readonly outputPool: OutputPool;
  /** When connections write what they have gathered. */
  readonly outputTurn: OutputTurn;
  readonly framerPool: FramerPool;
  readonly connections: Set<Connection>;
  readonly flow: FlowControl;
  /** Where connections can be watched. */
  readonly tap: Tap;
  /** Sends the tap to those who subscribed to it. */
  readonly tapFeed: TapFeed;
  /**
   * Routes a message to all who subscribed and keeps it if it is retained.
   * @param publisher the Session it came from, for No Local
   */
  publish(message: Message, publisher: Session | undefined): Route;
  /** Whether the access rules of today let the publisher of a retained message publish it. */
  mayStillPublish(message: Message): boolean;
  /** The connection's transport is closed: it counts no more. */
  connectionClosed(connection: Connection): void;
  /** Whether `memory_limit` is reached; measured now and then, not per message. */
  readonly isShortOfMemory: boolean;
  /** Logs that messages for a Session are being dropped, at most once per Session and minute. */
  warnOfFullQueue(session: SessionOutput): void;
}
