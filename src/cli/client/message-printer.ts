/** Prints messages as the settings ask: payload, topic and payload, a format, or each topic on its line of the screen. */
import { decodePayload } from '../../payload/decode-payload.ts';
import type { ByteSink, PrintableMessage } from './byte-sink.ts';
import { localTimeNow } from './local-time.ts';
import type { ClientSettings } from './settings.ts';
import { WatchScreen } from './watch-screen.ts';

type PrinterSettings = Pick<
  ClientSettings,
  'isVerbose' | 'format' | 'isPretty' | 'decode' | 'endOfLine' | 'randomFilter' | 'watch' | 'host' | 'unixPath'
>;

/** Characters of a decoded payload that are printed. */
const decodedCharactersMax = 16 * 1_048_576;

export class MessagePrinter {
  readonly #settings: PrinterSettings;
  readonly #sink: ByteSink;
  readonly #complain: (text: string) => void;
  readonly #screen: WatchScreen | undefined;

  /**
   * @param complain takes what could not be printed
   * @param rows lines of the screen, for --watch
   */
  constructor(settings: PrinterSettings, sink: ByteSink, complain: (text: string) => void, rows?: number) {
    this.#settings = settings;
    this.#sink = sink;
    this.#complain = complain;
    if (!settings.watch) return;
    this.#screen = new WatchScreen(sink, rows);
    this.#screen.start(settings.unixPath ?? settings.host ?? 'localhost');
  }

  print(message: PrintableMessage): void {
    const { randomFilter, format } = this.#settings;
    if (randomFilter < 100 && Math.random() * 100 >= randomFilter) return;
    this.#screen?.enter(message.topicName);
    const printedPayload = this.#printedPayload(message);
    if (format === undefined) this.#printPlainly(message, printedPayload);
    else {
      format({
        sink: this.#sink,
        message,
        time: localTimeNow(),
        isPretty: this.#settings.isPretty,
        printedPayload,
        complain: this.#complain,
      });
      if (this.#settings.endOfLine) this.#sink.text('\n');
    }
    this.#screen?.leave();
  }

  /** The payload, or with --decode what it says. */
  #printedPayload({ payload, topicName, properties }: PrintableMessage): Uint8Array {
    const { decode } = this.#settings;
    if (decode === undefined || payload.length === 0) return payload;
    const { text, format, problem } = decodePayload(payload, {
      format: decode,
      topic: topicName,
      contentType: properties?.contentType,
      payloadFormat: properties?.payloadFormatIndicator,
      charactersMax: decodedCharactersMax,
    });
    if (problem !== undefined) {
      this.#complain(`Warning: Message payload on topic ${topicName} printed as ${format}: ${problem.message}.\n`);
    }
    return Buffer.from(text);
  }

  #printPlainly(message: PrintableMessage, printedPayload: Uint8Array): void {
    const { isVerbose, endOfLine } = this.#settings;
    if (message.payload.length === 0) {
      // An empty payload is no output, but with -v its topic is worth a line.
      if (isVerbose && endOfLine) this.#sink.text(`${message.topicName} (null)\n`);
      return;
    }
    if (isVerbose) this.#sink.text(`${message.topicName} `);
    this.#sink.bytes(printedPayload);
    if (endOfLine) this.#sink.text('\n');
  }
}
