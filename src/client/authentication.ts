/** Authenticating again on an open connection. [MQTT 5.0 §4.12.1] */
import type { AuthPacket } from '../codec/packets.ts';
import { OptionError, ProtocolError } from '../protocol/errors.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import { answerChallenge, sendAuth } from './handshake.ts';
import type { Link } from './link.ts';
import type { ResolvedOptions } from './options.ts';

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

export class Reauthentication {
  readonly #options: ResolvedOptions;
  #waiting: Waiting | undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
  }

  get awaitsAnswer(): boolean {
    return this.#waiting !== undefined;
  }

  begin(link: Link, data: Uint8Array | undefined): Promise<void> {
    const method = this.#options.properties?.authenticationMethod;
    if (method === undefined || this.#options.given.authenticate === undefined) {
      throw new OptionError('reauthenticate needs the options authenticate and properties.authenticationMethod');
    }
    if (this.#waiting !== undefined) throw new OptionError('reauthenticate is under way already');
    return new Promise((resolve, reject) => {
      sendAuth(link, ReasonCode.reAuthenticate, method, data);
      this.#waiting = { resolve, reject };
    });
  }

  /** An AUTH came. Rejects if it, or the program's answer to it, ends the connection. */
  async received(link: Link, packet: AuthPacket): Promise<void> {
    if (this.#waiting === undefined) {
      throw new ProtocolError('an AUTH packet that nobody asked for', ReasonCode.protocolError, 'MQTT-4.12.1-1');
    }
    if (packet.reasonCode !== ReasonCode.success) return answerChallenge(link, packet, this.#options);
    this.#waiting.resolve();
    this.#waiting = undefined;
  }

  connectionLost(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}
