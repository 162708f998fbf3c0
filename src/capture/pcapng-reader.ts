/**
 * pcapng: blocks of one shape. Sections follow each other in one file, each with its own byte order and its own interfaces.
 *
 *     0      4              8                    length - 4
 *     +------+--------------+--------- … ---------+--------------+
 *     | type | total length | body, options       | total length |     padded to four bytes
 *     +------+--------------+--------- … ---------+--------------+
 */
import { CaptureFileError } from './capture-file-error.ts';
import { type CaptureInterface, Frame } from './frame.ts';
import { linkTypes } from './link-types.ts';
import {
  blockTypes,
  byteOrderMagic,
  type CaptureSecrets,
  type CaptureSection,
  nameRecordTypes,
  optionCodes,
  type ResolvedName,
  sectionHeaderType,
} from './pcapng-blocks.ts';
import { decodeText, OptionsReader } from './pcapng-options.ts';
import { frameBytesMax, type RecordReader, readUint16, readUint32 } from './record-reader.ts';
import { defaultResolution, TimeResolution } from './time-resolution.ts';

/** Type, length, and length again; a Section Header needs the byte order mark behind the first two as well. */
const blockOverhead = 12;
/** Larger blocks are damage: secrets and names of a long capture have some hundred kilobytes. */
const blockBytesMax = 16 * 1_048_576;
/** Bounds on what is kept of a file; what goes beyond is left out. */
const interfacesMax = 65_536;
const secretBytesMax = 64 * 1_048_576;
const namesMax = 262_144;

class SectionInterface {
  readonly description: CaptureInterface;
  readonly resolution: TimeResolution;

  constructor(description: CaptureInterface, resolution: TimeResolution) {
    this.description = description;
    this.resolution = resolution;
  }
}

export class PcapngReader implements RecordReader {
  needed = blockOverhead;
  /** Of all sections, in the order of the file. */
  readonly interfaces: CaptureInterface[] = [];
  readonly sections: CaptureSection[] = [];
  readonly secrets: CaptureSecrets[] = [];
  readonly names: ResolvedName[] = [];
  private secretBytes = 0;
  private isLittleEndian = true;
  private sectionInterfaces: SectionInterface[] = [];
  private frameCount = 0;
  private readonly options = new OptionsReader();
  /** Of the block in hand, for errors. */
  private blockOffset = 0;

  read(bytes: Uint8Array, start: number, end: number, frames: Frame[], fileOffset: number): number {
    let position = start;
    while (end - position >= blockOverhead) {
      this.blockOffset = fileOffset + position;
      const type = readUint32(bytes, position, this.isLittleEndian);
      if (type === sectionHeaderType) this.isLittleEndian = this.byteOrder(bytes, position + 8);
      const length = (readUint32(bytes, position + 4, this.isLittleEndian) + 3) & ~3;
      // Lengths from 2^31 on are negative here.
      if (length < blockOverhead || length > blockBytesMax) throw this.badLength(length >>> 0);
      if (length > end - position) {
        this.needed = length;
        return position;
      }
      const bodyEnd = position + length - 4;
      const again = (readUint32(bytes, bodyEnd, this.isLittleEndian) + 3) & ~3;
      if (again !== length)
        throw this.damaged(`has ${length} bytes by its first length and ${again >>> 0} by its second`);
      if (type === blockTypes.enhancedPacket) this.readEnhancedPacket(bytes, position + 8, bodyEnd, frames, fileOffset);
      else this.readOther(type, bytes, position + 8, bodyEnd, frames, fileOffset);
      position = bodyEnd + 4;
    }
    this.needed = blockOverhead;
    return position;
  }

  private byteOrder(bytes: Uint8Array, position: number): boolean {
    if (readUint32(bytes, position, true) === byteOrderMagic) return true;
    if (readUint32(bytes, position, false) === byteOrderMagic) return false;
    throw this.damaged(`begins a section without the byte order mark ${byteOrderMagic.toString(16)}`);
  }

  private readOther(
    type: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    frames: Frame[],
    fileOffset: number,
  ): void {
    switch (type) {
      case sectionHeaderType:
        this.readSectionHeader(bytes, start, end, fileOffset);
        break;
      case blockTypes.interfaceDescription:
        this.readInterface(bytes, start, end, fileOffset);
        break;
      case blockTypes.simplePacket:
        this.readSimplePacket(bytes, start, end, frames);
        break;
      case blockTypes.packet:
        this.readObsoletePacket(bytes, start, end, frames, fileOffset);
        break;
      case blockTypes.nameResolution:
        this.readNames(bytes, start, end);
        break;
      case blockTypes.decryptionSecrets:
        this.readSecrets(bytes, start, end);
        break;
      case blockTypes.customCopied:
      case blockTypes.customNotCopied:
        this.readCustom(type === blockTypes.customCopied, bytes, start, end, frames);
        break;
      case blockTypes.systemdJournal:
        this.readJournal(bytes, start, end, frames);
        break;
    }
  }

  private readSectionHeader(bytes: Uint8Array, start: number, end: number, fileOffset: number): void {
    this.checkBody(start, end, 16);
    const major = readUint16(bytes, start + 4, this.isLittleEndian);
    const minor = readUint16(bytes, start + 6, this.isLittleEndian);
    // 1.2 is 1.0 by another name, says the specification.
    if (major !== 1 || (minor !== 0 && minor !== 2)) {
      throw this.damaged(`is a section of pcapng ${major}.${minor}; expected 1.0`);
    }
    this.sectionInterfaces = [];
    const options = this.beginOptions(bytes, start + 16, end, fileOffset);
    let comments: string[] | undefined;
    let hardware: string | undefined;
    let operatingSystem: string | undefined;
    let application: string | undefined;
    while (options.next()) {
      if (options.code === optionCodes.comment) comments = withComment(comments, options.text());
      else if (options.code === optionCodes.sectionHardware) hardware = options.text();
      else if (options.code === optionCodes.sectionOperatingSystem) operatingSystem = options.text();
      else if (options.code === optionCodes.sectionApplication) application = options.text();
    }
    if (this.sections.length >= interfacesMax) throw this.damaged(`is one of more than ${interfacesMax} sections`);
    this.sections.push({ comments, hardware, operatingSystem, application });
  }

  private readInterface(bytes: Uint8Array, start: number, end: number, fileOffset: number): void {
    this.checkBody(start, end, 8);
    if (this.interfaces.length >= interfacesMax) throw this.damaged(`is one of more than ${interfacesMax} interfaces`);
    const options = this.beginOptions(bytes, start + 8, end, fileOffset);
    let resolutionCode = defaultResolution;
    let offsetSeconds = 0;
    let checkSequenceLength: number | undefined;
    let comments: string[] | undefined;
    const texts: (string | undefined)[] = [];
    while (options.next()) {
      const { code, start: valueStart } = options;
      const length = options.end - valueStart;
      if (code === optionCodes.comment) comments = withComment(comments, options.text());
      else if (code === optionCodes.interfaceTimeResolution && length >= 1) resolutionCode = bytes[valueStart]!;
      else if (code === optionCodes.interfaceCheckSequenceLength && length >= 1) {
        checkSequenceLength = bytes[valueStart]!;
      } else if (code === optionCodes.interfaceTimeOffset && length >= 8) {
        offsetSeconds = this.readInt64(bytes, valueStart);
      } else if (code === optionCodes.interfaceFilter) {
        // One byte says of which kind it is; 0: as the capturing program takes it.
        if (length > 1 && bytes[valueStart] === 0) texts[code] = decodeText(bytes, valueStart + 1, options.end);
      } else if (code <= optionCodes.interfaceHardware) texts[code] = options.text();
    }
    if (!TimeResolution.isPossible(resolutionCode)) {
      throw this.damaged(`has a time resolution of ${resolutionCode}, finer than 64 bits can count`);
    }
    const resolution = new TimeResolution(resolutionCode, offsetSeconds);
    const description: CaptureInterface = {
      index: this.interfaces.length,
      linkType: readUint16(bytes, start, this.isLittleEndian),
      snapLength: readUint32(bytes, start + 4, this.isLittleEndian),
      name: texts[optionCodes.interfaceName],
      description: texts[optionCodes.interfaceDescription],
      section: this.sections.length,
      indexInSection: this.sectionInterfaces.length,
      timeDigits: resolution.digits,
      checkSequenceLength,
      filter: texts[optionCodes.interfaceFilter],
      hardware: texts[optionCodes.interfaceHardware],
      operatingSystem: texts[optionCodes.interfaceOperatingSystem],
      comments,
    };
    this.interfaces.push(description);
    this.sectionInterfaces.push(new SectionInterface(description, resolution));
  }

  private readEnhancedPacket(bytes: Uint8Array, start: number, end: number, frames: Frame[], fileOffset: number): void {
    this.checkBody(start, end, 20);
    const from = this.interfaceOf(readUint32(bytes, start, this.isLittleEndian));
    this.readPacket(from, bytes, start + 4, end, frames, fileOffset);
  }

  /** Interface in 16 bits, drops in the next 16, the rest as in an Enhanced Packet Block. */
  private readObsoletePacket(bytes: Uint8Array, start: number, end: number, frames: Frame[], fileOffset: number): void {
    this.checkBody(start, end, 20);
    const from = this.interfaceOf(readUint16(bytes, start, this.isLittleEndian));
    this.readPacket(from, bytes, start + 4, end, frames, fileOffset);
  }

  private readPacket(
    from: SectionInterface,
    bytes: Uint8Array,
    start: number,
    end: number,
    frames: Frame[],
    fileOffset: number,
  ): void {
    const { isLittleEndian } = this;
    const { resolution } = from;
    resolution.convert(readUint32(bytes, start, isLittleEndian), readUint32(bytes, start + 4, isLittleEndian));
    const captured = readUint32(bytes, start + 8, isLittleEndian);
    const frameStart = start + 16;
    if (captured > end - frameStart || captured > frameBytesMax) throw this.badFrame(captured, end - frameStart);
    let comments: string[] | undefined;
    let flags = -1;
    const optionsStart = frameStart + ((captured + 3) & ~3);
    if (end - optionsStart >= 4) {
      const options = this.beginOptions(bytes, optionsStart, end, fileOffset);
      while (options.next()) {
        if (options.code === optionCodes.comment) comments = withComment(comments, options.text());
        else if (options.code === optionCodes.packetFlags && options.end - options.start === 4) {
          flags = readUint32(bytes, options.start, isLittleEndian);
        }
      }
    }
    frames.push(
      new Frame(
        ++this.frameCount,
        resolution.seconds,
        resolution.nanoseconds,
        readUint32(bytes, start + 12, isLittleEndian),
        new Uint8Array(bytes.buffer, bytes.byteOffset + frameStart, captured),
        from.description,
        comments,
        flags,
      ),
    );
  }

  /** Length on the wire and the frame, nothing more: the interface is the section's first, the time is not known. */
  private readSimplePacket(bytes: Uint8Array, start: number, end: number, frames: Frame[]): void {
    this.checkBody(start, end, 4);
    const { description } = this.interfaceOf(0);
    const length = readUint32(bytes, start, this.isLittleEndian);
    const captured = description.snapLength === 0 ? length : Math.min(length, description.snapLength);
    if (captured > end - start - 4 || captured > frameBytesMax) throw this.badFrame(captured, end - start - 4);
    frames.push(this.frameWithoutTime(length, bytes.subarray(start + 4, start + 4 + captured), description));
  }

  private readCustom(mayBeCopied: boolean, bytes: Uint8Array, start: number, end: number, frames: Frame[]): void {
    this.checkBody(start, end, 4);
    const enterpriseNumber = readUint32(bytes, start, this.isLittleEndian);
    const data = bytes.subarray(start + 4, end);
    const source = {
      ...this.unlistedInterface(linkTypes.customBlock),
      customBlock: { enterpriseNumber, mayBeCopied },
    };
    frames.push(this.frameWithoutTime(data.length, data, source));
  }

  /** A text of lines `NAME=value`, padded with zeros. */
  private readJournal(bytes: Uint8Array, start: number, end: number, frames: Frame[]): void {
    let textEnd = end;
    while (textEnd > start && bytes[textEnd - 1] === 0) textEnd--;
    const data = bytes.subarray(start, textEnd);
    const time = /^__REALTIME_TIMESTAMP=(\d{1,15})(\d{6})$/m.exec(decodeText(bytes, start, textEnd));
    const source = this.unlistedInterface(linkTypes.systemdJournal);
    if (time === null) frames.push(this.frameWithoutTime(data.length, data, source));
    else {
      const nanoseconds = Number(time[2]) * 1000;
      frames.push(new Frame(++this.frameCount, Number(time[1]), nanoseconds, data.length, data, source, undefined));
    }
  }

  private frameWithoutTime(length: number, bytes: Uint8Array, source: CaptureInterface): Frame {
    return new Frame(++this.frameCount, 0, 0, length, bytes, source, undefined, -1, false);
  }

  /** For frames that came from no interface; it is in no list. */
  private unlistedInterface(linkType: number): CaptureInterface {
    const section = this.sections.length;
    return { index: -1, linkType, snapLength: 0, name: undefined, description: undefined, section };
  }

  private readNames(bytes: Uint8Array, start: number, end: number): void {
    let position = start;
    while (end - position >= 4 && this.names.length < namesMax) {
      const type = readUint16(bytes, position, this.isLittleEndian);
      const length = readUint16(bytes, position + 2, this.isLittleEndian);
      const valueStart = position + 4;
      const valueEnd = valueStart + length;
      if (type === nameRecordTypes.end) return;
      if (valueEnd > end) throw this.damaged(`has a name record of ${length} bytes where ${end - valueStart} are left`);
      const addressBytes = type === nameRecordTypes.ipv4 ? 4 : type === nameRecordTypes.ipv6 ? 16 : 0;
      if (addressBytes > 0 && length > addressBytes) {
        const address = bytes.slice(valueStart, valueStart + addressBytes);
        this.names.push({ address, names: splitNames(bytes, valueStart + addressBytes, valueEnd) });
      }
      position = valueStart + ((length + 3) & ~3);
    }
  }

  private readSecrets(bytes: Uint8Array, start: number, end: number): void {
    this.checkBody(start, end, 8);
    const type = readUint32(bytes, start, this.isLittleEndian);
    const length = readUint32(bytes, start + 4, this.isLittleEndian);
    const room = end - start - 8;
    if (length > room) throw this.damaged(`has ${length} bytes of secrets where there is room for ${room}`);
    this.secretBytes += length;
    if (this.secretBytes > secretBytesMax) return;
    this.secrets.push({ type, bytes: bytes.slice(start + 8, start + 8 + length) });
  }

  private interfaceOf(index: number): SectionInterface {
    const found = this.sectionInterfaces[index];
    if (found === undefined) {
      throw this.damaged(`is of interface ${index}, but its section has described ${this.sectionInterfaces.length}`);
    }
    return found;
  }

  private readInt64(bytes: Uint8Array, position: number): number {
    const first = readUint32(bytes, position, this.isLittleEndian);
    const second = readUint32(bytes, position + 4, this.isLittleEndian);
    const high = this.isLittleEndian ? second : first;
    const low = this.isLittleEndian ? first : second;
    return (high | 0) * 0x1_0000_0000 + low;
  }

  private beginOptions(bytes: Uint8Array, start: number, end: number, fileOffset: number): OptionsReader {
    this.options.begin(bytes, start, end, this.isLittleEndian, fileOffset);
    return this.options;
  }

  private checkBody(start: number, end: number, least: number): void {
    if (end - start < least) throw this.damaged(`has a body of ${end - start} bytes; expected at least ${least}`);
  }

  private badLength(length: number): CaptureFileError {
    return this.damaged(`has ${length} bytes; expected ${blockOverhead} to ${blockBytesMax}`);
  }

  private badFrame(captured: number, room: number): CaptureFileError {
    if (captured > room) return this.damaged(`has a frame of ${captured} bytes where there is room for ${room}`);
    return this.damaged(`has a frame of ${captured} bytes; at most ${frameBytesMax} can be`);
  }

  private damaged(what: string): CaptureFileError {
    return new CaptureFileError('damaged', this.blockOffset, `the block at byte ${this.blockOffset} ${what}`);
  }
}

function withComment(comments: string[] | undefined, comment: string): string[] {
  if (comments === undefined) return [comment];
  comments.push(comment);
  return comments;
}

function splitNames(bytes: Uint8Array, start: number, end: number): string[] {
  const names: string[] = [];
  let position = start;
  while (position < end) {
    const zero = bytes.indexOf(0, position);
    const nameEnd = zero < 0 || zero > end ? end : zero;
    if (nameEnd > position) names.push(decodeText(bytes, position, nameEnd));
    position = nameEnd + 1;
  }
  return names;
}
