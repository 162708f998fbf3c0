/** Topics given on the command line: checked before anything is sent. */
import { isTopicFilter, isTopicName } from '../../protocol/topics.ts';
import type { Argument } from './argument.ts';

/** What is wrong with a Topic Name, ready to be printed; undefined if nothing is. `use` is `publish`, `response` or `will`. */
export function topicNameFault(argument: Argument, option: string, use: string): string | undefined {
  if (!argument.isMqttString) return `Error: Malformed UTF-8 in ${option} argument.\n\n`;
  if (isTopicName(argument.text)) return undefined;
  return `Error: Invalid ${use} topic '${argument.text}', does it contain '+' or '#'?\n`;
}

/** What is wrong with a Topic Filter. `use` is `subscription`, `filter` or `unsubscribe`. */
export function topicFilterFault(argument: Argument, option: string, use: string): string | undefined {
  if (!argument.isMqttString) return `Error: Malformed UTF-8 in ${option} argument.\n\n`;
  if (isTopicFilter(argument.text)) return undefined;
  return `Error: Invalid ${use} topic '${argument.text}', are all '+' and '#' wildcards correct?\n`;
}
