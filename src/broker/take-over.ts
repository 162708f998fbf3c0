/** Two clients with one Client Identifier push each other out for ever; the log then names them both. */

import type { Connection } from './connection.ts';
import type { BrokerContext } from './context.ts';

/** So many take-overs … */
const takeOversMax = 3;
/** … within this time are no accident. */
const windowMs = 30_000;
/** Identifiers watched at once; the oldest is forgotten first. */
const watchedMax = 1000;

interface TakeOvers {
  count: number;
  since: number;
}

const byBroker = new WeakMap<BrokerContext, Map<string, TakeOvers>>();

/** A connection takes over a Session that another one still holds. */
export function noteTakeOver(context: BrokerContext, former: Connection, newcomer: Connection): void {
  context.counters.sessionTakeOvers++;
  let watched = byBroker.get(context);
  if (watched === undefined) {
    watched = new Map();
    byBroker.set(context, watched);
  }
  const now = context.clock.monotonic();
  const clientIdentifier = newcomer.name;
  const known = watched.get(clientIdentifier);
  if (known === undefined || now - known.since > windowMs) {
    if (watched.size >= watchedMax) watched.delete(watched.keys().next().value as string);
    watched.set(clientIdentifier, { count: 1, since: now });
    return;
  }
  known.count++;
  if (known.count !== takeOversMax) return;
  context.log.write(
    'warning',
    `Clients at ${former.peerName} and ${newcomer.peerName} keep taking over the Client Identifier '${clientIdentifier}' from each other; each client needs its own.`,
  );
}
