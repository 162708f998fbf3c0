/** The broker that the settings name. */
import type { Target } from '../../bench/target.ts';
import type { BenchSettings } from './settings.ts';

const defaultPort = 1883;

export function targetOf(settings: BenchSettings): Target {
  const { host, port, usesWebSocket, webSocketPath, protocol, username, password, localAddresses } = settings;
  return {
    ...{ host, protocol, username, password, localAddresses },
    port: port ?? defaultPort,
    webSocketPath: usesWebSocket ? webSocketPath : undefined,
  };
}
