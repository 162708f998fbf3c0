import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { FieldDescriptor } from '../../../src/dissect/field.ts';
import { fields } from '../../../src/dissect/mqtt/fields.ts';
import { propertyRows } from '../../../src/protocol/properties.ts';

const all: readonly FieldDescriptor[] = Object.values(fields);

/** Wireshark's types, as ours. */
const types: Readonly<Record<string, string>> = {
  FT_UINT8: 'uint8',
  FT_UINT16: 'uint16',
  FT_UINT32: 'uint32',
  FT_UINT64: 'uint64',
  FT_BOOLEAN: 'boolean',
  FT_STRING: 'string',
  FT_UINT_STRING: 'string',
  FT_BYTES: 'bytes',
  FT_NONE: 'none',
};

describe('the fields of MQTT', () => {
  const table = readFileSync(new URL('../../fixtures/captures/mqtt-fields.tsv', import.meta.url), 'utf8');
  const rows = table
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'));

  it('have the names, labels, types and masks of Wireshark', () => {
    expect(rows.length).toBeGreaterThan(70);
    for (const [label, name, type, , display, mask] of rows) {
      const field = all.find((one) => one.name === name && one.isOurs !== true);
      expect(field, name).toBeDefined();
      const isHexadecimal = display === 'BASE_HEX';
      expect({ label: field!.label, type: field!.type, isHexadecimal: field!.display === 'hexadecimal' }, name).toEqual(
        { label, type: types[type!], isHexadecimal },
      );
      // One name stands for two fields there, of which the other has a mask.
      if (name !== 'mqtt.conack.flags.reserved') expect(field!.mask ?? 0, name).toBe(Number(mask));
    }
  });

  it('that Wireshark has not are marked as ours', () => {
    const names = new Set(rows.map(([, name]) => name));
    for (const field of all) {
      if (field.type === 'protocol') continue;
      expect(field.isOurs === true, field.name).toBe(!names.has(field.name));
      if (field.isOurs) expect(field.about?.length, field.name).toBeGreaterThan(10);
    }
  });

  it('include each property under a name of its own', () => {
    for (const row of Object.values(propertyRows)) {
      const name = `mqtt.property.${row.name.toLowerCase().replaceAll(' ', '_')}`;
      expect(
        all.some((field) => field.name === name),
        name,
      ).toBe(true);
    }
  });
});
