/** Bytes between packets that belong to none that could be found: what is left of one whose beginning was not captured, or what is no MQTT. */
import type { DataSource } from '../../capture/frame.ts';
import type { FieldSink } from '../field-sink.ts';
import type { UpperLayer } from '../stream-dissector.ts';
import { fields } from './fields.ts';

export class UnreadableBytes implements UpperLayer {
  readonly protocol = fields.self;
  readonly columnProtocol = 'MQTT';
  readonly source: DataSource;
  readonly start: number;
  readonly end: number;
  /** Bytes that were not captured directly before these. */
  readonly missingBefore: number;

  constructor(source: DataSource, start: number, end: number, missingBefore: number) {
    this.source = source;
    this.start = start;
    this.end = end;
    this.missingBefore = missingBefore;
  }

  info(): string {
    return `[${this.#text()}]`;
  }

  describe(sink: FieldSink): void {
    if (!sink.wants(this.protocol)) return;
    sink.enter(fields.self, this.source, this.start, this.end);
    if (sink.wantsText) sink.setText(`${fields.self.label}, ${this.#text()}`);
    if (this.missingBefore > 0) {
      sink.addGenerated(fields.missingBytes, this.source, this.start, this.start, this.missingBefore);
    }
    sink.addBytes(fields.skipped, this.source, this.start, this.end);
    sink.addDiagnostic(fields.incomplete, this.source, this.start, this.end, {
      severity: 'warning',
      group: 'Reassemble',
      message: 'No packet begins here: bytes before these are missing, or they are no MQTT',
      rule: undefined,
    });
    sink.leave();
  }

  #text(): string {
    const count = this.end - this.start;
    const skipped = `${count} ${count === 1 ? 'byte' : 'bytes'} skipped`;
    return this.missingBefore === 0 ? skipped : `${this.missingBefore} missing, ${skipped}`;
  }
}
