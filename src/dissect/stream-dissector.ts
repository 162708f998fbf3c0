/** What makes layers of the bytes of a connection: MQTT itself, or what MQTT comes wrapped in. */
import type { Utf8Buffer } from '../base/utf8-buffer.ts';
import type { Direction } from '../capture/flow.ts';
import type { DataSource, Frame } from '../capture/frame.ts';
import type { StreamChunk } from '../capture/stream-chunk.ts';
import type { Layer } from './field-sink.ts';

/** One per connection. Never throws, whatever the bytes. */
export interface StreamDissector {
  /**
   * Takes the next bytes of a direction.
   * @param frame - the frame in hand, to which what these bytes complete belongs
   * @param layers - what they completed is added here, in order
   */
  receive(direction: Direction, chunk: StreamChunk, frame: Frame, layers: UpperLayer[]): void;
  /** The direction has ended, by FIN or RST: what is not whole by now never will be. */
  end(direction: Direction, frame: Frame, layers: UpperLayer[]): void;
  /** Bytes of a direction that wait for the rest of what they begin; 0 between two packets. */
  pending(direction: Direction): number;
}

/** A layer above TCP: it names itself in the columns, too. */
export interface UpperLayer extends Layer {
  /** As the Protocol column has it: `MQTT`. */
  readonly columnProtocol: string;
  /** Its part of the Info column: `Publish Ack (id=1)`. */
  info(): string;
  /** The same, appended, where that is quicker. */
  writeInfo?(output: Utf8Buffer): void;
  /** Where its bytes lie: in a frame, or in what was put together for it, which then has `segments`. */
  readonly source: DataSource;
  readonly start: number;
  readonly end: number;
  /** Bytes that it had when it was sent, where that may be more than there are of it; 0: nobody knows. */
  readonly sentLength?: number;
}
