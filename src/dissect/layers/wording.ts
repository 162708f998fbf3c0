/** Small wordings that several layers share. */
import type { ValueNames } from '../field.ts';

/** Of flags. */
export const setOrNot: ValueNames = { 0: 'Not set', 1: 'Set' };

export const yesOrNo: ValueNames = { 0: 'No', 1: 'Yes' };

/** Of checksums; ours are never verified, as the network card of the capturing machine computes them late. */
export const checksumStates: ValueNames = { 0: 'Bad', 1: 'Good', 2: 'Unverified', 3: 'Not present', 4: 'Illegal' };
export const unverified = 2;

/** `1 byte`, `2 bytes`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
