/**
 * Prints what the sensors say, over a Session that the server keeps for a day: what is published while this program is not
 * running is printed when it runs again.
 *
 *     npx esbuild examples/subscribe.ts --bundle --platform=node --format=esm --external:ws --outfile=dist/examples/subscribe.mjs
 *     node dist/examples/subscribe.mjs mqtt://localhost
 *
 * Outside of this repository the import is `from 'clearwing/client'`.
 */
import { connect, MqttError, type ReceivedMessage } from '../src/client/node.ts';

const [url = 'mqtt://localhost'] = process.argv.slice(2);

function print(message: ReceivedMessage): void {
  console.log(`${message.topicName} ${message.text()}${message.retain ? ' (retained)' : ''}`);
}

try {
  const client = await connect(url, {
    clientIdentifier: 'example-subscriber',
    cleanStart: false,
    sessionExpiryInterval: 24 * 3_600,
    // Takes what the Session had kept, which comes before any subscribe.
    onMessage: print,
  });
  console.log(client.connack.sessionPresent ? 'the server remembers us' : 'a new Session');
  process.once('SIGINT', () => void client.end());

  const subscription = await client.subscribe(['sensors/+/temperature', 'sensors/+/status'], { qos: 1 });
  // A message is acknowledged when the loop comes back for the next one.
  for await (const message of subscription) print(message);
} catch (error) {
  console.error(error instanceof MqttError ? `${error.code}: ${error.message}` : error);
  process.exitCode = 1;
}
