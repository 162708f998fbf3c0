/** What became of one MQTT connection: from its CONNECT, or the first that was seen of it, to its end. */
import type { Moment } from './moment.ts';
import type { ConnackContent, ConnectContent } from './packet-contents.ts';

/** How a connection ended. `taken over`: the same client connected again. */
export type ConnectionEnd = 'DISCONNECT' | 'FIN' | 'RST' | 'taken over' | 'replaced' | 'open';

/** A TCP connection: its two ends, told apart as MQTT does. */
export interface FlowEnds {
  /** `tcp.stream`. */
  readonly stream: number;
  readonly clientAddress: string;
  readonly clientPort: number;
  readonly brokerAddress: string;
  readonly brokerPort: number;
  /** What connections to the same broker share: address and port, where all addresses of the loopback are one. */
  readonly brokerKey: string;
}

/** A fixed shape; fields without `readonly` are set as the capture goes on. */
export class ConnectionRecord {
  readonly ends: FlowEnds;
  /** From 1, in the order of the capture. */
  readonly number: number;
  /** `mqtt`, `mqtt over websocket` …; empty while nothing of MQTT was seen. */
  carrier = '';
  /** First frame: the TCP connection's for its first CONNECT, otherwise the CONNECT's. */
  readonly first: Moment;
  last: Moment;
  /** Client Identifier; empty if it has none, or none was seen. */
  clientIdentifier = '';
  /** 0 if not known. */
  version = 0;
  connectedAt: Moment | undefined = undefined;
  connect: ConnectContent | undefined = undefined;
  /** The CONNACK. */
  answeredAt: Moment | undefined = undefined;
  connack: ConnackContent | undefined = undefined;
  endedAt: Moment | undefined = undefined;
  end: ConnectionEnd = 'open';
  endedBy: 'client' | 'broker' | undefined = undefined;
  /** Of the DISCONNECT that ended it, or announced its end. */
  disconnectCode: number | undefined = undefined;
  /** Whether the client said DISCONNECT so that its will is not published. */
  isWillDropped = false;
  /** A later connection of the same client, once its CONNECT was seen while this one was open. */
  rival: ConnectionRecord | undefined = undefined;
  packetsIn = 0;
  packetsOut = 0;
  /** Bytes of MQTT packets. */
  bytesIn = 0;
  bytesOut = 0;
  publishesIn = 0;
  publishesOut = 0;
  /** Whether a frame of it was among those that count. */
  isCounted = false;

  constructor(ends: FlowEnds, number: number, first: Moment) {
    this.ends = ends;
    this.number = number;
    this.first = first;
    this.last = first;
  }

  /** What the client is called: its identifier, or where it is. */
  get clientName(): string {
    return this.clientIdentifier === '' ? this.addressName : this.clientIdentifier;
  }

  get addressName(): string {
    return endpointText(this.ends.clientAddress, this.ends.clientPort);
  }

  /** Whether the broker has accepted it, as far as anything was seen. */
  get isRefused(): boolean {
    return this.connack !== undefined && this.connack.code !== 0;
  }
}

/** `127.0.0.1:1883`, `[::1]:1883`. */
export function endpointText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
