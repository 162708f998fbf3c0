import { describe, expect, it } from 'vitest';
import { wholeBlocks } from '../../../src/broker/tap/whole-blocks.ts';
import { CaptureDecoder } from '../../../src/capture/capture-decoder.ts';
import { linkTypes } from '../../../src/capture/link-types.ts';
import { PcapngWriter } from '../../../src/capture/pcapng-writer.ts';

function file(frames: number): Uint8Array {
  const writer = new PcapngWriter({ application: 'test' });
  writer.addInterface({ linkType: linkTypes.ethernet });
  for (let index = 0; index < frames; index++) {
    const bytes = new Uint8Array(20 + index);
    writer.writePacket(0, index, 0, bytes.length, bytes, undefined, undefined);
  }
  return writer.take();
}

describe('a capture file that was written in part', () => {
  const bytes = file(5);

  it('ends with a whole block, wherever the writing stopped, and the frames behind it are counted', () => {
    for (let written = 0; written <= bytes.length; written++) {
      const { end, lostFrames } = wholeBlocks(bytes, written);
      expect(end).toBeLessThanOrEqual(written);
      const frames = end === 0 ? [] : new CaptureDecoder().push(bytes.subarray(0, end));
      expect(frames.length + lostFrames, `${written} bytes`).toBe(5);
    }
    expect(wholeBlocks(bytes, bytes.length)).toEqual({ end: bytes.length, lostFrames: 0 });
    expect(wholeBlocks(bytes, -7)).toEqual({ end: 0, lostFrames: 5 });
    expect(wholeBlocks(new Uint8Array(0), 0)).toEqual({ end: 0, lostFrames: 0 });
  });
});
