/**
 * Topic Names, Topic Filters and how they match. [MQTT 5.0 §4.7, §4.8.2]
 *
 * A filter is levels parted by `/`; `+` stands for one whole level, `#` for all levels from there on and the one above. Names have
 * no wildcards. Plain functions on strings: they allocate nothing but what they return.
 */
import { isWellFormed, utf8Length } from '../base/bytes.ts';

/** The longest Topic Name or Topic Filter, in bytes of UTF-8. [MQTT-4.7.3-3] */
export const topicBytesMax = 65_535;

const slash = 0x2f;
const plus = 0x2b;
const hash = 0x23;
const dollar = 0x24;

/**
 * Whether `text` can be a Topic Name: 1–65,535 bytes of well-formed UTF-8 [MQTT-4.7.3-1] [MQTT-4.7.3-3], no wildcard characters
 * [MQTT-4.7.0-1], no U+0000 [MQTT-4.7.3-2].
 */
export function isTopicName(text: string): boolean {
  let isAscii = true;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit === plus || unit === hash || unit === 0) return false;
    if (unit > 0x7f) isAscii = false;
  }
  return fits(text, isAscii);
}

/**
 * Whether `text` can be a Topic Filter: as a Topic Name, and wildcards where they may be: `+` as a whole level [MQTT-4.7.1-2], `#` as
 * the whole last level [MQTT-4.7.1-1]. A Shared Subscription's `$share/name/filter` passes as the ordinary filter it also is; see
 * `parseSharedFilter`.
 */
export function isTopicFilter(text: string): boolean {
  let isAscii = true;
  const last = text.length - 1;
  for (let index = 0; index <= last; index++) {
    const unit = text.charCodeAt(index);
    if (unit === plus || unit === hash) {
      if (index > 0 && text.charCodeAt(index - 1) !== slash) return false;
      if (index < last && (unit === hash || text.charCodeAt(index + 1) !== slash)) return false;
    } else if (unit === 0) {
      return false;
    } else if (unit > 0x7f) {
      isAscii = false;
    }
  }
  return fits(text, isAscii);
}

function fits(text: string, isAscii: boolean): boolean {
  if (text.length === 0 || text.length > topicBytesMax) return false;
  return isAscii || (utf8Length(text) <= topicBytesMax && isWellFormed(text));
}

/** The two parts of `$share/{shareName}/{topicFilter}`. */
export interface SharedFilter {
  readonly shareName: string;
  /** Without the `$share/{shareName}/` in front. */
  readonly topicFilter: string;
}

const sharePrefix = '$share/';

/**
 * Takes the filter of a Shared Subscription apart. `undefined` if `text` does not begin with `$share/`, and so is an ordinary filter;
 * `'invalid'` if it does, but the ShareName is empty or has a wildcard character [MQTT-4.8.2-1], no `/` follows it, or what follows
 * is no Topic Filter [MQTT-4.8.2-2].
 */
export function parseSharedFilter(text: string): SharedFilter | 'invalid' | undefined {
  if (!text.startsWith(sharePrefix)) return undefined;
  const nameEnd = text.indexOf('/', sharePrefix.length);
  if (nameEnd < 0 || utf8Length(text) > topicBytesMax) return 'invalid';
  const shareName = text.slice(sharePrefix.length, nameEnd);
  const topicFilter = text.slice(nameEnd + 1);
  return isTopicName(shareName) && isTopicFilter(topicFilter) ? { shareName, topicFilter } : 'invalid';
}

/**
 * Whether a Topic Filter matches a Topic Name, both valid. `a/#` matches `a` too; a leading wildcard does not match a name that begins
 * with `$` [MQTT-4.7.2-1]; otherwise character by character, with case [MQTT-4.7.3-4].
 */
export function matchesFilter(topicName: string, topicFilter: string): boolean {
  const first = topicFilter.charCodeAt(0);
  if ((first === plus || first === hash) && topicName.charCodeAt(0) === dollar) return false;
  const nameLength = topicName.length;
  const filterLength = topicFilter.length;
  let inName = 0;
  let inFilter = 0;
  while (inFilter < filterLength) {
    const unit = topicFilter.charCodeAt(inFilter);
    if (unit === hash) return true;
    if (unit === plus) {
      while (inName < nameLength && topicName.charCodeAt(inName) !== slash) inName++;
      inFilter++;
      continue;
    }
    if (inName === nameLength) {
      // The name is used up: only `/#` may be left of the filter, which includes the parent level.
      return unit === slash && inFilter + 2 === filterLength && topicFilter.charCodeAt(inFilter + 1) === hash;
    }
    if (unit !== topicName.charCodeAt(inName)) return false;
    inName++;
    inFilter++;
  }
  return inName === nameLength;
}

/** The levels of a Topic Name or Topic Filter; an empty level is one, too: `/a` has two. */
export function topicLevels(text: string): string[] {
  return text.split('/');
}
