/** Writes pcapng: one section, little-endian, times in nanoseconds. See pcapng-reader.ts for the shape of a block. */
import { CaptureBuffer } from './capture-buffer.ts';
import type { CaptureInterface, Frame } from './frame.ts';
import { linkTypes } from './link-types.ts';
import {
  blockTypes,
  byteOrderMagic,
  type CaptureSection,
  nameRecordTypes,
  optionCodes,
  type ResolvedName,
  sectionHeaderType,
} from './pcapng-blocks.ts';

/** What an interface is described by; `CaptureInterface` is of that shape. */
export interface InterfaceOptions {
  readonly linkType: number;
  /** Default 0: frames are kept whole. */
  readonly snapLength?: number | undefined;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly filter?: string | undefined;
  readonly hardware?: string | undefined;
  readonly operatingSystem?: string | undefined;
  readonly checkSequenceLength?: number | undefined;
  readonly comments?: readonly string[] | undefined;
}

const nanosecondResolution = 9;
/** Longest value of an option. */
const optionBytesMax = 65_535;
const endOfOptionsBytes = 4;

/** An interface, and what its statistics will say. */
class WrittenInterface {
  readonly linkType: number;
  readonly snapLength: number;
  frames = 0;
  firstSeconds = 0;
  firstNanoseconds = 0;
  lastSeconds = 0;
  lastNanoseconds = 0;

  constructor(linkType: number, snapLength: number) {
    this.linkType = linkType;
    this.snapLength = snapLength;
  }
}

/**
 *     const writer = new PcapngWriter({ application: 'clearwing' });
 *     for (const frame of frames) writer.writeFrame(frame);
 *     writer.writeStatistics();
 *     file.write(writer.take());
 */
export class PcapngWriter {
  private readonly buffer = new CaptureBuffer();
  private readonly interfaces: WrittenInterface[] = [];
  /** Of interfaces that frames brought along. */
  private readonly indexOf = new Map<CaptureInterface, number>();
  private lastInterface: CaptureInterface | undefined = undefined;
  private lastIndex = 0;

  constructor(section: Partial<CaptureSection> = {}) {
    const { buffer } = this;
    const start = this.beginBlock(sectionHeaderType);
    buffer.uint32(byteOrderMagic);
    buffer.uint16(1);
    buffer.uint16(0);
    // The length of the section is not known.
    buffer.uint32(0xffffffff);
    buffer.uint32(0xffffffff);
    this.comments(section.comments);
    this.textOption(optionCodes.sectionHardware, section.hardware);
    this.textOption(optionCodes.sectionOperatingSystem, section.operatingSystem);
    this.textOption(optionCodes.sectionApplication, section.application);
    this.endOptions(start, 24);
    this.endBlock(start);
  }

  /** Bytes that `take` would give. */
  get pendingBytes(): number {
    return this.buffer.length;
  }

  /** Describes an interface, and returns the number that `writePacket` wants. */
  addInterface(options: InterfaceOptions): number {
    const { buffer } = this;
    const { linkType, snapLength = 0 } = options;
    const start = this.beginBlock(blockTypes.interfaceDescription);
    buffer.uint16(linkType);
    buffer.uint16(0);
    buffer.uint32(snapLength);
    this.comments(options.comments);
    this.textOption(optionCodes.interfaceName, options.name);
    this.textOption(optionCodes.interfaceDescription, options.description);
    this.byteOption(optionCodes.interfaceTimeResolution, nanosecondResolution);
    // The byte before says that it is written as the capturing program takes it.
    if (options.filter !== undefined) this.textOption(optionCodes.interfaceFilter, `\0${options.filter}`);
    this.textOption(optionCodes.interfaceOperatingSystem, options.operatingSystem);
    if (options.checkSequenceLength !== undefined) {
      this.byteOption(optionCodes.interfaceCheckSequenceLength, options.checkSequenceLength);
    }
    this.textOption(optionCodes.interfaceHardware, options.hardware);
    this.endOptions(start, 16);
    this.endBlock(start);
    return this.interfaces.push(new WrittenInterface(linkType, snapLength)) - 1;
  }

  /** The number of an interface of another capture, which is described if it was not yet. */
  interfaceOf(source: CaptureInterface): number {
    if (source === this.lastInterface) return this.lastIndex;
    let index = this.indexOf.get(source);
    if (index === undefined) {
      index = this.addInterface(source);
      this.indexOf.set(source, index);
    }
    this.lastInterface = source;
    this.lastIndex = index;
    return index;
  }

  /** A frame as it was read: with its interface, comments and flags, also of those that are no packets. */
  writeFrame(frame: Frame): void {
    const { linkType, customBlock } = frame.interface;
    if (linkType === linkTypes.customBlock) this.writeCustom(frame.bytes, customBlock);
    else if (linkType === linkTypes.systemdJournal) this.writeJournal(frame.bytes);
    else {
      const index = this.interfaceOf(frame.interface);
      if (!frame.hasTime && this.canBeSimple(index, frame)) this.writeSimple(frame.length, frame.bytes);
      else {
        const { seconds, nanoseconds, length, bytes, comments, flags } = frame;
        this.writePacket(index, seconds, nanoseconds, length, bytes, undefined, comments, flags);
      }
    }
  }

  /**
   * @param interfaceIndex what `addInterface` returned
   * @param length on the wire
   * @param bytes as far as they were captured
   * @param rest follows `bytes` directly: for headers and payload that lie apart
   * @param flags the flags word; -1 for none
   */
  writePacket(
    interfaceIndex: number,
    seconds: number,
    nanoseconds: number,
    length: number,
    bytes: Uint8Array,
    rest?: Uint8Array,
    comments?: readonly string[],
    flags = -1,
  ): void {
    const { buffer } = this;
    const captured = bytes.length + (rest === undefined ? 0 : rest.length);
    buffer.ensure(48 + captured);
    this.count(interfaceIndex, seconds, nanoseconds);
    const start = this.beginBlock(blockTypes.enhancedPacket);
    buffer.uint32(interfaceIndex);
    this.time(seconds, nanoseconds);
    buffer.uint32(captured);
    buffer.uint32(length);
    buffer.raw(bytes);
    if (rest !== undefined) buffer.raw(rest);
    buffer.pad(start);
    if (comments !== undefined || flags >= 0) {
      const optionsStart = buffer.length;
      this.comments(comments);
      if (flags >= 0) {
        this.beginOption(optionCodes.packetFlags, 4);
        buffer.uint32(flags);
      }
      this.endOptions(start, optionsStart - start);
    }
    this.endBlock(start);
  }

  /** Secrets for decryption, before the first frame that needs them. `type` is `tlsKeyLogSecrets` for a text as in a key log file. */
  writeSecrets(type: number, secrets: Uint8Array): void {
    const { buffer } = this;
    const start = this.beginBlock(blockTypes.decryptionSecrets);
    buffer.uint32(type);
    buffer.uint32(secrets.length);
    buffer.raw(secrets);
    buffer.pad(start);
    this.endBlock(start);
  }

  /** Names of addresses. */
  writeNames(names: readonly ResolvedName[]): void {
    const { buffer } = this;
    const start = this.beginBlock(blockTypes.nameResolution);
    for (const { address, names: texts } of names) {
      buffer.uint16(address.length === 4 ? nameRecordTypes.ipv4 : nameRecordTypes.ipv6);
      const lengthAt = buffer.length;
      buffer.uint16(0);
      buffer.raw(address);
      for (const text of texts) {
        buffer.text(text);
        buffer.uint8(0);
      }
      this.patchUint16(lengthAt, buffer.length - lengthAt - 2);
      buffer.pad(start);
    }
    buffer.uint32(nameRecordTypes.end);
    this.endBlock(start);
  }

  /**
   * For the end of the file: of each interface the time of the first and last frame, and how many there were.
   * @param dropped by interface: frames that should be there and are not
   */
  writeStatistics(dropped: readonly number[] = []): void {
    const { buffer } = this;
    for (const [index, written] of this.interfaces.entries()) {
      const start = this.beginBlock(blockTypes.interfaceStatistics);
      buffer.uint32(index);
      this.time(written.lastSeconds, written.lastNanoseconds);
      if (written.frames > 0) {
        this.beginOption(optionCodes.statisticsStart, 8);
        this.time(written.firstSeconds, written.firstNanoseconds);
        this.beginOption(optionCodes.statisticsEnd, 8);
        this.time(written.lastSeconds, written.lastNanoseconds);
      }
      this.countOption(optionCodes.statisticsReceived, written.frames + (dropped[index] ?? 0));
      this.countOption(optionCodes.statisticsDropped, dropped[index] ?? 0);
      this.endOptions(start, 20);
      this.endBlock(start);
    }
  }

  /** What was written since the last time, at first with the section's header. To be used up before the next time. */
  take(): Uint8Array {
    return this.buffer.take();
  }

  /** A Simple Packet Block has no lengths but that on the wire and the interface's. */
  private canBeSimple(index: number, frame: Frame): boolean {
    const { snapLength } = this.interfaces[index]!;
    const captured = snapLength === 0 ? frame.length : Math.min(frame.length, snapLength);
    return index === 0 && captured === frame.bytes.length && frame.comments === undefined;
  }

  private writeSimple(length: number, bytes: Uint8Array): void {
    const start = this.beginBlock(blockTypes.simplePacket);
    this.buffer.uint32(length);
    this.buffer.raw(bytes);
    this.buffer.pad(start);
    this.endBlock(start);
  }

  private writeCustom(bytes: Uint8Array, origin: CaptureInterface['customBlock']): void {
    const mayBeCopied = origin === undefined || origin.mayBeCopied;
    const start = this.beginBlock(mayBeCopied ? blockTypes.customCopied : blockTypes.customNotCopied);
    this.buffer.uint32(origin?.enterpriseNumber ?? 0);
    this.buffer.raw(bytes);
    this.buffer.pad(start);
    this.endBlock(start);
  }

  private writeJournal(bytes: Uint8Array): void {
    const start = this.beginBlock(blockTypes.systemdJournal);
    this.buffer.raw(bytes);
    this.buffer.pad(start);
    this.endBlock(start);
  }

  private count(index: number, seconds: number, nanoseconds: number): void {
    const written = this.interfaces[index]!;
    if (written.frames++ === 0) {
      written.firstSeconds = seconds;
      written.firstNanoseconds = nanoseconds;
    }
    written.lastSeconds = seconds;
    written.lastNanoseconds = nanoseconds;
  }

  private beginBlock(type: number): number {
    const start = this.buffer.length;
    this.buffer.uint32(type);
    this.buffer.uint32(0);
    return start;
  }

  private endBlock(start: number): void {
    const { buffer } = this;
    const length = buffer.length + 4 - start;
    buffer.uint32(length);
    const { bytes } = buffer;
    bytes[start + 4] = length;
    bytes[start + 5] = length >>> 8;
    bytes[start + 6] = length >>> 16;
    bytes[start + 7] = length >>> 24;
  }

  /** Nanoseconds since the epoch in 64 bits, the higher half first. Times before the epoch become the epoch. */
  private time(seconds: number, nanoseconds: number): void {
    const whole = Math.max(0, seconds);
    // All parts are below 2^53: seconds × 10^9 is not.
    const upper = Math.floor(whole / 0x1_0000) * 1e9;
    const lower = (whole % 0x1_0000) * 1e9 + nanoseconds;
    const low = (upper % 0x1_0000) * 0x1_0000 + lower;
    this.buffer.uint32(Math.floor(upper / 0x1_0000) + Math.floor(low / 0x1_0000_0000));
    this.buffer.uint32(low % 0x1_0000_0000);
  }

  private beginOption(code: number, length: number): void {
    this.buffer.uint16(code);
    this.buffer.uint16(length);
  }

  private byteOption(code: number, value: number): void {
    this.beginOption(code, 1);
    // With its padding.
    this.buffer.uint32(value & 0xff);
  }

  private countOption(code: number, value: number): void {
    this.beginOption(code, 8);
    this.buffer.uint32(value % 0x1_0000_0000);
    this.buffer.uint32(Math.floor(value / 0x1_0000_0000));
  }

  private comments(comments: readonly string[] | undefined): void {
    if (comments !== undefined) for (const comment of comments) this.textOption(optionCodes.comment, comment);
  }

  private textOption(code: number, text: string | undefined): void {
    if (text === undefined) return;
    const { buffer } = this;
    const lengthAt = buffer.length + 2;
    this.beginOption(code, 0);
    const start = buffer.length;
    let length = buffer.text(text);
    if (length > optionBytesMax) {
      length = optionBytesMax;
      // Not within a character.
      while ((buffer.bytes[start + length]! & 0xc0) === 0x80) length--;
      buffer.length = start + length;
    }
    this.patchUint16(lengthAt, length);
    buffer.pad(start);
  }

  /** Only where there are any. @param bodyEnd where in the block the options begin */
  private endOptions(blockStart: number, bodyEnd: number): void {
    if (this.buffer.length - blockStart > bodyEnd) {
      this.buffer.ensure(endOfOptionsBytes);
      this.beginOption(optionCodes.end, 0);
    }
  }

  private patchUint16(position: number, value: number): void {
    this.buffer.bytes[position] = value;
    this.buffer.bytes[position + 1] = value >>> 8;
  }
}
