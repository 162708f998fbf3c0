/** `clearwing/protocol`: the facts of MQTT, as tables, types and pure functions. */
export * from './errors.ts';
export * from './packet-types.ts';
export * from './properties.ts';
export * from './reason-codes.ts';
export * from './topics.ts';
export * from './version.ts';
