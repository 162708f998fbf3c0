/** UDP headers. RFC 768. */
import { defineFields } from '../field.ts';
import type { FieldSink } from '../field-sink.ts';
import type { FrameDissection } from '../frame-dissection.ts';
import { uint16At } from './bytes.ts';
import { duration } from './frame.ts';
import { checksumStates, plural, unverified } from './wording.ts';

export const udpFields = defineFields('udp', 'User Datagram Protocol', {
  sourcePort: { name: 'udp.srcport', label: 'Source Port', type: 'uint16' },
  destinationPort: { name: 'udp.dstport', label: 'Destination Port', type: 'uint16' },
  port: { name: 'udp.port', label: 'Source or Destination Port', type: 'uint16' },
  length: { name: 'udp.length', label: 'Length', type: 'uint16', about: 'Bytes, with the header' },
  checksum: {
    name: 'udp.checksum',
    label: 'Checksum',
    type: 'uint16',
    display: 'hexadecimal',
    about: 'Not verified',
  },
  checksumStatus: { name: 'udp.checksum.status', label: 'Checksum Status', type: 'uint8', values: checksumStates },
  stream: { name: 'udp.stream', label: 'Stream index', type: 'uint32' },
  timeRelative: { name: 'udp.time_relative', label: 'Time since first frame', type: 'relative-time' },
  timeDelta: { name: 'udp.time_delta', label: 'Time since previous frame', type: 'relative-time' },
  payload: { name: 'udp.payload', label: 'Payload', type: 'bytes' },
});

const headerLength = 8;
const notPresent = 3;

export function describeUdp(sink: FieldSink, dissection: FrameDissection): void {
  const { headers, udp } = dissection;
  if (headers.udpOffset < 0 || !sink.wants(udpFields.self)) return;
  const f = udpFields;
  const source = headers.source;
  const bytes = source.bytes;
  const at = headers.udpOffset;
  sink.enter(f.self, source, at, at + headerLength);
  sink.setReach(source, headers.payloadOffset + headers.payloadLength, false);
  if (sink.wantsText) {
    sink.setText(`${f.self.label}, Src Port: ${headers.sourcePort}, Dst Port: ${headers.destinationPort}`);
  }
  sink.add(f.sourcePort, source, at, at + 2, headers.sourcePort);
  sink.add(f.destinationPort, source, at + 2, at + 4, headers.destinationPort);
  sink.addHidden(f.port, source, at, at + 2, headers.sourcePort);
  sink.addHidden(f.port, source, at + 2, at + 4, headers.destinationPort);
  sink.add(f.length, source, at + 4, at + 6, uint16At(bytes, at + 4));
  const checksum = uint16At(bytes, at + 6);
  sink.add(f.checksum, source, at + 6, at + 8, checksum);
  if (sink.wantsText) {
    const digits = `0x${checksum.toString(16).padStart(4, '0')}`;
    sink.setText(`Checksum: ${digits} ${checksum === 0 ? '[zero-value ignored]' : '[unverified]'}`);
  }
  const status = checksum === 0 ? notPresent : unverified;
  sink.addGenerated(f.checksumStatus, source, at + 6, at + 6, status);
  if (sink.wantsText) sink.setText(`Checksum Status: ${checksumStates[status]}`);
  if (udp !== undefined) sink.addGenerated(f.stream, source, at, at, udp.index);
  if (headers.payloadLength > 0) {
    if (udp !== undefined) {
      sink.enterText('[Timestamps]', source, at, at);
      sink.addGenerated(f.timeRelative, source, at, at, duration(udp.sinceFirstNs));
      sink.addGenerated(f.timeDelta, source, at, at, duration(udp.sincePreviousNs));
      sink.leave();
    }
    const end = headers.payloadOffset + headers.payloadLength;
    sink.addBytes(f.payload, source, headers.payloadOffset, end);
    if (sink.wantsText) sink.setText(`UDP payload (${plural(headers.payloadLength, 'byte')})`);
  }
  sink.leave();
}
