/** Topic Names that clients may not publish to. [MQTT 5.0 §4.7.2] */
import { matchesFilter } from '../protocol/topics.ts';

/** Where bridges say whether they are connected, by a retained message and their will; mosquitto.conf(5), `notifications`. */
const bridgeStateFilter = '$SYS/broker/connection/+/state';

/**
 * Whether it begins with `$SYS`, which is the broker's own but for the state of bridges, with `$clearwing`, which is, too, or with `$share`, which only a
 * Topic Filter may.
 */
export function isReservedTopic(topicName: string): boolean {
  if (!topicName.startsWith('$')) return false;
  if (topicName.startsWith('$clearwing')) return true;
  if (topicName.startsWith('$SYS')) return !matchesFilter(topicName, bridgeStateFilter);
  return topicName.startsWith('$share');
}
