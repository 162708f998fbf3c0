/**
 * The short name of the time zone, such as CET, which JavaScript does not tell for most zones. It stands in the system's time zone files.
 * [RFC 8536]
 *
 *     "TZif" version … six counts │ data in 32 bits │ "TZif" version … six counts │ data in 64 bits │ \n TZ string \n
 *     data: times of changes │ type after each │ types: offset, isDst, index of name │ names │ leap seconds │ indicators
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const directories = ['/usr/share/zoneinfo', '/usr/lib/zoneinfo', '/usr/share/lib/zoneinfo'];
const headerSize = 44;

/** What a zone is called when clocks are so many seconds ahead of UTC. */
interface NamedOffset {
  readonly offset: number;
  readonly name: string;
}

interface Zone {
  /** In order; the name holds from that second since 1970 on. */
  readonly changes: readonly (NamedOffset & { readonly from: number })[];
  /** For what comes after the last change. */
  readonly rule: readonly NamedOffset[];
}

const zones = new Map<string, Zone | undefined>();

/** The name at that moment; the offset, as `+0530`, for zones that have none or are not known here. */
export function zoneName(date: Date): string {
  const offset = -date.getTimezoneOffset() * 60;
  const zone = currentZone();
  const seconds = date.getTime() / 1000;
  const change = zone?.changes.findLast(({ from }) => from <= seconds);
  const named = [...(change === undefined ? [] : [change]), ...(zone?.rule ?? [])].find((one) => one.offset === offset);
  return named?.name ?? fallbackName(date);
}

function currentZone(): Zone | undefined {
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zones.has(name)) zones.set(name, readZone(name));
  return zones.get(name);
}

function readZone(name: string): Zone | undefined {
  for (const directory of directories) {
    try {
      return parseZone(readFileSync(join(directory, name)));
    } catch {
      // Not here, or no such file as it should be.
    }
  }
  return undefined;
}

/** Throws a RangeError if the file is not what it says. */
function parseZone(bytes: Buffer): Zone {
  const first = readCounts(bytes, 0);
  const second = headerSize + dataSize(first, 4);
  const counts = readCounts(bytes, second);
  const times = second + headerSize;
  const indices = times + counts.changes * 8;
  const types = indices + counts.changes;
  const names = types + counts.types * 6;
  const nameAt = (type: number): NamedOffset => {
    const start = names + bytes.readUInt8(types + type * 6 + 5);
    return {
      offset: bytes.readInt32BE(types + type * 6),
      name: bytes.toString('latin1', start, bytes.indexOf(0, start)),
    };
  };
  const changes = Array.from({ length: counts.changes }, (_, index) => ({
    from: Number(bytes.readBigInt64BE(times + index * 8)),
    ...nameAt(bytes.readUInt8(indices + index)),
  }));
  const rule = parseRule(bytes.toString('latin1', second + headerSize + dataSize(counts, 8)).trim());
  return { changes, rule };
}

interface Counts {
  readonly indicatorsUt: number;
  readonly indicatorsStandard: number;
  readonly leapSeconds: number;
  readonly changes: number;
  readonly types: number;
  readonly characters: number;
}

function readCounts(bytes: Buffer, start: number): Counts {
  if (bytes.toString('latin1', start, start + 4) !== 'TZif') throw new RangeError('no time zone file');
  const count = (index: number) => bytes.readUInt32BE(start + 20 + index * 4);
  return {
    indicatorsUt: count(0),
    indicatorsStandard: count(1),
    leapSeconds: count(2),
    changes: count(3),
    types: count(4),
    characters: count(5),
  };
}

function dataSize(counts: Counts, timeSize: number): number {
  const { changes, types, characters, leapSeconds, indicatorsStandard, indicatorsUt } = counts;
  return (
    changes * (timeSize + 1) + types * 6 + characters + leapSeconds * (timeSize + 4) + indicatorsStandard + indicatorsUt
  );
}

const rulePattern =
  /^(<[^>]+>|[A-Za-z]{3,})([-+]?\d+(?::\d+){0,2})(?:(<[^>]+>|[A-Za-z]{3,})([-+]?\d+(?::\d+){0,2})?)?(?:,.*)?$/;

/** The names of a POSIX TZ string, whose offsets count westwards; summer time is an hour ahead unless it says otherwise. */
function parseRule(text: string): NamedOffset[] {
  const match = rulePattern.exec(text);
  if (match === null) return [];
  const [, standardName = '', standardOffset = '', summerName, summerOffset] = match;
  const standard = { offset: -secondsOf(standardOffset), name: standardName.replaceAll(/[<>]/g, '') };
  if (summerName === undefined) return [standard];
  const offset = summerOffset === undefined ? standard.offset + 3_600 : -secondsOf(summerOffset);
  return [standard, { offset, name: summerName.replaceAll(/[<>]/g, '') }];
}

function secondsOf(text: string): number {
  const [hours = '0', minutes = '0', seconds = '0'] = text.replace(/^[-+]/, '').split(':');
  const magnitude = Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds);
  return text.startsWith('-') ? -magnitude : magnitude;
}

function fallbackName(date: Date): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date);
  return parts.find(({ type }) => type === 'timeZoneName')?.value.replace(/^GMT(?=.)/, '') ?? '';
}
