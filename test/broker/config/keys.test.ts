import { describe, expect, it } from 'vitest';
import {
  defaultCaptureSettings,
  defaultPersistenceSettings,
  defaultSecuritySettings,
} from '../../../src/broker/config/configuration.ts';
import { findKey, keyRows, nearestKey } from '../../../src/broker/config/keys.ts';
import { defaultLoggingSettings } from '../../../src/broker/logging/settings.ts';
import { defaultBrokerSettings, defaultListenerSettings } from '../../../src/broker/options.ts';

describe('the table of keys', () => {
  it('names each key once', () => {
    const keys = keyRows.map((row) => row.key);
    expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
  });

  it('gives each setting of the broker and its listeners a key', () => {
    const targets = new Set(
      keyRows.flatMap(({ target }) => (target === undefined ? [] : [`${target.in} ${target.field}`])),
    );
    const wanted = [
      ...Object.keys(defaultBrokerSettings).map((field) => `broker ${field}`),
      // The path of a Unix socket is given with `listener`.
      ...Object.keys(defaultListenerSettings).flatMap((field) => (field === 'unixPath' ? [] : [`listener ${field}`])),
      ...Object.keys(defaultSecuritySettings).map((field) => `security ${field}`),
      ...Object.keys(defaultPersistenceSettings).map((field) => `persistence ${field}`),
    ];
    expect(wanted.filter((field) => !targets.has(field))).toEqual([]);
  });

  it('reads each value as the type that the setting has', () => {
    const defaults = {
      broker: defaultBrokerSettings,
      listener: defaultListenerSettings,
      logging: defaultLoggingSettings,
      persistence: defaultPersistenceSettings,
      capture: defaultCaptureSettings,
      security: defaultSecuritySettings,
      process: {},
    };
    const typeOf = {
      boolean: 'boolean',
      integer: 'number',
      duration: 'number',
      text: 'string',
      choice: 'string',
      special: '',
    };
    for (const { key, value, target } of keyRows) {
      if (target === undefined) continue;
      const byDefault: unknown = (defaults[target.in] as Record<string, unknown>)[target.field];
      if (byDefault === undefined) continue;
      const type = Array.isArray(byDefault) ? 'string' : typeof byDefault;
      expect(typeOf[value.form], key).toBe(type);
    }
  });

  it('takes defaults that are inside the range', () => {
    for (const { key, value, target } of keyRows) {
      if (value.form !== 'integer' || target?.in !== 'broker' || key === 'max_packet_size') continue;
      const byDefault = defaultBrokerSettings[target.field] as number;
      expect(byDefault, key).toBeGreaterThanOrEqual(value.min);
      expect(byDefault, key).toBeLessThanOrEqual(value.max);
    }
  });
});

describe('findKey', () => {
  it('finds a key by its whole name, and options of plugins by their beginning', () => {
    expect(findKey('max_qos')?.key).toBe('max_qos');
    expect(findKey('plugin_opt_file')?.key).toBe('plugin_opt_*');
    for (const key of ['max_qo', 'MAX_QOS', 'plugin_opt_', 'plugin_opt_*', '', 'toString']) {
      expect(findKey(key)).toBeUndefined();
    }
  });
});

describe('nearestKey', () => {
  it.each([
    ['lisener', 'listener'],
    ['max_conections', 'max_connections'],
    ['per_listner_settings', 'per_listener_settings'],
    ['acl_fiel', 'acl_file'],
    ['ALLOW_ANONYMOUS', 'allow_anonymous'],
  ])('takes %s for %s', (key, expected) => {
    expect(nearestKey(key)).toBe(expected);
  });

  it('suggests nothing for what is far from every key', () => {
    for (const key of ['foo', 'x', '', 'a'.repeat(10_000)]) expect(nearestKey(key)).toBeUndefined();
  });
});
