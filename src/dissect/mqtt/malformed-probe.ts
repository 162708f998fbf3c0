/** Finds out whether a packet's fields fit in what there is of it, by describing it to nobody. */
import type { DataSource } from '../../capture/frame.ts';
import type { FieldDescriptor } from '../field.ts';
import type { FieldSink } from '../field-sink.ts';
import { shortFields, shortInfo } from '../layers/trouble.ts';
import { malformed } from './malformed.ts';
import type { MqttPacket } from './packet.ts';

export class MalformedProbe implements FieldSink {
  readonly wantsText = false;
  /** What the Info column says of it at its end; empty if nothing. */
  #suffix = '';

  suffixOf(packet: MqttPacket): string {
    this.#suffix = '';
    packet.describe(this);
    return this.#suffix;
  }

  wants(field: FieldDescriptor): boolean {
    return field === malformed.self || field === shortFields.self;
  }

  enterGenerated(field: FieldDescriptor, _source: DataSource, _start: number, _end: number): void {
    if (field === malformed.self) this.#suffix = '[Malformed Packet]';
    else if (field === shortFields.self) this.#suffix = shortInfo;
  }

  add(): void {}
  addString(): void {}
  addBytes(): void {}
  addGenerated(): void {}
  addHidden(): void {}
  enter(): void {}
  enterText(): void {}
  leave(): void {}
  setReach(): void {}
  setText(): void {}
  addDiagnostic(): void {}
}
