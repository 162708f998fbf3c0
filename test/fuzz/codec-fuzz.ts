/**
 * Mutated packets through framer and codec. Whatever comes in: nothing but an MqttError is thrown; the same packets and the same error
 * come out however the bytes are cut into chunks; what was decoded is the same after encoding and decoding again.
 */
import { isDeepStrictEqual } from 'node:util';
import { decodePacket, encodedBytes, type Packet, PacketFramer, packetSize } from '../../src/codec/index.ts';
import { MqttError } from '../../src/protocol/errors.ts';
import { PacketType } from '../../src/protocol/packet-types.ts';
import type { ProtocolVersion } from '../../src/protocol/version.ts';
import { validVectors, vectors } from '../codec/vectors.ts';
import { cutAnywhere, joined, mutatedPacket, SeededRandom } from './mutate.ts';

export interface CodecFuzzOptions {
  /** A 32-bit number. */
  readonly seed: number;
  /** How many mutated packets. */
  readonly packets: number;
  /** Called now and then with the number of packets so far. */
  readonly onProgress?: (packets: number) => void;
}

export interface CodecFuzzReport {
  readonly packets: number;
  /** Packets that came out of the decoder, right ones around them included; a stream ends with its first refusal. */
  readonly decoded: number;
  /** Streams that ended in an error, by its code and Reason Code. */
  readonly refusals: ReadonlyMap<string, number>;
}

/** What became of a stream: its packets, and the error that ended it. */
interface Outcome {
  readonly packets: Packet[];
  readonly error: MqttError | undefined;
  readonly buffered: number;
}

interface Stream {
  readonly bytes: Uint8Array;
  readonly version: ProtocolVersion;
  readonly maximumPacketSize: number | undefined;
}

function read({ version, maximumPacketSize }: Stream, chunks: readonly Uint8Array[]): Outcome {
  const framer = new PacketFramer(maximumPacketSize);
  framer.version = version;
  const packets: Packet[] = [];
  try {
    for (const chunk of chunks) {
      framer.push(chunk);
      while (framer.next()) {
        packets.push(decodePacket(framer.bytes, framer.packetStart, framer.bodyStart, framer.end, version));
      }
    }
  } catch (error) {
    if (error instanceof MqttError) return { packets, error, buffered: 0 };
    throw error;
  }
  return { packets, error: undefined, buffered: framer.bufferedBytes };
}

function checkStream(random: SeededRandom, stream: Stream): Outcome {
  const { bytes, version } = stream;
  const whole = read(stream, [bytes]);
  const cut = read(stream, cutAnywhere(random, bytes));
  const isSame =
    isDeepStrictEqual(cut.packets, whole.packets) &&
    cut.error?.message === whole.error?.message &&
    cut.buffered === whole.buffered;
  if (!isSame) throw new Error('the outcome depends on how the bytes were cut into chunks');
  if (whole.error === undefined && whole.buffered > bytes.length) throw new Error('more bytes are held than came');
  for (const packet of whole.packets) {
    const form = packet.type === PacketType.CONNECT ? packet.protocolVersion : version;
    const encoded = encodedBytes(packet, form);
    if (packetSize(packet, form) !== encoded.length) throw new Error('packetSize and encodedBytes disagree');
    const again = read({ ...stream, maximumPacketSize: undefined }, [encoded]);
    if (again.error !== undefined) throw new Error('what was decoded is refused when encoded', { cause: again.error });
    if (!isDeepStrictEqual(again.packets, [packet])) throw new Error('what was decoded is another packet when encoded');
  }
  return whole;
}

/** @throws {Error} naming the seed and the bytes, at the first stream that is not handled as it should be */
export function fuzzCodec({ seed, packets, onProgress }: CodecFuzzOptions): CodecFuzzReport {
  const random = new SeededRandom(seed);
  const seeds = new Map<ProtocolVersion, Uint8Array[]>();
  const valid = new Map<ProtocolVersion, Uint8Array[]>();
  for (const version of [3, 4, 5] as const) {
    valid.set(
      version,
      validVectors.filter((vector) => vector.version === version).map((vector) => vector.bytes),
    );
    seeds.set(
      version,
      vectors.filter((vector) => vector.version === version).map((vector) => vector.bytes),
    );
  }
  const refusals = new Map<string, number>();
  let decoded = 0;
  let count = 0;
  let nextProgress = 100_000;
  while (count < packets) {
    // Version 5 has most to get wrong. Now and then packets of one version are read as another.
    const version = random.pick([3, 4, 5, 5, 5] as const);
    const origin = random.once(10) ? random.pick([3, 4, 5] as const) : version;
    // A right packet before and behind shows whether the mutated one is taken for as long as it is.
    const from = (random.once(4) ? seeds : valid).get(origin)!;
    const parts = [mutatedPacket(random, from)];
    if (random.once(3)) parts.unshift(random.pick(valid.get(version)!));
    if (random.once(3)) parts.push(random.pick(valid.get(version)!));
    const maximumPacketSize = random.once(10) ? 2 + random.below(100) : undefined;
    const stream: Stream = { bytes: joined(parts), version, maximumPacketSize };
    try {
      const { packets: found, error } = checkStream(random, stream);
      decoded += found.length;
      if (error !== undefined) {
        const key = `${error.code} 0x${error.reasonCode?.toString(16)}`;
        refusals.set(key, (refusals.get(key) ?? 0) + 1);
      }
    } catch (error) {
      const hex = Buffer.from(stream.bytes).toString('hex');
      throw new Error(`seed ${seed}, packet ${count}, version ${version}, maximum ${maximumPacketSize}: ${hex}`, {
        cause: error,
      });
    }
    count++;
    if (count >= nextProgress) {
      nextProgress += 100_000;
      onProgress?.(count);
    }
  }
  return { packets: count, decoded, refusals };
}
