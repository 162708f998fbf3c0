/** The lines of an export, one JSON object each; docs/reference/store.md describes them. */
import type { OutboundState } from '../../exchange/outbound-exchange.ts';

export const exportFormat = 'clearwing store';
export const exportVersion = 1;

/** Bytes of a payload up to which it is given as text, too, if it is text. */
export const textBytesMax = 65_536;

/** What a delivery's state is called in an export. */
export const stateNames: Readonly<Record<Exclude<OutboundState, 'done'>, string>> = {
  idle: 'queued',
  'awaiting-puback': 'awaiting-puback',
  'awaiting-pubrec': 'awaiting-pubrec',
  'awaiting-pubcomp': 'awaiting-pubcomp',
};
