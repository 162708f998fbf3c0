/** From settings to a connected client of the library. */

import { randomInt } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { connect } from '../../client/node.ts';
import type { Client, ConnectOptions, Endpoint, SubscribeOptions } from '../../client/types.ts';
import { MqttError, OptionError, RefusedError } from '../../protocol/errors.ts';
import { type Ending, endingOf, exitStatus, refusedConnection } from './exit-status.ts';
import type { PacketProperties } from './parse-options.ts';
import { proxyUrl } from './proxy-option.ts';
import { lookUpServers } from './service-records.ts';
import type { ClientSettings } from './settings.ts';
import { TlsRefusal, tlsOptionsOf, usesTls } from './tls-settings.ts';

/** The command cannot go on; it ends as `ending` says. */
export class CommandFailure extends Error {
  readonly ending: Ending;
  constructor(ending: Ending) {
    super(ending.lines[0] ?? `status ${ending.status}`);
    this.ending = ending;
  }
}

/** Everything that is settled before the first attempt to connect. */
export interface PreparedConnection {
  /** To be tried in this order. */
  readonly endpoints: readonly Endpoint[];
  readonly options: ConnectOptions;
}

/** What the commands add to the options. */
export type ConnectionExtras = Pick<ConnectOptions, 'reconnect' | 'onPacket' | 'onMessage' | 'signal'>;

/** Path of the WebSocket resource; servers that serve MQTT alone take any. */
const webSocketPath = '/mqtt';

/** @throws {CommandFailure} */
export async function prepareConnection(
  settings: ClientSettings,
  properties: PacketProperties,
): Promise<PreparedConnection> {
  if (settings.protocolVersion !== 5 && settings.properties.length > 0) {
    throw failure('Unable to connect (This feature is not supported.).', 'Properties need MQTT 5.');
  }
  if (settings.password !== undefined && settings.username === undefined && settings.protocolVersion !== 5) {
    throw failure('Error: Problem setting username and/or password.', 'Before MQTT 5 a password needs a user name.');
  }
  try {
    const tls = tlsOptionsOf(settings);
    const options: ConnectOptions = {
      protocolVersion: settings.protocolVersion,
      clientIdentifier: clientIdentifierOf(settings),
      cleanStart: settings.cleanStart,
      keepAlive: settings.keepAlive,
      ...(settings.username !== undefined && { username: settings.username }),
      ...(settings.password !== undefined && { password: settings.password }),
      ...willOf(settings, properties),
      ...(settings.protocolVersion === 5 && connectPropertiesOf(settings, properties)),
      ...(settings.noDelay && { noDelay: true }),
      ...(tls !== undefined && { tls }),
      ...(settings.proxy !== undefined && { proxy: proxyUrl(settings.proxy) }),
      ...(settings.bindAddress !== undefined && { localAddress: await addressOf(settings.bindAddress) }),
    };
    return { endpoints: await endpointsOf(settings), options };
  } catch (error) {
    if (error instanceof TlsRefusal) throw new CommandFailure(error.ending);
    throw error;
  }
}

function failure(...lines: string[]): CommandFailure {
  return new CommandFailure({ status: exitStatus.failure, lines });
}

/** Empty where the server assigns one; MQTT 3.1 has no empty ones. */
function clientIdentifierOf(settings: ClientSettings): string {
  if (settings.clientIdentifierPrefix !== undefined) return `${settings.clientIdentifierPrefix}${process.pid}`;
  if (settings.clientIdentifier !== undefined) return settings.clientIdentifier;
  if (settings.protocolVersion !== 3) return '';
  const characters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  return `mosq-${Array.from({ length: 18 }, () => characters[randomInt(characters.length)]).join('')}`;
}

function willOf(settings: ClientSettings, properties: PacketProperties): Pick<ConnectOptions, 'will'> {
  if (settings.willTopic === undefined) return {};
  const hasProperties = Object.keys(properties.WILL).length > 0;
  return {
    will: {
      topicName: settings.willTopic,
      payload: settings.willPayload ?? new Uint8Array(),
      qos: settings.willQos,
      retain: settings.willRetain,
      ...(hasProperties && { properties: properties.WILL }),
    },
  };
}

function connectPropertiesOf(
  settings: ClientSettings,
  properties: PacketProperties,
): Pick<ConnectOptions, 'properties' | 'sessionExpiryInterval'> {
  const { sessionExpiryInterval: given, ...others } = properties.CONNECT;
  const sessionExpiryInterval = settings.sessionExpiryInterval ?? given;
  return {
    // No Receive Maximum unless it is asked for: with the classic clients' 20 Mosquitto 2.0 sends more than it may at QoS 2.
    ...(Object.keys(others).length > 0 && { properties: others }),
    ...(sessionExpiryInterval !== undefined && { sessionExpiryInterval }),
  };
}

/** Subscription Options that only MQTT 5 has; before it they are nothing but reserved bits. [MQTT311-3.8.3-4] */
export function subscriptionOptionsOf(
  settings: ClientSettings,
): Pick<SubscribeOptions, 'retainAsPublished' | 'retainHandling'> {
  if (settings.protocolVersion !== 5) return {};
  // What is to be removed has to come, even if it is not printed.
  const retainHandling = settings.skipRetained && settings.removeRetained ? 0 : settings.retainHandling;
  return { retainAsPublished: settings.retainAsPublished, retainHandling };
}

async function addressOf(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch {
    throw failure('Unable to connect (Lookup error.).');
  }
}

async function endpointsOf(settings: ClientSettings): Promise<Endpoint[]> {
  const isTls = usesTls(settings);
  if (settings.unixPath !== undefined) {
    return [{ protocol: 'unix', host: '', port: 0, path: settings.unixPath }];
  }
  const protocol = settings.useWebSocket ? (isTls ? 'wss' : 'ws') : isTls ? 'mqtts' : 'mqtt';
  const path = settings.useWebSocket ? webSocketPath : '';
  if (settings.useServiceRecords) {
    try {
      const servers = await lookUpServers(settings.host, isTls);
      return servers.map(({ host, port }) => ({ protocol, host, port, path }));
    } catch {
      throw failure('Unable to connect (Lookup error.).');
    }
  }
  const hasOwnTls = settings.caFile !== undefined || settings.caPath !== undefined || settings.pskKey !== undefined;
  const port = settings.port ?? (isTls && hasOwnTls ? 8883 : 1883);
  return [{ protocol, host: settings.host ?? 'localhost', port, path }];
}

/**
 * Connects to the first endpoint that takes the connection.
 * @throws {MqttError} the last one's error; `connectionEnding` says how to end with it
 */
export async function connectClient(prepared: PreparedConnection, extras: ConnectionExtras): Promise<Client> {
  let lastError: unknown;
  for (const endpoint of prepared.endpoints) {
    try {
      return await connect(endpoint, { ...prepared.options, ...extras });
    } catch (error) {
      lastError = error;
      const isUnreachable = error instanceof MqttError && error.code === 'MQTT_ERR_CONNECTION_FAILED';
      if (!isUnreachable) break;
    }
  }
  throw lastError;
}

/** How a command ends that could not connect. */
export function connectionEnding(error: unknown, settings: ClientSettings): Ending {
  if (error instanceof CommandFailure) return error.ending;
  if (error instanceof RefusedError && error.reasonCode !== undefined) {
    return refusedConnection(error.reasonCode, settings.protocolVersion);
  }
  if (error instanceof OptionError) return { status: exitStatus.failure, lines: [`Error: ${error.message}`] };
  return endingOf(error);
}
