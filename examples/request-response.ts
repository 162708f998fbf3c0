/**
 * A service that adds numbers, and somebody who asks it, both in one program. [MQTT 5.0 §4.10]
 *
 *     npx esbuild examples/request-response.ts --bundle --platform=node --format=esm --external:ws \
 *       --outfile=dist/examples/request-response.mjs
 *     node dist/examples/request-response.mjs mqtt://localhost
 *
 * Outside of this repository the import is `from 'clearwing/client'`.
 */
import { connect } from '../src/client/node.ts';

const [url = 'mqtt://localhost'] = process.argv.slice(2);

const service = await connect(url);
await service.subscribe('services/add', {
  qos: 1,
  onMessage: async (request) => {
    const { responseTopic, correlationData } = request.properties ?? {};
    if (responseTopic === undefined) return;
    const sum = request
      .text()
      .split('+')
      .reduce((total, term) => total + Number(term), 0);
    // The Correlation Data tells the asker which of its questions this answers.
    const properties = correlationData === undefined ? {} : { correlationData };
    await service.publish(responseTopic, String(sum), { qos: 1, properties });
  },
});

const asker = await connect(url);
const questions = ['1 + 2', '3 + 4 + 5', '0.5 + 0.25'];
const answers = await Promise.all(
  questions.map((question) => asker.request('services/add', question, { qos: 1, timeoutMs: 5_000 })),
);
for (const [index, answer] of answers.entries()) console.log(`${questions[index]} = ${answer.text()}`);

await Promise.all([asker.end(), service.end()]);
