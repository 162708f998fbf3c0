/** Payload bytes as hexadecimal digits. */

const lowerCase = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const upperCase = lowerCase.map((digits) => digits.toUpperCase());

/** Two digits per byte, without anything between them; lower case unless `letterCase` says otherwise. */
export function hexDigits(bytes: Uint8Array, letterCase: 'lower' | 'upper' = 'lower'): string {
  const digits = letterCase === 'upper' ? upperCase : lowerCase;
  let text = '';
  for (const byte of bytes) text += digits[byte]!;
  return text;
}

/** Digits in groups of `size` from the left, a separator between two groups: `groupDigits('01aabb', 2, ':')` is `01:aa:bb`. */
export function groupDigits(digits: string, size: number, separator: string): string {
  if (size < 1) return digits;
  let text = digits.slice(0, size);
  for (let start = size; start < digits.length; start += size) text += separator + digits.slice(start, start + size);
  return text;
}
