/** What a configuration file and the command line come to. */
import { defaultLoggingSettings, type LoggingSettings } from '../logging/settings.ts';
import {
  type BrokerSettings,
  defaultBrokerSettings,
  defaultListenerSettings,
  type ListenerSettings,
} from '../options.ts';
import type { Durability } from '../persistence/lmdb.ts';

/** Access control, of the whole broker or of one listener. */
export interface SecuritySettings {
  /** `allow_anonymous`: clients without user name may connect. Default true if local only, otherwise false. */
  readonly allowAnonymous: boolean;
  /** `password_file`: path; undefined if there is none. */
  readonly passwordFile: string | undefined;
  /** `acl_file`: path; undefined if there is none. */
  readonly aclFile: string | undefined;
}

/** What outlives the process. */
export interface PersistenceSettings {
  /** `persistence`. Default false. */
  readonly isEnabled: boolean;
  /** `persistence_location`: where the store's own directory, `storeDirectoryName`, is. Default `.`. */
  readonly location: string;
  /** `durability`. Default strict. */
  readonly durability: Durability;
}

/** Recording what happens to a file. */
export interface CaptureSettings {
  /** `capture_file`: path; undefined if nothing is recorded. */
  readonly file: string | undefined;
  /** `capture_filter`: a display filter; undefined records everything. */
  readonly filter: string | undefined;
  /** `capture_file_size`: bytes after which another file is begun; 0 never. Default 0. */
  readonly fileBytes: number;
  /** `capture_files`: how many are kept; 0 all. Default 0. */
  readonly fileCount: number;
}

export interface ListenerConfiguration extends ListenerSettings {
  /** Its own if `per_listener_settings` is true, otherwise the broker's (the same object). */
  readonly security: SecuritySettings;
}

/** A key with its value and where it stands, for messages and for comparing one configuration with the next. */
export interface Assignment {
  readonly key: string;
  readonly value: string;
  readonly file: string;
  /** Counts from 1. */
  readonly line: number;
  /** `listenerName` of the listener that the key belongs to; undefined for general keys. */
  readonly listener: string | undefined;
}

export interface BrokerConfiguration {
  /** The main file; undefined if none was given. */
  readonly file: string | undefined;
  readonly settings: BrokerSettings;
  /** At least one. */
  readonly listeners: readonly ListenerConfiguration[];
  readonly security: SecuritySettings;
  readonly perListenerSettings: boolean;
  readonly logging: LoggingSettings;
  readonly persistence: PersistenceSettings;
  readonly capture: CaptureSettings;
  /** `pid_file` */
  readonly pidFile: string | undefined;
  /** `user`: whom to become if started by root. Default `mosquitto`. */
  readonly user: string;
  /** No listener is defined, so only clients on this machine can connect. */
  readonly isLocalOnly: boolean;
  /** One line each, naming key, file and line. */
  readonly warnings: readonly string[];
  /** Files that were read, in this order. */
  readonly files: readonly string[];
  readonly assignments: readonly Assignment[];
}

export const defaultSecuritySettings: SecuritySettings = {
  allowAnonymous: false,
  passwordFile: undefined,
  aclFile: undefined,
};

export const defaultPersistenceSettings: PersistenceSettings = {
  isEnabled: false,
  location: '.',
  durability: 'strict',
};

export const defaultCaptureSettings: CaptureSettings = {
  file: undefined,
  filter: undefined,
  fileBytes: 0,
  fileCount: 0,
};

/** The store's directory in `persistence_location`. */
export const storeDirectoryName = 'clearwing.db';

export const defaultUser = 'mosquitto';
export const defaultPort = 1883;

/** How messages name a listener, and what tells two of them apart: `1883`, `1883 ::1`, `/run/mqtt.sock`, `1883 local`. */
export function listenerName(listener: ListenerSettings): string {
  if (listener.unixPath !== undefined) return listener.unixPath;
  return listener.host === undefined ? String(listener.port) : `${listener.port} ${listener.host}`;
}

export { defaultBrokerSettings, defaultListenerSettings, defaultLoggingSettings };
