/** What the generator does before connections are counted: it opens some to a server of its own, which answers CONNECT and nothing else. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type ConnectionStormOptions, runConnectionStorm } from '../src/bench/connection-storm.ts';
import { plainTarget } from '../src/bench/target.ts';
import { firstByte, type Protocol } from '../src/bench/wire.ts';

/** From here on V8 compiles little more of the generator. */
const practiceConnections = 3_000;

/** Accepted, no Session present; in MQTT 5 without properties. */
const connack: Readonly<Record<Protocol, Buffer>> = {
  '3.1.1': Buffer.from([firstByte.connack, 2, 0, 0]),
  '5': Buffer.from([firstByte.connack, 3, 0, 0, 0]),
};

/**
 * A second or two of connections is too short for the time that V8 takes to compile the generator not to show. The broker that is
 * measured knows nothing of this: it comes freshly started.
 * @throws the system's error if it cannot listen, and {LoadError}
 */
export async function practiseConnections(options: ConnectionStormOptions): Promise<void> {
  const { protocol } = options.target;
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      if (chunk[0] === firstByte.connect) socket.write(connack[protocol]);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await runConnectionStorm({
      ...options,
      target: plainTarget('127.0.0.1', (server.address() as AddressInfo).port, protocol),
      connections: Math.min(options.connections, practiceConnections),
      brokerProcessId: undefined,
    });
  } finally {
    server.close();
  }
  await once(server, 'close');
}
