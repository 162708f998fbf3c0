import { type ByteFault, ByteReader } from '../base/byte-reader.ts';
import { emptyBytes } from '../base/bytes.ts';
import type { TextCache } from '../base/text-cache.ts';
import { MalformedPacketError, ProtocolError } from '../protocol/errors.ts';
import type { PacketTypeName } from '../protocol/packet-types.ts';
import { isReasonCodeOf, ReasonCode } from '../protocol/reason-codes.ts';
import { isTopicName } from '../protocol/topics.ts';
import type { ProtocolVersion } from '../protocol/version.ts';

/**
 * A packet being decoded: its bytes, where in them we are, and the version they are read in. The refusals below take the number of
 * the broken statement in MQTT 5.0 and in 3.1.1, where the same number often is another rule; 3.1 has no numbers.
 *
 * Which error: bytes that cannot be parsed as the specification lays them out are a Malformed Packet (0x81); values that parse and are
 * not allowed are a Protocol Error (0x82), unless the specification calls them malformed where it forbids them. [MQTT 5.0 §1.2, §4.13]
 */
export class PacketReader extends ByteReader {
  packetStart: number;
  version: ProtocolVersion;

  constructor() {
    super(emptyBytes);
    this.packetStart = 0;
    this.version = 5;
  }

  /** Starts with the variable header at `bodyStart` of the packet at `packetStart`, which ends before `end`. */
  begin(bytes: Uint8Array, packetStart: number, bodyStart: number, end: number, version: ProtocolVersion): void {
    this.moveTo(bytes, bodyStart, end);
    this.packetStart = packetStart;
    this.version = version;
  }

  /** For `throw`: the packet is malformed at `position` of the bytes. */
  malformed(message: string, rule5?: string, rule311?: string, position = this.position): MalformedPacketError {
    const offset = position - this.packetStart;
    return new MalformedPacketError(`${message}, at byte ${offset}`, offset, this.rule(rule5, rule311));
  }

  /** For `throw`: the packet is well-formed and says what it must not. */
  violation(
    message: string,
    rule5?: string,
    rule311?: string,
    reasonCode: ReasonCode = ReasonCode.protocolError,
  ): ProtocolError {
    return new ProtocolError(message, reasonCode, this.rule(rule5, rule311));
  }

  private rule(rule5: string | undefined, rule311: string | undefined): string | undefined {
    if (this.version === 5) return rule5 === undefined ? undefined : `MQTT-${rule5}`;
    if (this.version === 4) return rule311 === undefined ? undefined : `MQTT311-${rule311}`;
    return undefined;
  }

  protected override errorOf(fault: ByteFault, position: number): MalformedPacketError {
    switch (fault) {
      case 'past-end':
        return this.malformed(
          'A field reaches beyond the end of its packet or properties',
          undefined,
          undefined,
          position,
        );
      case 'long-integer':
        return this.malformed('A Variable Byte Integer of more than four bytes', undefined, undefined, position);
      case 'padded-integer':
        return this.malformed('A Variable Byte Integer with more bytes than it needs', '1.5.5-1', undefined, position);
      case 'ill-formed-text':
        return this.malformed('A string that is not well-formed UTF-8', '1.5.4-1', '1.5.3-1', position);
      case 'null-character':
        return this.malformed('A string with the null character U+0000', '1.5.4-2', '1.5.3-2', position);
    }
  }

  /** A Packet Identifier; 0 is none. */
  readPacketIdentifier(rule5: string, rule311: string): number {
    const packetIdentifier = this.readUint16();
    if (packetIdentifier === 0) throw this.violation('Packet Identifier 0; expected 1–65,535', rule5, rule311);
    return packetIdentifier;
  }

  /**
   * Reads a Topic Name other than that of PUBLISH; `field` is its name in errors, `rule5` and `rule311` the statements that forbid
   * wildcards in it.
   */
  readTopicName(field: string, rule5: string, rule311: string | undefined, cache?: TextCache): string {
    const start = this.position;
    const topicName = this.readUtf8(cache);
    if (isTopicName(topicName)) return topicName;
    if (topicName === '') throw this.malformed(`An empty ${field}`, '4.7.3-1', '4.7.3-1', start);
    throw this.malformed(`Wildcard in ${field} ${JSON.stringify(topicName)}`, rule5, rule311, start);
  }

  /** A Reason Code of 5.0 must be one of those of its packet type; the statement that says so is `rule5`. */
  checkReasonCode(packet: PacketTypeName, value: number, rule5: string): ReasonCode {
    if (isReasonCodeOf(packet, value)) return value;
    throw this.violation(`Reason Code 0x${value.toString(16).padStart(2, '0')} is none of ${packet}`, rule5);
  }

  /** Nothing may follow the last field of a packet. */
  expectEnd(packet: string): void {
    if (this.position !== this.end) {
      throw this.malformed(`${this.end - this.position} bytes too many in ${packet}`);
    }
  }
}
