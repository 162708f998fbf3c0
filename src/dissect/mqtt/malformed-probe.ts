/** Finds out whether a packet's fields fit in it, by describing it to nobody. */
import type { DataSource } from '../../capture/frame.ts';
import type { FieldDescriptor } from '../field.ts';
import type { FieldSink } from '../field-sink.ts';
import { malformed } from './malformed.ts';
import type { MqttPacket } from './packet.ts';

export class MalformedProbe implements FieldSink {
  readonly wantsText = false;
  #isMalformed = false;

  isMalformed(packet: MqttPacket): boolean {
    this.#isMalformed = false;
    packet.describe(this);
    return this.#isMalformed;
  }

  wants(field: FieldDescriptor): boolean {
    return field === malformed.self;
  }

  enter(field: FieldDescriptor, _source: DataSource, _start: number, _end: number): void {
    if (field === malformed.self) this.#isMalformed = true;
  }

  add(): void {}
  addString(): void {}
  addBytes(): void {}
  addGenerated(): void {}
  addHidden(): void {}
  enterGenerated(): void {}
  enterText(): void {}
  leave(): void {}
  setText(): void {}
  addDiagnostic(): void {}
}
