/** What the command line and the option files ask of `pub`, `sub` and `rr`, with the defaults. */

import type { PayloadFormat } from '../../payload/payload-format.ts';
import type { PropertyKey, PropertyScope } from '../../protocol/properties.ts';
import type { ProtocolVersion, QoS } from '../../protocol/version.ts';
import type { MessageFormat } from './format.ts';

export type ClientCommand = 'pub' | 'sub' | 'rr';

/** Where the payload comes from: `-m`, `-f`, `-n`, `-s` or `-l`. */
export type MessageSource =
  | { readonly kind: 'text'; readonly payload: Uint8Array }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'standard input' }
  | { readonly kind: 'lines' };

/** The packets `-D` can put a property on. */
export type PropertyTarget = Extract<
  PropertyScope,
  'CONNECT' | 'PUBLISH' | 'WILL' | 'SUBSCRIBE' | 'UNSUBSCRIBE' | 'DISCONNECT'
>;

/** One `-D`: the value is of the type that the property's wire type asks for. */
export interface GivenProperty {
  readonly target: PropertyTarget;
  readonly key: PropertyKey;
  readonly value: number | boolean | string | Uint8Array | readonly [string, string];
}

/** A SOCKS5 proxy. */
export interface ProxySettings {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

export interface ClientSettings {
  // Where to
  host: string | undefined;
  /** 1–65,535; undefined for the default of the transport. */
  port: number | undefined;
  unixPath: string | undefined;
  bindAddress: string | undefined;
  useServiceRecords: boolean;
  useWebSocket: boolean;
  noDelay: boolean;
  proxy: ProxySettings | undefined;
  // TLS
  caFile: string | undefined;
  caPath: string | undefined;
  certFile: string | undefined;
  keyFile: string | undefined;
  keyForm: string | undefined;
  ciphers: string | undefined;
  tlsVersion: string | undefined;
  tlsAlpn: string | undefined;
  tlsEngine: string | undefined;
  tlsEngineKeyPasswordSha1: string | undefined;
  useSystemCertificates: boolean;
  isInsecure: boolean;
  isTlsOff: boolean;
  pskKey: string | undefined;
  pskIdentity: string | undefined;
  // Connection and session
  protocolVersion: ProtocolVersion;
  clientIdentifier: string | undefined;
  clientIdentifierPrefix: string | undefined;
  cleanStart: boolean;
  /** Seconds, 0xFFFFFFFF for ever; undefined if `-x` was not given. */
  sessionExpiryInterval: number | undefined;
  /** Seconds. */
  keepAlive: number;
  username: string | undefined;
  password: string | undefined;
  willTopic: string | undefined;
  willPayload: Uint8Array | undefined;
  willQos: QoS;
  willRetain: boolean;
  properties: GivenProperty[];
  // Messages
  /** The topic to publish to (`pub`, `rr`); the last one given counts. */
  topicName: string | undefined;
  responseTopic: string | undefined;
  topicFilters: string[];
  filterOuts: string[];
  unsubscribeFilters: string[];
  qos: QoS;
  retain: boolean;
  source: MessageSource | undefined;
  inflightMax: number;
  repeatCount: number;
  /** Milliseconds. */
  repeatDelayMs: number;
  retainAsPublished: boolean;
  retainHandling: 0 | 1 | 2;
  /** `-R` */
  skipRetained: boolean;
  retainedOnly: boolean;
  removeRetained: boolean;
  exitAfterSubscribe: boolean;
  /** `-C`; undefined for no limit. */
  messageCount: number | undefined;
  /** `-W`, seconds. */
  timeout: number | undefined;
  // Output
  isVerbose: boolean;
  format: MessageFormat | undefined;
  isPretty: boolean;
  /** What payloads are printed as instead of what they are. */
  decode: PayloadFormat | 'auto' | undefined;
  endOfLine: boolean;
  /** Per cent of the messages that are printed. */
  randomFilter: number;
  watch: boolean;
  messageRate: boolean;
  measureLatency: boolean;
  isDebug: boolean;
  isQuiet: boolean;
}

/** The settings before any option is read. */
export function defaultSettings(command: ClientCommand): ClientSettings {
  return {
    host: undefined,
    port: undefined,
    unixPath: undefined,
    bindAddress: undefined,
    useServiceRecords: false,
    useWebSocket: false,
    noDelay: false,
    proxy: undefined,
    caFile: undefined,
    caPath: undefined,
    certFile: undefined,
    keyFile: undefined,
    keyForm: undefined,
    ciphers: undefined,
    tlsVersion: undefined,
    tlsAlpn: undefined,
    tlsEngine: undefined,
    tlsEngineKeyPasswordSha1: undefined,
    useSystemCertificates: false,
    isInsecure: false,
    isTlsOff: false,
    pskKey: undefined,
    pskIdentity: undefined,
    protocolVersion: command === 'rr' ? 5 : 4,
    clientIdentifier: undefined,
    clientIdentifierPrefix: undefined,
    cleanStart: true,
    sessionExpiryInterval: undefined,
    keepAlive: 60,
    username: undefined,
    password: undefined,
    willTopic: undefined,
    willPayload: undefined,
    willQos: 0,
    willRetain: false,
    properties: [],
    topicName: undefined,
    responseTopic: undefined,
    topicFilters: [],
    filterOuts: [],
    unsubscribeFilters: [],
    qos: 0,
    retain: false,
    source: undefined,
    inflightMax: 20,
    repeatCount: 1,
    repeatDelayMs: 0,
    retainAsPublished: false,
    retainHandling: 0,
    skipRetained: false,
    retainedOnly: false,
    removeRetained: false,
    exitAfterSubscribe: false,
    messageCount: command === 'rr' ? 1 : undefined,
    timeout: undefined,
    isVerbose: false,
    format: undefined,
    isPretty: false,
    decode: undefined,
    endOfLine: true,
    randomFilter: 100,
    watch: false,
    messageRate: false,
    measureLatency: false,
    isDebug: false,
    isQuiet: false,
  };
}
