/**
 * A walk over the bytes of a packet, field by field. A field that does not fit ends it: what is left is not read, as nobody can know what it would
 * mean. Everything is said to a sink; faults only if it asks for them.
 */
import type { DataSource } from '../../capture/frame.ts';
import type { Diagnostic } from '../diagnostic.ts';
import type { FieldDescriptor } from '../field.ts';
import type { FieldSink } from '../field-sink.ts';
import { fields } from './fields.ts';
import type { MqttPacket } from './packet.ts';
import { packetMarks } from './packet-marks.ts';
import { variableByteIntegerAt, variableByteIntegerSize } from './property-walk.ts';
import { findTextFault } from './utf8.ts';

export class PacketWalk {
  readonly packet: MqttPacket;
  readonly sink: FieldSink;
  readonly source: DataSource;
  readonly bytes: Uint8Array;
  /** Where the fields have to end: with the packet, or with the properties while these are read. */
  end: number;
  /** Whether faults are asked for. */
  readonly checks: boolean;
  /** 3, 4 or 5; 0 where no CONNECT was seen and the packets do not prove 5. */
  readonly version: number;
  at: number;
  /** First byte of the payload of a PUBLISH; -1 without one. */
  payloadStart = -1;
  /** A field did not fit. */
  isCut = false;

  constructor(packet: MqttPacket, sink: FieldSink) {
    this.packet = packet;
    this.sink = sink;
    this.source = packet.source;
    this.bytes = packet.source.bytes;
    this.at = packet.bodyStart;
    this.end = packet.end;
    this.checks = sink.wants(fields.violation);
    // Wireshark has names of its own for fields of packets whose version it does not know, and these are 3.1.1 as a rule.
    this.version = packet.version !== 5 && packet.has(packetMarks.inferredVersion) ? 0 : packet.version;
  }

  /** Whether `count` more bytes are there; if not, the walk ends here. */
  has(count: number): boolean {
    if (this.at + count <= this.end) return true;
    this.isCut = true;
    return false;
  }

  /** A number of 1, 2 or 4 bytes, added as `field`; -1 if it does not fit. */
  number(field: FieldDescriptor, size: number): number {
    if (!this.has(size)) return -1;
    const { at, bytes } = this;
    let value = bytes[at]!;
    for (let index = 1; index < size; index++) value = value * 256 + bytes[at + index]!;
    this.at = at + size;
    this.sink.add(field, this.source, at, at + size, value);
    return value;
  }

  /** A Variable Byte Integer; -1 if it does not fit, or has more than four bytes. [MQTT 5.0 §1.5.5] */
  variableByteInteger(field: FieldDescriptor): number {
    const { at, bytes } = this;
    const value = variableByteIntegerAt(bytes, at, this.end);
    if (value < 0) {
      this.isCut = true;
      return -1;
    }
    const size = variableByteIntegerSize(bytes, at);
    this.at = at + size;
    this.sink.add(field, this.source, at, this.at, value);
    if (this.checks && size > 1 && bytes[this.at - 1] === 0) {
      this.fault(at, this.at, `${field.label} takes ${size} bytes and could take fewer`, 'MQTT-1.5.5-1', undefined);
    }
    return value;
  }

  /** The next `length` bytes as text; false if they are not there. */
  text(field: FieldDescriptor, length: number): boolean {
    if (!this.has(length)) return false;
    const { at } = this;
    this.at = at + length;
    this.sink.addString(field, this.source, at, this.at);
    if (this.checks) this.checkText(field, at, this.at);
    return true;
  }

  /** The next `length` bytes as they are; false if they are not there. */
  binary(field: FieldDescriptor, length: number): boolean {
    if (!this.has(length)) return false;
    const { at } = this;
    this.at = at + length;
    this.sink.addBytes(field, this.source, at, this.at);
    return true;
  }

  checkText(field: FieldDescriptor, start: number, end: number): void {
    const fault = findTextFault(this.bytes, start, end);
    if (fault === undefined) return;
    if (fault === 'ill-formed') this.fault(start, end, `${field.label} is no UTF-8`, 'MQTT-1.5.4-1', 'MQTT311-1.5.3-1');
    else if (fault === 'null') {
      this.fault(start, end, `${field.label} has the character U+0000`, 'MQTT-1.5.4-2', 'MQTT311-1.5.3-2');
    } else this.remark(start, end, `${field.label} has control characters`);
  }

  /** The rule's number by the version of the packet; 3.1 has none. */
  rule(rule5: string | undefined, rule311: string | undefined): string | undefined {
    if (this.version === 5) return rule5;
    return this.packet.version === 3 ? undefined : rule311;
  }

  /** Something that the protocol does not allow, said of what was added last. To be called only if `checks`. */
  fault(start: number, end: number, message: string, rule5?: string, rule311?: string): void {
    this.#say(start, end, { severity: 'error', group: 'Protocol', message, rule: this.rule(rule5, rule311) });
  }

  /** Something worth a look. */
  remark(start: number, end: number, message: string): void {
    this.#say(start, end, { severity: 'note', group: 'Protocol', message, rule: undefined });
  }

  #say(start: number, end: number, diagnostic: Diagnostic): void {
    this.sink.addDiagnostic(fields.violation, this.source, start, end, diagnostic);
  }
}
