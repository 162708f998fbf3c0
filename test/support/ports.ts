/** TCP ports for the programs that tests start. Free of test frameworks, so that the long programs can use it, too. */
import { connect, createServer } from 'node:net';

/** Below the range that the system gives to outgoing connections, one of which would otherwise take it while its owner is down. */
const portMin = 15_000;
const portCount = 16_000;
const attemptsMax = 200;

/** A port that nobody listens on, neither with IPv4 nor with IPv6. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const port = portMin + Math.floor(Math.random() * portCount);
    const isFree = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once('error', () => resolve(false));
      // Without a host this takes IPv6 and IPv4, so the port is free for both.
      probe.listen(port, () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
  throw new Error(`found no free port from ${portMin} to ${portMin + portCount - 1}`);
}

/** Whether somebody accepts connections on the port of 127.0.0.1. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
