/** From the words of option files and of the command line to settings, with the checks of one option against another. */
import type { PropertiesOf } from '../../protocol/properties.ts';
import type { Argument } from './argument.ts';
import { defaultOptionFile, readOptionFile, splitWords } from './option-files.ts';
import { findOption } from './option-rows.ts';
import { propertiesFor } from './property-option.ts';
import { type ClientCommand, type ClientSettings, defaultSettings, type PropertyTarget } from './settings.ts';

/** The properties given with `-D`, packet by packet. */
export type PacketProperties = { readonly [T in PropertyTarget]: PropertiesOf<T> };

export type ParsedOptions =
  | { readonly kind: 'run'; readonly settings: ClientSettings; readonly properties: PacketProperties }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'refused'; readonly text: string };

/** A Session that never expires. [MQTT 5.0 §3.1.2.11.2] */
const forever = 0xffff_ffff;

/** Ends the reading of options. */
class Ending extends Error {
  readonly outcome: ParsedOptions;
  constructor(outcome: ParsedOptions) {
    super(outcome.kind);
    this.outcome = outcome;
  }
}

function refusal(text: string): Ending {
  return new Ending({ kind: 'refused', text });
}

/** Reads the option file, then the command line, and checks the whole. */
export function parseOptions(
  command: ClientCommand,
  words: readonly Argument[],
  environment: Readonly<Record<string, string | undefined>>,
): ParsedOptions {
  const settings = defaultSettings(command);
  try {
    for (const line of optionFileLines(command, words, environment))
      applyWords(settings, command, expandProperty(line));
    applyWords(settings, command, words);
    checkTogether(settings, command);
    const properties = {
      CONNECT: propertiesOrRefuse(settings, 'CONNECT'),
      PUBLISH: propertiesOrRefuse(settings, 'PUBLISH'),
      SUBSCRIBE: propertiesOrRefuse(settings, 'SUBSCRIBE'),
      UNSUBSCRIBE: propertiesOrRefuse(settings, 'UNSUBSCRIBE'),
      DISCONNECT: propertiesOrRefuse(settings, 'DISCONNECT'),
      WILL: propertiesOrRefuse(settings, 'WILL'),
    };
    return { kind: 'run', settings, properties };
  } catch (error) {
    if (error instanceof Ending) return error.outcome;
    throw error;
  }
}

function propertiesOrRefuse<T extends PropertyTarget>(settings: ClientSettings, target: T): PropertiesOf<T> {
  const read = propertiesFor(settings, target);
  if ('fault' in read) throw refusal(read.fault);
  return read.properties;
}

function applyWords(settings: ClientSettings, command: ClientCommand, words: readonly Argument[]): void {
  let index = 0;
  const next = () => words[index++];
  while (index < words.length) {
    const word = words[index++]!;
    const row = findOption(word.text, command);
    if (row === undefined) throw refusal(`Error: Unknown option '${word.text}'.\n`);
    if (row.flag === '--help') throw new Ending({ kind: 'help' });
    if (row.flag === '--version') throw new Ending({ kind: 'version' });
    const unmet = row.precondition?.(settings);
    if (unmet !== undefined) throw refusal(unmet);
    let argument = word;
    if (row.argument !== undefined) {
      const given = next();
      if (given === undefined) {
        throw refusal(`Error: ${row.nameInErrors ?? row.flag} argument given but ${row.argument.missing}.\n\n`);
      }
      argument = given;
    }
    row.set?.(settings, argument);
    const fault = row.apply?.(settings, argument, command, next);
    if (fault !== undefined) throw refusal(fault);
  }
}

/** In an option file the words after `-D` stand in one line. */
function expandProperty(line: readonly Argument[]): readonly Argument[] {
  const [option, rest] = line;
  const isProperty = option?.text === '-D' || option?.text === '--property';
  return isProperty && rest !== undefined ? [option, ...splitWords(rest)] : line;
}

function optionFileLines(
  command: ClientCommand,
  words: readonly Argument[],
  environment: Readonly<Record<string, string | undefined>>,
): readonly Argument[][] {
  const named = optionFileName(command, words);
  if (named !== undefined) {
    try {
      return readOptionFile(named);
    } catch (error) {
      throw refusal(`Error: Unable to read options file "${named}": ${(error as Error).message}\n\n`);
    }
  }
  const path = defaultOptionFile(command, environment);
  if (path === undefined) return [];
  try {
    return readOptionFile(path);
  } catch {
    // Most people have none, and may not even look into what $HOME names.
    return [];
  }
}

/** What `-o` names. Every other option is passed over, its argument too, even if that is `-o`. */
function optionFileName(command: ClientCommand, words: readonly Argument[]): string | undefined {
  let name: string | undefined;
  for (let index = 0; index < words.length; index++) {
    const row = findOption(words[index]!.text, command);
    if (row?.argument === undefined) continue;
    index++;
    if (row.flag === '-D') index += words[index + 1]?.text === 'user-property' ? 3 : 2;
    if (row.flag !== '-o') continue;
    if (name !== undefined) throw refusal('Error: Duplicate -o argument given.\n\n');
    name = words[index]?.text;
    if (name === undefined) throw refusal('Error: -o argument given but no options file specified.\n\n');
  }
  return name;
}

/** What single options cannot know. The order is that of the classic clients: the first fault is the one that is told. */
function checkTogether(settings: ClientSettings, command: ClientCommand): void {
  if (settings.willPayload !== undefined && settings.willTopic === undefined) {
    throw refusal('Error: Will payload given, but no will topic given.\n');
  }
  if (settings.willRetain && settings.willTopic === undefined) {
    throw refusal('Error: Will retain given, but no will topic given.\n');
  }
  checkTls(settings);
  const isAnonymous = settings.clientIdentifier === undefined;
  if (settings.protocolVersion === 5) {
    if (settings.sessionExpiryInterval !== undefined && givenSessionExpiry(settings) !== undefined) {
      throw refusal('Error in CONNECT properties: Duplicate property in property list\n');
    }
    if (!settings.cleanStart) settings.sessionExpiryInterval ??= givenSessionExpiry(settings) ?? forever;
    if (settings.sessionExpiryInterval === forever && isAnonymous) {
      throw refusal('Error: You must provide a client id if you are using an infinite session expiry interval.\n');
    }
  } else if (!settings.cleanStart && isAnonymous) {
    throw refusal('Error: You must provide a client id if you are using the -c option.\n');
  }
  if (command === 'sub' && settings.topicFilters.length === 0 && settings.unsubscribeFilters.length === 0) {
    throw refusal('Error: You must specify a topic to subscribe to.\n');
  }
}

/** `-D connect session-expiry-interval`, which is `-x` in other words. */
function givenSessionExpiry(settings: ClientSettings): number | undefined {
  const given = settings.properties.find(({ target, key }) => target === 'CONNECT' && key === 'sessionExpiryInterval');
  return given === undefined ? undefined : Number(given.value);
}

function checkTls(settings: ClientSettings): void {
  if ((settings.certFile === undefined) !== (settings.keyFile === undefined)) {
    throw refusal('Error: Both certfile and keyfile must be provided if one of them is set.\n');
  }
  if (settings.keyForm !== undefined && settings.keyFile === undefined) {
    throw refusal('Error: If keyform is set, keyfile must be also specified.\n');
  }
  const needsEngine = settings.tlsEngineKeyPasswordSha1 !== undefined;
  if (needsEngine && (settings.keyForm === undefined || settings.tlsEngine === undefined)) {
    throw refusal('Error: when using tls-engine-kpass-sha1, both tls-engine and keyform must also be provided.\n');
  }
  if (settings.pskKey === undefined) return;
  if (settings.caFile !== undefined || settings.caPath !== undefined) {
    throw refusal('Error: Only one of --psk or --cafile/--capath may be used at once.\n');
  }
  if (settings.pskIdentity === undefined) throw refusal('Error: --psk-identity required if --psk used.\n');
}
