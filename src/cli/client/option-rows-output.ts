/** Options about what is printed, and where further options are. */
import { payloadFormats } from '../../payload/payload-format.ts';
import { compileFormat, FormatRefusal } from './format.ts';
import { decimalNumber } from './numbers.ts';
import type { OptionRow } from './option-rows.ts';

const all = ['pub', 'sub', 'rr'] as const;
const subscribers = ['sub', 'rr'] as const;
const decodedFormats = ['auto', ...payloadFormats] as const;

export const outputRows: readonly OptionRow[] = [
  {
    flag: '-v',
    alias: '--verbose',
    commands: subscribers,
    section: 'Output',
    help: 'Prints the topic before the payload.',
    set: (settings) => {
      settings.isVerbose = true;
    },
  },
  {
    flag: '-F',
    commands: subscribers,
    argument: { name: 'format', missing: 'no format specified' },
    section: 'Output',
    help: 'Prints each message in this format; see Output format.',
    apply: (settings, { text }) => {
      const format = compileFormat(text);
      if (format instanceof FormatRefusal) return format.text;
      settings.format = format;
      return undefined;
    },
  },
  {
    flag: '-N',
    commands: subscribers,
    section: 'Output',
    help: 'Puts no end of line after a message.',
    set: (settings) => {
      settings.endOfLine = false;
    },
  },
  {
    flag: '--pretty',
    commands: subscribers,
    section: 'Output',
    help: 'Prints the JSON of %j and %J over several lines.',
    set: (settings) => {
      settings.isPretty = true;
    },
  },
  {
    flag: '--decode',
    commands: subscribers,
    argument: { name: 'as', missing: 'no payload format specified' },
    since: 'clearwing',
    section: 'Output',
    help: 'Prints payloads on one line, as text, json, cbor, msgpack, sparkplug or hex; auto finds out; see Output format.',
    apply: (settings, { text }) => {
      const format = decodedFormats.find((known) => known === text);
      if (format === undefined) return `Error: --decode must be one of ${decodedFormats.join(', ')}.\n\n`;
      settings.decode = format;
      return undefined;
    },
  },
  {
    flag: '--random-filter',
    commands: ['sub'],
    argument: { name: 'percentage', missing: 'no chance specified' },
    section: 'Output',
    help: 'Prints each message with this chance, 0.1-100.',
    apply: (settings, { text }) => {
      const percentage = decimalNumber(text);
      if (percentage === undefined || percentage < 0.1 || percentage > 100) {
        return 'Error: --random-filter chance must be between 0.1-100.0\n\n';
      }
      settings.randomFilter = percentage;
      return undefined;
    },
  },
  {
    flag: '-w',
    alias: '--watch',
    commands: ['sub'],
    since: '2.1',
    section: 'Output',
    help: 'Gives each topic a line of the screen, in the order in which topics come, and prints its messages there.',
    set: (settings) => {
      settings.watch = true;
    },
  },
  {
    flag: '--message-rate',
    commands: ['sub'],
    since: '2.1',
    section: 'Output',
    help: 'Prints, once a second, how many messages came instead of the messages.',
    set: (settings) => {
      settings.messageRate = true;
    },
  },
  {
    flag: '--latency',
    commands: ['rr'],
    since: '2.1',
    section: 'Output',
    help: 'Prints the time from the request to the response as well.',
    set: (settings) => {
      settings.measureLatency = true;
    },
  },
  {
    flag: '-d',
    alias: '--debug',
    commands: all,
    section: 'Output',
    help: 'Prints a line for each packet.',
    set: (settings) => {
      settings.isDebug = true;
    },
  },
  {
    flag: '--quiet',
    commands: all,
    section: 'Output',
    help: 'Prints no errors but those about options.',
    set: (settings) => {
      settings.isQuiet = true;
    },
  },
];

/** Options that are looked for before any other is applied, or that end everything. */
export const otherRows: readonly OptionRow[] = [
  {
    flag: '-o',
    commands: all,
    since: '2.1',
    argument: { name: 'file', missing: 'no options file specified' },
    section: 'Other',
    help: 'Reads options from this file instead of the one in the home directory.',
  },
  {
    flag: '--help',
    commands: all,
    section: 'Other',
    help: 'Prints this.',
  },
  {
    flag: '--version',
    commands: all,
    section: 'Other',
    help: 'Prints the version.',
  },
];
