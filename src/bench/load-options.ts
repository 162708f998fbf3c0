/** What a load is, and what it brings. */
import type { Flow } from './flow.ts';
import type { LatencySummary } from './latency.ts';
import type { Target } from './target.ts';
import type { QoS } from './wire.ts';

export interface LoadOptions {
  readonly target: Target;
  readonly flow: Flow;
  readonly qos: QoS;
  /** Whether the subscribers' Sessions outlive their connections; publishers' never do. */
  readonly isDurable: boolean;
  /** What all topics begin with; no wildcards. */
  readonly prefix: string;
  /** What all Client Identifiers begin with. */
  readonly clientPrefix: string;
  /** Topics of each publisher, which take turns; 1 to `topicsMax`. */
  readonly topics: number;
  /** `payloadHeadBytes` to `payloadBytesMax`. */
  readonly payloadBytes: number;
  /** Seconds under load before counting begins; 0 or more. */
  readonly warmUpSeconds: number;
  /** Seconds that are counted; above 0. */
  readonly seconds: number;
  /** QoS 1 and 2: unacknowledged messages per publisher, 1 to 65,535. The broker's Receive Maximum may lower it. */
  readonly publishWindow: number;
  /** Deliveries under way at once, over all connections; see `Budget`. */
  readonly deliveryWindow: number;
  /** Whether the broker keeps the last message of each topic. They are cleared before and after. */
  readonly isRetained: boolean;
  /** MQTT 5: unacknowledged messages that a subscriber lets the broker send, 1 to 65,535; undefined for the protocol's 65,535. */
  readonly receiveMaximum: number | undefined;
  /** Messages a second, of all publishers together, each at a time of its own; undefined for as many as can be. */
  readonly rate: number | undefined;
  /** Process whose processor time is taken. */
  readonly brokerProcessId: number | undefined;
  /** The core that each side runs on alone, as far as it knows. */
  readonly cores: { readonly broker: number; readonly generator: number } | undefined;
}

export interface LoadResult {
  /** Seconds that were counted in fact. */
  readonly seconds: number;
  /** Within these seconds: PUBLISH packets that subscribers received, and that publishers sent. */
  readonly deliveries: number;
  readonly publishes: number;
  /** Within these seconds; undefined where the system does not tell. */
  readonly brokerCpuSeconds: number | undefined;
  readonly generatorCpuSeconds: number;
  /** Within these seconds: what other programs (and the machine under this one) took of either core, whichever is more. */
  readonly foreignCpuSeconds: number | undefined;
  /** From the first message to the last, warm-up and drain included. */
  readonly total: {
    readonly published: number;
    /** Deliveries that these should lead to. */
    readonly expected: number;
    /** Deliveries that came, repeated ones too. */
    readonly received: number;
    readonly lost: number;
    /** Deliveries that had not come when waiting ended, though the broker was still at work. */
    readonly late: number;
    readonly duplicates: number;
    readonly outOfOrder: number;
  };
  /** What is left of `deliveryWindow` after losses. */
  readonly deliveryWindow: number;
  /** Of a paced run. */
  readonly latency: LatencyResult | undefined;
  /** Whether it was ended before its time. */
  readonly isPartial: boolean;
}

/** Latencies in milliseconds from when a message was due; of messages due after the warm-up. Undefined where there were none. */
export interface LatencyResult {
  /** Messages a second that were to be sent. */
  readonly rate: number;
  /** Until a subscriber had read it. */
  readonly delivery: LatencySummary | undefined;
  /** QoS 1 and 2: until its publisher had the last acknowledgement. */
  readonly acknowledgement: LatencySummary | undefined;
  /** How late the generator itself was to see that it was due: part of the other figures, and not the broker's. */
  readonly generator: LatencySummary | undefined;
  /** Messages that were due and could not be sent, since the broker took nothing more. */
  readonly unsent: number;
}
