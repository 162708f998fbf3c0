/** The place at which the capture cut a frame, where more packets follow, of which not even the length is there. */
import type { DataSource } from '../../capture/frame.ts';
import type { FieldSink } from '../field-sink.ts';
import { describeShort, shortInfo } from '../layers/trouble.ts';
import type { UpperLayer } from '../stream-dissector.ts';
import { fields } from './fields.ts';

export class CutPacket implements UpperLayer {
  readonly protocol = fields.self;
  /** That of the packets before it in the frame; `TCP` if it is the first. */
  readonly columnProtocol: string;
  readonly source: DataSource;
  readonly start: number;
  readonly end: number;
  readonly sentLength = 0;

  constructor(columnProtocol: string, source: DataSource, at: number) {
    this.columnProtocol = columnProtocol;
    this.source = source;
    this.start = at;
    this.end = at;
  }

  info(): string {
    return shortInfo;
  }

  describe(sink: FieldSink): void {
    describeShort(sink, this.source, this.end, 'MQTT');
  }
}
