/** How `sub` and `pub -l` deal with a server that is away. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MqttError } from '../../protocol/errors.ts';

/** Milliseconds between attempts, as the classic clients wait. */
export const reconnectDelayMs = 1_000;

/**
 * Makes the first connection. A server that cannot be reached at all is an error at once; one that takes the connection and closes it
 * before it has answered may be starting or stopping, and is tried again until it does.
 */
export async function retryUntilAnswered<T>(attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const isUnanswered =
        error instanceof MqttError &&
        (error.code === 'MQTT_ERR_CONNECTION_CLOSED' || error.code === 'MQTT_ERR_TIMEOUT') &&
        error.reasonCode === undefined;
      if (!isUnanswered || signal?.aborted === true) throw error;
    }
    await sleep(reconnectDelayMs, undefined, signal === undefined ? {} : { signal });
  }
}
