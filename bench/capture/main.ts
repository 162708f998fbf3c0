/** The command line of make-capture.mjs, and the loop that has clients talk in turn. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { linkTypes } from '../../src/capture/link-types.ts';
import { PcapWriter } from '../../src/capture/pcap-writer.ts';
import { PcapngWriter } from '../../src/capture/pcapng-writer.ts';
import { MqttConversation } from './mqtt-conversation.ts';
import { SeededRandom } from './random.ts';

const help = `Usage: node bench/capture/make-capture.mjs [options] -o FILE

Writes a capture of MQTT 3.1.1 and 5.0 over TCP: handshakes, acknowledgements, QoS 0, 1 and 2, deliveries to subscribers.
The same options give the same file.

  -o, --output FILE    pcapng if it ends so, else pcap
  --packets N          MQTT packets, give or take two; default 100000. Frames are a quarter more
  --connections N      open at the same time; default 100
  --lifetime N         MQTT packets of a connection, after which a new one takes its place; default 10000
  --seed N             default 1
`;

const writtenTogether = 1_048_576;
const serverAddress = 0x0a00_0001;
/** 2023-11-14 22:13:20 UTC. */
const startSeconds = 1_700_000_000;
const frameNs = 2_000;
const pauseNsMax = 40_000;

interface Options {
  readonly output: string;
  readonly packets: number;
  readonly connections: number;
  readonly lifetime: number;
  readonly seed: number;
}

function readOptions(args: string[]): Options | string {
  const { values } = parseArgs({
    args,
    options: {
      output: { type: 'string', short: 'o' },
      packets: { type: 'string', default: '100000' },
      connections: { type: 'string', default: '100' },
      lifetime: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return help;
  const number = (name: 'packets' | 'connections' | 'lifetime' | 'seed', least: number, most: number): number => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new RangeError(`--${name} ${values[name]}: a whole number from ${least} to ${most} is expected`);
  };
  if (values.output === undefined) throw new RangeError('-o FILE is missing');
  const packets = number('packets', 10, 1e9);
  return {
    output: values.output,
    packets,
    connections: Math.min(number('connections', 1, 100_000), Math.ceil(packets / 10)),
    lifetime: number('lifetime', 10, 1e9),
    seed: number('seed', 0, 0xffff_ffff),
  };
}

/** Writes the capture. Returns the number of frames. */
function makeCapture(options: Options): number {
  const { packets, connections, lifetime, seed } = options;
  const random = new SeededRandom(seed);
  const isPcapng = options.output.endsWith('ng');
  const pcapng = new PcapngWriter({ application: 'make-capture.mjs' });
  const pcap = new PcapWriter({ linkType: linkTypes.ethernet });
  if (isPcapng) pcapng.addInterface({ linkType: linkTypes.ethernet, name: 'bench0' });
  const writer = isPcapng ? pcapng : pcap;
  const file = openSync(options.output, 'w');
  let frames = 0;
  let seconds = startSeconds;
  let nanoseconds = 0;
  const advance = (ns: number) => {
    nanoseconds += ns;
    while (nanoseconds >= 1e9) {
      seconds += 1;
      nanoseconds -= 1e9;
    }
  };
  const take = (frame: Uint8Array) => {
    frames++;
    advance(frameNs + random.below(frameNs));
    if (isPcapng) pcapng.writePacket(0, seconds, nanoseconds, frame.length, frame);
    else pcap.writePacket(seconds, nanoseconds, frame.length, frame);
    if (writer.pendingBytes >= writtenTogether) writeSync(file, writer.take());
  };
  const milliseconds = () => ((seconds - startSeconds) * 1000 + Math.floor(nanoseconds / 1e6) + 1_000_000) >>> 0;
  let opened = 0;
  const newConversation = (number: number) => {
    const clientAddress = 0x0a01_0000 + (number % 65_000);
    // Never the same twice for one client within 28,000 connections.
    const clientPort = 32_768 + ((opened++ * 7) % 28_000);
    return new MqttConversation({ number, clientAddress, clientPort, serverAddress, lifetime }, random);
  };
  const conversations = Array.from({ length: connections }, (_, number) => newConversation(number));
  let open = 0;
  let sent = 0;
  while (sent < packets - open - 2) {
    let index = random.below(connections);
    // A publisher whose subscriber is behind lets that one go first.
    const partner = conversations[index + 1];
    if (index % 2 === 0 && partner !== undefined && partner.isOpen && partner.waiting > 0 && random.happens(0.6))
      index++;
    const conversation = conversations[index]!;
    if (conversation.isOpen && conversation.isSubscriber && conversation.waiting === 0 && !random.happens(0.02))
      continue;
    advance(random.below(pauseNsMax));
    if (!conversation.isOpen) open++;
    sent += conversation.step(conversations[index + 1], milliseconds(), take);
    if (!conversation.isAtEnd) continue;
    conversation.close(milliseconds(), take);
    sent++;
    open--;
    conversations[index] = newConversation(index);
  }
  for (const conversation of conversations) {
    if (!conversation.isOpen) continue;
    advance(random.below(pauseNsMax));
    conversation.close(milliseconds(), take);
  }
  if (isPcapng) pcapng.writeStatistics();
  writeSync(file, writer.take());
  closeSync(file);
  return frames;
}

try {
  const options = readOptions(process.argv.slice(2));
  if (typeof options === 'string') process.stdout.write(options);
  else {
    const frames = makeCapture(options);
    process.stdout.write(`${options.output}: ${frames} frames\n`);
  }
} catch (error) {
  process.stderr.write(`make-capture: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
