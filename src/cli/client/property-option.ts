/** `-D packet property value` and `-D packet user-property name value`: properties of MQTT 5.0 by the specification's names. */
import { type PropertiesOf, type PropertyKey, type PropertyRow, propertyRows } from '../../protocol/properties.ts';
import { isTopicName } from '../../protocol/topics.ts';
import type { Argument } from './argument.ts';
import { wholeNumberOfAnyBase } from './numbers.ts';
import type { ClientSettings, GivenProperty, PropertyTarget } from './settings.ts';

/** Packets a property can be put on with `-D`, with the name of each on the command line. */
export const propertyTargets: ReadonlyMap<string, PropertyTarget> = new Map<string, PropertyTarget>([
  ['connect', 'CONNECT'],
  ['publish', 'PUBLISH'],
  ['subscribe', 'SUBSCRIBE'],
  ['unsubscribe', 'UNSUBSCRIBE'],
  ['disconnect', 'DISCONNECT'],
  ['will', 'WILL'],
]);

/** Packets that have properties which `-D` cannot set. */
const otherPackets = ['connack', 'puback', 'pubrec', 'pubrel', 'pubcomp', 'suback', 'unsuback', 'auth'] as const;

/** The name on the command line: `payload-format-indicator`. */
export function propertyOptionName(row: PropertyRow): string {
  return row.name.toLowerCase().replaceAll(' ', '-');
}

const rowsByName = new Map<string, readonly [PropertyKey, PropertyRow]>(
  Object.entries(propertyRows).map(([key, row]) => [propertyOptionName(row), [key as PropertyKey, row]]),
);

/** A Subscription Identifier of a PUBLISH is the server's to set. [MQTT-3.3.4-6] */
function isServersOwn(target: PropertyTarget, key: PropertyKey): boolean {
  return target === 'PUBLISH' && key === 'subscriptionIdentifiers';
}

/** Whether `-D` can put this property on that packet. */
export function isSettable(target: PropertyTarget, key: PropertyKey): boolean {
  return propertyRows[key].scopes.includes(target) && !isServersOwn(target, key);
}

const tooFew = 'Error: --property argument given but not enough arguments specified.\n\n';

/**
 * Takes the words after `-D`; `next` gives one after the other.
 * @returns what is wrong, ready to be printed
 */
export function applyProperty(
  settings: ClientSettings,
  packet: Argument,
  next: () => Argument | undefined,
): string | undefined {
  const name = next();
  const first = next();
  if (name === undefined || first === undefined) return tooFew;
  const target = propertyTargets.get(packet.text.toLowerCase());
  const other = otherPackets.find((candidate) => candidate === packet.text.toLowerCase());
  if (target === undefined && other === undefined) return 'Error: Invalid command given in --property argument.\n\n';
  const named = rowsByName.get(name.text.toLowerCase());
  if (named === undefined) return 'Error: Invalid property name given in --property argument.\n\n';
  const [key, row] = named;
  const where = `for ${packet.text} in --property argument.\n\n`;
  const scope = target ?? (packet.text.toUpperCase() as PropertyRow['scopes'][number]);
  if (!row.scopes.includes(scope)) return `Error: ${name.text} property not allowed ${where}`;
  if (target === undefined || isServersOwn(target, key)) return `Error: ${name.text} property not supported ${where}`;
  const second = row.wireType === 'pair' ? next() : undefined;
  if (row.wireType === 'pair' && second === undefined) return tooFew;
  const read = readValue(row, name.text, first, second);
  if ('fault' in read) return read.fault;
  settings.properties.push({ target, key, value: read.value });
  return undefined;
}

const typeRanges = { byte: 0xff, flag: 0xff, uint16: 0xffff, uint32: 0xffff_ffff, varint: 0xffff_ffff } as const;

function readValue(
  row: PropertyRow,
  name: string,
  first: Argument,
  second: Argument | undefined,
): { readonly value: GivenProperty['value'] } | { readonly fault: string } {
  switch (row.wireType) {
    case 'pair':
      if (!first.isMqttString || second?.isMqttString !== true) return malformed(name);
      return { value: [first.text, second.text] };
    case 'utf8':
      return first.isMqttString ? { value: first.text } : malformed(name);
    case 'binary':
      if (first.bytes.length <= 65_535) return { value: first.bytes };
      return { fault: `Error: Property value too long for property ${name}.\n\n` };
    default: {
      const number = wholeNumberOfAnyBase(first.text);
      if (number === undefined) return { fault: `Error: Property value '${first.text}' not a number.\n\n` };
      if (number >= 0 && number <= typeRanges[row.wireType]) return { value: number };
      return { fault: `Error: Property value (${number}) out of range for property ${name}.\n\n` };
    }
  }
}

function malformed(name: string): { fault: string } {
  return { fault: `Error: Malformed UTF-8 in value of property ${name}.\n\n` };
}

/** The properties that were given for one packet, or what is wrong with them together, ready to be printed. */
export function propertiesFor<T extends PropertyTarget>(
  settings: ClientSettings,
  target: T,
): { readonly properties: PropertiesOf<T> } | { readonly fault: string } {
  const properties: Partial<Record<PropertyKey, unknown>> = {};
  for (const given of settings.properties) {
    if (given.target !== target) continue;
    const { key } = given;
    const row = propertyRows[key];
    const fault =
      rangeFault(row, given.value) ?? (key in properties && row.repeatable !== true ? duplicate : undefined);
    if (fault !== undefined) return { fault: `Error in ${target === 'WILL' ? 'Will' : target} properties: ${fault}\n` };
    const value = row.wireType === 'flag' ? given.value === 1 : given.value;
    properties[key] = row.repeatable === true ? [...((properties[key] as unknown[]) ?? []), value] : value;
  }
  return { properties: properties as PropertiesOf<T> };
}

const duplicate = 'Duplicate property in property list';

/** What the specification does not allow, though the wire could carry it. */
function rangeFault(row: PropertyRow, value: GivenProperty['value']): string | undefined {
  const name = propertyOptionName(row);
  if (row.topicName === true && typeof value === 'string' && !isTopicName(value)) {
    return `${name} '${value}' is no Topic Name; does it contain '+' or '#'?`;
  }
  if (typeof value !== 'number') return undefined;
  const range =
    row.range ?? (row.wireType === 'flag' ? [0, 1] : row === propertyRows.topicAlias ? [1, 65_535] : undefined);
  if (range === undefined || (value >= range[0]! && value <= range[1]!)) return undefined;
  return `${name} ${value} is out of range; expected ${range[0]}-${range[1]}`;
}
