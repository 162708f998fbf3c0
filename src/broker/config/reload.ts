/** What of a changed configuration takes effect while the broker runs. */
import type { Assignment, BrokerConfiguration, ListenerConfiguration } from './configuration.ts';
import { listenerName } from './configuration.ts';
import { findKey } from './keys.ts';

/**
 * The keys whose value differs between two configurations and that need a restart: `pid_file`, `listener 1883 ::1`,
 * `max_connections of listener 1883`. Empty if all changes take effect.
 */
export function changesThatNeedRestart(before: BrokerConfiguration, after: BrokerConfiguration): string[] {
  const old = fixedValues(before);
  const now = fixedValues(after);
  const names = new Set([...old.keys(), ...now.keys()]);
  return [...names].filter((name) => old.get(name) !== now.get(name));
}

function fixedValues(configuration: BrokerConfiguration): Map<string, string> {
  const values = new Map<string, string>();
  for (const assignment of configuration.assignments) {
    const row = findKey(assignment.key);
    if (row === undefined || row.isReloadable) continue;
    values.set(nameOf(assignment), assignment.value);
  }
  return values;
}

function nameOf(assignment: Assignment): string {
  if (assignment.key === 'listener') return `listener ${assignment.listener}`;
  return assignment.listener === undefined ? assignment.key : `${assignment.key} of listener ${assignment.listener}`;
}

/**
 * For each listener that is open, in the order they were opened, what a changed configuration says about it; a listener that it
 * does not name any more keeps what it has.
 */
export function matchListeners(
  open: readonly ListenerConfiguration[],
  after: BrokerConfiguration,
): readonly ListenerConfiguration[] {
  const byName = new Map(after.listeners.map((listener) => [listenerName(listener), listener]));
  return open.map((listener) => byName.get(listenerName(listener)) ?? listener);
}
