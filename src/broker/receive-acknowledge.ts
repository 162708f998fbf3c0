/** PUBACK, PUBREC and PUBCOMP of subscribers: one that was decoded, or a run of neighbours in their short form. */
import { isShortAcknowledge, shortAcknowledgeSize } from '../codec/index.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import { isFailure, ReasonCode } from '../protocol/reason-codes.ts';
import type { Connection } from './connection.ts';
import type { Session } from './session.ts';
import { runMessagesMax } from './session-output.ts';

/** Packet Identifiers of the PUBREL packets to be sent. */
const released = new Uint16Array(runMessagesMax);

export function receivePuback(connection: Connection, packetIdentifier: number): void {
  const session = connection.session as Session;
  endWithPuback(session, packetIdentifier);
  session.goOn();
}

export function receivePubcomp(connection: Connection, packetIdentifier: number): void {
  const session = connection.session as Session;
  endWithPubcomp(session, packetIdentifier);
  session.goOn();
}

export function receivePubrec(connection: Connection, packetIdentifier: number, reasonCode: number): void {
  const session = connection.session as Session;
  const delivery = session.outbound.identifiers.get(packetIdentifier);
  const outcome = session.outbound.pubrec(packetIdentifier, reasonCode);
  if (outcome === 'release') {
    const staged = connection.context.store?.stagedCount;
    if (delivery !== undefined) session.released(delivery);
    // A PUBREL that the store knows nothing of would be followed by the message itself after a crash.
    connection.acknowledgeWhenSafe(PacketType.PUBREL, packetIdentifier, ReasonCode.success, undefined, staged);
  } else if (outcome === 'ended') {
    if (delivery === undefined) return;
    session.delivered(delivery);
    session.goOn();
  } else if (delivery !== undefined) {
    forbidMismatch(session, 'PUBREC', packetIdentifier);
  } else if (!isFailure(reasonCode)) {
    // Nothing is known of it here, so the client is to forget it, too. [MQTT 5.0 §4.3.3]
    connection.sendAcknowledge(
      PacketType.PUBREL,
      packetIdentifier,
      connection.version === 5 ? ReasonCode.packetIdentifierNotFound : ReasonCode.success,
    );
  }
}

/**
 * Handles the short PUBACK, PUBREC or PUBCOMP that the framer stands at, and those of its kind behind it.
 * @returns false, and nothing happens, if it has no Packet Identifier or is of another type
 */
export function takeAcknowledgeRun(connection: Connection): boolean {
  const { framer, context } = connection;
  const { bytes, packetStart, limit } = framer;
  const firstByte = bytes[packetStart] as number;
  const type = firstByte >> 4;
  if (type !== PacketType.PUBACK && type !== PacketType.PUBREC && type !== PacketType.PUBCOMP) return false;
  const session = connection.session as Session;
  let position = packetStart;
  let releases = 0;
  for (;;) {
    const packetIdentifier = ((bytes[position + 2] as number) << 8) | (bytes[position + 3] as number);
    if (packetIdentifier === 0) break;
    if (type === PacketType.PUBACK) endWithPuback(session, packetIdentifier);
    else if (type === PacketType.PUBCOMP) endWithPubcomp(session, packetIdentifier);
    else if (isQuicklyReleased(connection, session, packetIdentifier)) {
      released[releases++] = packetIdentifier;
      if (releases === released.length) {
        connection.sendAcknowledges(PacketType.PUBREL, released, releases);
        releases = 0;
      }
    } else {
      connection.sendAcknowledges(PacketType.PUBREL, released, releases);
      releases = 0;
      receivePubrec(connection, packetIdentifier, ReasonCode.success);
    }
    position += shortAcknowledgeSize;
    if (!isShortAcknowledge(bytes, position, limit, firstByte)) break;
  }
  if (position === packetStart) return false;
  connection.sendAcknowledges(PacketType.PUBREL, released, releases);
  context.counters.messagesReceived += (position - packetStart) / shortAcknowledgeSize - 1;
  framer.skipTo(position);
  if (type !== PacketType.PUBREC) session.goOn();
  return true;
}

/** Whether a PUBREC leads to a PUBREL that need not wait for the store. */
function isQuicklyReleased(connection: Connection, session: Session, packetIdentifier: number): boolean {
  return (
    session.store === undefined &&
    !connection.holdsBack &&
    session.outbound.pubrec(packetIdentifier, ReasonCode.success) === 'release'
  );
}

function endWithPuback(session: Session, packetIdentifier: number): void {
  const delivery = session.outbound.puback(packetIdentifier);
  if (delivery !== undefined) session.delivered(delivery);
  else forbidMismatch(session, 'PUBACK', packetIdentifier);
}

function endWithPubcomp(session: Session, packetIdentifier: number): void {
  const delivery = session.outbound.pubcomp(packetIdentifier);
  if (delivery !== undefined) session.delivered(delivery);
  else forbidMismatch(session, 'PUBCOMP', packetIdentifier);
}

/** An acknowledgement of unknown identifiers is let pass; one of the wrong kind is no way to go on. [MQTT 5.0 §4.3] */
function forbidMismatch(session: Session, packetName: string, packetIdentifier: number): void {
  const delivery = session.outbound.identifiers.get(packetIdentifier);
  if (delivery === undefined) return;
  throw new ProtocolError(
    `${packetName} for Packet Identifier ${packetIdentifier}, a QoS ${delivery.qos} message that is ${delivery.state.replace('-', ' ')}`,
  );
}
