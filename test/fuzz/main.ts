/** The long run of `npm run fuzz`; scripts/fuzz.mjs bundles and starts it. */
import { parseArgs } from 'node:util';
import { fuzzBroker } from './broker-fuzz.ts';
import { fuzzCodec } from './codec-fuzz.ts';
import { startOwnBroker } from './own-broker.ts';

const usage = `Usage: npm run fuzz -- [options]

Sends mutated packets through the framer and the codec, then to a broker started for it.

  --seed N               the same packets as another run with this seed (default: by the clock)
  --packets N            how many through the codec (default 1000000; 0: none)
  --broker-packets N     how many to a broker (default 200000; 0: none)
  --broker HOST:PORT     to this broker, which must accept anonymous clients, and not to one of our own;
                         what it sends is not judged then
`;

function wholeNumber(name: string, text: string, maximum: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > maximum) throw new Error(`--${name} ${text}; expected 0–${maximum}`);
  return value;
}

function addressOf(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  if (match === null) throw new Error(`--broker ${text}; expected HOST:PORT`);
  return { host: (match[1] ?? match[2])!, port: wholeNumber('broker', match[3]!, 65_535) };
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: String(Date.now() % 0x1_0000_0000) },
      packets: { type: 'string', default: '1000000' },
      'broker-packets': { type: 'string', default: '200000' },
      broker: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  return {
    isHelp: values.help,
    seed: wholeNumber('seed', values.seed, 0xffff_ffff),
    packets: wholeNumber('packets', values.packets, 1e12),
    brokerPackets: wholeNumber('broker-packets', values['broker-packets'], 1e12),
    broker: values.broker === undefined ? undefined : addressOf(values.broker),
  };
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? '?' : `${Math.round(bytes / 1_048_576)} MiB`;
}

function runCodec(seed: number, packets: number): void {
  const started = performance.now();
  const report = fuzzCodec({ seed, packets, onProgress: (count) => console.log(`codec: ${count} packets`) });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`codec: ${report.packets} mutated packets in ${seconds} s, ${report.decoded} packets decoded; refused:`);
  for (const [key, count] of [...report.refusals].sort()) console.log(`  ${key}  ${count}`);
}

async function runBroker(
  seed: number,
  packets: number,
  given: { host: string; port: number } | undefined,
): Promise<void> {
  const own = given === undefined ? await startOwnBroker() : undefined;
  const target = given ?? { host: '127.0.0.1', port: own!.port };
  const before = own?.residentBytes();
  let lastShown = 0;
  try {
    const started = performance.now();
    const report = await fuzzBroker({
      ...target,
      seed,
      packets,
      judgesAnswers: own !== undefined,
      onProgress: (count) => {
        if (count - lastShown < 20_000) return;
        lastShown = count;
        console.log(`broker: ${count} packets${own === undefined ? '' : `, memory ${megabytes(own.residentBytes())}`}`);
      },
    });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(
      `broker: ${report.packets} mutated packets on ${report.connections} connections in ${seconds} s; it ended ` +
        `${report.closedByBroker} of them, sent ${report.answers} packets, and answered a well-behaved client ${report.checks} times`,
    );
    if (own !== undefined)
      console.log(`broker: memory ${megabytes(before)} before, ${megabytes(own.residentBytes())} after`);
  } catch (error) {
    if (own !== undefined) console.error(`the broker said:\n${own.output()}`);
    throw error;
  } finally {
    const status = await own?.stop();
    if (status !== undefined && status !== 0) {
      console.error(`the broker ended with status ${status}\n${own!.output()}`);
      process.exitCode = 1;
    }
  }
}

async function main(): Promise<void> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions();
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`);
    process.exitCode = 2;
    return;
  }
  if (options.isHelp) {
    console.log(usage);
    return;
  }
  console.log(`seed ${options.seed}`);
  if (options.packets > 0) runCodec(options.seed, options.packets);
  if (options.brokerPackets > 0) await runBroker(options.seed, options.brokerPackets, options.broker);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
