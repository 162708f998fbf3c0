/** `clearwing/client` in the browser: `connect` over WebSocket. */
import { OptionError } from '../protocol/errors.ts';
import type { Transport } from '../transport/transport.ts';
import { connectWebSocket } from '../transport/web.ts';
import { openClient } from './client.ts';
import { checkEndpoint, parseUrl, webSocketUrl } from './endpoint.ts';
import type { Client, ConnectOptions, Endpoint } from './types.ts';

export * from './public.ts';

/** Options that a browser leaves no choice about. */
const refusedOptions = ['tls', 'localAddress', 'proxy', 'noDelay', 'headers'] as const;

/**
 * Connects to a server.
 *
 *     const client = await connect('wss://broker.example/mqtt');
 *
 * @param url `ws://` (port 80) or `wss://` (443) with `[username[:password]@]host[:port][/path]`, or an Endpoint
 * @throws {OptionError} an option is wrong, or not possible in a browser; it names it
 * @throws {RefusedError} the server refused, with its `reasonCode`
 * @throws {TimeoutError} nothing within `connectTimeoutMs`
 * @throws {MqttError} `MQTT_ERR_CONNECTION_FAILED`
 */
export async function connect(url: string | Endpoint, options: ConnectOptions = {}): Promise<Client> {
  for (const name of refusedOptions) {
    if (options[name] !== undefined) throw new OptionError(`${name} cannot be set in a browser`);
  }
  const { protocol } = typeof url === 'string' ? parseUrl(url).endpoint : checkEndpoint(url);
  if (options.transport === undefined && protocol !== 'ws' && protocol !== 'wss') {
    throw new OptionError(`protocol ${protocol}; expected ws or wss, as a browser has nothing else`);
  }
  return openClient(url, options, { dial });
}

function dial(endpoint: Endpoint, options: ConnectOptions, signal: AbortSignal): Promise<Transport> {
  const subprotocols = options.protocolVersion === 3 ? ['mqttv3.1'] : ['mqtt'];
  return connectWebSocket(webSocketUrl(endpoint), { subprotocols, signal });
}
