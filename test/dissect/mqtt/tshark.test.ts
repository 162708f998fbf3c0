/** Every packet of the test vectors, right or wrong, as tshark shows it: line by line. What differs on purpose is listed with its reason. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeNode } from '../../../src/dissect/describe-node.ts';
import type { FieldNode } from '../../../src/dissect/field-node.ts';
import type { UpperLayer } from '../../../src/dissect/stream-dissector.ts';
import { PacketType } from '../../../src/protocol/packet-types.ts';
import { bytesOf, type Vector, vectors } from '../../codec/vectors.ts';
import { describeWithPeer } from '../../support/peers.ts';
import { connack, connect, Feed, treeOf } from './streams.ts';

/** Names of vectors that tshark 4.0 shows otherwise, by the reason. docs/reference/dissector-differences.md explains each. */
const differences: readonly (readonly [reason: string, names: RegExp])[] = [
  [
    'text ends at its first U+0000',
    /U\+0000|binary password|with every property|a property identifier of two bytes|padded property identifier/,
  ],
  [
    'an unknown property is said to have text that ends at its first U+0000',
    /^(PUBLISH|CONNECT) with an unknown property$/,
  ],
  ['a Property Length of two bytes is taken for a plain number', /padded Property Length|140 bytes of properties/],
  ['Property Length and Subscription Identifier may have five bytes', /of five bytes/],
  [
    'a property is read beyond the Property Length',
    /that is cut|without value|ends after its identifier|reaches into the payload/,
  ],
  ['a CONNACK in the form of 3.1.1 is no malformed one', /CONNACK in the old form/],
  ['a Remaining Length of five bytes is none', /Remaining Length of five/],
  ['topics that are empty are not those before them', /what is no filter|to what is no filter/],
];

function reasonOf(vector: Vector): string | undefined {
  return differences.find(([, names]) => names.test(vector.name))?.[0];
}

interface Case {
  readonly vector: Vector;
  readonly layers: readonly UpperLayer[];
  /** Number of the frame with the vector's bytes. */
  readonly frame: number;
}

/** An IPv4 packet with a TCP segment, without checksums. */
function segment(connection: number, isByClient: boolean, sequence: number, acknowledgement: number, data: Uint8Array) {
  const packet = Buffer.alloc(40 + data.length);
  packet.writeUInt8(0x45, 0);
  packet.writeUInt16BE(packet.length, 2);
  packet.writeUInt8(64, 8);
  packet.writeUInt8(6, 9);
  const client = 0x0a000000 + connection;
  packet.writeUInt32BE(isByClient ? client : 0x0affffff, 12);
  packet.writeUInt32BE(isByClient ? 0x0affffff : client, 16);
  packet.writeUInt16BE(isByClient ? 40_000 : 1883, 20);
  packet.writeUInt16BE(isByClient ? 1883 : 40_000, 22);
  packet.writeUInt32BE(sequence, 24);
  packet.writeUInt32BE(acknowledgement, 28);
  packet.writeUInt16BE(0x5018, 32);
  packet.writeUInt16BE(0xffff, 34);
  packet.set(data, 40);
  return packet;
}

/** A pcap file of raw IP packets. */
function pcapOf(packets: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from('d4c3b2a1020004000000000000000000ffff040065000000', 'hex')];
  packets.forEach((packet, index) => {
    const header = Buffer.alloc(16);
    header.writeUInt32LE(1_600_000_000 + index, 0);
    header.writeUInt32LE(packet.length, 8);
    header.writeUInt32LE(packet.length, 12);
    parts.push(header, packet);
  });
  return Buffer.concat(parts);
}

describeWithPeer('tshark', 'the packets of the test vectors and tshark', () => {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-mqtt-'));
  const file = join(directory, 'vectors.pcap');
  const cases: Case[] = [];
  let trees: Map<number, string[]>;
  let infos: Map<number, string>;

  function tshark(...args: string[]): string {
    return execFileSync('tshark', ['-n', '-r', file, '-Y', 'mqtt', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' },
      maxBuffer: 1 << 28,
    });
  }

  beforeAll(() => {
    const packets: Uint8Array[] = [];
    vectors.forEach((vector, connection) => {
      const feed = new Feed();
      const next = [1000, 1000];
      const send = (direction: 0 | 1, data: Uint8Array): UpperLayer[] => {
        packets.push(segment(connection + 1, direction === 0, next[direction]!, next[1 - direction]!, data));
        next[direction]! += data.length;
        return feed.send(direction, data);
      };
      const type = vector.bytes[0]! >> 4;
      if (type !== PacketType.CONNECT) send(0, bytesOf(connect[vector.version]));
      if (type > PacketType.CONNACK || type === 0) send(1, bytesOf(connack[vector.version]));
      const isByServer = [PacketType.CONNACK, PacketType.SUBACK, PacketType.UNSUBACK, PacketType.PINGRESP].some(
        (one) => one === type,
      );
      cases.push({ vector, layers: send(isByServer ? 1 : 0, vector.bytes), frame: packets.length });
    });
    writeFileSync(file, pcapOf(packets));
    trees = treesOf(tshark('-V', '-O', 'mqtt'));
    infos = new Map(
      tshark('-T', 'fields', '-e', 'frame.number', '-e', '_ws.col.Info')
        .trimEnd()
        .split('\n')
        .map((line) => [Number(line.slice(0, line.indexOf('\t'))), line.slice(line.indexOf('\t') + 1)]),
    );
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('have the same lines', () => {
    const wrong: string[] = [];
    for (const { vector, layers, frame } of cases) {
      if (reasonOf(vector) !== undefined) continue;
      const ours = layers.flatMap(linesOf);
      const theirs = trees.get(frame) ?? [];
      const at = ours.findIndex((line, index) => line !== theirs[index]);
      if (at >= 0 || ours.length !== theirs.length) wrong.push(`${nameOf(vector)}: ${ours[at]} / ${theirs[at]}`);
    }
    expect(wrong).toEqual([]);
  });

  it('have the same text in the Info column', () => {
    const wrong: string[] = [];
    for (const { vector, layers, frame } of cases) {
      if (reasonOf(vector) !== undefined) continue;
      const ours = layers.map((layer) => layer.info()).join(', ');
      const theirs = infos.get(frame) ?? '';
      if (ours !== theirs) wrong.push(`${nameOf(vector)}: ${ours} / ${theirs}`);
    }
    expect(wrong).toEqual([]);
  });

  it('differ in what is listed, and in nothing that is listed without need', () => {
    for (const [reason, names] of differences) {
      const different = cases.filter(({ vector, layers, frame }) => {
        if (!names.test(vector.name)) return false;
        const lines = layers.flatMap(linesOf);
        const info = layers.map((layer) => layer.info()).join(', ');
        return lines.join('\n') !== trees.get(frame)?.join('\n') || info !== infos.get(frame);
      });
      expect(different.length, reason).toBeGreaterThan(0);
    }
  });
});

function nameOf(vector: Vector): string {
  return `${vector.file}: ${vector.name} (${vector.version})`;
}

/** Lines of MQTT and of what follows from it, by frame. */
function treesOf(output: string): Map<number, string[]> {
  const trees = new Map<number, string[]>();
  let lines: string[] = [];
  for (const line of output.split('\n')) {
    const frame = /^Frame (\d+):/.exec(line);
    if (frame !== null) {
      lines = [];
      trees.set(Number(frame[1]), lines);
    } else if (line !== '' && !/^(Raw|Internet|Transmission)/.test(line)) lines.push(line);
  }
  return trees;
}

/** The same of ours: only MQTT's own lines below the layers' first ones, as `-O mqtt` has it. */
function linesOf(layer: UpperLayer): string[] {
  const lines: string[] = [];
  const isOurs = (node: FieldNode) =>
    node.field.isOurs === true || (node.field.name === '_ws.expert' && node.children?.[0]?.field.isOurs === true);
  const add = (node: FieldNode, depth: number): void => {
    if (node.isHidden || isOurs(node)) return;
    lines.push(`${'    '.repeat(depth)}${describeNode(node)}`);
    if (depth === 0 && node.field.name !== 'mqtt') return;
    for (const child of node.children ?? []) add(child, depth + 1);
  };
  for (const root of treeOf(layer)) add(root, 0);
  return lines;
}
