/** Bytes as a capture would bring them, without a capture: frames that carry nothing but what they are given. */
import type { Flow } from '../../../src/capture/flow.ts';
import { type CaptureInterface, Frame } from '../../../src/capture/frame.ts';
import { StreamChunk } from '../../../src/capture/stream-chunk.ts';
import type { FieldValue } from '../../../src/dissect/field.ts';
import type { FieldNode } from '../../../src/dissect/field-node.ts';
import { Conversations } from '../../../src/dissect/mqtt/conversations.ts';
import { MqttStream, type MqttStreamOptions } from '../../../src/dissect/mqtt/mqtt-stream.ts';
import { MqttPacket } from '../../../src/dissect/mqtt/packet.ts';
import type { UpperLayer } from '../../../src/dissect/stream-dissector.ts';
import { TreeSink } from '../../../src/dissect/tree-sink.ts';
import { bytesOf } from '../../codec/vectors.ts';

const captureInterface: CaptureInterface = {
  index: 0,
  linkType: 101,
  snapLength: 0,
  name: undefined,
  description: undefined,
} as CaptureInterface;

export const flow: Flow = {
  index: 0,
  client: { address: Uint8Array.of(10, 0, 0, 1), port: 40_000 },
  server: { address: Uint8Array.of(10, 0, 0, 2), port: 1883 },
  seconds: 1_600_000_000,
  nanoseconds: 0,
  application: undefined,
} as Flow;

/** Feeds an `MqttStream`; frames are numbered from 1 and a millisecond apart. */
export class Feed {
  readonly stream: MqttStream;
  readonly layers: UpperLayer[] = [];
  /** Numbers frames over several connections of one capture. */
  readonly clock: { frames: number };

  constructor(
    options: MqttStreamOptions = { isFromStart: true },
    conversations = new Conversations(),
    clock = { frames: 0 },
  ) {
    this.stream = new MqttStream(flow, conversations, options);
    this.clock = clock;
  }

  /** What these bytes complete. `wireLength` is more than the bytes of a frame that was cut. */
  send(direction: 0 | 1, bytes: Uint8Array | string, missing = 0, cutBytes = 0): UpperLayer[] {
    const data = typeof bytes === 'string' ? bytesOf(bytes) : bytes;
    const frame = this.#frame(data, cutBytes);
    const layers: UpperLayer[] = [];
    this.stream.receive(direction, new StreamChunk(frame, 0, data.length, frame, missing, cutBytes), frame, layers);
    this.layers.push(...layers);
    return layers;
  }

  client(bytes: Uint8Array | string): MqttPacket {
    return onlyPacket(this.send(0, bytes));
  }

  server(bytes: Uint8Array | string): MqttPacket {
    return onlyPacket(this.send(1, bytes));
  }

  end(direction: 0 | 1): UpperLayer[] {
    const layers: UpperLayer[] = [];
    this.stream.end(direction, this.#frame(new Uint8Array(0), 0), layers);
    this.layers.push(...layers);
    return layers;
  }

  #frame(data: Uint8Array, cutBytes: number): Frame {
    const number = ++this.clock.frames;
    return new Frame(
      number,
      1_600_000_000 + Math.floor(number / 1000),
      (number % 1000) * 1_000_000,
      data.length + cutBytes,
      data,
      captureInterface,
      undefined,
    );
  }
}

function onlyPacket(layers: readonly UpperLayer[]): MqttPacket {
  const [packet] = layers;
  if (layers.length !== 1 || !(packet instanceof MqttPacket))
    throw new Error(`${layers.length} layers, not one packet`);
  return packet;
}

export const connect: Readonly<Record<3 | 4 | 5, string>> = {
  3: '1014 00064d514973647003 02 003c 0006 636c69656e74',
  4: '1012 00044d51545404 02 003c 0006 636c69656e74',
  5: '1013 00044d51545405 02 003c 00 0006 636c69656e74',
};
export const connack: Readonly<Record<3 | 4 | 5, string>> = { 3: '20020000', 4: '20020000', 5: '2003000000' };

/** A connection of that version that has been opened. */
export function opened(version: 3 | 4 | 5, conversations?: Conversations, clock?: { frames: number }): Feed {
  const feed = new Feed({ isFromStart: true }, conversations, clock);
  feed.send(0, connect[version]);
  feed.send(1, connack[version]);
  return feed;
}

export function treeOf(layer: UpperLayer): FieldNode[] {
  const sink = new TreeSink();
  layer.describe(sink);
  return sink.roots;
}

export function* nodesOf(roots: readonly FieldNode[]): Generator<FieldNode> {
  for (const node of roots) {
    yield node;
    if (node.children !== undefined) yield* nodesOf(node.children);
  }
}

/** Values of a field in a layer's tree, in order. */
export function valuesOf(layer: UpperLayer, name: string): FieldValue[] {
  return [...nodesOf(treeOf(layer))].filter((node) => node.field.name === name).map((node) => node.value);
}

export interface Said {
  readonly message: string;
  readonly rule: string | undefined;
}

/** Violations that a layer's tree tells of. */
export function violationsOf(layer: UpperLayer): Said[] {
  const said: Said[] = [];
  for (const node of nodesOf(treeOf(layer))) {
    if (node.field.name !== '_ws.expert' || node.children === undefined) continue;
    const partOf = (name: string) => node.children?.find((child) => child.field.name === name)?.value;
    if (!node.children.some((child) => child.field.name === 'mqtt.violation')) continue;
    said.push({
      message: partOf('_ws.expert.message') as string,
      rule: partOf('_ws.expert.rule') as string | undefined,
    });
  }
  return said;
}

/** Ranges of the fields that have no parts, in the order of the tree: those that lie in the bytes, with flags of one byte taken together. */
export function leavesOf(layer: UpperLayer): FieldNode[] {
  const leaves: FieldNode[] = [];
  const visit = (node: FieldNode): void => {
    if (node.isGenerated || node.isHidden || node.field.name === '_ws.expert' || node.field.name === '') return;
    const parts = (node.children ?? []).filter((child) => !child.isGenerated && !child.isHidden);
    if (parts.length === 0 || parts.every((part) => part.field.mask !== undefined)) leaves.push(node);
    else for (const part of parts) visit(part);
  };
  const [root] = treeOf(layer);
  for (const child of root!.children ?? []) visit(child);
  return leaves;
}

/** What is wrong with the ranges of a layer's leaves: undefined if they follow one another from its first byte to its last. */
export function tilingFault(layer: UpperLayer): string | undefined {
  let at = layer.start;
  for (const leaf of leavesOf(layer)) {
    if (leaf.source !== layer.source) return `${leaf.field.name} lies in other bytes`;
    if (leaf.start !== at) return `${leaf.field.name} begins at ${leaf.start}, not at ${at}`;
    if (leaf.end < leaf.start) return `${leaf.field.name} ends before it begins`;
    at = leaf.end;
  }
  return at === layer.end ? undefined : `the last field ends at ${at}, the packet at ${layer.end}`;
}
