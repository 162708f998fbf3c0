/** What a broker says and does while its disk does not answer: strace keeps the system calls that sync from coming back. */
import { describe, expect, it } from 'vitest';
import { openClient } from '../../support/raw-client.ts';
import { property, publish5, subscribe5 } from '../../support/raw-packets.ts';
import { canTrace, startTracing } from '../../support/strace.ts';
import { durableBroker } from './durable-broker.ts';

const quotaExceeded = 0x97;
const syncCalls = 'fdatasync,fsync,sync_file_range,msync';

describe.runIf(canTrace())('a disk that does not answer', () => {
  it('has durable work refused from five seconds on, and not any more once it has answered', async () => {
    const { port, start } = await durableBroker();
    const broker = await start();
    const away = await openClient(port, {
      clientIdentifier: 'away',
      cleanStart: false,
      properties: [property.sessionExpiryInterval(3600)],
      keepAlive: 0,
    });
    away.send(subscribe5(1, [['t', 1]]));
    await away.expect('SUBACK');
    await away.leave();

    const disk = await startTracing(broker.pid, [
      ...['-e', `trace=${syncCalls}`, '-e', `inject=${syncCalls}:delay_enter=12000000`],
    ]);
    const publisher = await openClient(port, { clientIdentifier: 'publisher', keepAlive: 0 });
    publisher.send(publish5('t', '1', { qos: 1, id: 1 }));
    await broker.waitForOutput('does not answer: a commit has taken more than 5 seconds so far', 'stderr', 60_000);
    const other = await openClient(port, { clientIdentifier: 'other', keepAlive: 0 });
    other.send(publish5('t', '2', { qos: 1, id: 1 }));
    expect((await other.expect('PUBACK')).code).toBe(quotaExceeded);

    await publisher.expect('PUBACK', 120_000);
    disk.end();
    await broker.waitForOutput('The store works again', 'stderr', 60_000);
    other.send(publish5('t', '3', { qos: 1, id: 2 }));
    expect((await other.expect('PUBACK', 60_000)).code ?? 0).toBe(0);
  });
});
