/** Finds what a mistyped word was meant to be. */

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

/** Edits between two words, by rows of the classic table; a swap looks back two rows. */
function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1];
      let distance = Math.min(
        previous[column]! + 1,
        current[column - 1]! + 1,
        previous[column - 1]! + (isSame ? 0 : 1),
      );
      const isSwap = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (isSwap) distance = Math.min(distance, beforePrevious[column - 2]! + 1);
      current.push(distance);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[to.length]!;
}
