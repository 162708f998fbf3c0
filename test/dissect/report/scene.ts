/** Clients and brokers played by hand, as a capture would show them: every packet a frame, a millisecond after the one before. */

import type { DissectedFrame } from '../../../src/dissect/dissected-frame.ts';
import { Dissector } from '../../../src/dissect/dissector.ts';
import type { ReportLimits } from '../../../src/dissect/report/limits.ts';
import type { Cell } from '../../../src/dissect/report/table.ts';
import { compileCondition } from '../../../src/dissect/report/table-filter.ts';
import { openTable, type TableName } from '../../../src/dissect/report/tables.ts';
import { ethernet, flags, frameOf, ipv4, segmentFrame, word16 } from '../../capture/made-frames.ts';
import {
  type Bytes,
  type ConnectFields,
  connect,
  type FilterOptions,
  hex,
  join,
  subscribe,
} from '../../support/raw-packets.ts';

const millisecond = 1_000_000;

export class Scene {
  readonly frames: DissectedFrame[] = [];
  readonly #dissector = new Dissector();
  #ns = 0;
  #ports = 40_000;

  /** Lets time go by. */
  wait(seconds: number): void {
    this.#ns += seconds * 1e9;
  }

  /** A TCP connection to the broker of host 2, or another. */
  connection({ host = 1, broker = 2, port = 1883 } = {}): Line {
    return new Line(this, host, this.#ports++, broker, port);
  }

  /** A connection that is accepted, of MQTT 3.1.1 unless the version says otherwise. */
  client(clientIdentifier: string, fields: ConnectFields = {}, place: { host?: number; broker?: number } = {}): Line {
    const line = this.connection(place);
    const version = fields.version ?? 4;
    line.client(connect({ version, clientIdentifier, ...fields }));
    line.server(hex(version === 5 ? '20 03 00 00 00' : '20 02 00 00'));
    return line;
  }

  /** A datagram from a port of host 9. */
  datagram(port: number, payload: Uint8Array): void {
    const header = [...word16(port), ...word16(40_000), ...word16(8 + payload.length), 0, 0];
    const bytes = ethernet(ipv4([...header, ...payload], { from: 9, to: 1, protocol: 17 }));
    const seconds = 1_700_000_000 + Math.floor(this.#ns / 1e9);
    this.take(frameOf(bytes, { number: this.frames.length + 1, seconds, nanoseconds: this.#ns % 1e9 }));
  }

  segment(fields: Parameters<typeof segmentFrame>[0]): void {
    this.take(segmentFrame(fields, this.frames.length + 1, this.#ns));
  }

  take(frame: Parameters<Dissector['next']>[0]): void {
    this.frames.push(this.#dissector.next(frame));
    this.#ns += millisecond;
  }

  /**
   * Rows of a table, as objects of those columns.
   * @param counts - which frames count; default all
   */
  table(
    name: TableName,
    columns: readonly string[],
    { where, limits = {}, counts = () => true }: TableOptions = {},
  ): Record<string, Cell>[] {
    const table = openTable(name, limits);
    for (const frame of this.frames) table.next(frame, counts(frame));
    const matches = where === undefined ? () => true : compileCondition(where, table.columns);
    return table
      .rows()
      .filter(matches)
      .map((row) =>
        Object.fromEntries(
          columns.map((column) => {
            const found = table.columns.find((one) => one.name === column);
            if (found === undefined) throw new Error(`${name} has no column ${column}`);
            return [column, found.of(row)];
          }),
        ),
      );
  }

  notes(name: TableName, limits: ReportLimits): string[] {
    const table = openTable(name, limits);
    for (const frame of this.frames) table.next(frame, true);
    return table.notes();
  }
}

interface TableOptions {
  readonly where?: string;
  readonly limits?: ReportLimits;
  readonly counts?: (frame: DissectedFrame) => boolean;
}

/** One TCP connection; its handshake has been seen. */
export class Line {
  readonly #scene: Scene;
  readonly #hosts: readonly [client: number, server: number];
  readonly #ports: readonly [client: number, server: number];
  readonly #next: [number, number] = [1001, 5001];
  #subscribed = 0;

  constructor(scene: Scene, host: number, port: number, broker: number, brokerPort: number) {
    this.#scene = scene;
    this.#hosts = [host, broker];
    this.#ports = [port, brokerPort];
    this.#send(0, flags.syn, new Uint8Array(), 1000);
    this.#send(1, flags.syn | flags.ack, new Uint8Array(), 5000);
    this.#send(0, flags.ack);
  }

  #send(from: 0 | 1, bits: number, payload: Uint8Array = new Uint8Array(), sequence = this.#next[from]): void {
    const to = from === 0 ? 1 : 0;
    this.#scene.segment({
      from: this.#hosts[from],
      to: this.#hosts[to],
      sourcePort: this.#ports[from],
      destinationPort: this.#ports[to],
      sequence,
      acknowledgement: (bits & flags.ack) === 0 ? 0 : this.#next[to],
      flags: bits,
      payload,
    });
    this.#next[from] = Math.max(
      this.#next[from],
      sequence + payload.length + ((bits & (flags.syn | flags.fin)) === 0 ? 0 : 1),
    );
  }

  /** Packets of the client, all in one segment. */
  client(...packets: readonly (Bytes | string)[]): this {
    this.#send(0, flags.psh | flags.ack, join(...packets));
    return this;
  }

  server(...packets: readonly (Bytes | string)[]): this {
    this.#send(1, flags.psh | flags.ack, join(...packets));
    return this;
  }

  /** SUBSCRIBE and SUBACK, as 3.1.1 has them; `codes` instead of what was asked for. */
  subscribe(filters: readonly FilterOptions[], codes = filters.map(([, qos]) => qos & 3)): this {
    const id = ++this.#subscribed;
    this.client(subscribe(id, filters));
    return this.server(Uint8Array.of(0x90, 2 + codes.length, 0, id, ...codes));
  }

  fin(by: 'client' | 'server' = 'client'): this {
    this.#send(by === 'client' ? 0 : 1, flags.fin | flags.ack);
    return this;
  }

  rst(by: 'client' | 'server' = 'client'): this {
    this.#send(by === 'client' ? 0 : 1, flags.rst | flags.ack);
    return this;
  }
}
