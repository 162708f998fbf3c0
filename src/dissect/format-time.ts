/** Times as trees and fields write them. */
import { zoneName } from '../base/strftime.ts';
import type { TimeValue } from './field.ts';

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** `Nov 21, 2026 10:49:37.972886000 UTC`, in local time. */
export function formatAbsoluteTime(time: TimeValue): string {
  const date = new Date(time.seconds * 1000);
  if (Number.isNaN(date.getTime())) return 'Not representable';
  const day = `${months[date.getMonth()]} ${pad(date.getDate(), 2, ' ')}, ${date.getFullYear()}`;
  const clock = `${pad(date.getHours(), 2)}:${pad(date.getMinutes(), 2)}:${pad(date.getSeconds(), 2)}`;
  return `${day} ${clock}.${pad(time.nanoseconds, 9)} ${zoneName(date)}`;
}

/** `0.000300000`, `-1.500000000`. */
export function formatSeconds(time: TimeValue): string {
  const isNegative = time.seconds < 0 || time.nanoseconds < 0;
  return `${isNegative ? '-' : ''}${Math.abs(time.seconds)}.${pad(Math.abs(time.nanoseconds), 9)}`;
}

function pad(value: number, width: number, fill = '0'): string {
  return String(value).padStart(width, fill);
}
