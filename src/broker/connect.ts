/**
 * CONNECT: from the packet to an open Session, or to a refusal. [MQTT 5.0 §3.1.4]
 *
 *     handleConnect ─▶ clientIdentifierFor ─▶ authenticate (files, hooks, AUTH exchange) ─▶ will allowed? ─▶ open
 *                                                                                      open: take-over, Session, CONNACK, backlog
 *
 * Here, and only here, the versions' ways are made one: Clean Session 1 of 3.1 and 3.1.1 is Clean Start with Session Expiry Interval 0,
 * Clean Session 0 is a Session that never expires.
 */
import { connectReturnCode, packetSizeMax } from '../codec/index.ts';
import type { ConnectPacket } from '../codec/packets.ts';
import { InboundTopicAliases, OutboundTopicAliases } from '../exchange/topic-aliases.ts';
import { PacketType } from '../protocol/packet-types.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import { isFailure, ReasonCode, reasonCodeName } from '../protocol/reason-codes.ts';
import { packetIdentifierMax } from '../protocol/version.ts';
import type { ClientIdentity } from './auth.ts';
import { ConnectedClient } from './connected-client.ts';
import type { Connection } from './connection.ts';
import { beginAuthentication } from './enhanced-authentication.ts';
import { watch } from './hooks.ts';
import { abridged, hasMoreLevels } from './publish.ts';
import { isReservedTopic } from './reserved-topics.ts';
import { neverExpires, type Session } from './session.ts';
import { noteTakeOver } from './take-over.ts';
import { cancelPendingWill, publishPendingWill } from './will.ts';

const keepAliveMax = 65_535;

export function handleConnect(connection: Connection, packet: ConnectPacket): Promise<void> | undefined {
  const { context, listener } = connection;
  connection.version = packet.protocolVersion;
  connection.framer.version = packet.protocolVersion;
  connection.wantsProblemInformation = packet.properties?.requestProblemInformation !== false;
  connection.peerMaximumPacketSize = packet.properties?.maximumPacketSize ?? packetSizeMax;
  connection.state = 'authenticating';

  // Also where it is the user name: the client must know. [MQTT-3.2.2-16]
  const isAssigned = packet.clientIdentifier === '';
  const clientIdentifier = clientIdentifierFor(connection, packet);
  connection.identity = new ConnectedClient(
    clientIdentifier ?? packet.clientIdentifier,
    packet.username,
    listener.index,
    connection.transport,
  );
  if (clientIdentifier === undefined) {
    return refuse(connection, ReasonCode.clientIdentifierNotValid, 'the Client Identifier is not allowed');
  }
  if (connection.isOverLimit) {
    context.counters.connectionsRefused++;
    return refuse(connection, ReasonCode.quotaExceeded, 'max_connections reached');
  }
  const { maxKeepAlive } = context.settings;
  const isKeepAliveTooLong = maxKeepAlive !== 0 && (packet.keepAlive === 0 || packet.keepAlive > maxKeepAlive);
  if (isKeepAliveTooLong && packet.protocolVersion !== 5) {
    return refuse(
      connection,
      ReasonCode.clientIdentifierNotValid,
      `keep alive ${packet.keepAlive} is over max_keepalive`,
    );
  }
  const { willMessage } = packet;
  if (willMessage !== undefined) {
    if (willMessage.qos > listener.settings.maxQos) {
      return refuse(connection, ReasonCode.qosNotSupported, `will of QoS ${willMessage.qos}`);
    }
    if (willMessage.retain && !context.settings.retainAvailable) {
      return refuse(connection, ReasonCode.retainNotSupported, 'retained will');
    }
  }
  const proceed = (answer: PropertiesOf<'CONNACK'>): Promise<void> | undefined =>
    admitWill(connection, packet, {
      ...answer,
      ...(isKeepAliveTooLong ? { serverKeepAlive: maxKeepAlive } : undefined),
      ...(isAssigned ? { assignedClientIdentifier: clientIdentifier } : undefined),
    });
  if (packet.properties?.authenticationMethod !== undefined) {
    return beginAuthentication(connection, packet, proceed);
  }
  const verdict = context.authority.authenticate(connection.identity, packet);
  if (verdict instanceof Promise) return verdict.then((answer) => settle(connection, answer, proceed));
  return settle(connection, verdict, proceed);
}

/** Answers with a CONNACK that refuses, says so in the log and ends the connection. */
export function refuse(connection: Connection, reasonCode: ReasonCode, why: string, reasonString?: string): undefined {
  const { context } = connection;
  context.counters.connectRefused++;
  context.log.write(
    'warning',
    `Refused CONNECT from ${connection.peerName} as ${connection.name === '' ? '<empty>' : connection.name}${
      connection.identity?.username === undefined ? '' : ` (user '${connection.identity.username}')`
    }: ${reasonCodeName(reasonCode)} (${why}).`,
  );
  if (context.logsPackets) {
    const code = connection.version === 5 ? reasonCode : connectReturnCode(reasonCode);
    context.log.write('debug', `Sending CONNACK to ${connection.transport.peer.address} (0, ${code})`);
  }
  connection.send({
    type: PacketType.CONNACK,
    sessionPresent: false,
    reasonCode,
    properties: connection.version === 5 && reasonString !== undefined ? { reasonString } : undefined,
  });
  connection.finish('', false);
}

function settle(
  connection: Connection,
  verdict: ReasonCode,
  proceed: (answer: PropertiesOf<'CONNACK'>) => Promise<void> | undefined,
): Promise<void> | undefined {
  if (connection.state !== 'authenticating') return undefined;
  if (!isFailure(verdict)) return proceed({});
  connection.context.counters.authenticationFailures++;
  return refuse(connection, verdict, 'authentication failed');
}

/** The will is a publish to come, so its topic is checked like one. */
function admitWill(
  connection: Connection,
  packet: ConnectPacket,
  answer: PropertiesOf<'CONNACK'>,
): Promise<void> | undefined {
  const { context, listener } = connection;
  const identity = connection.identity as ClientIdentity;
  if (packet.willMessage === undefined) return open(connection, packet, answer);
  const topicName = listener.settings.mountPoint + packet.willMessage.topicName;
  const why = `will topic '${abridged(packet.willMessage.topicName)}'`;
  if (isReservedTopic(topicName)) return refuse(connection, ReasonCode.notAuthorized, why);
  if (hasMoreLevels(topicName, context.settings.maxTopicLevels)) {
    context.counters.topicLevelsRefused++;
    return refuse(connection, ReasonCode.topicNameInvalid, why);
  }
  if (context.authority.publishesAll) return open(connection, packet, answer);
  const verdict = context.authority.mayPublish(identity, topicName, undefined);
  const conclude = (code: ReasonCode): Promise<void> | undefined => {
    if (connection.state !== 'authenticating') return undefined;
    if (isFailure(code)) return refuse(connection, code, why);
    return open(connection, packet, answer);
  };
  return verdict instanceof Promise ? verdict.then(conclude) : conclude(verdict);
}

/** Everything allows the client: it gets its Session, its CONNACK and what waited for it. */
function open(
  connection: Connection,
  packet: ConnectPacket,
  answer: PropertiesOf<'CONNACK'>,
): Promise<void> | undefined {
  const { context, listener } = connection;
  const identity = connection.identity as ClientIdentity;
  const { settings } = context;
  const isV5 = packet.protocolVersion === 5;
  const expiryInterval = isV5 ? (packet.properties?.sessionExpiryInterval ?? 0) : packet.cleanStart ? 0 : neverExpires;
  if (context.store?.isRefusingWork === true) {
    if (expiryInterval > 0 || context.sessions.get(identity.clientIdentifier)?.isPersistent === true) {
      context.counters.storeRefused++;
      return refuse(connection, ReasonCode.quotaExceeded, 'the store takes nothing now');
    }
  }
  // Before the Session that a Clean Start ends: that end is promised by the CONNACK, too.
  const staged = context.store?.stagedCount;

  let session = context.sessions.find(identity.clientIdentifier);
  const former = session?.connection ?? session?.claimant;
  if (session !== undefined && former !== undefined) {
    noteTakeOver(context, former, connection);
    // With a Clean Start the Session ends here, and so must its delayed will wait no longer. [MQTT-3.1.4-3]
    former.disconnect(
      ReasonCode.sessionTakenOver,
      `Client ${identity.clientIdentifier} already connected, closing old connection`,
    );
    session = context.sessions.get(identity.clientIdentifier);
  }
  const sessionPresent = session !== undefined && !packet.cleanStart;
  if (session !== undefined && packet.cleanStart) {
    publishPendingWill(context, session);
    context.sessions.end(session);
  }
  const resumed: Session = sessionPresent ? (session as Session) : context.sessions.create(identity);
  if (sessionPresent) {
    context.sessions.resume(resumed);
    cancelPendingWill(context, resumed);
  }
  const { username, listenerIndex } = resumed.identity;
  if (!context.authority.receivesAll && (username !== identity.username || listenerIndex !== identity.listenerIndex)) {
    // Who may be sent what was asked for the former user.
    context.routes.reset(settings, context.authority);
  }
  resumed.identity = identity;
  resumed.expiryInterval = expiryInterval;
  const { onConnect, onDisconnect } = context.hooks;
  // Access rules and hooks may ask for the address when the connection is gone.
  if (expiryInterval > 0 || onConnect !== undefined || onDisconnect !== undefined) void identity.peer;

  const inflightMax = settings.maxInflightMessages || packetIdentifierMax;
  resumed.inboundMaximum = isV5 ? inflightMax : packetIdentifierMax;
  if (packet.willMessage !== undefined) {
    const topicName = listener.settings.mountPoint + packet.willMessage.topicName;
    connection.willMessage = { ...packet.willMessage, topicName };
  }
  if (isV5) {
    connection.inboundAliases = new InboundTopicAliases(listener.settings.maxTopicAlias);
    const aliasMaximum = packet.properties?.topicAliasMaximum ?? 0;
    if (aliasMaximum > 0) connection.outboundAliases = new OutboundTopicAliases(aliasMaximum);
  }
  connection.opened(resumed, answer.serverKeepAlive ?? packet.keepAlive);
  resumed.claimant = connection;
  resumed.record(connection.willMessage, 0);
  context.counters.clientsConnected++;
  context.counters.connectionsAccepted++;
  logConnected(connection, packet);

  const welcome = (): void => {
    if (context.logsPackets) {
      context.log.write('debug', `Sending CONNACK to ${connection.name} (${sessionPresent ? 1 : 0}, 0)`);
    }
    const isTold = connection.send({
      type: PacketType.CONNACK,
      sessionPresent,
      reasonCode: ReasonCode.success,
      properties: isV5 ? connackProperties(connection, inflightMax, answer) : undefined,
    });
    if (onConnect !== undefined) watch(context.log, onConnect.call(context.hooks, identity, sessionPresent));
    if (isTold) {
      resumed.attached(connection, Math.min(inflightMax, packet.properties?.receiveMaximum ?? packetIdentifierMax));
    } else {
      // It would wait for its CONNACK for ever.
      connection.finish(`Client ${connection.name} takes no packet as large as its CONNACK, disconnecting`, true);
    }
  };
  const { store } = context;
  if (store === undefined || store.stagedCount === staged) return void welcome();
  // The client may rely on its Session from CONNACK on, so the store must have it. Until then nothing more is read.
  return new Promise((resolve) => {
    store.whenSafe(() => {
      if (connection.isOpen) welcome();
      resolve();
    });
  });
}

/**
 * The answer, and what the server can do; what is as the specification's default is left out. [MQTT 5.0 §3.2.2.3]
 * They are in the order that Mosquitto has, for clients and test suites that compare bytes.
 */
function connackProperties(
  connection: Connection,
  receiveMaximum: number,
  answer: PropertiesOf<'CONNACK'>,
): PropertiesOf<'CONNACK'> {
  const { settings } = connection.context;
  const { maxQos, maxTopicAlias } = connection.listener.settings;
  const all: PropertiesOf<'CONNACK'> = maxTopicAlias === 0 ? {} : { topicAliasMaximum: maxTopicAlias };
  Object.assign(all, answer);
  if (!settings.retainAvailable) all.retainAvailable = false;
  if (settings.maxPacketSize !== 0) all.maximumPacketSize = settings.maxPacketSize;
  if (receiveMaximum !== packetIdentifierMax) all.receiveMaximum = receiveMaximum;
  if (maxQos !== 2) all.maximumQos = maxQos;
  return all;
}

/** The identifier the client is known by, made up if it left that to us; undefined if it is not allowed. */
function clientIdentifierFor(connection: Connection, packet: ConnectPacket): string | undefined {
  const { settings } = connection.listener;
  if (settings.useUsernameAsClientIdentifier) return packet.username || undefined;
  if (packet.clientIdentifier === '') {
    // 3.1 knows no empty identifier, 3.1.1 only with Clean Session. [MQTT311-3.1.3-8]
    if (packet.protocolVersion === 3 || (packet.protocolVersion === 4 && !packet.cleanStart)) return undefined;
    if (!settings.allowZeroLengthClientIdentifier) return undefined;
    return settings.autoIdPrefix + globalThis.crypto.randomUUID().toUpperCase();
  }
  const prefixes = connection.context.settings.clientIdentifierPrefixes;
  if (prefixes.length > 0 && !prefixes.some((prefix) => packet.clientIdentifier.startsWith(prefix))) return undefined;
  return packet.clientIdentifier;
}

function logConnected(connection: Connection, packet: ConnectPacket): void {
  const { context, name } = connection;
  if (context.settings.connectionMessages) {
    const user = packet.username === undefined ? '' : `, u'${packet.username}'`;
    const protocol = packet.protocolVersion === 3 ? 1 : packet.protocolVersion === 4 ? 2 : 5;
    const keepAlive = Math.min(connection.keepAlive, keepAliveMax);
    context.log.write(
      'notice',
      `New client connected from ${connection.peerName} as ${name} (p${protocol}, c${packet.cleanStart ? 1 : 0}, k${keepAlive}${user}).`,
    );
  }
  if (!context.logsPackets) return;
  const will = packet.willMessage;
  if (will === undefined) {
    context.log.write('debug', 'No will message specified.');
  } else {
    context.log.write(
      'debug',
      `Will message specified (${will.payload.length} bytes) (r${will.retain ? 1 : 0}, q${will.qos}).`,
    );
    context.log.write('debug', `\t${will.topicName}`);
  }
}
