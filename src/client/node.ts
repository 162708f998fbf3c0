/** `clearwing/client` in Node: `connect` over TCP, TLS, WebSocket and Unix sockets, also through a SOCKS5 proxy. */
import { OptionError } from '../protocol/errors.ts';
import { proxyAddress } from '../transport/node/socks.ts';
import { connectTcp } from '../transport/node/tcp.ts';
import type { ConnectWebSocketOptions } from '../transport/node/websocket.ts';
import type { Transport } from '../transport/transport.ts';
import { openClient } from './client.ts';
import { webSocketUrl } from './endpoint.ts';
import type { Client, ConnectOptions, Endpoint } from './types.ts';

export * from './public.ts';

/**
 * Connects to a server.
 *
 *     const client = await connect('mqtt://localhost');
 *
 * @param url `mqtt://`, `tcp://` (port 1883), `mqtts://`, `ssl://`, `tls://` (8883), `ws://` (80), `wss://` (443), each with
 * `[username[:password]@]host[:port]`, or `unix:///path`; or an Endpoint. With the option `tls` each of them is spoken over TLS.
 * @throws {OptionError} an option is wrong; it names it
 * @throws {RefusedError} the server refused, with its `reasonCode`
 * @throws {TimeoutError} nothing within `connectTimeoutMs`
 * @throws {MqttError} `MQTT_ERR_CONNECTION_FAILED` with the system's error as `cause`
 */
export async function connect(url: string | Endpoint, options: ConnectOptions = {}): Promise<Client> {
  if (options.proxy !== undefined) checkProxy(options.proxy);
  return openClient(url, options, { dial });
}

function checkProxy(proxy: string): void {
  try {
    proxyAddress(proxy);
  } catch (error) {
    throw new OptionError((error as Error).message);
  }
}

/** Makes the byte stream to an endpoint. */
export function dial(endpoint: Endpoint, options: ConnectOptions, signal: AbortSignal): Promise<Transport> {
  const { localAddress, noDelay, proxy, headers } = options;
  const common = { localAddress, noDelay, proxy, signal };
  switch (endpoint.protocol) {
    case 'mqtt':
      return connectTcp({ ...common, host: endpoint.host, port: endpoint.port, tls: options.tls });
    case 'mqtts':
      return connectTcp({ ...common, host: endpoint.host, port: endpoint.port, tls: options.tls ?? {} });
    case 'ws':
    case 'wss': {
      const subprotocols = options.protocolVersion === 3 ? ['mqttv3.1'] : ['mqtt'];
      const protocol = options.tls === undefined ? endpoint.protocol : 'wss';
      const url = webSocketUrl({ ...endpoint, protocol });
      return openWebSocket(url, { ...common, headers, subprotocols, tls: options.tls });
    }
    case 'unix':
      return connectTcp({ unixPath: endpoint.path, tls: options.tls, signal });
  }
}

/** `ws` and what it loads take longer than the rest of a client's start: only who speaks WebSocket waits for it. */
async function openWebSocket(url: string, options: ConnectWebSocketOptions): Promise<Transport> {
  const { connectWebSocket } = await import('../transport/node/websocket.ts');
  return connectWebSocket(url, options);
}
