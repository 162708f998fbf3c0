/** How `pub`, `sub` and `rr` end: their exit statuses and what they say to it, which are those of the classic clients. */
import { getSystemErrorMap } from 'node:util';
import { MqttError } from '../../protocol/errors.ts';
import { ReasonCode, reasonCodeName } from '../../protocol/reason-codes.ts';
import type { ProtocolVersion } from '../../protocol/version.ts';

/** Exit statuses other than the Reason Code of a refused connection. */
export const exitStatus = {
  success: 0,
  /** Wrong options, a server that cannot be reached, a file that cannot be read. */
  failure: 1,
  protocol: 2,
  noConnection: 4,
  connectionLost: 7,
  tls: 8,
  keepAlive: 19,
  timeout: 27,
  /** Ended by a signal or by -W before the server had answered. */
  unanswered: 255,
} as const;

/** A status with what to print on standard error, line by line. */
export interface Ending {
  readonly status: number;
  readonly lines: readonly string[];
}

export const lostConnection: Ending = {
  status: exitStatus.connectionLost,
  lines: ['Error: The connection was lost.'],
};

/** The Connect Return Codes of 3.1 and 3.1.1 behind the Reason Codes, and what the classic clients call them. [MQTT311 §3.2.2.3] */
const returnCodes = new Map<number, readonly [returnCode: number, text: string]>([
  [ReasonCode.unsupportedProtocolVersion, [1, 'unacceptable protocol version']],
  [ReasonCode.clientIdentifierNotValid, [2, 'identifier rejected']],
  [ReasonCode.serverUnavailable, [3, 'broker unavailable']],
  [ReasonCode.badUserNameOrPassword, [4, 'bad user name or password']],
  [ReasonCode.notAuthorized, [5, 'not authorised']],
]);

/** The code of a CONNACK as it is on the wire: the Connect Return Code before MQTT 5. */
export function connackCode(reasonCode: number, version: ProtocolVersion): number {
  return version === 5 ? reasonCode : (returnCodes.get(reasonCode)?.[0] ?? reasonCode);
}

/** The end after a CONNACK that refused. */
export function refusedConnection(reasonCode: number, version: ProtocolVersion): Ending {
  const status = connackCode(reasonCode, version);
  if (version !== 5) {
    const text = returnCodes.get(reasonCode)?.[1] ?? 'unknown reason';
    return { status, lines: [`Connection error: Connection Refused: ${text}.`] };
  }
  const advice =
    reasonCode === ReasonCode.unsupportedProtocolVersion
      ? '. Try connecting to an MQTT v5 broker, or use MQTT v3.x mode.'
      : '';
  return { status, lines: [`Connection error: ${reasonCodeName(reasonCode)}${advice}`] };
}

/** The end after an error of the client library, but for a CONNACK that refused. */
export function endingOf(error: unknown): Ending {
  const systemError = systemErrorIn(error);
  const code = systemError?.code;
  if (systemError !== undefined && isTlsError(systemError)) {
    const { reason = systemError.message } = systemError as { reason?: string };
    return { status: exitStatus.tls, lines: [`Error: A TLS error occurred: ${reason}`] };
  }
  if (!(error instanceof MqttError)) {
    return { status: exitStatus.failure, lines: [`Error: ${error instanceof Error ? error.message : String(error)}`] };
  }
  switch (error.code) {
    case 'MQTT_ERR_CONNECTION_FAILED':
      if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
        return { status: exitStatus.failure, lines: ['Unable to connect (Lookup error.).'] };
      }
      return { status: exitStatus.failure, lines: [`Error: ${describeSystemError(systemError) ?? error.message}`] };
    case 'MQTT_ERR_CONNECTION_CLOSED':
      // Of what was under way when the client came to its end, which has a reason of its own.
      return error.cause instanceof MqttError ? endingOf(error.cause) : lostConnection;
    case 'MQTT_ERR_TIMEOUT':
      return { status: exitStatus.keepAlive, lines: ['Error: The server did not answer in time.'] };
    case 'MQTT_ERR_MALFORMED':
    case 'MQTT_ERR_PROTOCOL':
    case 'MQTT_ERR_PACKET_TOO_LARGE':
      return {
        status: exitStatus.protocol,
        lines: [`Error: A network protocol error occurred when communicating with the broker: ${error.message}`],
      };
    default:
      return { status: exitStatus.failure, lines: [`Error: ${error.message}`] };
  }
}

/** The error of the system at the bottom of an error, if there is one. */
function systemErrorIn(error: unknown): NodeJS.ErrnoException | undefined {
  let found: NodeJS.ErrnoException | undefined;
  for (let at = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth++) {
    if (!(at instanceof MqttError) && typeof (at as NodeJS.ErrnoException).code === 'string') found = at;
  }
  return found;
}

/** Whether TLS was the trouble, by Node's codes for what OpenSSL finds wrong. A server that speaks no TLS just closes. */
function isTlsError({ code = '', message }: NodeJS.ErrnoException): boolean {
  if (message.includes('before secure TLS connection')) return true;
  return /^(ERR_(TLS|SSL|OSSL)_|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_(CA|PURPOSE)|HOSTNAME_MISMATCH|EPROTO$)/.test(
    code,
  );
}

/** As strerror(3) has them, where the runtime has other words. */
const systemErrorTexts: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  ETIMEDOUT: 'Connection timed out',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  ENOTSOCK: 'Socket operation on non-socket',
};

/** What the system calls it; undefined for what is not the system's. */
export function describeSystemError(error: NodeJS.ErrnoException | undefined): string | undefined {
  if (error?.code === undefined) return undefined;
  const known = systemErrorTexts[error.code];
  if (known !== undefined) return known;
  const text = error.errno === undefined ? undefined : getSystemErrorMap().get(error.errno)?.[1];
  return text === undefined ? undefined : text.charAt(0).toUpperCase() + text.slice(1);
}
