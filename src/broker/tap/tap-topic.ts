/**
 * The topic on which the tap is sent, and who may have it. Each message is a whole pcapng file of its own with what happened since the last one; put
 * behind each other they are one capture: `mosquitto_sub -t '$clearwing/tap' -N > capture.pcapng`.
 */
import { matchesFilter } from '../../protocol/topics.ts';
import type { Connection } from '../connection.ts';

export const tapTopic = '$clearwing/tap';

/** Whether a subscription with this Topic Filter (without `$share/name/`) would be sent the tap. */
export function reachesTap(topicFilter: string): boolean {
  return topicFilter.startsWith('$clearwing') && matchesFilter(tapTopic, topicFilter);
}

/**
 * Whether the client may have the tap, which shows everybody's packets, passwords included: a user whom `capture_users` names; without that, everybody
 * on a Unix socket, and on a broker without a configured listener, which only this machine can reach. (A listener that is bound to the loopback may have
 * a proxy before it.) And only while it is connected: what nobody takes is not kept.
 */
export function mayWatch({ context, listener, identity, session }: Connection): boolean {
  if (session === undefined || session.expiryInterval > 0) return false;
  const { captureUsers } = context.settings;
  if (captureUsers.length > 0) return identity?.username !== undefined && captureUsers.includes(identity.username);
  return listener.settings.host === 'local' || listener.settings.unixPath !== undefined;
}
