/** `-w`: frames to a file or the standard output, as they came. */
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import type { CaptureDecoder } from '../../capture/capture-decoder.ts';
import type { Frame } from '../../capture/frame.ts';
import { PcapWriter } from '../../capture/pcap-writer.ts';
import { PcapngWriter } from '../../capture/pcapng-writer.ts';
import { version } from '../version.ts';
import type { OutputFileFormat } from './arguments.ts';

/** Bytes gathered before they go to the file. */
const gatheredMax = 262_144;
const nanosecondDigits = 9;

/** The file cannot be written, or not in that form. */
export class OutputFileError extends Error {}

export class CaptureOutput {
  readonly #path: string;
  readonly #format: OutputFileFormat;
  readonly #decoder: CaptureDecoder;
  readonly #stream: Writable;
  /** Known with the first frame. */
  #writer: PcapWriter | PcapngWriter | undefined;
  /** What of the decoder's lists has been written. */
  #interfaceCount = 0;
  #secretCount = 0;
  #nameCount = 0;
  #error: Error | undefined;

  /**
   * @param decoder of the input, whose interfaces and secrets are taken along
   * @throws {OutputFileError} if the file cannot be opened
   */
  static async open(path: string, format: OutputFileFormat, decoder: CaptureDecoder): Promise<CaptureOutput> {
    if (path === '-') return new CaptureOutput(path, format, decoder, process.stdout);
    const stream = createWriteStream(path);
    await new Promise<void>((resolve, reject) => {
      stream.once('open', () => resolve());
      stream.once('error', (error) =>
        reject(new OutputFileError(`The file to write could not be opened: ${error.message}`)),
      );
    });
    return new CaptureOutput(path, format, decoder, stream);
  }

  private constructor(path: string, format: OutputFileFormat, decoder: CaptureDecoder, stream: Writable) {
    this.#path = path;
    this.#format = format;
    this.#decoder = decoder;
    this.#stream = stream;
    stream.on('error', (error) => {
      this.#error ??= error;
    });
  }

  /** Whether to await `drained` before more is written. */
  get isFull(): boolean {
    return this.#stream.writableNeedDrain || this.#error !== undefined;
  }

  /** @throws {OutputFileError} if the format cannot hold the frame */
  write(frame: Frame): void {
    this.#writer ??= this.#begin(frame);
    const writer = this.#writer;
    if (writer instanceof PcapWriter) {
      if (!writer.accepts(frame)) {
        throw new OutputFileError(
          `${this.#path}: frame ${frame.number} comes from another kind of network than those before it, which a pcap file cannot hold; -F pcapng can`,
        );
      }
      writer.writeFrame(frame);
    } else {
      this.#writeNews(writer);
      writer.writeFrame(frame);
    }
    if (writer.pendingBytes >= gatheredMax) this.flush();
  }

  /** Gives what was gathered to the file. */
  flush(): void {
    if (this.#writer === undefined || this.#writer.pendingBytes === 0) return;
    // A copy, as the writer uses its memory again, and the stream may hold several pieces before it writes the first.
    this.#stream.write(this.#writer.take().slice());
  }

  /** Resolves when the file takes more. @throws {OutputFileError} if it cannot be written any more */
  async drained(): Promise<void> {
    if (this.#error === undefined && this.#stream.writableNeedDrain) {
      await new Promise<void>((resolve) => {
        this.#stream.once('drain', resolve);
        this.#stream.once('error', () => resolve());
      });
    }
    this.#throwError();
  }

  /** A file with no frames is a capture, too. @throws {OutputFileError} if not everything could be written */
  async close(): Promise<void> {
    this.#writer ??= this.#begin(undefined);
    if (this.#writer instanceof PcapngWriter) {
      this.#writeNews(this.#writer);
      this.#writer.writeStatistics();
    }
    this.flush();
    if (this.#stream !== process.stdout) {
      // What ends it early closes it, too, after its error has been told.
      await new Promise<void>((resolve) => {
        if (this.#stream.closed) resolve();
        else this.#stream.once('close', resolve);
        this.#stream.end();
      });
    }
    this.#throwError();
  }

  #begin(frame: Frame | undefined): PcapWriter | PcapngWriter {
    if (this.#format === 'pcapng') {
      return new PcapngWriter({ ...this.#decoder.sections[0], application: `clearwing ${version}` });
    }
    const first = frame?.interface ?? this.#decoder.interfaces[0];
    const isFine = this.#format === 'nsecpcap' || first?.timeDigits === nanosecondDigits;
    return new PcapWriter({ linkType: first?.linkType ?? 1, resolution: isFine ? 'nanoseconds' : 'microseconds' });
  }

  /** What the input has said beside its frames since the last time: interfaces, also those without frames, secrets, names. */
  #writeNews(writer: PcapngWriter): void {
    const { interfaces, secrets, names } = this.#decoder;
    for (; this.#interfaceCount < interfaces.length; this.#interfaceCount++) {
      writer.interfaceOf(interfaces[this.#interfaceCount]!);
    }
    for (; this.#secretCount < secrets.length; this.#secretCount++) {
      const { type, bytes } = secrets[this.#secretCount]!;
      writer.writeSecrets(type, bytes);
    }
    if (this.#nameCount < names.length) {
      writer.writeNames(names.slice(this.#nameCount));
      this.#nameCount = names.length;
    }
  }

  #throwError(): void {
    if (this.#error !== undefined) throw new OutputFileError(`${this.#path}: ${this.#error.message}`);
  }
}
