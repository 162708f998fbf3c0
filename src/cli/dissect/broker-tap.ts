/** A broker's tap as a source of frames: a client that subscribes to `$clearwing/tap`. */
import { connect } from '../../client/node.ts';
import { MqttError } from '../../protocol/errors.ts';
import { BrokerTapError } from './broker-tap-error.ts';
import type { CaptureInput } from './sources.ts';
import { TapPieces } from './tap-pieces.ts';

export const tapTopic = '$clearwing/tap';
/** Messages that wait to be shown; while there are more, the connection is not read, and the broker leaves frames out. */
const waitingMax = 1000;

/** @param url as clients take it: `mqtt://user:password@host:1883`, `ws://host/mqtt` */
export async function openBrokerTap(url: string): Promise<CaptureInput> {
  const client = await connect(url, { reconnect: false, receiveQueueMax: waitingMax }).catch((error: unknown) => {
    throw new BrokerTapError(`${url}: ${(error as Error).message}`);
  });
  const subscription = await client.subscribe(tapTopic).catch(async (error: unknown) => {
    await client.end();
    const isRefused = error instanceof MqttError && error.reasonCode === 0x87;
    throw new BrokerTapError(
      isRefused
        ? `${url}: this client may not watch: the broker's capture_users says who may, and without it everybody, if it has no listener configured or over its Unix socket`
        : `${url}: ${(error as Error).message}`,
    );
  });
  const pieces = new TapPieces();
  let isStopped = false;
  return {
    name: url,
    length: undefined,
    isLive: true,
    chunks: payloads(subscription, pieces, async () => {
      const error = await client.closed;
      if (!isStopped && error !== undefined) throw new BrokerTapError(`${url}: ${error.message}`);
    }),
    stop: () => {
      isStopped = true;
      client.end().catch(() => {});
    },
    closingRemark: () =>
      pieces.lost === 0
        ? undefined
        : `${pieces.lost} ${pieces.lost === 1 ? 'chunk is' : 'chunks are'} missing: the broker had more to show than it may keep for a listener that is slow`,
  };
}

/** @param ended - looks why there are no more; what it throws is thrown behind the last */
async function* payloads(
  messages: AsyncIterable<{ readonly payload: Uint8Array }>,
  pieces: TapPieces,
  ended: () => Promise<void>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const { payload } of messages) yield pieces.next(payload);
  } catch {
    // The reason is the client's.
  }
  await ended();
}
