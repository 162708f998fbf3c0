#!/usr/bin/env node
/** The `clearwing` program: finds the command it was asked for, runs it, and ends with its exit status. */
import { parse } from 'node:path';
import { type Command, commandOfClassicName, commands } from './commands.ts';
import { nearestName } from './nearest-name.ts';
import { version } from './version.ts';

/** The first argument is no command, a wrong one, or a request for help with one. */
const failure = 1;

/** The command at work. */
let running: Command | undefined;

async function run(programPath: string, args: readonly string[]): Promise<number> {
  // The path of a link is kept in process.argv, whatever it points to.
  const programName = parse(programPath).name;
  const linked = commandOfClassicName(programName);
  if (linked !== undefined) return runCommand(linked, args, programName);

  const [first, ...rest] = args;
  switch (first) {
    case undefined:
      process.stderr.write(overview());
      return failure;
    case 'help':
      return rest[0] === undefined ? print(overview()) : runNamed(rest[0], ['--help']);
    case '--help':
    case '-h':
      return print(overview());
    case 'version':
    case '--version':
      return print(`clearwing ${version}\n`);
    default:
      return runNamed(first, rest);
  }
}

/** Runs a command by the name somebody typed. */
async function runNamed(name: string, args: readonly string[]): Promise<number> {
  if (commands.has(name)) return runCommand(name, args, `clearwing ${name}`);
  if (name.startsWith('-')) return refuse(`the first argument must be a command, not the option '${name}'`);
  const meant = nearestName(name, [...commands.keys(), 'help', 'version']);
  return refuse(`there is no command '${name}'${meant === undefined ? '' : `; did you mean '${meant}'?`}`);
}

async function runCommand(name: string, args: readonly string[], invokedAs: string): Promise<number> {
  running = commands.get(name)!;
  try {
    const loaded = await running.load();
    return await loaded.main(args, invokedAs, __filename);
  } catch (error) {
    if (errorCode(error) === 'EPIPE') return 0;
    process.stderr.write(`${invokedAs}: ${describeError(error)}\n`);
    return failure;
  }
}

/**
 * `clearwing sub … | head -1` closes the pipe while we write. The classic clients then stop with status 0; the broker goes on
 * without its log. A command that has more to do listens to the stream's error itself.
 */
function endQuietlyWithoutReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (running?.outlivesOutput === true || stream.listenerCount('error') > 1) return;
      if (errorCode(error) !== 'EPIPE') process.exitCode = failure;
      process.exit();
    });
  }
}

/** What went wrong outside is told in a line; what is wrong inside comes with the way to it. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isOurFault = /^(ERR_ASSERTION|ERR_INVALID_.*|)$/.test(errorCode(error) ?? '');
  return isOurFault ? (error.stack ?? error.message) : error.message;
}

function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : undefined;
}

function refuse(reason: string): number {
  process.stderr.write(`clearwing: ${reason}\n'clearwing help' lists the commands.\n`);
  return failure;
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

function overview(): string {
  const lines = [...commands].map(([name, { summary, classicName }]) => {
    return `  ${name.padEnd(8)} ${summary}${classicName === undefined ? '' : ` (as ${classicName})`}`;
  });
  return `clearwing ${version}: an MQTT broker you can see through, and its clients

Usage: clearwing <command> [options]

${lines.join('\n')}
  help     show this, or the options of a command: clearwing help pub
  version  print the version

A link to this program that has the name of a classic one (mosquitto, mosquitto_pub …)
behaves as that command.
`;
}

/** Nothing is left to do, and yet the command has not ended: what it waits for never comes. */
function failUnfinished(): void {
  process.stderr.write('clearwing: the command ended unfinished\n');
  process.exitCode = failure;
}

endQuietlyWithoutReader();
process.once('beforeExit', failUnfinished);
void run(process.argv[1] ?? 'clearwing', process.argv.slice(2)).then((status) => {
  process.off('beforeExit', failUnfinished);
  process.exitCode = status;
});
