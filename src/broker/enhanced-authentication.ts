/**
 * Enhanced authentication: a CONNECT with an Authentication Method, and AUTH packets until the hook is satisfied; later the same again as
 * re-authentication on the open connection. [MQTT 5.0 §4.12]
 */
import type { AuthPacket, ConnectPacket } from '../codec/packets.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import type { ClientIdentity } from './auth.ts';
import { refuse } from './connect.ts';
import type { Connection } from './connection.ts';
import type { AuthenticationAnswer } from './hooks.ts';

type Proceed = (answer: PropertiesOf<'CONNACK'>) => Promise<void> | undefined;

/** The exchange of one connection. */
export interface EnhancedAuthentication {
  readonly method: string;
  readonly state: Map<string, unknown>;
  /** What follows success: the rest of CONNECT, or undefined once the connection is open. */
  proceed: Proceed | undefined;
  /** An exchange is going on, so an AUTH with Continue authentication is expected. */
  isRunning: boolean;
}

export function beginAuthentication(
  connection: Connection,
  packet: ConnectPacket,
  proceed: Proceed,
): Promise<void> | undefined {
  const method = packet.properties?.authenticationMethod as string;
  if (connection.context.hooks.authenticateStep === undefined) {
    return refuse(connection, ReasonCode.badAuthenticationMethod, `Authentication Method '${method}'`);
  }
  connection.authentication = { method, state: new Map(), proceed, isRunning: true };
  return step(connection, packet.properties?.authenticationData, false);
}

export function handleAuth(connection: Connection, packet: AuthPacket): Promise<void> | undefined {
  const { authentication } = connection;
  // Without a method in CONNECT the client must not send AUTH. [MQTT-4.12.0-6]
  if (authentication === undefined || connection.version !== 5) {
    throw new ProtocolError('AUTH without an Authentication Method in CONNECT', undefined, 'MQTT-4.12.0-6');
  }
  if (packet.properties?.authenticationMethod !== authentication.method) {
    throw new ProtocolError(
      'AUTH with another Authentication Method than CONNECT',
      ReasonCode.badAuthenticationMethod,
      'MQTT-4.12.0-5',
    );
  }
  const isReauthentication = packet.reasonCode === ReasonCode.reAuthenticate;
  if (isReauthentication ? authentication.isRunning : !authentication.isRunning) {
    throw new ProtocolError(`AUTH with Reason Code 0x${packet.reasonCode.toString(16)} at this point of the exchange`);
  }
  if (packet.reasonCode === ReasonCode.success) throw new ProtocolError('AUTH with Reason Code 0x00 from a client');
  if (isReauthentication) {
    authentication.isRunning = true;
    authentication.state.clear();
  }
  return step(connection, packet.properties?.authenticationData, connection.isOpen);
}

function step(
  connection: Connection,
  data: Uint8Array | undefined,
  isReauthentication: boolean,
): Promise<void> | undefined {
  const { hooks } = connection.context;
  const authentication = connection.authentication as EnhancedAuthentication;
  const { method, state } = authentication;
  const client = connection.identity as ClientIdentity;
  const answer = hooks.authenticateStep?.({ client, method, data, isReauthentication, state }) as
    | AuthenticationAnswer
    | Promise<AuthenticationAnswer>;
  if (answer instanceof Promise) return answer.then((settled) => conclude(connection, settled));
  return conclude(connection, answer);
}

function conclude(connection: Connection, answer: AuthenticationAnswer): Promise<void> | undefined {
  const authentication = connection.authentication as EnhancedAuthentication;
  const authenticationMethod = authentication.method;
  const isOpen = connection.state === 'open';
  if (!isOpen && connection.state !== 'authenticating') return undefined;
  if (answer.outcome === 'refuse') {
    const reasonCode = answer.reasonCode ?? ReasonCode.notAuthorized;
    connection.context.counters.authenticationFailures++;
    if (!isOpen) return refuse(connection, reasonCode, 'enhanced authentication failed', answer.reasonString);
    connection.disconnect(
      reasonCode,
      `Client ${connection.name} disconnected, re-authentication failed`,
      answer.reasonString,
    );
    return undefined;
  }
  const properties = {
    authenticationMethod,
    ...(answer.data === undefined ? undefined : { authenticationData: answer.data }),
  };
  if (answer.outcome === 'continue') {
    connection.send({ type: PacketType.AUTH, reasonCode: ReasonCode.continueAuthentication, properties });
    return undefined;
  }
  authentication.isRunning = false;
  if (isOpen) {
    connection.send({ type: PacketType.AUTH, reasonCode: ReasonCode.success, properties });
    return undefined;
  }
  if (answer.username !== undefined && connection.identity !== undefined) {
    connection.identity = { ...connection.identity, username: answer.username };
  }
  const { proceed } = authentication;
  authentication.proceed = undefined;
  return proceed?.(properties);
}
