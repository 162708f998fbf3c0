/** The numbers of a capture as people read them. */
import type {
  ClientStatistics,
  StatisticsResult,
  TopicStatistics,
  TroubleCounts,
} from '../../dissect/report/statistics.ts';
import type { Traffic } from '../../dissect/report/traffic.ts';
import { onOneLine } from '../../payload/payload-text.ts';
import { fitText, padLeft, padRight, textWidth } from './text-columns.ts';

/** Clients and topics that are shown; `-T json` has them all. */
const shownMax = 20;
const nameWidthMax = 48;
const gap = '  ';

export function statisticsText(result: StatisticsResult): string {
  const { traffic, frames, frameBytes, duration, connections, reconnects, refused } = result;
  const packets = traffic.packetsIn + traffic.packetsOut;
  const rate = duration > 0 ? `, ${(packets / duration).toFixed(1)} MQTT packets/s` : '';
  const notes = [
    reconnects > 0 ? `, ${reconnects} of them by a client that had one before` : '',
    refused > 0 ? `, ${refused} refused` : '',
  ];
  return [
    `${frames} frames, ${frameBytes} bytes in ${duration.toFixed(6)} s${rate}\n${connections} connections${notes.join('')}\n`,
    section(
      'Packets',
      ['type', ...trafficNames],
      [
        ...result.types.map(({ type, traffic: one }) => [type, ...trafficCells(one)]),
        ['all', ...trafficCells(traffic)],
      ],
    ),
    section('PUBLISH by QoS', ['QoS', 'in', 'out'], qosRows(result)),
    section(
      'Acknowledgements, milliseconds',
      ['', 'count', 'mean', 'p50', 'p90', 'p99', 'max'],
      result.latencies.map(({ name, summary: { count, mean, p50, p90, p99, max } }) => [
        name,
        String(count),
        ...[mean, p50, p90, p99, max].map(milliseconds),
      ]),
    ),
    section('Clients', clientNames, [
      ...first(byPackets(result.clients), clientRow),
      ...rest(result.clients.length, result.otherClients, clientNames.length),
    ]),
    section(
      'Topics',
      ['topic', 'in', 'out', 'payload in', 'out', 'QoS 0', '1', '2'],
      [...first(result.topics, topicRow), ...rest(result.topics.length, result.otherTopics, 8)],
    ),
    section('Trouble', ['', 'count'], troubleRows(result.trouble)),
  ]
    .filter((text) => text !== '')
    .join('\n');
}

const trafficNames = ['in', 'out', 'bytes in', 'out', 'payload in', 'out'];

function trafficCells({ packetsIn, packetsOut, bytesIn, bytesOut, payloadIn, payloadOut }: Traffic): string[] {
  return [packetsIn, packetsOut, bytesIn, bytesOut, payloadIn, payloadOut].map(String);
}

function qosRows({ qos }: StatisticsResult): string[][] {
  const rows: string[][] = [];
  for (const level of [0, 1, 2, 3]) {
    const [into, out] = [qos.in[level]!, qos.out[level]!];
    if (into + out > 0) rows.push([String(level), String(into), String(out)]);
  }
  return rows;
}

const clientNames = [
  'client',
  'connects',
  'packets in',
  'out',
  'bytes in',
  'out',
  'publishes in',
  'out',
  'acked p50',
  'p99',
  'DUP',
  'unacked',
  'TCP resent',
];

function clientRow(client: ClientStatistics): string[] {
  const { traffic, connections, unacknowledged, retransmissions } = client;
  const summary = client.acknowledgements.summary();
  return [
    fitText(onOneLine(client.client), nameWidthMax),
    String(connections),
    ...[traffic.packetsIn, traffic.packetsOut, traffic.bytesIn, traffic.bytesOut].map(String),
    String(traffic.publishesIn),
    String(traffic.publishesOut),
    summary === undefined ? '' : milliseconds(summary.p50),
    summary === undefined ? '' : milliseconds(summary.p99),
    String(traffic.duplicates),
    String(unacknowledged),
    String(retransmissions),
  ];
}

function topicRow({ topic, traffic, qos }: TopicStatistics): string[] {
  const name = topic === '' ? '(unknown)' : fitText(onOneLine(topic), nameWidthMax);
  const { publishesIn, publishesOut, payloadIn, payloadOut } = traffic;
  const levels = [0, 1, 2].map((level) => qos.in[level]! + qos.out[level]!);
  return [name, ...[publishesIn, publishesOut, payloadIn, payloadOut, ...levels].map(String)];
}

function byPackets(clients: readonly ClientStatistics[]): readonly ClientStatistics[] {
  const packets = ({ traffic }: ClientStatistics): number => traffic.packetsIn + traffic.packetsOut;
  return clients.toSorted((a, b) => packets(b) - packets(a));
}

function first<T>(items: readonly T[], row: (item: T) => string[]): string[][] {
  return items.slice(0, shownMax).map(row);
}

/** A row that says how many are not shown. */
function rest(count: number, others: { readonly traffic: Traffic } | undefined, width: number): string[][] {
  const hidden = Math.max(0, count - shownMax);
  if (hidden === 0 && others === undefined) return [];
  const { packetsIn = 0, packetsOut = 0 } = others?.traffic ?? {};
  const beyond =
    others === undefined ? '' : `, and ${packetsIn + packetsOut} packets of more than are counted one by one`;
  return [[`… ${hidden} more${beyond} (-T json has all)`, ...Array.from({ length: width - 1 }, () => '')]];
}

const troubleNames: Readonly<Record<keyof TroubleCounts, string>> = {
  duplicates: 'PUBLISH with DUP',
  repeated: 'MQTT packets sent again',
  identifiersReused: 'Packet Identifiers reused while in use',
  unexpected: 'acknowledgements of what was never sent',
  unacknowledgedIn: 'PUBLISH to the broker without its last acknowledgement',
  unacknowledgedOut: 'PUBLISH from the broker without its last acknowledgement',
  unansweredRequests: 'CONNECT, SUBSCRIBE, UNSUBSCRIBE, PINGREQ without an answer',
  connectionsReset: 'connections ended by RST',
  retransmissions: 'TCP retransmissions',
  outOfOrder: 'TCP segments out of order',
  lostSegments: 'gaps: TCP segments not in the capture',
  zeroWindows: 'TCP zero windows',
};

function troubleRows(trouble: TroubleCounts): string[][] {
  return (Object.keys(troubleNames) as (keyof TroubleCounts)[])
    .filter((key) => trouble[key] > 0)
    .map((key) => [troubleNames[key], String(trouble[key])]);
}

function milliseconds(seconds: number): string {
  return (seconds * 1000).toFixed(3);
}

/** A heading, names and rows: the first column to the left, numbers to the right. Nothing if there is no row. */
function section(title: string, names: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const lines = [names, ...rows];
  const widths = names.map((_, index) =>
    // The row of what is not shown may be longer than its column.
    Math.max(...lines.filter(([head]) => index > 0 || !head!.startsWith('… ')).map((line) => textWidth(line[index]!))),
  );
  const layOut = (line: readonly string[]): string =>
    line
      .map((text, index) => (index === 0 ? padRight : padLeft)(text, widths[index]!))
      .join(gap)
      .trimEnd();
  return `${title}\n${lines.map((line) => `  ${layOut(line)}\n`).join('')}`;
}
