/** Sets of characters, as regular expressions use them: ranges of code points. */

/** First and last code point. */
export type CharacterRange = readonly [number, number];

const last = 0x10ffff;
const blank: readonly CharacterRange[] = [
  [0x09, 0x09],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x180e, 0x180e],
  [0x2000, 0x200a],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
];
const digit: readonly CharacterRange[] = [[0x30, 0x39]];
const upper: readonly CharacterRange[] = [[0x41, 0x5a]];
const lower: readonly CharacterRange[] = [[0x61, 0x7a]];
const word: readonly CharacterRange[] = [...digit, ...upper, [0x5f, 0x5f], ...lower];
const space: readonly CharacterRange[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
];
const vertical: readonly CharacterRange[] = [
  [0x0a, 0x0d],
  [0x85, 0x85],
  [0x2028, 0x2029],
];

/** By the letter of their escape; capitals mean the rest. */
const escapes: Readonly<Record<string, readonly CharacterRange[]>> = {
  d: digit,
  w: word,
  s: space,
  h: blank,
  v: vertical,
};

/** By their names in `[[:alpha:]]`. */
const named: Readonly<Record<string, readonly CharacterRange[]>> = {
  alnum: [...digit, ...upper, ...lower],
  alpha: [...upper, ...lower],
  ascii: [[0, 0x7f]],
  blank: [
    [0x09, 0x09],
    [0x20, 0x20],
  ],
  cntrl: [
    [0, 0x1f],
    [0x7f, 0x7f],
  ],
  digit,
  graph: [[0x21, 0x7e]],
  lower,
  print: [[0x20, 0x7e]],
  punct: [
    [0x21, 0x2f],
    [0x3a, 0x40],
    [0x5b, 0x60],
    [0x7b, 0x7e],
  ],
  space,
  upper,
  word,
  xdigit: [...digit, [0x41, 0x46], [0x61, 0x66]],
};

/** What `\d`, `\W` and so on stand for; undefined if the letter is none of them. */
export function escapedSet(letter: string): readonly CharacterRange[] | undefined {
  const small = letter.toLowerCase();
  if (!Object.hasOwn(escapes, small)) return undefined;
  const ranges = escapes[small]!;
  return letter === small ? ranges : complement(ranges);
}

/** What `[:alpha:]` and `[:^alpha:]` stand for. */
export function namedSet(name: string): readonly CharacterRange[] | undefined {
  const isNegated = name.startsWith('^');
  const bare = isNegated ? name.slice(1) : name;
  if (!Object.hasOwn(named, bare)) return undefined;
  return isNegated ? complement(named[bare]!) : named[bare]!;
}

function complement(ranges: readonly CharacterRange[]): CharacterRange[] {
  const sorted = [...ranges].sort((left, right) => left[0] - right[0]);
  const rest: CharacterRange[] = [];
  let next = 0;
  for (const [first, end] of sorted) {
    if (first > next) rest.push([next, first - 1]);
    next = Math.max(next, end + 1);
  }
  if (next <= last) rest.push([next, last]);
  return rest;
}

/** With the other case of every ASCII letter, and of single characters. */
export function withBothCases(ranges: readonly CharacterRange[]): CharacterRange[] {
  const all: CharacterRange[] = [...ranges];
  for (const [first, end] of ranges) {
    if (first <= 0x7a && end >= 0x61) all.push([Math.max(first, 0x61) - 0x20, Math.min(end, 0x7a) - 0x20]);
    if (first <= 0x5a && end >= 0x41) all.push([Math.max(first, 0x41) + 0x20, Math.min(end, 0x5a) + 0x20]);
    if (first !== end || first < 0x80) continue;
    const character = String.fromCodePoint(first);
    for (const other of [character.toLowerCase(), character.toUpperCase()]) {
      const code = other.codePointAt(0)!;
      if (other.length === String.fromCodePoint(code).length) all.push([code, code]);
    }
  }
  return all;
}

/** As it may stand in a JavaScript class with the `u` flag. */
export function formatRange([first, end]: CharacterRange): string {
  return first === end ? formatCharacter(first) : `${formatCharacter(first)}-${formatCharacter(end)}`;
}

export function formatCharacter(code: number): string {
  const isPlain = (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
  return isPlain ? String.fromCharCode(code) : `\\u{${code.toString(16)}}`;
}
