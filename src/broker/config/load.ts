/** Makes a broker's configuration of files and command line. */
import {
  type Assignment,
  type BrokerConfiguration,
  defaultBrokerSettings,
  defaultCaptureSettings,
  defaultListenerSettings,
  defaultLoggingSettings,
  defaultPersistenceSettings,
  defaultPort,
  defaultUser,
  type ListenerConfiguration,
  listenerName,
  type SecuritySettings,
} from './configuration.ts';
import { describePlace } from './lines.ts';
import { type ListenerDraft, type ParsedFiles, parseConfigurationFiles } from './parser.ts';

export interface CommandLine {
  /** `-p`: ports of local-only listeners, if the file defines none. */
  readonly ports?: readonly number[];
  /** `--data`: switches persistence on, and says where. */
  readonly data?: string | undefined;
}

/**
 * Reads a configuration file with all it includes; `undefined` stands for none. What no file says has its default. Without any
 * listener the broker is local only: it listens on 127.0.0.1 and ::1, and clients need no user name. [mosquitto(8) -p]
 * @throws {ConfigurationError} if a file cannot be read or a line cannot be used
 */
export function loadConfiguration(file: string | undefined, commandLine: CommandLine = {}): BrokerConfiguration {
  const parsed = parseConfigurationFiles(file);
  const warnings = [...parsed.warnings];
  const opensDefault = defaultListenerIsOpened(parsed, warnings);
  const isLocalOnly = parsed.listeners.length === 0 && !opensDefault;
  const ports = commandLine.ports ?? [];
  if (!isLocalOnly && ports.length > 0) {
    warnings.push(`-p ${ports.join(' -p ')} is ignored: ${file} defines listeners.`);
  }

  const security: SecuritySettings = {
    allowAnonymous: isLocalOnly,
    passwordFile: undefined,
    aclFile: undefined,
    ...parsed.security,
  };
  const make = (draft: ListenerDraft, address: Partial<ListenerConfiguration> = {}): ListenerConfiguration => ({
    ...defaultListenerSettings,
    port: defaultPort,
    ...parsed.forAllListeners,
    ...draft.settings,
    ...address,
    security: securityOf(draft, parsed, security, isLocalOnly),
  });
  const listeners = parsed.listeners.map((draft) => make(draft));
  if (isLocalOnly) {
    for (const port of ports.length > 0 ? new Set(ports) : [defaultPort]) {
      listeners.push(make(parsed.defaultListener, { port, host: 'local' }));
    }
  } else if (opensDefault) {
    listeners.push(make(parsed.defaultListener));
  }
  warnings.push(...warnOfClosedListeners(listeners, file));

  return {
    file,
    settings: { ...defaultBrokerSettings, ...parsed.settings },
    listeners,
    security,
    perListenerSettings: parsed.perListenerSettings,
    logging: { ...defaultLoggingSettings, ...parsed.logging },
    persistence: {
      ...defaultPersistenceSettings,
      ...parsed.persistence,
      ...(commandLine.data === undefined ? {} : { isEnabled: true, location: commandLine.data }),
    },
    capture: { ...defaultCaptureSettings, ...parsed.capture },
    pidFile: parsed.process.pidFile,
    user: parsed.process.user ?? defaultUser,
    isLocalOnly,
    warnings,
    files: parsed.files,
    assignments: parsed.assignments,
  };
}

/**
 * Whether the default listener is opened beside those that are defined. An address or a port of its own makes it one, as in
 * Mosquitto. So does any other listener key before the first `listener`, if there is one: Mosquitto then opens port 1883 as well,
 * and a file may count on that; people rarely mean it, so they are told. With no `listener` at all, such a key makes Mosquitto
 * 2.0 open port 1883 to every machine and every anonymous client; here the broker stays local only.
 */
function defaultListenerIsOpened(parsed: ParsedFiles, warnings: string[]): boolean {
  const draft = parsed.defaultListener;
  if (['port', 'host', 'bindInterface'].some((field) => field in draft.settings)) return true;
  const keys = draft.assigned.filter((assignment) => opensInMosquitto(assignment, draft));
  if (parsed.listeners.length === 0) return false;
  for (const dropped of keys.length === 0 ? draft.assigned : []) {
    warnings.push(
      `${describePlace(dropped)}: ${dropped.key} has no effect: it stands before the first listener, and the default listener is not open.`,
    );
  }
  if (keys.length === 0) return false;
  const names = keys.map((assignment) => `${assignment.key} at ${describePlace(assignment)}`);
  warnings.push(
    `The default listener on port ${defaultPort} is opened, too: ${names.join(', ')} before the first listener belong${names.length === 1 ? 's' : ''} to it.`,
  );
  return true;
}

function opensInMosquitto(assignment: Assignment, draft: ListenerDraft): boolean {
  switch (assignment.key) {
    case 'max_connections':
      return draft.settings.maxConnections !== -1;
    case 'max_qos':
    case 'maximum_qos':
      return draft.settings.maxQos !== 2;
    case 'protocol':
      return draft.settings.protocol !== 'mqtt';
    case 'use_username_as_clientid':
      return draft.settings.useUsernameAsClientIdentifier === true;
    case 'allow_zero_length_clientid':
      return draft.settings.allowZeroLengthClientIdentifier === false;
    case 'socket_domain':
    case 'password_file':
      return true;
    default:
      return false;
  }
}

function securityOf(
  draft: ListenerDraft,
  parsed: ParsedFiles,
  security: SecuritySettings,
  isLocalOnly: boolean,
): SecuritySettings {
  if (parsed.perListenerSettings) {
    return { allowAnonymous: isLocalOnly, passwordFile: undefined, aclFile: undefined, ...draft.security };
  }
  // Only `listener_allow_anonymous` can be here; the others share one object, by which they are recognised as one.
  return Object.keys(draft.security).length === 0 ? security : { ...security, ...draft.security };
}

/** Since Mosquitto 2.0 a listener admits nobody until it is told whom: what newcomers meet first. */
function warnOfClosedListeners(listeners: readonly ListenerConfiguration[], file: string | undefined): string[] {
  const closed = listeners.filter(({ security }) => !security.allowAnonymous && security.passwordFile === undefined);
  if (closed.length === 0) return [];
  const names = closed.map(listenerName).join(', ');
  return [
    `Nobody can connect to listener ${names}: ${file ?? 'the configuration'} has neither allow_anonymous true nor a password_file for it.`,
  ];
}
