/**
 * A broker of one's own: users with passwords, each with a part of the topic tree, a word filter, and a line for whoever comes and goes.
 *
 *     npx esbuild examples/embedded-broker.ts --bundle --platform=node --format=esm --packages=external --outfile=dist/examples/broker.mjs
 *     node dist/examples/broker.mjs 1883
 *     clearwing sub -u ada -P engine -t 'home/ada/#' &
 *     clearwing pub -u ada -P engine -t home/ada/lamp -m on
 *
 * Outside of this repository the import is `from 'clearwing/broker'`.
 */
import { scryptSync, timingSafeEqual } from 'node:crypto';
import { type BrokerHooks, createBroker, type Log, ReasonCode } from '../src/broker/index.ts';

/** Passwords as they would be stored: salted and hashed. */
const hash = (password: string): Buffer => scryptSync(password, 'salt of this example', 32, { N: 1024 });
const users = new Map([
  ['ada', hash('engine')],
  ['grace', hash('compiler')],
]);

/** What a user may use: her own branch, and what all share. */
const mayUse = (username: string | undefined, topic: string): boolean =>
  topic === 'shared' || topic.startsWith('shared/') || topic.startsWith(`home/${username}/`);

const hooks: BrokerHooks = {
  authenticate(client, packet) {
    const known = users.get(client.username ?? '');
    if (known === undefined || packet.password === undefined) return false;
    return timingSafeEqual(known, hash(Buffer.from(packet.password).toString()));
  },
  authorizePublish: (client, topicName) => mayUse(client.username, topicName),
  authorizeSubscribe: (client, topicFilter) => mayUse(client.username, topicFilter) || ReasonCode.topicFilterInvalid,
  onPublish(message) {
    const isRude = Buffer.from(message.payload).includes('damn');
    return isRude ? false : undefined;
  },
  onConnect: (client) => console.log(`${client.username} is here as ${client.clientIdentifier}`),
  onDisconnect: (client, reason) => console.log(`${client.username} is gone: ${reason}`),
};

const log: Log = {
  isEnabled: (type) => type === 'warning' || type === 'error',
  write: (type, text) => {
    if (log.isEnabled(type)) console.error(`${type}: ${text}`);
  },
};

const broker = createBroker({
  listeners: [{ port: Number(process.argv[2] ?? 1883), host: 'local' }],
  settings: { maxPacketSize: 1024 * 1024, maxQueuedMessages: 500 },
  hooks,
  log,
});
await broker.listen();
console.log(`listening on port ${broker.port}`);

const minute = setInterval(() => broker.publish('shared/time', new Date().toISOString(), { retain: true }), 60_000);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    clearInterval(minute);
    await broker.close();
    console.log('stopped');
  });
}
