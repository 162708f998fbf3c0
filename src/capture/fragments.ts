/** Puts datagrams together from the fragments of IPv4 and IPv6. */
import type { DataSource, Frame, SourceSegment } from './frame.ts';
import type { FrameHeaders } from './frame-headers.ts';

/** Datagrams that may wait for fragments at once; the one that waits longest goes first. */
export const fragmentedDatagramsMax = 1024;
/** Bytes that may wait in all of them together, `fragmentOverheadBytes` for each fragment included. */
export const fragmentBytesMax = 8 * 1024 * 1024;
/** What a fragment costs beside its payload, so that many empty ones are bounded, too. */
const fragmentOverheadBytes = 128;
/** Fragments of one datagram: what 65,535 bytes come in if each carries no more than 64. */
export const fragmentsPerDatagramMax = 1024;
/** Seconds of the capture after which a datagram is given up: RFC 8200 §4.5. */
export const fragmentTimeoutSeconds = 60;

/** The payload of a datagram that came in fragments. */
export interface ReassembledDatagram extends DataSource {
  readonly segments: readonly SourceSegment[];
  /** Numbers of the frames that carried it, in order of their place in the datagram; each that added nothing is left out. */
  readonly frames: readonly number[];
}

interface Fragment {
  readonly frame: number;
  /** Place in the datagram. */
  readonly start: number;
  readonly end: number;
  readonly bytes: Uint8Array;
}

/**
 * One datagram's fragments.
 *
 *   fragments   sorted by start; of those with the same start, the one seen first comes first
 *   length      of the whole payload, or -1 until the last fragment came
 *
 * Whole once the fragments cover 0…length. Where two overlap, the bytes of the one that stands first in the list are taken.
 */
class FragmentedDatagram {
  readonly seconds: number;
  readonly fragments: Fragment[] = [];
  length = -1;
  bytes = 0;

  constructor(seconds: number) {
    this.seconds = seconds;
  }

  insert(fragment: Fragment): void {
    let at = this.fragments.length;
    while (at > 0 && this.fragments[at - 1]!.start > fragment.start) at--;
    this.fragments.splice(at, 0, fragment);
    this.bytes += fragment.bytes.length + fragmentOverheadBytes;
  }

  isWhole(): boolean {
    if (this.length < 0) return false;
    let covered = 0;
    for (const fragment of this.fragments) {
      if (fragment.start > covered) return false;
      if (fragment.end > covered) covered = fragment.end;
    }
    return covered >= this.length;
  }

  assemble(version: number): ReassembledDatagram {
    const bytes = new Uint8Array(this.length);
    const segments: SourceSegment[] = [];
    const frames: number[] = [];
    let filled = 0;
    for (const fragment of this.fragments) {
      const end = Math.min(fragment.end, this.length);
      if (end <= filled) continue;
      bytes.set(fragment.bytes.subarray(filled - fragment.start, end - fragment.start), filled);
      segments.push({ frame: fragment.frame, start: filled, end });
      frames.push(fragment.frame);
      filled = end;
    }
    return { bytes, name: `Reassembled IPv${version} (${this.length} bytes)`, segments, frames };
  }
}

/** Where fragments wait for the others of their datagram. */
export class FragmentTable {
  /** By source, destination, protocol and identification; the oldest first. */
  readonly #waiting = new Map<string, FragmentedDatagram>();
  #bytes = 0;

  /** Bytes that wait, overhead included. */
  get waitingBytes(): number {
    return this.#bytes;
  }

  /**
   * Takes a fragment.
   * @param headers - with the offset of the IP header
   * @param start - of the fragment's payload in the frame
   * @param end - of the payload
   * @param offset - of the payload in the datagram, in bytes
   * @returns the datagram's payload, if this was what was missing
   */
  add(
    headers: FrameHeaders,
    identification: number,
    start: number,
    end: number,
    offset: number,
    hasMore: boolean,
  ): ReassembledDatagram | undefined {
    if (end < start) return undefined;
    const frame = headers.frame;
    this.#forgetOld(frame);
    const key = fragmentKey(headers, identification);
    let datagram = this.#waiting.get(key);
    if (datagram === undefined) {
      datagram = new FragmentedDatagram(frame.seconds);
      this.#waiting.set(key, datagram);
    }
    if (!hasMore && datagram.length < 0) datagram.length = offset + (end - start);
    // A copy: the frame's bytes are a view of what was read of the file, which would stay with them.
    const bytes = frame.bytes.slice(start, end);
    datagram.insert({ frame: frame.number, start: offset, end: offset + bytes.length, bytes });
    this.#bytes += bytes.length + fragmentOverheadBytes;
    if (datagram.isWhole()) {
      this.#forget(key, datagram);
      return datagram.assemble(headers.ipVersion);
    }
    if (datagram.fragments.length >= fragmentsPerDatagramMax) this.#forget(key, datagram);
    while (this.#waiting.size > fragmentedDatagramsMax || this.#bytes > fragmentBytesMax) this.#forgetOldest();
    return undefined;
  }

  #forget(key: string, datagram: FragmentedDatagram): void {
    this.#waiting.delete(key);
    this.#bytes -= datagram.bytes;
  }

  #forgetOldest(): void {
    for (const [key, datagram] of this.#waiting) {
      this.#forget(key, datagram);
      return;
    }
  }

  #forgetOld(frame: Frame): void {
    for (const [key, datagram] of this.#waiting) {
      if (frame.seconds - datagram.seconds <= fragmentTimeoutSeconds) return;
      this.#forget(key, datagram);
    }
  }
}

function fragmentKey(headers: FrameHeaders, identification: number): string {
  const bytes = headers.frame.bytes;
  const start = headers.ipOffset + (headers.ipVersion === 4 ? 12 : 8);
  const end = start + (headers.ipVersion === 4 ? 8 : 32);
  let key = `${headers.ipVersion} ${headers.ipProtocol} ${identification}`;
  for (let at = start; at < end; at++) key += ` ${bytes[at]!}`;
  return key;
}
