/** The command line of the broker, as mosquitto(8) has it. */
import { nearestName } from '../nearest-name.ts';

export interface BrokerArguments {
  readonly action: 'run' | 'test configuration' | 'show help' | 'show version';
  /** `-c` */
  readonly file: string | undefined;
  /** `-p`, in the order given. */
  readonly ports: readonly number[];
  /** `--data`: the directory of the store; undefined leaves it to the configuration. */
  readonly data: string | undefined;
  /** `-d` */
  readonly isDaemon: boolean;
  /** `-v` logs everything, `-q` nothing; undefined leaves it to the configuration. */
  readonly verbosity: 'all' | 'nothing' | undefined;
}

/** An argument that cannot be used; the message is a sentence without the word error. */
export class ArgumentError extends Error {}

const portsMax = 10;
const options = [
  '--config-file',
  '--daemon',
  '--data',
  '--help',
  '--port',
  '--quiet',
  '--test-config',
  '--verbose',
  '--version',
] as const;

/** @throws {ArgumentError} */
export function parseBrokerArguments(args: readonly string[]): BrokerArguments {
  let action: BrokerArguments['action'] = 'run';
  let file: string | undefined;
  const ports: number[] = [];
  let data: string | undefined;
  let isDaemon = false;
  let verbosity: BrokerArguments['verbosity'];
  for (let index = 0; index < args.length; index++) {
    const argument = args[index]!;
    switch (argument) {
      case '-c':
      case '--config-file':
        file = args[++index];
        if (file === undefined) throw new ArgumentError('-c argument given, but no config file specified.');
        break;
      case '-p':
      case '--port':
        ports.push(parsePort(args[++index]));
        if (ports.length > portsMax) {
          throw new ArgumentError(`Only ${portsMax} ports can be specified on the command line.`);
        }
        break;
      case '--data':
        data = args[++index];
        if (data === undefined || data === '')
          throw new ArgumentError('--data argument given, but no directory specified.');
        break;
      case '-d':
      case '--daemon':
        isDaemon = true;
        break;
      case '-v':
      case '--verbose':
        verbosity = 'all';
        break;
      case '-q':
      case '--quiet':
        verbosity ??= 'nothing';
        break;
      case '-h':
      case '--help':
        action = 'show help';
        break;
      case '--version':
        action = 'show version';
        break;
      case '--test-config':
        action = 'test configuration';
        break;
      default: {
        const meant = argument.startsWith('--') ? nearestName(argument, options) : undefined;
        const hint = meant === undefined ? "'--help' lists the options." : `Did you mean '${meant}'?`;
        throw new ArgumentError(`Unknown option '${argument}'. ${hint}`);
      }
    }
  }
  return { action, file, ports, data, isDaemon, verbosity };
}

function parsePort(text: string | undefined): number {
  if (text === undefined) throw new ArgumentError('-p argument given, but no port specified.');
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new ArgumentError(`Invalid port specified (${text}); expected 1 to 65535.`);
  return port;
}

export function brokerUsage(name: string, version: string): string {
  return `clearwing version ${version}

clearwing is an MQTT v5.0/v3.1.1/v3.1 broker.

Usage: ${name} [-c config_file] [--data directory] [-d] [-h] [-p port] [-v] [-q]

 -c, --config-file : read the broker's configuration from this file, in the syntax of
      mosquitto.conf. Without a listener in it the broker serves this machine only.
 --data : keep persistent sessions, their messages and retained messages in this directory, whatever
      the configuration file says about persistence.
 -d, --daemon : put the broker into the background once it is listening.
 -h, --help : display this help.
 -p, --port : listen on this port of this machine only; may be given up to ${portsMax} times.
      Ignored if the configuration file defines listeners.
 -q, --quiet : log nothing.
 -v, --verbose : log everything. This overrides the log types of the configuration file.
 --test-config : check the configuration file and the files it names, and start nothing.
 --version : display the version.
`;
}
