/** One broker for all tests of a file, and tests that know where mosquitto differs. */
import { afterAll, beforeAll, it } from 'vitest';
import { type BrokerProcess, type BrokerProcessOptions, brokerUnderTest, startBroker } from './broker-process.ts';
import { destroyRawClients } from './raw-client.ts';

/** A test may take this long on a slow and busy machine, in milliseconds. */
export const testPatienceMs = 60_000;

/** Starts a broker before the tests of the block it stands in and stops it after them; usable only inside tests. */
export function useBroker(options: BrokerProcessOptions = {}): BrokerProcess {
  let broker: BrokerProcess | undefined;
  beforeAll(async () => {
    broker = await startBroker(options);
  }, testPatienceMs);
  afterAll(async () => {
    destroyRawClients();
    await broker?.stop();
  }, testPatienceMs);
  return new Proxy({} as BrokerProcess, {
    get(_, name) {
      if (!broker) throw new Error('the broker is not started yet');
      return broker[name as keyof BrokerProcess];
    },
  });
}

export interface RuleDetails {
  /**
   * What mosquitto 2.0.11 does instead. Run against mosquitto, such a test must fail (so that the note stays true), or with
   * `skip` is left out because the failure would take too long or end the broker.
   */
  readonly mosquitto?: string;
  readonly skip?: true;
}

/** A test that runs beside the others of its file. Its title leads with the number of the statement it checks. */
export function rule(title: string, run: () => Promise<void>, details: RuleDetails = {}): void {
  const isDifferent = brokerUnderTest === 'mosquitto' && details.mosquitto !== undefined;
  if (isDifferent && details.skip) it.skip(title, run);
  else if (isDifferent) it.concurrent.fails(title, run, testPatienceMs);
  else it.concurrent(title, run, testPatienceMs);
}
