/**
 * The commands of `clearwing`. Each is loaded only when it is called, so that a broker listens soon after its process starts
 * and `clearwing pub` reads no broker.
 */

/** What every command's file exports: takes the arguments after the command's name, resolves with the exit status. */
export interface CommandModule {
  /** @param programFile - of the program, for a command that runs in several threads: each begins there, like a process */
  main(args: readonly string[], invokedAs: string, programFile: string): Promise<number>;
}

export interface Command {
  /** One line for the overview. */
  readonly summary: string;
  /** The classic program it is when started through a link of that name. */
  readonly classicName?: string;
  /** Goes on when nobody reads its output any more, as a service should. */
  readonly outlivesOutput?: boolean;
  load(): Promise<CommandModule>;
}

export const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  [
    'broker',
    {
      summary: 'run an MQTT broker',
      classicName: 'mosquitto',
      outlivesOutput: true,
      load: () => import('./broker.ts'),
    },
  ],
  ['pub', { summary: 'publish messages', classicName: 'mosquitto_pub', load: () => import('./pub.ts') }],
  ['sub', { summary: 'subscribe and print messages', classicName: 'mosquitto_sub', load: () => import('./sub.ts') }],
  [
    'rr',
    { summary: 'send a request and print the response', classicName: 'mosquitto_rr', load: () => import('./rr.ts') },
  ],
  ['passwd', { summary: 'manage a password file', classicName: 'mosquitto_passwd', load: () => import('./passwd.ts') }],
  [
    'dissect',
    {
      summary: 'show what is in a capture, as tshark does, and answer questions about it',
      load: () => import('./dissect.ts'),
    },
  ],
  [
    'capture',
    { summary: 'show packets as they happen, in a broker or on an interface', load: () => import('./capture.ts') },
  ],
  ['bench', { summary: 'put a load on a broker and count', load: () => import('./bench.ts') }],
  ['store', { summary: 'look into a store, check it, export and import', load: () => import('./store.ts') }],
]);

/** The command that a link of this name stands for: `mosquitto_pub` is `pub`. */
export function commandOfClassicName(programName: string): string | undefined {
  for (const [name, command] of commands) if (command.classicName === programName) return name;
  return undefined;
}
