/** What the JSON forms begin each frame with. */
import type { Frame } from '../../capture/frame.ts';

/** `packets-2026-11-21`: the index that a document goes to, by the local date of its frame. */
export function indexName({ seconds }: Frame): string {
  const date = new Date(seconds * 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `packets-${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
