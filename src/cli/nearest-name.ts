/** Finds what a mistyped word was meant to be. */
import { editDistance } from '../base/edit-distance.ts';

/**
 * The candidate that the word begins with (`publish` for `pub`), or else the one that takes the fewest edits to reach
 * (letters put in, left out, changed, or two neighbours swapped), for a "did you mean". Undefined if none is near: more than
 * two edits away, or more than half of the word would change.
 */
export function nearestName(word: string, candidates: readonly string[]): string | undefined {
  const shortForm = candidates.find((candidate) => candidate.length > 1 && word.startsWith(candidate));
  if (shortForm !== undefined) return shortForm;
  let nearest: string | undefined;
  let distanceMin = Math.min(2, Math.floor(word.length / 2)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word, candidate);
    if (distance >= distanceMin) continue;
    nearest = candidate;
    distanceMin = distance;
  }
  return nearest;
}
