/** Numbers as people type them. */

/** A whole number in decimal digits with a sign if it has one; undefined for anything else. */
export function wholeNumber(text: string): number | undefined {
  return /^\s*[-+]?\d+\s*$/.test(text) ? Number(text) : undefined;
}

/** As `wholeNumber`, or hexadecimal with `0x`, or octal with a leading 0, as C reads them. */
export function wholeNumberOfAnyBase(text: string): number | undefined {
  const match = /^\s*([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.exec(text);
  if (match === null) return undefined;
  const [, sign, digits = ''] = match;
  const isOctal = /^0[0-7]+$/.test(digits);
  const magnitude = isOctal ? Number.parseInt(digits, 8) : Number(digits);
  return sign === '-' ? -magnitude : magnitude;
}

/** A decimal number; undefined for anything else. */
export function decimalNumber(text: string): number | undefined {
  return /^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$/.test(text) ? Number(text) : undefined;
}
