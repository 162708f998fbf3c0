/** What a run would leave behind in a broker that goes on: sessions and retained messages. */
import { openLink, unexpectedPacket } from './handshake.ts';
import type { Link } from './link.ts';
import { LoadError } from './load-error.ts';
import type { Target } from './target.ts';
import { disconnectPacket, emptyRetainedPacket, firstByte } from './wire.ts';

/** Connections that are open at once. */
const connectionsAtOnce = 50;
/** Messages that are not acknowledged at once. */
const windowMax = 100;
const timeoutMs = 20_000;

/**
 * Ends sessions: connects with each Client Identifier anew and cleanly.
 * @throws {LoadError}
 */
export async function forgetSessions(target: Target, clientIdentifiers: readonly string[]): Promise<void> {
  for (let at = 0; at < clientIdentifiers.length; at += connectionsAtOnce) {
    const some = clientIdentifiers.slice(at, at + connectionsAtOnce);
    await Promise.all(some.map((name, index) => withLink(target, name, at + index, async () => {})));
  }
}

/**
 * Removes the retained messages of topics, at QoS 1, so that it is done when this resolves.
 * @throws {LoadError}
 */
export async function clearRetained(target: Target, clientPrefix: string, topics: readonly string[]): Promise<void> {
  if (topics.length === 0) return;
  await withLink(target, `${clientPrefix}-clear`, 0, (link, receiveMaximum) => {
    const window = Math.min(windowMax, receiveMaximum);
    return new Promise((resolve) => {
      let sent = 0;
      let acknowledged = 0;
      const send = (): void => {
        while (sent < topics.length && sent - acknowledged < window) {
          const packet = emptyRetainedPacket(target.protocol, topics[sent]!, (sent % 65_535) + 1);
          link.reserve(packet.length);
          link.append(packet);
          sent++;
        }
        link.flush();
      };
      link.receiver = {
        takeRun: (_bytes, offset) => offset,
        takePacket: (bytes, offset, body, end) => {
          if (bytes[offset] !== firstByte.puback) throw unexpectedPacket(bytes, offset, body, end);
          acknowledged++;
        },
        endChunk: () => {
          if (acknowledged === topics.length) resolve();
          else send();
        },
      };
      send();
    });
  });
}

/** Opens a clean session, works, and disconnects. */
async function withLink(
  target: Target,
  clientIdentifier: string,
  index: number,
  work: (link: Link, receiveMaximum: number) => Promise<void>,
): Promise<void> {
  let link: Link | undefined;
  let timer: NodeJS.Timeout | undefined;
  const session = { topicFilters: [], qos: 0, isPersistent: false, publishBytes: 0 } as const;
  try {
    await new Promise<void>((resolve, reject) => {
      const silent = new LoadError(`the broker has not answered for ${timeoutMs / 1000} s`);
      timer = setTimeout(() => reject(silent), timeoutMs);
      const options = { ...session, target, index, clientIdentifier, onFailure: reject, onDrain: () => {} };
      const opened = openLink(options, (created) => {
        link = created;
      });
      opened.then((open) => work(open.link, open.receiveMaximum)).then(resolve, reject);
    });
    link?.end(disconnectPacket);
  } catch (error) {
    link?.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
