/** `-o name:value`: what of Wireshark's preferences has a meaning here. */
import type { DissectorOptions } from '../../dissect/dissector.ts';
import { nearestName } from '../nearest-name.ts';
import { DissectArgumentError } from './arguments.ts';

/** Preferences that are taken and change nothing, as what they ask for is always so. */
const alwaysSo: readonly string[] = [
  'tcp.desegment_tcp_streams',
  'tcp.reassemble_out_of_order',
  'tcp.analyze_sequence_numbers',
  'tcp.relative_sequence_numbers',
  'tcp.track_bytes_in_flight',
  'tcp.calculate_timestamps',
  'tls.desegment_ssl_records',
  'tls.desegment_ssl_application_data',
  'ip.defragment',
  'ipv6.defragment',
  'mqtt.reassembly',
];

const known = [...alwaysSo, 'tls.keylog_file', 'mqtt.show_msg_as_text'];

/** @throws {DissectArgumentError} for a preference that there is not, or whose value is none */
export function readPreferences(preferences: ReadonlyMap<string, string>): Partial<DissectorOptions> {
  for (const [name, value] of preferences) {
    if (!known.includes(name)) {
      const meant = nearestName(name, known);
      throw new DissectArgumentError(
        `-o flag "${name}:${value}" specifies unknown preference${meant === undefined ? '' : `; did you mean ${meant}?`}`,
      );
    }
    if (alwaysSo.includes(name) && !readBoolean(name, value)) {
      throw new DissectArgumentError(`-o ${name}:${value}: that cannot be switched off here`);
    }
  }
  const showsText = preferences.get('mqtt.show_msg_as_text');
  return showsText === undefined
    ? {}
    : { conversations: { showsMessagesAsText: readBoolean('mqtt.show_msg_as_text', showsText) } };
}

function readBoolean(name: string, value: string): boolean {
  const lower = value.toLowerCase();
  if (lower === 'true') return true;
  if (lower === 'false') return false;
  throw new DissectArgumentError(`-o ${name}:${value}: expected TRUE or FALSE`);
}
