import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { fieldReference } from '../../src/dissect/reference.ts';
import { allFields, registry } from '../../src/dissect/registry.ts';
import { hasTshark } from '../support/captures.ts';

/** Wireshark's types, as ours. */
const types: Readonly<Record<string, string>> = {
  FT_PROTOCOL: 'protocol',
  FT_NONE: 'none',
  FT_BOOLEAN: 'boolean',
  FT_UINT8: 'uint8',
  FT_UINT16: 'uint16',
  FT_UINT24: 'uint24',
  FT_UINT32: 'uint32',
  FT_UINT64: 'uint64',
  FT_INT8: 'int8',
  FT_INT16: 'int16',
  FT_INT32: 'int32',
  FT_INT64: 'int64',
  FT_STRING: 'string',
  FT_UINT_STRING: 'string',
  FT_BYTES: 'bytes',
  FT_IPv4: 'ipv4',
  FT_IPv6: 'ipv6',
  FT_ETHER: 'ethernet',
  FT_ABSOLUTE_TIME: 'absolute-time',
  FT_RELATIVE_TIME: 'relative-time',
  FT_FRAMENUM: 'frame-number',
};

const displays: Readonly<Record<string, string>> = {
  BASE_HEX: 'hexadecimal',
  BASE_HEX_DEC: 'hexadecimal-decimal',
  BASE_DEC_HEX: 'decimal-hexadecimal',
};

/** Masks that are ours although Wireshark registers none: it draws those bits by hand. */
const drawnByHand = new Set(['mqtt.conack.flags.reserved']);

/** Options of TCP, which Wireshark registers as protocols and prints as bytes. */
const printedAsBytes = /^tcp\.options\.(nop|eol|mss|wscale|sack_perm|sack|timestamp|tfo|user_to|unknown)$/;

describe('the registry', () => {
  it('finds fields by name', () => {
    expect(registry.find('mqtt.topic')?.map(({ label }) => label)).toEqual(['Topic']);
    expect(registry.find('tcp')?.map(({ type }) => type)).toEqual(['protocol']);
    expect(registry.find('mqtt.nothing')).toBeUndefined();
    expect([...registry.names()]).toContain('ip.addr');
  });

  it('has every field of every table once', () => {
    expect(new Set(allFields).size).toBe(allFields.length);
    expect(new Set(allFields.map(({ index }) => index)).size).toBe(allFields.length);
  });

  it('has no two fields of one name in a protocol that differ in type', () => {
    for (const name of registry.names()) {
      expect(new Set(registry.find(name)!.map(({ type }) => type)).size, name).toBe(1);
    }
  });

  it.skipIf(!hasTshark)("has Wireshark's names, labels, types and masks", () => {
    const { stdout } = spawnSync('tshark', ['-G', 'fields'], { encoding: 'utf8', maxBuffer: 1 << 28 });
    const known = new Map<string, string[][]>();
    for (const line of stdout.split('\n')) {
      const [kind, label, name, type = 'FT_PROTOCOL', , display = '', mask = '0x0'] = line.split('\t');
      if (kind !== 'F' && kind !== 'P') continue;
      const row = kind === 'P' ? [label!, 'FT_PROTOCOL', '', '0x0'] : [label!, type, display, mask];
      known.set(name!, [...(known.get(name!) ?? []), row]);
    }
    for (const field of allFields) {
      if (field.isOurs === true) {
        expect(known.has(field.name), `${field.name} is Wireshark's`).toBe(false);
        continue;
      }
      const rows = known.get(field.name) ?? [];
      const found = rows.map(([label, type, display, mask]) => ({
        label,
        type: printedAsBytes.test(field.name) ? 'bytes' : types[type!],
        display: displays[display!] ?? 'decimal',
        mask: Number(mask),
      }));
      const { label, type, display = 'decimal', mask = 0 } = field;
      const masks = drawnByHand.has(field.name) ? [0, mask] : [mask];
      expect(
        found.some(
          (row) => row.label === label && row.type === type && row.display === display && masks.includes(row.mask),
        ),
        `${field.name}: ${JSON.stringify({ label, type, display, mask })} is not among ${JSON.stringify(found)}`,
      ).toBe(true);
    }
  });

  it('docs/reference/fields.md is what the tables say', async () => {
    // When this fails, run `npx vitest run test/dissect/registry.test.ts -u` and commit the page.
    await expect(fieldReference()).toMatchFileSnapshot('../../docs/reference/fields.md');
  });
});
