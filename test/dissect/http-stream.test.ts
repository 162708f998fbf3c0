import { describe, expect, it } from 'vitest';
import { linkTypes } from '../../src/capture/link-types.ts';
import { StreamChunk } from '../../src/capture/stream-chunk.ts';
import { HttpStream } from '../../src/dissect/http-stream.ts';
import { TreeSink } from '../../src/dissect/index.ts';
import type { StreamDissector, UpperLayer } from '../../src/dissect/stream-dissector.ts';
import { frameOf } from '../capture/made-frames.ts';

/** Keeps what it is given. */
class Collector implements StreamDissector {
  readonly received: [direction: number, text: string][] = [];

  receive(direction: number, chunk: StreamChunk): void {
    const letters = [...chunk.source.bytes.subarray(chunk.start, chunk.end)].map((byte) => String.fromCharCode(byte));
    this.received.push([direction, letters.join('')]);
  }
  end(): void {}
  pending(): number {
    return 0;
  }
}

class Exchange {
  readonly inner = new Collector();
  subprotocol: string | undefined = undefined;
  readonly layers: UpperLayer[] = [];
  readonly #stream = new HttpStream('TCP', (subprotocol) => {
    this.subprotocol = subprotocol;
    return this.inner;
  });

  give(direction: 0 | 1, text: string, missing = 0): this {
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    const frame = frameOf(bytes, { linkType: linkTypes.raw });
    this.#stream.receive(direction, new StreamChunk(frame, 0, bytes.length, frame, missing, 0), frame, this.layers);
    return this;
  }

  get infos(): string[] {
    return this.layers.map((layer) => layer.info().trim());
  }

  pending(direction: 0 | 1): number {
    return this.#stream.pending(direction);
  }
}

const upgrade =
  'GET /mqtt HTTP/1.1\r\nHost: broker\r\nUpgrade: WebSocket\r\nSec-WebSocket-Protocol: mqtt, mqttv3.1\r\n\r\n';
const switching = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n';

describe('HttpStream', () => {
  it('hands both directions on after an upgrade, with what follows the heads', () => {
    const exchange = new Exchange().give(0, upgrade).give(1, `${switching}first`).give(0, 'second');
    expect(exchange.infos).toEqual(['GET /mqtt HTTP/1.1', 'HTTP/1.1 101 Switching Protocols']);
    expect(exchange.subprotocol).toBe('mqtt');
    expect(exchange.inner.received).toEqual([
      [1, 'first'],
      [0, 'second'],
    ]);
  });

  it('puts heads together wherever they are cut', () => {
    for (let size = 1; size < upgrade.length; size += 3) {
      const exchange = new Exchange();
      for (let at = 0; at < upgrade.length; at += size) exchange.give(0, upgrade.slice(at, at + size));
      for (let at = 0; at < switching.length; at += size) exchange.give(1, switching.slice(at, at + size));
      exchange.give(1, 'data');
      expect(exchange.infos, `pieces of ${size}`).toHaveLength(2);
      expect(exchange.inner.received).toEqual([[1, 'data']]);
      expect(exchange.pending(0)).toBe(0);
    }
  });

  it('knows what was asked for where the answer names no subprotocol', () => {
    const exchange = new Exchange().give(0, upgrade).give(1, 'HTTP/1.1 101 OK\r\n\r\nx');
    expect(exchange.subprotocol).toBe('mqtt, mqttv3.1');
  });

  it('goes on with requests where an upgrade was refused, and passes bodies over', () => {
    const exchange = new Exchange()
      .give(0, upgrade)
      .give(1, 'HTTP/1.1 426 Upgrade Required\r\nContent-Length: 9\r\n\r\nGET / not')
      .give(0, 'POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc')
      .give(1, 'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    expect(exchange.infos).toEqual([
      'GET /mqtt HTTP/1.1',
      'HTTP/1.1 426 Upgrade Required',
      'POST / HTTP/1.1',
      'HTTP/1.1 204 No Content',
      'HTTP/1.1 404 Not Found',
    ]);
    expect(exchange.inner.received).toEqual([]);
  });

  it('does not take a 101 for an upgrade that nobody asked for', () => {
    const exchange = new Exchange().give(0, 'GET / HTTP/1.1\r\n\r\n').give(1, `${switching}x`);
    expect(exchange.inner.received).toEqual([]);
  });

  it('gives up what is no HTTP, has no end, or lacks bytes', () => {
    const exchange = new Exchange().give(0, '\u0000\u0001').give(0, upgrade);
    expect(exchange.infos).toEqual([]);
    const endless = new Exchange();
    for (let count = 0; count < 20; count++) endless.give(0, `X${'y'.repeat(5000)}`);
    expect(endless.pending(0)).toBe(0);
    const holed = new Exchange().give(0, upgrade.slice(0, 20)).give(0, upgrade.slice(30), 10);
    expect(holed.infos).toEqual([]);
  });

  it('shows header lines as fields', () => {
    const exchange = new Exchange().give(0, upgrade);
    const sink = new TreeSink();
    exchange.layers[0]!.describe(sink);
    const shown = sink.roots[0]!.children!.filter(({ isHidden }) => !isHidden);
    expect(shown.map(({ field, value }) => [field.name, value]).slice(1)).toEqual([
      ['http.host', 'broker'],
      ['http.upgrade', 'WebSocket'],
      ['http.sec_websocket_protocol', 'mqtt, mqttv3.1'],
      ['', undefined],
      ['http.request.full_uri', 'http://broker/mqtt'],
    ]);
  });
});
