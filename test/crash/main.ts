/** The long run of `npm run test:crash`; scripts/crash.mjs bundles and starts it. */
import { parseArgs } from 'node:util';
import { crashRun } from './crash-run.ts';

const usage = `Usage: npm run test:crash -- [options]

Kills a broker at random instants while clients use it, and checks that nothing acknowledged was lost, nothing at QoS 2
came twice, the order was kept, retained messages are the last acknowledged ones and subscriptions are intact.

  --seed N         the same choices as another run with this seed (default: by the clock)
  --kills N        how often (default 200)
  --durability D   strict, relaxed or none (default strict); with none it must find loss, and fails if it does not
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: String(Date.now() % 0x1_0000_0000) },
      kills: { type: 'string', default: '200' },
      durability: { type: 'string', default: 'strict' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const { durability } = values;
  if (durability !== 'strict' && durability !== 'relaxed' && durability !== 'none') {
    throw new Error(`--durability ${durability}; expected strict, relaxed or none`);
  }
  const [seed, kills] = [values.seed, values.kills].map((text) => {
    if (!/^\d{1,10}$/.test(text)) throw new Error(`${text} is no number`);
    return Number(text);
  }) as [number, number];
  console.log(`seed ${seed}, ${kills} kills, durability ${durability}`);
  const started = performance.now();
  const report = await crashRun({
    seed,
    kills,
    durability,
    stopsAtFirstComplaint: true,
    onProgress: (count, acknowledged) => {
      if (count % 20 === 0) console.log(`${count} kills, ${acknowledged} messages acknowledged`);
    },
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(
    `${report.kills} kills in ${seconds} s: ${report.acknowledged} messages acknowledged, ${report.delivered} deliveries, ${report.retainedLooks} looks at retained messages`,
  );
  for (const complaint of report.complaints.slice(0, 50)) console.log(`  ${complaint}`);
  const isLossExpected = durability === 'none';
  const isAsExpected = report.complaints.length > 0 === isLossExpected;
  if (isLossExpected)
    console.log(isAsExpected ? 'loss was found, as it must be' : 'no loss was found: the judge is blind');
  else
    console.log(isAsExpected ? 'nothing was lost' : `${report.complaints.length} promises were broken (seed ${seed})`);
  return isAsExpected ? 0 : 1;
}

main().then(
  (status) => process.exit(status),
  (error) => {
    console.error((error as Error).message);
    process.exit(2);
  },
);
