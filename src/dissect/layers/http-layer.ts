/** The head of an HTTP request or response. RFC 9112 §2.1. */
import type { DataSource } from '../../capture/frame.ts';
import type { Diagnostic } from '../diagnostic.ts';
import type { FieldDescriptor } from '../field.ts';
import type { FieldSink } from '../field-sink.ts';
import { decodeText, escapeLine } from '../format-text.ts';
import type { UpperLayer } from '../stream-dissector.ts';
import { httpFields } from './http-fields.ts';

const headerFields: Readonly<Record<string, FieldDescriptor>> = {
  host: httpFields.host,
  upgrade: httpFields.upgrade,
  connection: httpFields.connection,
  'user-agent': httpFields.userAgent,
  server: httpFields.server,
  date: httpFields.date,
  accept: httpFields.accept,
  'accept-encoding': httpFields.acceptEncoding,
  'accept-language': httpFields.acceptLanguage,
  authorization: httpFields.authorization,
  'cache-control': httpFields.cacheControl,
  'content-length': httpFields.contentLength,
  'content-type': httpFields.contentType,
  cookie: httpFields.cookie,
  location: httpFields.location,
  'transfer-encoding': httpFields.transferEncoding,
  'sec-websocket-accept': httpFields.webSocketAccept,
  'sec-websocket-extensions': httpFields.webSocketExtensions,
  'sec-websocket-key': httpFields.webSocketKey,
  'sec-websocket-protocol': httpFields.webSocketProtocol,
  'sec-websocket-version': httpFields.webSocketVersion,
};
const headerOf = new Map(Object.entries(headerFields));

/** A line of a head, with the CR LF that ends it. */
interface HeadLine {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A head as text, parsed once. */
export class HttpHead {
  readonly lines: readonly HeadLine[];
  readonly isResponse: boolean;
  /** Method, URI, version; or version, code, phrase. */
  readonly parts: readonly [string, string, string];
  readonly #values = new Map<string, string>();

  constructor(bytes: Uint8Array, start: number, end: number) {
    const lines: HeadLine[] = [];
    for (let at = start; at < end; ) {
      let next = bytes.indexOf(0x0a, at);
      if (next < 0 || next >= end) next = end - 1;
      lines.push({ start: at, end: next + 1, text: decodeText(bytes, at, next + 1) });
      at = next + 1;
    }
    this.lines = lines;
    const first = (lines[0]?.text ?? '').trimEnd();
    const left = first.indexOf(' ');
    const right = first.indexOf(' ', left + 1);
    this.isResponse = first.startsWith('HTTP/');
    this.parts =
      left < 0
        ? [first, '', '']
        : right < 0
          ? [first.slice(0, left), first.slice(left + 1), '']
          : [first.slice(0, left), first.slice(left + 1, right), first.slice(right + 1)];
    for (const line of lines.slice(1)) {
      const colon = line.text.indexOf(':');
      if (colon > 0) this.#values.set(line.text.slice(0, colon).toLowerCase(), line.text.slice(colon + 1).trim());
    }
  }

  /** @param name - in lower case */
  header(name: string): string | undefined {
    return this.#values.get(name);
  }
}

export class HttpLayer implements UpperLayer {
  readonly protocol = httpFields.self;
  readonly columnProtocol = 'HTTP';
  readonly source: DataSource;
  readonly start: number;
  readonly end: number;
  readonly head: HttpHead;

  constructor(source: DataSource, start: number, end: number, head: HttpHead) {
    this.source = source;
    this.start = start;
    this.end = end;
    this.head = head;
  }

  info(): string {
    return `${this.head.parts.join(' ').trimEnd()} `;
  }

  describe(sink: FieldSink): void {
    if (!sink.wants(httpFields.self)) return;
    const f = httpFields;
    const { source, head } = this;
    sink.enter(f.self, source, this.start, this.end);
    const first = head.lines[0];
    if (first !== undefined) this.#describeFirstLine(sink, first);
    for (const line of head.lines.slice(1)) this.#describeLine(sink, line);
    sink.addHidden(head.isResponse ? f.isResponse : f.isRequest, source, this.start, this.start, true);
    const host = head.header('host');
    if (!head.isResponse && host !== undefined) {
      const uri = `http://${host}${head.parts[1]}`;
      sink.addGenerated(f.fullUri, source, this.start, this.start, uri);
    }
    sink.leave();
  }

  #describeFirstLine(sink: FieldSink, line: HeadLine): void {
    const f = httpFields;
    const { source, head } = this;
    const [one, two, three] = head.parts;
    const shown = escapeLine(line.text);
    sink.enterText(shown, source, line.start, line.end);
    const chat: Diagnostic = { severity: 'chat', group: 'Sequence', message: shown, rule: undefined };
    sink.addDiagnostic(f.chat, source, line.start, line.end, chat);
    const second = line.start + one.length + 1;
    const third = second + two.length + 1;
    if (head.isResponse) {
      sink.add(f.responseVersion, source, line.start, line.start + one.length, one);
      const code = Number.parseInt(two, 10);
      if (Number.isInteger(code)) sink.add(f.code, source, second, second + two.length, code);
      if (three !== '') sink.add(f.phrase, source, third, third + three.length, three);
    } else {
      sink.add(f.method, source, line.start, line.start + one.length, one);
      sink.add(f.uri, source, second, second + two.length, two);
      if (three !== '') sink.add(f.requestVersion, source, third, third + three.length, three);
    }
    sink.leave();
  }

  #describeLine(sink: FieldSink, line: HeadLine): void {
    const f = httpFields;
    const { source } = this;
    const colon = line.text.indexOf(':');
    const field = colon > 0 ? headerOf.get(line.text.slice(0, colon).toLowerCase()) : undefined;
    const whole = this.head.isResponse ? f.responseLine : f.requestLine;
    if (field === undefined) {
      sink.enterText(escapeLine(line.text), source, line.start, line.end);
    } else {
      sink.enter(field, source, line.start, line.end, line.text.slice(colon + 1).trim());
      if (sink.wantsText) sink.setText(escapeLine(line.text));
    }
    if (colon > 0) sink.addHidden(whole, source, line.start, line.end, line.text);
    sink.leave();
  }
}
