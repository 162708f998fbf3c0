/** Reads what stands behind a key, as the key's row says. */
import type { ValueForm } from './key-row.ts';

/** What a value says; `ignored` is text behind it that means nothing. */
export interface ReadValue {
  readonly value: boolean | number | string | readonly string[];
  readonly ignored: string;
}

/** Seconds per unit of a duration; a month has 30 days and a year 365, as in Mosquitto. */
const durationUnits: Readonly<Record<string, number>> = {
  s: 1,
  h: 3600,
  d: 86_400,
  w: 7 * 86_400,
  m: 30 * 86_400,
  y: 365 * 86_400,
};
const durationSecondsMax = 100 * 365 * 86_400;

/** Reads a value, which is not empty. Undefined if it is not of the form. */
export function readValue(form: ValueForm, text: string): ReadValue | undefined {
  if (form.form === 'text' || form.form === 'special') {
    const value = form.form === 'text' && form.isList ? words(text) : text;
    return { value, ignored: '' };
  }
  const [word, rest] = splitWord(text);
  // Mosquitto looks at the first word only, so people have come to write comments behind it.
  const ignored = rest.startsWith('#') ? '' : rest;
  const value = readWord(form, word);
  return value === undefined ? undefined : { value, ignored };
}

function readWord(form: ValueForm, word: string): boolean | number | string | undefined {
  switch (form.form) {
    case 'boolean':
      return word === 'true' || word === '1' ? true : word === 'false' || word === '0' ? false : undefined;
    case 'integer': {
      if (!/^[+-]?\d{1,16}$/.test(word)) return undefined;
      const value = Number(word);
      if (value < form.min) return form.clampsBelow ? form.min : undefined;
      return value > form.max ? undefined : value;
    }
    case 'choice':
      return form.choices.includes(word) ? word : undefined;
    case 'duration': {
      const match = /^(\d{1,16})([shdwmy])$/.exec(word);
      if (match === null) return undefined;
      const seconds = Number(match[1]) * durationUnits[match[2]!]!;
      return seconds < 1 || seconds > durationSecondsMax ? undefined : seconds;
    }
    default:
      return undefined;
  }
}

/** What a value must be, to follow the word “expected”. */
export function expectation(form: ValueForm): string {
  switch (form.form) {
    case 'boolean':
      return 'true or false';
    case 'integer': {
      const unit = form.unit === undefined ? '' : ` of ${form.unit}`;
      if (form.min === Number.MIN_SAFE_INTEGER) return `a whole number${unit}`;
      return `a whole number${unit} from ${form.min} to ${form.max}`;
    }
    case 'choice':
      return form.choices.length === 2 ? form.choices.join(' or ') : `one of ${form.choices.join(', ')}`;
    case 'duration':
      return 'a whole number and a unit from 1s to 100y: s, h, d, w, m or y, such as 14d';
    default:
      return form.placeholder;
  }
}

/** The first word of a text without blanks around it, and what follows. */
export function splitWord(text: string): readonly [word: string, rest: string] {
  const end = text.search(/[ \t]/);
  return end < 0 ? [text, ''] : [text.slice(0, end), text.slice(end).trim()];
}

/** The words of a text. */
export function words(text: string): string[] {
  return text.split(/[ \t]+/).filter((word) => word !== '');
}
