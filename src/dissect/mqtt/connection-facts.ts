/** What packets say of the connection they belong to: objects that never change. */

/** What is known of a connection from its CONNECT and CONNACK; another one takes its place when more becomes known. */
export class ConnectionFacts {
  /** No two connections have the same. */
  readonly connection: number;
  /** Frame of the CONNECT; 0 if it was not seen. */
  readonly connectFrame: number;
  /** Client Identifier, of the CONNECT or else assigned by the CONNACK; empty if none was seen. */
  readonly clientIdentifier: string;

  /** Whether payloads are shown as text, as Wireshark does with `mqtt.show_msg_as_text`. */
  readonly showsMessagesAsText: boolean;

  constructor(connection: number, connectFrame: number, clientIdentifier: string, showsMessagesAsText: boolean) {
    this.connection = connection;
    this.connectFrame = connectFrame;
    this.clientIdentifier = clientIdentifier;
    this.showsMessagesAsText = showsMessagesAsText;
  }
}

/** A Topic Name that an alias stands for, in a copy of its own. */
export class AliasedTopic {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}
