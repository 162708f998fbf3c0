/** Opens the sockets of a listener: one for each address family, as Mosquitto does, or one Unix socket. */
import { networkInterfaces } from 'node:os';
import { type ListenTcpOptions, listenTcp } from '../transport/node/tcp.ts';
import type { Listener, Transport } from '../transport/transport.ts';
import type { BrokerListener } from './listener.ts';
import type { Log } from './log.ts';
import { type BrokerSettings, packetSizeLimit } from './options.ts';

/** A WebSocket message may hold many packets, so its limit is not below this, however small packets must be. */
const frameBytesMin = 1024 * 1024;

interface Binding {
  readonly host: string | undefined;
  readonly ipv6Only: boolean;
  readonly family: 'ipv4' | 'ipv6' | undefined;
  /** Where the family may be missing on this machine: then the other one is enough. */
  readonly isOptional: boolean;
}

/** @throws the system's error, with a message that says which listener it is about */
export async function openSockets(
  listener: BrokerListener,
  brokerSettings: BrokerSettings,
  log: Log,
  accept: (transport: Transport) => void,
): Promise<void> {
  const { settings } = listener;
  const onError = (error: Error): void => log.write('error', `Error on listener: ${error.message}`);
  const noDelay = brokerSettings.setTcpNodelay;
  const isWebSocket = settings.protocol === 'websockets';
  const maxPayload = Math.max(frameBytesMin, packetSizeLimit(brokerSettings));
  const open = (options: ListenTcpOptions): Promise<Listener> =>
    isWebSocket
      ? openWebSocket({ ...options, httpDir: settings.httpDir, maxPayload }, accept)
      : listenTcp(options, accept);
  if (settings.unixPath !== undefined) {
    log.write('information', `Opening unix listen socket on path ${settings.unixPath}.`);
    listener.sockets.push(await open({ unixPath: settings.unixPath, onError }));
    return;
  }
  let { port } = settings;
  for (const binding of bindingsOf(listener)) {
    const { host, ipv6Only, family } = binding;
    const shown = port === 0 ? 'a free port' : `port ${port}`;
    if (isWebSocket) log.write('information', `Opening websockets listen socket on ${shown}.`);
    else log.write('information', `Opening ${family ?? 'ipv4'} listen socket on ${shown}.`);
    try {
      const socket = await open({ port, host, ipv6Only, noDelay, onError });
      listener.sockets.push(socket);
      port = socket.address.port;
    } catch (error) {
      if (binding.isOptional && isFamilyMissing(error)) continue;
      throw error;
    }
  }
  if (listener.sockets.length === 0) throw new Error(`No address to listen on for port ${port}`);
}

/** Loaded when a listener asks for it: plain brokers start without. */
async function openWebSocket(
  options: Parameters<typeof import('../transport/node/websocket.ts').listenWebSocket>[0],
  accept: (transport: Transport) => void,
) {
  const { listenWebSocket } = await import('../transport/node/websocket.ts');
  return listenWebSocket(options, accept);
}

function bindingsOf({ settings }: BrokerListener): Binding[] {
  const { bindInterface, host, socketDomain } = settings;
  if (bindInterface !== undefined) return interfaceBindings(bindInterface, socketDomain);
  if (host !== undefined && host !== 'local') {
    const family = host.includes(':') ? 'ipv6' : 'ipv4';
    return [{ host, ipv6Only: host.includes(':'), family, isOptional: false }];
  }
  const isLocal = host === 'local';
  const ipv4: Binding = { host: isLocal ? '127.0.0.1' : '0.0.0.0', ipv6Only: false, family: 'ipv4', isOptional: true };
  const ipv6: Binding = { host: isLocal ? '::1' : '::', ipv6Only: true, family: 'ipv6', isOptional: true };
  if (socketDomain === 'ipv4') return [{ ...ipv4, isOptional: false }];
  if (socketDomain === 'ipv6') return [{ ...ipv6, isOptional: false }];
  return [ipv4, ipv6];
}

/** One for each address of the network interface, of which there must be one. */
function interfaceBindings(name: string, socketDomain: 'ipv4' | 'ipv6' | undefined): Binding[] {
  const bindings: Binding[] = [];
  for (const { address, family, scopeid } of networkInterfaces()[name] ?? []) {
    const isIpv6 = family === 'IPv6';
    if (socketDomain !== undefined && (socketDomain === 'ipv6') !== isIpv6) continue;
    // Link-local addresses are ambiguous without their interface.
    const host = isIpv6 && scopeid !== 0 ? `${address}%${name}` : address;
    bindings.push({ host, ipv6Only: isIpv6, family: isIpv6 ? 'ipv6' : 'ipv4', isOptional: false });
  }
  if (bindings.length > 0) return bindings;
  throw new Error(`Network interface '${name}' has no ${socketDomain ?? 'IP'} address to listen on`);
}

function isFamilyMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL';
}
