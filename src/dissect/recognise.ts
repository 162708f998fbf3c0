/** What a connection carries: by rule, by port, by its first bytes. */
import type { Flow } from '../capture/flow.ts';
import { type ApplicationName, applicationByRule, type DecodeAsRule } from './decode-as.ts';
import { isRecordHeader } from './tls-stream.ts';

/** Ports by which servers of MQTT and of what carries it are known, and what they carry unless the first bytes say otherwise. */
const usualPorts: ReadonlyMap<number, ApplicationName> = new Map([
  [1883, 'mqtt'],
  [8883, 'tls'],
  [443, 'tls'],
  [8443, 'tls'],
  [80, 'http'],
  [8080, 'http'],
  [8081, 'http'],
  [8083, 'http'],
  [9001, 'http'],
]);

/** What lies within TLS, by the port of the server. */
const usualWithinTls: ReadonlyMap<number, ApplicationName> = new Map([
  [8883, 'mqtt'],
  [443, 'http'],
  [8443, 'http'],
]);

/** What is known of a connection, or of what TLS carries, before its first byte. */
export interface Expectation {
  /** What a rule says: then nothing else counts. */
  readonly rule: ApplicationName | undefined;
  /** What its port is usually used for. */
  readonly usual: ApplicationName | undefined;
  /** Whether first bytes are looked at where neither says anything. */
  readonly looks: boolean;
}

export function expectOnTcp(flow: Flow, rules: readonly DecodeAsRule[], looks: boolean): Expectation {
  const { client, server } = flow;
  return {
    rule: applicationByRule(rules, client.port, server.port),
    usual: usualPorts.get(server.port) ?? usualPorts.get(client.port),
    looks,
  };
}

export function expectWithinTls(flow: Flow): Expectation {
  return { rule: undefined, usual: usualWithinTls.get(flow.server.port), looks: true };
}

/** Bytes after which it is decided, whatever they are. */
export const recognitionBytes = 16;

/** What is decided, or that more bytes are needed. */
export type Recognition = ApplicationName | 'undecided';

/**
 * Decides by the first bytes of a connection, whoever sent them.
 * @param isWhole - no more will come, or enough has come: then it is decided
 */
export function recognise(
  expectation: Expectation,
  bytes: Uint8Array,
  start: number,
  end: number,
  isWhole: boolean,
): Recognition {
  const { rule, usual, looks } = expectation;
  if (rule !== undefined) return rule;
  if (usual === undefined && !looks) return 'data';
  const seen = applicationByBytes(bytes, start, end);
  if (seen === 'undecided') {
    if (usual === 'mqtt' && bytes[start] === connectByte) return 'mqtt';
    return isWhole ? (usual ?? 'data') : 'undecided';
  }
  if (usual === 'http') return seen ?? (isWebSocketFrame(bytes, start, end) ? 'websocket' : 'data');
  return seen ?? usual ?? 'data';
}

/** CONNECT, with the flags that it must have. */
const connectByte = 0x10;

/** What bytes say by themselves: undefined if nothing. */
function applicationByBytes(bytes: Uint8Array, start: number, end: number): Recognition | undefined {
  const length = end - start;
  switch (bytes[start]) {
    case connectByte:
      return isConnect(bytes, start, end);
    case 0x16:
      if (length < 6) return 'undecided';
      // A hello of client or server.
      return isRecordHeader(bytes, start, end) && (bytes[start + 5] === 1 || bytes[start + 5] === 2)
        ? 'tls'
        : undefined;
    case 0x14:
    case 0x15:
    case 0x17:
      if (length < 5) return 'undecided';
      return isRecordHeader(bytes, start, end) && bytes[start + 2] === 3 ? 'tls' : undefined;
    case 0x47: // GET
    case 0x48: // HTTP
      if (length < 5) return 'undecided';
      return startsWith(bytes, start, 'GET /') || startsWith(bytes, start, 'HTTP/') ? 'http' : undefined;
    default:
      return undefined;
  }
}

/** CONNECT: Remaining Length, and a Protocol Name of the two that there are. [MQTT-3.1.2-1] */
export function isConnect(bytes: Uint8Array, start: number, end: number): Recognition | undefined {
  let at = start + 1;
  for (let count = 0; count < 4; count++) {
    if (at >= end) return 'undecided';
    if (bytes[at++]! < 0x80) break;
    if (count === 3) return undefined;
  }
  for (const name of ['\u0000\u0004MQTT', '\u0000\u0006MQIsdp']) {
    const there = Math.min(name.length, end - at);
    if (!startsWith(bytes, at, name.slice(0, there))) continue;
    return there === name.length ? 'mqtt' : 'undecided';
  }
  return undefined;
}

/**
 * A frame of a WebSocket whose beginning was not captured: FIN and Binary, or a control frame, and a length that is written as short as it can be.
 * RFC 6455 §5.2.
 */
function isWebSocketFrame(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < 2) return false;
  const first = bytes[start]!;
  if (first !== 0x82 && first !== 0x89 && first !== 0x8a) return false;
  const length = bytes[start + 1]! & 0x7f;
  const headerLength = (bytes[start + 1]! & 0x80) !== 0 ? 6 : 2;
  return length < 126 ? start + headerLength + length <= end : first === 0x82;
}

function startsWith(bytes: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) if (bytes[at + index] !== text.charCodeAt(index)) return false;
  return true;
}
