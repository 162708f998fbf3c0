/** Whatever the bytes, a frame gives a tree, a row and values, and nothing is thrown. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Frame } from '../../src/capture/frame.ts';
import { linkTypes } from '../../src/capture/link-types.ts';
import { describeNode } from '../../src/dissect/describe-node.ts';
import { Dissector } from '../../src/dissect/dissector.ts';
import type { FieldNode } from '../../src/dissect/field-node.ts';
import { columnText, jsonText } from '../../src/dissect/field-text.ts';
import { allFields, TreeSink, ValueSink } from '../../src/dissect/index.ts';
import { interfaceOf } from '../capture/made-frames.ts';
import { ownCaptures } from '../support/captures.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { framesOf } from './dissected.ts';

/** Of every link type that files may have, and one that is not known. */
const linkTypeNumbers = [...new Set([...Object.values(linkTypes), 147])];
const values = new ValueSink(allFields, {
  bytesFields: allFields.filter(({ type }) => type === 'protocol'),
  layeredFields: allFields,
  keepsTexts: true,
});

/** Looks at everything that can be looked at of a frame. */
function examine(dissector: Dissector, frame: Frame): void {
  const dissected = dissector.next(frame);
  for (const column of [dissected.source(), dissected.destination(), dissected.protocol(), dissected.info()]) {
    expect(typeof column).toBe('string');
  }
  const tree = new TreeSink();
  dissected.describe(tree);
  for (const root of tree.roots) examineNode(root);
  values.reset();
  dissected.describe(values);
  expect(countNodes(tree.roots)).toBe(allFields.reduce((sum, field) => sum + values.valuesOf(field)!.length, 0));
}

function examineNode(node: FieldNode): void {
  expect(node.start).toBeGreaterThanOrEqual(0);
  expect(node.end).toBeGreaterThanOrEqual(node.start);
  expect(node.end, node.field.name).toBeLessThanOrEqual(node.source.bytes.length);
  expect(describeNode(node).length).toBeGreaterThan(0);
  if (node.field.name !== '') {
    columnText(node.field, node.value);
    jsonText(node.field, node.value);
  }
  for (const child of node.children ?? []) examineNode(child);
}

/** Nodes that are fields: lines such as `[Timestamps]` are none. */
function countNodes(nodes: readonly FieldNode[]): number {
  let count = 0;
  for (const node of nodes) count += Number(node.field.name !== '') + countNodes(node.children ?? []);
  return count;
}

describe('a dissector', () => {
  it('shows any bytes of any link type', () => {
    const frame = fc.record({
      linkType: fc.constantFrom(...linkTypeNumbers),
      bytes: fc.uint8Array({ maxLength: 120 }),
      more: fc.nat({ max: 50 }),
    });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 5 }), (frames) => {
        const dissector = new Dissector();
        frames.forEach(({ linkType, bytes, more }, index) => {
          const { length } = bytes;
          examine(dissector, new Frame(index + 1, index, 0, length + more, bytes, interfaceOf(linkType), undefined));
        });
      }),
      { numRuns: propertyRuns(40) },
    );
  });

  it('shows recorded frames with bytes changed, cut and left out', { timeout: 120_000 }, async () => {
    const recorded = await Promise.all(
      ownCaptures.filter(({ about }) => about.frames < 130).map(({ path }) => framesOf(path)),
    );
    const change = fc.record({ frame: fc.nat({ max: 200 }), at: fc.nat({ max: 1500 }), value: fc.nat({ max: 255 }) });
    const cut = fc.record({ frame: fc.nat({ max: 200 }), length: fc.nat({ max: 120 }) });
    fc.assert(
      fc.property(
        fc.constantFrom(...recorded),
        fc.array(change, { maxLength: 12 }),
        fc.array(cut, { maxLength: 4 }),
        fc.array(fc.nat({ max: 200 }), { maxLength: 6 }),
        (frames, changes, cuts, left) => {
          const dissector = new Dissector();
          frames.slice(0, 60).forEach((frame, index) => {
            if (left.includes(index)) return;
            let bytes = frame.bytes.slice();
            for (const { frame: which, at, value } of changes)
              if (which === index && at < bytes.length) bytes[at] = value;
            for (const { frame: which, length } of cuts) if (which === index) bytes = bytes.subarray(0, length);
            const { number, seconds, nanoseconds, length, comments, flags } = frame;
            examine(
              dissector,
              new Frame(number, seconds, nanoseconds, length, bytes, frame.interface, comments, flags),
            );
          });
        },
      ),
      { numRuns: propertyRuns(12) },
    );
  });
});
