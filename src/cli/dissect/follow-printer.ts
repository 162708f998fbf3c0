/** `--follow`: a conversation, packet by packet, as text or JSON. */
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import { type FollowedLine, type FollowedPacket, Follower, type FollowTarget } from '../../dissect/report/follow.ts';
import { onOneLine } from '../../payload/payload-text.ts';
import { DissectArgumentError, type DissectRequest } from './arguments.ts';
import type { FramePrinter } from './frame-printer.ts';
import { padLeft, padRight } from './text-columns.ts';

const frameWidth = 6;
const timeWidth = 11;
const nameWidth = 16;

/** A number is a TCP stream; anything else, or what stands behind `client:`, a Client Identifier. */
export function parseFollowTarget(text: string): FollowTarget {
  if (text.startsWith('client:')) return { client: text.slice('client:'.length) };
  if (text === '')
    throw new DissectArgumentError('--follow: expected the number of a TCP stream, or a Client Identifier');
  return /^\d{1,10}$/.test(text) ? { stream: Number(text) } : { client: text };
}

export class FollowPrinter implements FramePrinter {
  readonly fields = [];
  readonly #target: FollowTarget;
  readonly #follower: Follower;
  readonly #isJson: boolean;
  #lines = 0;
  /** TCP stream of the last line. */
  #stream = -1;

  /** @throws {DissectArgumentError} */
  constructor(request: DissectRequest, target: string) {
    const { format } = request;
    if (format !== undefined && format !== 'text' && format !== 'json') {
      throw new DissectArgumentError(`--follow has the forms -T text and -T json, not ${format}`);
    }
    this.#target = parseFollowTarget(target);
    this.#follower = new Follower(this.#target);
    this.#isJson = format === 'json';
  }

  begin(): string {
    return this.#isJson ? '[' : '';
  }

  frame(frame: DissectedFrame): string {
    const lines = this.#follower.next(frame);
    if (lines.length === 0) return '';
    let text = '';
    for (const line of lines) {
      if (this.#isJson) text += `${this.#lines === 0 ? '' : ','}\n  ${JSON.stringify(jsonOf(line))}`;
      else {
        if (line.stream !== this.#stream) text += `${this.#lines === 0 ? '' : '\n'}${heading(frame, line)}`;
        text += `${textOf(line)}\n`;
      }
      this.#stream = line.stream;
      this.#lines++;
    }
    return text;
  }

  end(): string {
    if (this.#lines === 0) {
      const what = 'stream' in this.#target ? `TCP stream ${this.#target.stream}` : `client "${this.#target.client}"`;
      process.stderr.write(`clearwing: there is no MQTT packet of ${what}\n`);
    }
    return this.#isJson ? `${this.#lines === 0 ? '' : '\n'}]\n` : '';
  }
}

/** `Stream 2: 127.0.0.1:33520 → 127.0.0.1:1883, began at 0.778090`. */
function heading(frame: DissectedFrame, { isByClient, stream, time }: FollowedLine): string {
  const { sourcePort, destinationPort } = frame.headers;
  const from = endpoint(frame.source(), sourcePort);
  const to = endpoint(frame.destination(), destinationPort);
  const ends = isByClient ? `${from} → ${to}` : `${to} → ${from}`;
  const began = frame.sinceFirstNs / 1e9 - time;
  return `Stream ${stream}: ${ends}, began at ${Math.max(0, began).toFixed(6)}\n`;
}

function endpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function textOf(line: FollowedLine): string {
  const frame = padLeft(String(line.frame), frameWidth);
  const time = padLeft(line.time.toFixed(6), timeWidth);
  const arrow = line.isByClient ? '──▶' : '◀──';
  if (line.kind === 'end') return `${frame} ${time} ${arrow} (TCP ${line.how})`;
  const name = `${line.type}${line.identifier > 0 ? ` ${line.identifier}` : ''}`;
  return `${frame} ${time} ${arrow} ${padRight(name, nameWidth)} ${content(line)}`.trimEnd();
}

/** What is behind the packet's name. */
function content(packet: FollowedPacket): string {
  const parts: string[] = [];
  if (packet.qos !== undefined) {
    parts.push(`QoS ${packet.qos}${packet.dup ? ' DUP' : ''}${packet.retain ? ' RETAIN' : ''}`);
    parts.push(packet.topic === '' ? '(unknown topic)' : onOneLine(packet.topic));
    parts.push(payloadText(packet));
  }
  if (packet.type === 'CONNECT') parts.push(packet.client === '' ? 'no Client Identifier' : onOneLine(packet.client));
  if (packet.details !== '') parts.push(onOneLine(packet.details));
  if (packet.answers > 0) parts.push(`[answers ${packet.answers}, ${packet.answerTime.toFixed(6)} s]`);
  if (packet.missing > 0) parts.push(`[${packet.missing} bytes are not in the capture]`);
  return parts.filter((part) => part !== '').join('  ');
}

function payloadText({ payload }: FollowedPacket): string {
  if (payload === undefined) return '';
  if (payload.length === 0) return '(empty)';
  return payload.format === 'hex' ? `${payload.text} (${payload.length} bytes)` : payload.text;
}

function jsonOf(line: FollowedLine): unknown {
  const { frame, stream, time, isByClient } = line;
  const common = { frame, stream, time, direction: isByClient ? 'in' : 'out' };
  if (line.kind === 'end') return { ...common, type: line.how };
  const { client, type, identifier, qos, dup, retain, topic, details, length, payload, answers, answerTime } = line;
  return {
    ...common,
    client,
    type,
    length,
    ...(identifier > 0 ? { id: identifier } : {}),
    ...(qos === undefined ? {} : { qos, dup, retain, topic }),
    ...(payload === undefined
      ? {}
      : {
          payload: payload.text,
          format: payload.format,
          payload_length: payload.length,
          payload_whole: payload.isWhole,
        }),
    ...(details === '' ? {} : { details }),
    ...(answers > 0 ? { answers, answer_time: answerTime } : {}),
    ...(line.missing > 0 ? { missing: line.missing } : {}),
  };
}
