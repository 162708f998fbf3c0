import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../src/base/byte-writer.ts';
import { Message } from '../../src/broker/message.ts';
import { appendShortPublish, encodeMessage } from '../../src/broker/wire-forms.ts';

const topics = ['t', 'a/b', 'x'.repeat(40), 'x'.repeat(41), 'x'.repeat(125), 'y'.repeat(16_200), 'grüße', '温度/室内'];
const sizes = [1, 2, 63, 64, 127, 128, 512];

describe('a PUBLISH made of a short payload', () => {
  it('is byte for byte what the codec writes', () => {
    for (const topicName of topics) {
      for (const size of sizes) {
        for (const version of [3, 4, 5] as const) {
          for (const retain of [false, true]) {
            const payload = Uint8Array.from({ length: size }, (_, index) => (index * 37 + 200) & 0xff);
            const message = new Message(topicName, payload, 0, retain, undefined, 0, undefined);
            const expected = new ByteWriter();
            encodeMessage(expected, message, topicName, version, 0, retain, undefined, 0, 0);
            const writer = new ByteWriter(16);
            writer.writeUint8(0xaa);
            const text = Buffer.from(payload).toString('latin1');
            const isTaken = appendShortPublish(writer, topicName, text, retain, version);
            expect(isTaken).toBe(/^[ -~]*$/.test(topicName) && expected.length < 16_384 + 4);
            const appended = writer.bytes.subarray(1, writer.length);
            const wanted = isTaken ? expected.bytes.subarray(0, expected.length) : new Uint8Array(0);
            expect(Buffer.compare(appended, wanted), `${topicName}, ${size} bytes, ${version}`).toBe(0);
          }
        }
      }
    }
  });
});
