/** The identity of a Client from its CONNECT on. */
import type { PeerAddress, Transport } from '../transport/transport.ts';
import type { ClientIdentity } from './auth.ts';

const nowhere: PeerAddress = { address: '', port: 0, family: 'memory' };

/**
 * Its address is asked of the system when somebody wants to know it, which as a rule nobody does: 4 µs of the 70 that a connection costs
 * from accept to CONNACK, compiling included. Whoever may ask after the connection has ended must have asked before.
 */
export class ConnectedClient implements ClientIdentity {
  readonly clientIdentifier: string;
  readonly username: string | undefined;
  readonly listenerIndex: number;
  /** Until the address is known. */
  #transport: Transport | undefined;
  #peer = nowhere;

  constructor(clientIdentifier: string, username: string | undefined, listenerIndex: number, transport: Transport) {
    this.clientIdentifier = clientIdentifier;
    this.username = username;
    this.listenerIndex = listenerIndex;
    this.#transport = transport;
  }

  get peer(): PeerAddress {
    if (this.#transport !== undefined) {
      this.#peer = this.#transport.peer;
      this.#transport = undefined;
    }
    return this.#peer;
  }

  /** Identities outlive their connections, in messages that wait, and must not keep them in memory. */
  forgetConnection(): void {
    this.#transport = undefined;
  }
}
