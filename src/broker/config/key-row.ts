/** One row of the table of configuration keys, from which the parser and docs/reference/configuration.md are made. */
import type { LoggingSettings } from '../logging/settings.ts';
import type { BrokerSettings, ListenerSettings } from '../options.ts';
import type { CaptureSettings, PersistenceSettings, SecuritySettings } from './configuration.ts';

/** What may stand behind a key. */
export type ValueForm =
  /** `true`, `1`, `false` or `0`. */
  | { readonly form: 'boolean' }
  /** A decimal number within `min` and `max`, both allowed; if `clampsBelow` is set, anything below `min` counts as `min`. */
  | {
      readonly form: 'integer';
      readonly min: number;
      readonly max: number;
      readonly unit?: string;
      readonly clampsBelow?: true;
    }
  /** The rest of the line, without the blanks around it; may be given once. `list`: words, each an element. */
  | { readonly form: 'text'; readonly placeholder: string; readonly isList?: true }
  | { readonly form: 'choice'; readonly choices: readonly string[] }
  /** A whole number and a unit: `s`, `h`, `d`, `w`, `m` (30 days) or `y` (365 days). */
  | { readonly form: 'duration' }
  /** Read by code of its own in `parser.ts`. */
  | { readonly form: 'special'; readonly placeholder: string };

/** Where the value goes. */
export type Target =
  | { readonly in: 'broker'; readonly field: keyof BrokerSettings }
  | { readonly in: 'listener'; readonly field: keyof ListenerSettings }
  | { readonly in: 'security'; readonly field: keyof SecuritySettings }
  | { readonly in: 'logging'; readonly field: keyof LoggingSettings }
  | { readonly in: 'persistence'; readonly field: keyof PersistenceSettings }
  | { readonly in: 'capture'; readonly field: keyof CaptureSettings }
  | { readonly in: 'process'; readonly field: 'pidFile' | 'user' };

/**
 * `general`: once for the whole broker. `listener`: for the listener above it, or the default listener if there is none above.
 * `security`: as `listener` if `per_listener_settings` is true, otherwise as `general`. `bridge` and `plugin`: for the
 * `connection` or plugin above.
 */
export type KeyScope = 'general' | 'listener' | 'security' | 'bridge' | 'plugin';

/** `works`; `no effect` for keys that are read and then left alone, with a warning; `obsolete` for those of past releases of Mosquitto. */
export type KeyState = 'works' | 'no effect' | 'obsolete';

/** Which chapter of the documentation the key stands in. */
export type KeyGroup =
  | 'general'
  | 'limits'
  | 'logging'
  | 'access'
  | 'listeners'
  | 'tls'
  | 'store'
  | 'capture'
  | 'bridges'
  | 'plugins'
  | 'obsolete';

export interface KeyRow {
  /** As written in the file; one that ends in `*` stands for every key that begins so. */
  readonly key: string;
  readonly group: KeyGroup;
  readonly scope: KeyScope;
  readonly value: ValueForm;
  /** For the documentation, if it cannot be taken from the defaults of `target`. */
  readonly default?: string;
  /** Whether a change takes effect on SIGHUP. */
  readonly isReloadable: boolean;
  readonly state: KeyState;
  readonly meaning: string;
  /** Undefined for keys that have no effect and for those that `parser.ts` reads itself. */
  readonly target?: Target;
  /** Who knows the key; undefined for Mosquitto 2.0. */
  readonly origin?: 'Clearwing' | 'Mosquitto 2.1';
  /** The row that the key is another name for. */
  readonly aliasOf?: string;
}

export const boolean: ValueForm = { form: 'boolean' };
export const duration: ValueForm = { form: 'duration' };

export function integer(min: number, max: number, unit?: string): ValueForm {
  return unit === undefined ? { form: 'integer', min, max } : { form: 'integer', min, max, unit };
}

/** An integer for which Mosquitto takes everything below the smallest value as that value. */
export function clampedInteger(min: number, max: number, unit?: string): ValueForm {
  return { ...integer(min, max, unit), clampsBelow: true } as ValueForm;
}

export function text(placeholder: string): ValueForm {
  return { form: 'text', placeholder };
}

export function choice(...choices: string[]): ValueForm {
  return { form: 'choice', choices };
}

export function special(placeholder: string): ValueForm {
  return { form: 'special', placeholder };
}

/** The largest count or number of bytes a key takes. */
export const countMax = 2_147_483_647;
