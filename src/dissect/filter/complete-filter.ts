/** What could be written at a place of a filter: for shells, and for the console while somebody types. */
import { FilterSyntaxError } from '../../protocol/errors.ts';
import type { FieldDescriptor } from '../field.ts';
import type { FieldRegistry } from './field-values.ts';
import { functions } from './functions.ts';
import { Lexer } from './lexer.ts';
import { valueNames } from './literals.ts';
import type { Token } from './token.ts';
import { canCalculate, canSearch, kindOf, typeName, type ValueKind } from './value-kind.ts';

export interface Completion {
  /** As it is to be put in. */
  readonly text: string;
  readonly kind: 'field' | 'function' | 'operator' | 'value';
  /** One line of explanation. */
  readonly about: string;
}

export interface Completions {
  /** What the chosen text takes the place of: from this column up to `to`. */
  readonly from: number;
  readonly to: number;
  /** Best first; at most `completionsMax`. */
  readonly items: readonly Completion[];
}

export const completionsMax = 100;

/** Where a filter stands after some of its tokens. */
interface Place {
  readonly expects: 'subject' | 'operator' | 'value' | 'field' | 'set' | 'conjunction' | 'nothing';
  /** The field that the relation began with. */
  readonly subject: FieldDescriptor | undefined;
}

const comparisons: ReadonlyArray<readonly [string, string]> = [
  ['==', 'any value is equal'],
  ['!=', 'no value is equal'],
  ['>', 'greater than'],
  ['<', 'less than'],
  ['>=', 'greater than or equal'],
  ['<=', 'less than or equal'],
  ['===', 'all values are equal'],
  ['!==', 'some value is not equal'],
  ['in', 'is in a set, as in {1, 3..5}'],
  ['not in', 'is not in a set'],
];
const conjunctions: ReadonlyArray<readonly [string, string]> = [
  ['and', 'both hold'],
  ['or', 'at least one holds'],
  ['xor', 'exactly one holds'],
];

/** @param cursor - the column from which on text is to be put in; what stands behind it is left alone, but for the rest of a word */
export function completeFilter(text: string, cursor: number, registry: FieldRegistry): Completions {
  const before = text.slice(0, Math.max(0, cursor));
  const begun = /(?:"[^"\\]*|[A-Za-z0-9_][A-Za-z0-9_.-]*|[=!<>~&|]+)$/.exec(before)?.[0] ?? '';
  const from = before.length - begun.length;
  const rest = /^[A-Za-z0-9_.-]/.test(begun) ? /^[A-Za-z0-9_.-]*/.exec(text.slice(before.length))![0].length : 0;
  const tokens = readTokens(text.slice(0, from));
  const items = tokens === undefined ? [] : complete(findPlace(tokens, registry), begun, registry);
  return { from, to: before.length + rest, items: items.slice(0, completionsMax) };
}

/** undefined if there is something before the place that is no token, such as a string without an end. */
function readTokens(text: string): Token[] | undefined {
  try {
    const lexer = new Lexer(text);
    const tokens: Token[] = [];
    for (let token = lexer.next(); token.kind !== 'end'; token = lexer.next()) tokens.push(token);
    return tokens;
  } catch (error) {
    if (error instanceof FilterSyntaxError) return undefined;
    throw error;
  }
}

function findPlace(tokens: readonly Token[], registry: FieldRegistry): Place {
  let expects: Place['expects'] = 'subject';
  let subject: FieldDescriptor | undefined;
  let isRelated = false;
  let isInSet = false;
  /** What was before each parenthesis: a function or not. */
  const opened: boolean[] = [];
  let previous: Token | undefined;
  const afterOperand = () => (isInSet ? 'nothing' : isRelated ? 'conjunction' : 'operator');
  for (const token of tokens) {
    const meaning = token.kind === 'operator' ? token.meaning : undefined;
    if (meaning === undefined) {
      if (token.kind === 'value' && !isRelated && opened.every((isCall) => !isCall)) {
        subject = 'text' in token.operand ? registry.find(token.operand.text)?.[0] : undefined;
      }
      expects = afterOperand();
    } else if (['and', 'or', 'xor'].includes(meaning) || (meaning === 'not' && expects === 'subject')) {
      expects = 'subject';
      subject = undefined;
      isRelated = false;
    } else if (meaning === 'any' || meaning === 'all') {
      expects = 'field';
    } else if (meaning === '(') {
      const isCall = previous?.kind === 'value';
      opened.push(isCall);
      expects = isCall ? 'field' : 'subject';
      if (isCall && !isRelated) subject = undefined;
    } else if (meaning === ')') {
      if (opened.pop() === true) expects = afterOperand();
      else expects = 'conjunction';
    } else if (meaning === 'in') {
      expects = 'set';
      isRelated = true;
    } else if (meaning === '{') {
      isInSet ||= expects === 'set';
      expects = isInSet ? 'value' : 'field';
    } else if (meaning === '}') {
      isInSet = false;
      expects = afterOperand();
    } else if (meaning === ',' || meaning === '..') {
      expects = isInSet ? 'value' : 'field';
    } else if (meaning === 'not') {
      expects = 'operator';
    } else if (['+', '-', '*', '/', '%', '&'].includes(meaning)) {
      expects = 'field';
    } else {
      expects = 'value';
      isRelated = true;
    }
    previous = token;
  }
  return { expects, subject };
}

function complete({ expects, subject }: Place, begun: string, registry: FieldRegistry): Completion[] {
  switch (expects) {
    case 'subject':
      return [
        ...completeFields(begun, registry, undefined),
        ...completeFunctions(begun),
        ...completeWords(begun, [
          ['not', 'does not hold'],
          ['any', 'some value of a field'],
          ['all', 'every value of a field'],
        ]),
      ];
    case 'field':
      return [...completeFields(begun, registry, undefined), ...completeFunctions(begun)];
    case 'value':
      return [
        ...completeValues(begun, subject),
        ...(begun.startsWith('"') || begun === ''
          ? []
          : completeFields(begun, registry, subject && kindOf(subject.type))),
      ];
    case 'operator':
      return completeWords(begun, [...operatorsOf(subject), ...conjunctions]);
    case 'conjunction':
      return completeWords(begun, conjunctions);
    case 'set':
      return completeWords(begun, [['{', 'a set: values and ranges between braces']]);
    case 'nothing':
      return [];
  }
}

function operatorsOf(subject: FieldDescriptor | undefined): ReadonlyArray<readonly [string, string]> {
  if (subject?.type === 'none') return [];
  const kind = subject === undefined ? undefined : kindOf(subject.type);
  const list = [...comparisons];
  if (kind === undefined || canSearch(kind)) {
    list.push(
      ['contains', 'has these characters or bytes in it'],
      ['matches', 'matches a regular expression, whatever the case'],
    );
  }
  if (subject === undefined || canCalculate('&', subject.type)) list.push(['&', 'has these bits set']);
  return list;
}

function completeWords(begun: string, words: ReadonlyArray<readonly [string, string]>): Completion[] {
  return words
    .filter(([word]) => word.startsWith(begun))
    .map(([text, about]) => ({ text, kind: text === '{' ? 'value' : 'operator', about }));
}

function completeFunctions(begun: string): Completion[] {
  return Object.entries(functions)
    .filter(([name]) => name.startsWith(begun))
    .map(([name, { about }]) => ({ text: `${name}(`, kind: 'function', about }));
}

/** Names that begin so, then names of which a later part does. */
function completeFields(begun: string, registry: FieldRegistry, kind: ValueKind | undefined): Completion[] {
  const wanted = begun.toLowerCase();
  const first: string[] = [];
  const then: string[] = [];
  for (const name of registry.names()) {
    if (name.startsWith(wanted)) first.push(name);
    else if (wanted !== '' && name.includes(`.${wanted}`)) then.push(name);
  }
  const items: Completion[] = [];
  for (const name of [...first.sort(), ...then.sort()]) {
    const field = registry.find(name)?.[0];
    if (field === undefined || (kind !== undefined && kindOf(field.type) !== kind)) continue;
    items.push({ text: name, kind: 'field', about: field.about ?? `${field.label}: ${typeName(field.type)}` });
    if (items.length >= completionsMax) break;
  }
  return items;
}

function completeValues(begun: string, subject: FieldDescriptor | undefined): Completion[] {
  const names = subject === undefined ? undefined : valueNames(subject);
  if (names === undefined) return [];
  const wanted = begun.replace(/^"/, '').toLowerCase();
  return Object.entries(names)
    .filter(([value, name]) => name.toLowerCase().startsWith(wanted) || value === wanted)
    .map(([value, name]) => ({ text: quote(name), kind: 'value', about: `${subject!.label} ${value}` }));
}

function quote(text: string): string {
  return `"${text.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`;
}
