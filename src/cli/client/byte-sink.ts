import type { ReceivedMessage } from '../../client/types.ts';

/** Takes output piece by piece. */
export interface ByteSink {
  /** Written as UTF-8. */
  text(text: string): void;
  /** Written as they are; not kept after the call. */
  bytes(bytes: Uint8Array): void;
}

/** What can be printed of a message. */
export type PrintableMessage = Pick<
  ReceivedMessage,
  'topicName' | 'payload' | 'qos' | 'retain' | 'packetIdentifier' | 'properties'
>;
