import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, it } from 'vitest';
import { startBroker } from '../../support/broker-process.ts';
import { describeWithPeer } from '../../support/peers.ts';
import { testPatienceMs } from '../../support/suite.ts';
import { recordCourseLab } from './course-lab.ts';
import { expectCourseLab } from './course-lab-facts.ts';

const directory = mkdtempSync(join(tmpdir(), 'clearwing-lab-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describeWithPeer(['mosquitto', 'mosquitto_pub', 'mosquitto_sub', 'dumpcap'], 'a lab that is recorded now', () => {
  it(
    'is told by the tables as it was arranged',
    async () => {
      const file = join(directory, 'lab.pcapng');
      const broker = await startBroker({ program: 'mosquitto' });
      await recordCourseLab(file, broker.port);
      await broker.stop();
      await expectCourseLab(file);
    },
    testPatienceMs,
  );
});
