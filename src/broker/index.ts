/** `clearwing/broker`: a broker inside a program. */
export { MqttError, OptionError, StorageError } from '../protocol/errors.ts';
export { ReasonCode } from '../protocol/reason-codes.ts';
export { type MemoryPairOptions, memoryPair } from '../transport/memory.ts';
export type { Transport } from '../transport/transport.ts';
export { type Authority, type ClientIdentity, openAuthority, type Verdict } from './auth.ts';
export { Broker, type BrokerPublishOptions, type CreateBrokerOptions, createBroker } from './broker.ts';
export type { AuthenticationAnswer, AuthenticationStep, BrokerHooks, Decision } from './hooks.ts';
export type { Log, LogType } from './log.ts';
export { Message, type MessageProperties, type Publisher } from './message.ts';
export type { BrokerSettings, ListenerSettings } from './options.ts';
export type { Durability } from './persistence/lmdb.ts';
export { type OpenStoreOptions, openStore } from './persistence/open-store.ts';
export type { Store } from './persistence/store.ts';
