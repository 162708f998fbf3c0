/** The keys of the tap: what is recorded of what happens, and who may watch. */
import type { CaptureSettings } from './configuration.ts';
import { boolean, countMax, integer, type KeyRow, text, type ValueForm } from './key-row.ts';

function captureKey(
  key: string,
  field: keyof CaptureSettings,
  value: ValueForm,
  fallback: string,
  meaning: string,
): KeyRow {
  return {
    key,
    group: 'capture',
    scope: 'general',
    value,
    default: fallback,
    isReloadable: false,
    state: 'works',
    meaning,
    target: { in: 'capture', field },
    origin: 'Clearwing',
  };
}

export const captureKeys: readonly KeyRow[] = [
  captureKey(
    'capture_file',
    'file',
    text('path'),
    'none',
    'Record what goes over every connection in this file, as pcapng: real addresses and ports, TCP around the bytes of MQTT. See [capturing](../guides/capturing.md). It holds user names and passwords, so only its owner can read it.',
  ),
  captureKey(
    'capture_filter',
    'filter',
    text('filter'),
    'everything',
    'Record only the frames that this [display filter](display-filters.md) matches, such as `mqtt.client == "sensor-1"`.',
  ),
  captureKey(
    'capture_file_size',
    'fileBytes',
    integer(0, countMax, 'bytes'),
    '0: no limit',
    'Begin another file when this one has so many bytes. Files are then numbered, and named by the time: `name_00001_20260131235959.pcapng`.',
  ),
  captureKey(
    'capture_files',
    'fileCount',
    integer(0, countMax),
    '0: all',
    'With `capture_file_size`: keep only so many files, the latest.',
  ),
  {
    key: 'capture_users',
    group: 'capture',
    scope: 'general',
    value: { form: 'text', placeholder: 'user…', isList: true },
    isReloadable: true,
    state: 'works',
    default: 'everybody, on a broker that has no listener configured and on Unix sockets',
    meaning:
      'User names that may subscribe to `$clearwing/tap`, on which the packets of all clients are sent, with their passwords (`clearwing capture --broker`). Access rules hold besides.',
    target: { in: 'broker', field: 'captureUsers' },
    origin: 'Clearwing',
  },
  {
    key: 'capture_decrypted',
    group: 'capture',
    scope: 'general',
    value: boolean,
    isReloadable: true,
    state: 'works',
    meaning: 'Capture what TLS listeners carry in the clear. Otherwise their connections are left out.',
    target: { in: 'broker', field: 'captureDecrypted' },
    origin: 'Clearwing',
  },
];
