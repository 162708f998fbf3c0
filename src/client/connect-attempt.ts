/** One attempt to get from nothing to an accepted CONNECT, within a time limit; and how long to wait before the next. */
import type { Clock } from '../base/clock.ts';
import { packetSizeMax } from '../codec/index.ts';
import type { ConnackPacket } from '../codec/packets.ts';
import { MqttError, RefusedError, TimeoutError } from '../protocol/errors.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import type { Transport } from '../transport/transport.ts';
import { connectPacketOf, shakeHands } from './handshake.ts';
import { Link } from './link.ts';
import type { ResolvedOptions, ResolvedReconnect } from './options.ts';
import type { ConnectOptions, Endpoint } from './types.ts';

/** Makes the byte stream. Rejects with the system's error; stops when the signal says so. */
export type Dial = (endpoint: Endpoint, options: ConnectOptions, signal: AbortSignal) => Promise<Transport>;

export interface Attempt {
  readonly options: ResolvedOptions;
  readonly dial: Dial;
  readonly clock: Clock;
  readonly clientIdentifier: string;
  readonly cleanStart: boolean;
  /** Gives up, with an MqttError as its reason. */
  readonly signal: AbortSignal;
  /** Called in the turn of the CONNACK; it must take over the link's handlers. */
  readonly accepted: (link: Link, connack: ConnackPacket) => void;
}

/** Rejects with an MqttError of what went wrong. */
export async function attemptConnect(attempt: Attempt): Promise<void> {
  const { options, clock, signal } = attempt;
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal.reason);
  if (signal.aborted) throw signal.reason;
  signal.addEventListener('abort', onAbort);
  const timer = clock.setTimer(options.connectTimeoutMs, () => {
    const text = `no connection to ${describe(options.endpoint)} within ${options.connectTimeoutMs} ms`;
    controller.abort(new TimeoutError(text));
  });
  try {
    const transport = await dialWithin(attempt, controller.signal);
    const receiveSizeMax = options.properties?.maximumPacketSize ?? packetSizeMax;
    const handlers = { packet: () => {}, drain: () => {}, idle: () => {}, fault: () => {}, close: () => {} };
    const link = new Link(transport, options.protocolVersion, clock, receiveSizeMax, options.given.onPacket, handlers);
    const packet = connectPacketOf(options, attempt.clientIdentifier, attempt.cleanStart);
    await shakeHands(link, packet, options, controller.signal, (connack) => attempt.accepted(link, connack));
  } finally {
    clock.clearTimer(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Whoever dials may be slow to notice the signal: its result is thrown away then. */
function dialWithin({ options, dial }: Attempt, signal: AbortSignal): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    const { endpoint, given } = options;
    // A function of the program's may also throw at once.
    const make = async (): Promise<Transport> => given.transport?.(endpoint) ?? dial(endpoint, given, signal);
    make().then(
      (transport) => {
        signal.removeEventListener('abort', onAbort);
        if (signal.aborted) transport.destroy();
        else resolve(transport);
      },
      (error: unknown) => {
        signal.removeEventListener('abort', onAbort);
        reject(dialError(error, endpoint));
      },
    );
  });
}

function dialError(error: unknown, endpoint: Endpoint): MqttError {
  if (error instanceof MqttError) return error;
  const text = error instanceof Error && error.message !== '' ? error.message : String(error);
  return new MqttError('MQTT_ERR_CONNECTION_FAILED', `no connection to ${describe(endpoint)}: ${text}`, {
    cause: error,
  });
}

export function describe({ protocol, host, port, path }: Endpoint): string {
  if (protocol === 'unix') return path;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Milliseconds to wait before the next attempt: doubling with each failure, up to the limit, less up to a fifth by chance so that
 * clients that lost the same server do not all come back at once.
 */
export function backOffMs(policy: ResolvedReconnect, failures: number, random: () => number): number {
  const delayMs = Math.min(policy.lastDelayMs, policy.firstDelayMs * 2 ** Math.min(failures, 31));
  return delayMs * (1 - 0.2 * random());
}

/** Refusals that trying again cannot change. */
const lasting: readonly ReasonCode[] = [
  ReasonCode.unsupportedProtocolVersion,
  ReasonCode.clientIdentifierNotValid,
  ReasonCode.badAuthenticationMethod,
];
/** Those that before a first success most likely mean that the options are wrong. */
const lastingAtFirst: readonly ReasonCode[] = [
  ...lasting,
  ReasonCode.badUserNameOrPassword,
  ReasonCode.notAuthorized,
  ReasonCode.banned,
];

/** Whether another attempt may go better. */
export function mayGoBetter(error: unknown, isFirst: boolean): boolean {
  if (error instanceof MqttError && error.code.startsWith('MQTT_ERR_OPTION')) return false;
  if (!(error instanceof RefusedError)) return true;
  return !(isFirst ? lastingAtFirst : lasting).includes(error.reasonCode!);
}
