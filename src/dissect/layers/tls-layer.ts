/** Records of TLS that lie next to each other, as one layer. */
import type { DataSource } from '../../capture/frame.ts';
import type { FieldSink } from '../field-sink.ts';
import type { UpperLayer } from '../stream-dissector.ts';
import { uint16At, uint24At } from './bytes.ts';
import { alertDescriptions, alertLevels, contentTypes, handshakeTypes, tlsFields } from './tls-fields.ts';
import { plural } from './wording.ts';

export const recordHeaderLength = 5;
export const contentType = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const;

/** What is known of a record: where it lies, and what was in it if it could be decrypted. */
export class TlsRecord {
  readonly start: number;
  /** Of the bytes that are there. */
  readonly end: number;
  readonly isEncrypted: boolean;
  /** What is in it: the record's own bytes, or what they decrypt to; undefined if they cannot be. */
  readonly content: DataSource | undefined;
  readonly contentStart: number;
  readonly contentType: number;
  /** Whether what it carries ends in the middle of a packet. */
  isSegment = false;
  /** What the application is called that its data belong to. */
  readonly application: string | undefined;

  constructor(
    start: number,
    end: number,
    isEncrypted: boolean,
    content: DataSource | undefined,
    contentStart: number,
    type: number,
    application: string | undefined,
  ) {
    this.start = start;
    this.end = end;
    this.isEncrypted = isEncrypted;
    this.content = content;
    this.contentStart = contentStart;
    this.contentType = type;
    this.application = application;
  }
}

/** `TLSv1.2` of 0x0303. */
export function versionName(version: number): string {
  if (version === 0x0300) return 'SSLv3';
  if (version === 0x0301) return 'TLSv1';
  return version > 0x0301 && version <= 0x0304 ? `TLSv1.${version - 0x0301}` : 'TLS';
}

export class TlsLayer implements UpperLayer {
  readonly protocol = tlsFields.self;
  readonly source: DataSource;
  readonly start: number;
  end: number;
  readonly records: TlsRecord[] = [];
  /** Of the session as far as it is known: 0x0303 is TLS 1.2. */
  version: number;
  /** Whether what the records carry is decrypted and goes on to another layer. */
  hasInnerStage = false;
  /** Layers that the last record completed. */
  lastRecordLayers = 0;

  constructor(source: DataSource, start: number, version: number) {
    this.source = source;
    this.start = start;
    this.end = start;
    this.version = version;
  }

  get columnProtocol(): string {
    return versionName(this.version);
  }

  info(): string {
    if (this.hasInnerStage) {
      const last = this.records.at(-1)!;
      if (last.isSegment) return '[TLS segment of a reassembled PDU]';
    }
    return this.records.map((record) => this.#recordInfo(record)).join(', ');
  }

  /** What is said of the records after the last one with application data, as a continuation. */
  trailingInfo(): string {
    const { records } = this;
    let index = records.length;
    while (index > 0 && records[index - 1]!.contentType !== contentType.applicationData) index--;
    return records
      .slice(index)
      .map((record) => `, ${this.#recordInfo(record)}`)
      .join('');
  }

  describe(sink: FieldSink): void {
    if (!sink.wants(tlsFields.self)) return;
    sink.enter(tlsFields.self, this.source, this.start, this.end);
    for (const record of this.records) this.#describeRecord(sink, record);
    sink.leave();
  }

  #recordInfo(record: TlsRecord): string {
    const { content } = record;
    switch (record.contentType) {
      case contentType.handshake:
        if (content === undefined) return 'Encrypted Handshake Message';
        return handshakeNames(content.bytes, record.contentStart, contentEnd(record)).join(', ') || 'Handshake';
      case contentType.alert: {
        if (content === undefined) return 'Encrypted Alert';
        const level = alertLevels[content.bytes[record.contentStart] ?? 0] ?? 'Unknown';
        const description = alertDescriptions[content.bytes[record.contentStart + 1] ?? 255] ?? 'Unknown';
        return `Alert (Level: ${level}, Description: ${description})`;
      }
      default:
        return contentTypes[record.contentType as keyof typeof contentTypes] ?? 'Unknown Record';
    }
  }

  #describeRecord(sink: FieldSink, record: TlsRecord): void {
    const f = tlsFields;
    const { source } = this;
    const bytes = source.bytes;
    const at = record.start;
    sink.enter(f.record, source, at, record.end);
    if (sink.wantsText) sink.setText(`${versionName(this.version)} Record Layer: ${this.#recordTitle(record)}`);
    const outer = bytes[at]!;
    if (outer === record.contentType) sink.add(f.contentType, source, at, at + 1, outer);
    else {
      sink.add(f.opaqueType, source, at, at + 1, outer);
      sink.addGenerated(f.contentType, source, at, at + 1, record.contentType);
    }
    sink.add(f.version, source, at + 1, at + 3, uint16At(bytes, at + 1));
    sink.add(f.length, source, at + 3, at + 5, uint16At(bytes, at + 3));
    const fragment = at + recordHeaderLength;
    switch (record.contentType) {
      case contentType.changeCipherSpec:
        sink.add(f.changeCipherSpec, source, fragment, record.end, undefined);
        break;
      case contentType.alert:
        this.#describeAlert(sink, record);
        break;
      case contentType.handshake:
        this.#describeHandshake(sink, record);
        break;
      case contentType.applicationData:
        sink.addBytes(f.applicationData, source, fragment, record.end);
        if (record.application !== undefined) {
          sink.addGenerated(f.applicationProtocol, source, at, at, record.application);
        }
        break;
    }
    sink.leave();
    if (!record.isSegment || record.content === undefined) return;
    const { content } = record;
    sink.addBytes(f.segmentData, content, 0, content.bytes.length);
    if (sink.wantsText) sink.setText(`TLS segment data (${plural(content.bytes.length, 'byte')})`);
  }

  #recordTitle(record: TlsRecord): string {
    switch (record.contentType) {
      case contentType.handshake: {
        if (record.content === undefined) return 'Handshake Protocol: Encrypted Handshake Message';
        const names = handshakeNames(record.content.bytes, record.contentStart, contentEnd(record));
        return `Handshake Protocol: ${names.length === 1 ? names[0] : 'Multiple Handshake Messages'}`;
      }
      case contentType.alert:
        return record.content === undefined ? 'Encrypted Alert' : this.#recordInfo(record);
      case contentType.changeCipherSpec:
        return 'Change Cipher Spec Protocol: Change Cipher Spec';
      case contentType.applicationData:
        return record.application === undefined
          ? 'Application Data'
          : `Application Data Protocol: ${record.application}`;
      default:
        return this.#recordInfo(record);
    }
  }

  #describeAlert(sink: FieldSink, record: TlsRecord): void {
    const f = tlsFields;
    const { content } = record;
    sink.enter(f.alert, this.source, record.start + recordHeaderLength, record.end);
    if (content === undefined) {
      if (sink.wantsText) sink.setText('Alert Message: Encrypted Alert');
    } else if (record.contentStart + 2 <= content.bytes.length) {
      const at = record.contentStart;
      sink.add(f.alertLevel, content, at, at + 1, content.bytes[at]!);
      sink.add(f.alertDescription, content, at + 1, at + 2, content.bytes[at + 1]!);
    }
    sink.leave();
  }

  /** Messages are named with their lengths; of hellos, version and random are shown, too. */
  #describeHandshake(sink: FieldSink, record: TlsRecord): void {
    const f = tlsFields;
    const { content } = record;
    if (content === undefined) {
      sink.enter(f.handshake, this.source, record.start + recordHeaderLength, record.end);
      if (sink.wantsText) sink.setText('Handshake Protocol: Encrypted Handshake Message');
      sink.leave();
      return;
    }
    const { bytes } = content;
    const end = contentEnd(record);
    for (let at = record.contentStart; at + 4 <= end; ) {
      const type = bytes[at]!;
      const length = uint24At(bytes, at + 1);
      const messageEnd = Math.min(at + 4 + length, end);
      sink.enter(f.handshake, content, at, messageEnd);
      if (sink.wantsText) sink.setText(`Handshake Protocol: ${handshakeTypes[type] ?? 'Unknown'}`);
      sink.add(f.handshakeType, content, at, at + 1, type);
      if (sink.wantsText) sink.setText(`Handshake Type: ${handshakeTypes[type] ?? 'Unknown'} (${type})`);
      sink.add(f.handshakeLength, content, at + 1, at + 4, length);
      if ((type === 1 || type === 2) && at + 38 <= end) {
        sink.add(f.handshakeVersion, content, at + 4, at + 6, uint16At(bytes, at + 4));
        sink.addBytes(f.random, content, at + 6, at + 38);
      }
      sink.leave();
      at += 4 + length;
    }
  }
}

function contentEnd(record: TlsRecord): number {
  return record.isEncrypted ? record.content!.bytes.length : record.end;
}

function handshakeNames(bytes: Uint8Array, start: number, end: number): string[] {
  const names: string[] = [];
  for (let at = start; at + 4 <= end; at += 4 + uint24At(bytes, at + 1)) {
    names.push(handshakeTypes[bytes[at]!] ?? 'Unknown Handshake Message');
  }
  return names;
}
