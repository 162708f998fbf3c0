/** What a broker says and does while its disk does not answer: strace keeps the system calls that sync from coming back. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFiles } from '../../broker/config/temporary.ts';
import { commandLine } from '../../support/broker-process.ts';
import { freePort } from '../../support/ports.ts';
import { openClient } from '../../support/raw-client.ts';
import { property, publish5, subscribe5 } from '../../support/raw-packets.ts';
import { start } from '../../support/run.ts';
import { canTrace, startTracing } from '../../support/strace.ts';

const quotaExceeded = 0x97;
const syncCalls = 'fdatasync,fsync,sync_file_range,msync';

describe.runIf(canTrace())('a disk that does not answer', () => {
  it('has durable work refused from five seconds on, and not any more once it has answered', async () => {
    const files = temporaryFiles();
    const port = await freePort();
    const config = files.write(
      'broker.conf',
      [
        ...(process.getuid?.() === 0 ? ['user root'] : []),
        ...['allow_anonymous true', 'persistence true', `persistence_location ${files.path('data')}`],
        `listener ${port} 127.0.0.1`,
      ].join('\n'),
    );
    const [command, ...first] = commandLine('clearwing', 'broker');
    const broker = start(command, [...first, '-c', config]);
    onTestFinished(() => void broker.stop('SIGKILL'));
    await broker.waitForOutput(/ running$/m, 'stderr');
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
