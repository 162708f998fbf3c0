/**
 * Publishes a temperature once a second, at QoS 1, until Ctrl+C; offline or not, nothing is lost while the program runs.
 *
 *     npx esbuild examples/publish.ts --bundle --platform=node --format=esm --external:ws --outfile=dist/examples/publish.mjs
 *     node dist/examples/publish.mjs mqtt://localhost 10
 *
 * Outside of this repository the import is `from 'clearwing/client'`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '../src/client/node.ts';

const [url = 'mqtt://localhost', count = '60'] = process.argv.slice(2);

const client = await connect(url, {
  // The server publishes this if we vanish.
  will: { topicName: 'sensors/kitchen/status', payload: 'offline', qos: 1, retain: true },
});
client.on('disconnect', (error, willReconnect) => {
  console.error(`${error?.message ?? 'disconnected'}; ${willReconnect ? 'trying again' : 'giving up'}`);
});
await client.publish('sensors/kitchen/status', 'online', { qos: 1, retain: true });

for (let reading = 1; reading <= Number(count) && client.state !== 'closed'; reading++) {
  const temperature = 20 + Math.sin(reading / 10);
  // Without await, so that a slow connection does not delay the next reading.
  client
    .publish('sensors/kitchen/temperature', temperature.toFixed(2), { qos: 1 })
    .catch((error: Error) => console.error(`not published: ${error.message}`));
  await delay(1_000);
}

await client.publish('sensors/kitchen/status', 'offline', { qos: 1, retain: true });
await client.end();
console.log(`published ${count} readings`);
