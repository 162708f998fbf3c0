import type { Publisher } from './message.ts';

/** What is known of a publisher after it has gone; the original may refer to a whole connection. */
export class RestingPublisher implements Publisher {
  readonly clientIdentifier: string;
  readonly username: string | undefined;
  readonly listenerIndex: number;

  constructor(clientIdentifier: string, username: string | undefined, listenerIndex: number) {
    this.clientIdentifier = clientIdentifier;
    this.username = username;
    this.listenerIndex = listenerIndex;
  }
}
