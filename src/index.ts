/** `clearwing`, on Node: the client library, the broker, and the facts of MQTT they share. */
export * from './broker/index.ts';
export * from './client/node.ts';
export * from './protocol/index.ts';
