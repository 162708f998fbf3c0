/** One frame of a capture, as the file or the wire gave it. */

/** Bytes that field ranges refer to: a frame, or what was put together from several. */
export interface DataSource {
  readonly bytes: Uint8Array;
  /** As over a hex dump: `Frame (84 bytes)`, `Reassembled TCP (2048 bytes)`. */
  readonly name: string;
  /** Of what was put together from several frames: where each stretch of it came from, in order. */
  readonly segments?: readonly SourceSegment[];
}

export interface SourceSegment {
  /** Number of the frame that carried it. */
  readonly frame: number;
  /** In the bytes of the source that it is a part of. */
  readonly start: number;
  readonly end: number;
}

/** An interface of a pcapng section; a pcap file has one. */
export interface CaptureInterface {
  /** From 0, over all sections of the file. */
  readonly index: number;
  readonly linkType: number;
  /** Largest number of bytes kept of a frame; 0 is unlimited. */
  readonly snapLength: number;
  readonly name: string | undefined;
  readonly description: string | undefined;
  /** Section of a pcapng file that it belongs to, from 1; undefined in other files. */
  readonly section?: number | undefined;
  /** From 0 in its section: the file's own number for it. The same as `index` in files with one section. */
  readonly indexInSection?: number | undefined;
  /** Decimal digits of a second that its times have: 0, 1, 2, 3, 6 or 9, rounded down; 6 if nothing is said. */
  readonly timeDigits?: number | undefined;
  /** Bytes of frame check sequence at the end of each frame; undefined if the file does not say. */
  readonly checkSequenceLength?: number | undefined;
  /** What the capturing program left out, as a text of its own language. */
  readonly filter?: string | undefined;
  readonly hardware?: string | undefined;
  readonly operatingSystem?: string | undefined;
  readonly comments?: readonly string[] | undefined;
  /** Of a pcapng Custom Block, which is a frame of its own and has link type `linkTypes.customBlock`. */
  readonly customBlock?: CustomBlockOrigin | undefined;
}

/** Who made a Custom Block. */
export interface CustomBlockOrigin {
  /** IANA Private Enterprise Number. */
  readonly enterpriseNumber: number;
  /** Whether programs that do not understand it may copy it to another file. */
  readonly mayBeCopied: boolean;
}

export class Frame implements DataSource {
  /** From 1, in the order of the capture. */
  readonly number: number;
  /** Whole seconds since the epoch. */
  readonly seconds: number;
  /** 0–999,999,999. */
  readonly nanoseconds: number;
  /** Bytes on the wire; `bytes` has fewer where the capture cut it. */
  readonly length: number;
  readonly bytes: Uint8Array;
  readonly interface: CaptureInterface;
  readonly comments: readonly string[] | undefined;
  /** Flags word of a pcapng packet; -1 without one. */
  readonly flags: number;
  /** false: the file says no time (pcapng's Simple Packet Block); then `seconds` and `nanoseconds` are 0. */
  readonly hasTime: boolean;

  constructor(
    number: number,
    seconds: number,
    nanoseconds: number,
    length: number,
    bytes: Uint8Array,
    captureInterface: CaptureInterface,
    comments: readonly string[] | undefined,
    flags = -1,
    hasTime = true,
  ) {
    this.number = number;
    this.seconds = seconds;
    this.nanoseconds = nanoseconds;
    this.length = length;
    this.bytes = bytes;
    this.interface = captureInterface;
    this.comments = comments;
    this.flags = flags;
    this.hasTime = hasTime;
  }

  get name(): string {
    return `Frame (${this.bytes.length} bytes)`;
  }
}
