/** Rows, and the trees of all layers below MQTT, against tshark itself. */
import { describe, expect, it } from 'vitest';
import type { DissectedFrame } from '../../src/dissect/dissected-frame.ts';
import {
  allCaptures,
  hasTshark,
  type RecordedCapture,
  skippedCaptures,
  tsharkRowsAndTrees,
} from '../support/captures.ts';
import { dissectFile, type Layer, layersOf, layersOfText, rowOf, rulesOf, tidy } from './dissected.ts';

/** What differs on purpose, and why. docs/reference/dissector-differences.md says the same to users. */
const differences = {
  /** MQTT and what it carries: test/dissect/mqtt compares it, and docs/reference/dissector-differences.md lists where it differs. */
  mqtt: /^(MQ Telemetry|JavaScript Object|Line-based text|\[Malformed Packet: MQTT|\[Unreassembled|\[Packet size limited during capture: MQTT)/,
  /** Protocols that have nothing to do with MQTT are data here. */
  others: /^(Domain Name|SSH Protocol|Internet Control|Data \(|\[Malformed Packet: (?!Eth|IPv|TCP|UDP))/,
  /** tshark has no MQTT within WebSocket, and shows data instead. */
  webSocket: /^(Continue: |\[\d+ Reassembled websocket)/,
} as const;

/** Of single captures. */
const captureDifferences: Readonly<Record<string, RegExp>> = {
  /** Where segments come in another order, Wireshark puts all packets that waited into one reassembly; here each has its own. */
  'lab-out-of-order.pcap':
    /^\[\d+ Reassembled TCP|^ {4}(TCP segment data|Retransmitted TCP segment|\[PDU Size|\[(Frame: |Segment count|Reassembled TCP))/,
  /** Wireshark counts the segments that ICMP quotes as segments of their connection. */
  'real-ndn-project-mqtt.pcapng': /^ {8}\[Time since previous frame in this TCP stream/,
};

/** Lines within layers. */
const lineDifferences = {
  /** What lies above TLS, HTTP and MQTT differs with the layers that there are. */
  protocols: /^ {4}\[Protocols in frame: /,
  /** Certificates, extensions and fingerprints of handshakes are not shown. */
  handshake: /^ {12,}(?!Handshake Type|Length|Version|Random: )|^ {16}/,
  /** Requests and responses are not counted and matched. */
  http: /^ {4}\[(HTTP (request|response) \d|Time since request|Request (in|URI)|Response in)|^ {8}\[Status Code Description/,
} as const;

const isCompared = ({ title }: Layer) => !Object.values(differences).some((pattern) => pattern.test(title));

function comparedLines(layers: readonly Layer[], name: string): string[] {
  const except = captureDifferences[name];
  return layers.filter(isCompared).flatMap(({ title, lines }) =>
    lines.filter((line) => {
      if (except?.test(line) === true) return false;
      if (lineDifferences.protocols.test(line)) return false;
      if (title === 'Transport Layer Security') return !lineDifferences.handshake.test(line);
      if (title === 'Hypertext Transfer Protocol') return !lineDifferences.http.test(line);
      return true;
    }),
  );
}

/** `eth:ethertype:ip:tcp`, without what lies above. */
function lowerProtocols(layers: readonly Layer[]): string | undefined {
  const line = layers.flatMap(({ lines }) => lines).find((each) => lineDifferences.protocols.test(each));
  return line?.replace(/^.*frame: (.*)\]$/, '$1').replace(/:(mqtt|json|data|dns|ssh|icmp|tls|http|arp|text)\b.*/, '');
}

/** Of a segment that was sent before and waits for another, nothing tells that it waits. */
function withoutOrder(row: string, name: string): string {
  return name === 'lab-out-of-order.pcap'
    ? row.replace(/(Retransmission\].*) \[TCP segment of a reassembled PDU\]/, '$1')
    : row;
}

/** A file with its secrets inside is decrypted by tshark unasked: test/capture/node is about ciphers. */
const compared = allCaptures.filter(({ name }) => name !== 'lab-tls12-dsb.pcapng');

/** Arguments without keys: what is encrypted stays so on both sides. */
function argumentsOf(args: readonly string[]): string[] {
  return args.filter(
    (argument, index) => !isKeyOption(argument) && !(argument === '-o' && isKeyOption(args[index + 1])),
  );
}

function isKeyOption(argument: string | undefined): boolean {
  return argument?.startsWith('tls.keylog_file:') === true;
}

interface ShownByBoth {
  /** tshark's, without the time. */
  readonly rows: readonly string[];
  /** tshark's. */
  readonly trees: readonly Layer[][];
  readonly frames: readonly DissectedFrame[];
}

const shown = new Map<string, Promise<ShownByBoth>>();

/** What both show of a capture; asked for again, it is not made again. */
function shownByBoth(capture: RecordedCapture): Promise<ShownByBoth> {
  let result = shown.get(capture.name);
  if (result === undefined) {
    result = showByBoth(capture);
    shown.set(capture.name, result);
  }
  return result;
}

async function showByBoth({ path, about }: RecordedCapture): Promise<ShownByBoth> {
  const { rows, trees } = tsharkRowsAndTrees(path, argumentsOf([...about.args, ...(about.tshark_args ?? [])]));
  return {
    rows: rows.map((row) => tidy(row).replace(/^(\d+) -?[\d.]+ /, '$1 ')),
    trees: layersOfText(trees),
    frames: await dissectFile(path, { decodeAs: rulesOf(about.args) }),
  };
}

describe.skipIf(!hasTshark)('tshark 4.0 and the dissector', () => {
  it.each(compared)('show the same rows of $name', async (capture) => {
    const { name } = capture;
    const { rows, frames } = await shownByBoth(capture);
    const expected: string[] = [];
    const found: string[] = [];
    frames.forEach((frame, index) => {
      const row = rows[index] ?? '';
      // Not ours to tell.
      if (/ (SSH|DNS|ICMP|PCAPNG) \d+ /.test(row)) return;
      // MQTT within WebSocket is more than tshark shows; where there is none, the rows agree.
      if (/ WebSocket \d+ /.test(row) && frame.protocol() === 'MQTT') return;
      expected.push(withoutOrder(row, name));
      found.push(withoutOrder(rowOf(frame), name));
    });
    expect(found).toEqual(expected);
    expect(rows).toHaveLength(frames.length);
  });

  it.each(compared)('show the same trees below MQTT of $name', async (capture) => {
    const { name } = capture;
    const { trees, frames } = await shownByBoth(capture);
    expect(frames).toHaveLength(trees.length);
    frames.forEach((frame, index) => {
      const layers = layersOf(frame);
      const tree = trees[index]!;
      expect(lowerProtocols(layers), `protocols of frame ${index + 1}`).toEqual(lowerProtocols(tree));
      expect(comparedLines(layers, name), `frame ${index + 1}`).toEqual(comparedLines(tree, name));
    });
  });

  it.skipIf(skippedCaptures !== undefined)(
    `compare real captures, too (${skippedCaptures ?? 'they are there'})`,
    () => {
      expect(compared.filter(({ name }) => name.startsWith('real-')).length).toBeGreaterThan(20);
    },
  );
});
