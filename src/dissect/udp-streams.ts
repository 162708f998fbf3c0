/** Numbers for pairs of UDP endpoints, in the order in which they appear: `udp.stream`. Bounded: who was heard of longest ago is forgotten. */
import type { Frame } from '../capture/frame.ts';
import type { FrameHeaders } from '../capture/frame-headers.ts';

/** Pairs that are remembered. */
const streamsMax = 16_384;

/** What a datagram's place among those of its pair says. */
export interface UdpPlace {
  readonly index: number;
  readonly sinceFirstNs: number;
  readonly sincePreviousNs: number;
}

interface UdpStream {
  readonly index: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  lastSeconds: number;
  lastNanoseconds: number;
}

export class UdpStreams {
  readonly #streams = new Map<string, UdpStream>();
  #count = 0;

  next(headers: FrameHeaders): UdpPlace {
    const { frame } = headers;
    const key = pairKey(headers);
    let stream = this.#streams.get(key);
    if (stream === undefined) {
      const { seconds, nanoseconds } = frame;
      stream = { index: this.#count++, seconds, nanoseconds, lastSeconds: seconds, lastNanoseconds: nanoseconds };
    } else this.#streams.delete(key);
    this.#streams.set(key, stream);
    if (this.#streams.size > streamsMax) {
      for (const oldest of this.#streams.keys()) {
        this.#streams.delete(oldest);
        break;
      }
    }
    const place = {
      index: stream.index,
      sinceFirstNs: between(stream.seconds, stream.nanoseconds, frame),
      sincePreviousNs: between(stream.lastSeconds, stream.lastNanoseconds, frame),
    };
    stream.lastSeconds = frame.seconds;
    stream.lastNanoseconds = frame.nanoseconds;
    return place;
  }
}

function between(seconds: number, nanoseconds: number, frame: Frame): number {
  return (frame.seconds - seconds) * 1e9 + (frame.nanoseconds - nanoseconds);
}

/** The same for both directions. */
function pairKey(headers: FrameHeaders): string {
  const { bytes } = headers.frame;
  const at = headers.ipOffset + (headers.ipVersion === 4 ? 12 : 8);
  const length = headers.ipVersion === 4 ? 4 : 16;
  const source = `${bytes.subarray(at, at + length).join('.')}:${headers.sourcePort}`;
  const destination = `${bytes.subarray(at + length, at + 2 * length).join('.')}:${headers.destinationPort}`;
  return source < destination ? `${source} ${destination}` : `${destination} ${source}`;
}
