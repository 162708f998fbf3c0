/** ARP for IPv4 over Ethernet, the only kind there is to see. RFC 826. */
import type { FrameHeaders } from '../../capture/frame-headers.ts';
import { defineFields } from '../field.ts';
import type { FieldSink } from '../field-sink.ts';
import { uint16At, uint32At } from './bytes.ts';
import { etherTypes } from './ether-types.ts';

export const arpFields = defineFields('arp', 'Address Resolution Protocol', {
  hardwareType: {
    name: 'arp.hw.type',
    label: 'Hardware type',
    type: 'uint16',
    values: { 1: 'Ethernet', 6: 'IEEE 802' },
  },
  protocolType: {
    name: 'arp.proto.type',
    label: 'Protocol type',
    type: 'uint16',
    display: 'hexadecimal',
    values: etherTypes,
  },
  hardwareSize: { name: 'arp.hw.size', label: 'Hardware size', type: 'uint8' },
  protocolSize: { name: 'arp.proto.size', label: 'Protocol size', type: 'uint8' },
  opcode: {
    name: 'arp.opcode',
    label: 'Opcode',
    type: 'uint16',
    values: { 1: 'request', 2: 'reply', 3: 'reverse request', 4: 'reverse reply' },
  },
  senderHardware: { name: 'arp.src.hw_mac', label: 'Sender MAC address', type: 'ethernet' },
  senderProtocol: { name: 'arp.src.proto_ipv4', label: 'Sender IP address', type: 'ipv4' },
  targetHardware: { name: 'arp.dst.hw_mac', label: 'Target MAC address', type: 'ethernet' },
  targetProtocol: { name: 'arp.dst.proto_ipv4', label: 'Target IP address', type: 'ipv4' },
});

const etherTypeArp = 0x0806;
const arpLength = 28;
const opcodeTitles: Readonly<Record<number, string>> = {
  1: 'request',
  2: 'reply',
  3: 'reverse request',
  4: 'reverse reply',
};

/** Where it lies in the frame; -1 if it is none, or of another kind. */
export function arpOffset(headers: FrameHeaders): number {
  if (headers.etherType !== etherTypeArp || headers.ethernetOffset < 0) return -1;
  const at = headers.vlanCount > 0 ? headers.vlanOffset + headers.vlanCount * 4 : 14;
  const bytes = headers.frame.bytes;
  const isKnown = at + arpLength <= bytes.length && uint32At(bytes, at) === 0x0001_0800;
  return isKnown && uint16At(bytes, at + 4) === 0x0604 ? at : -1;
}

export function describeArp(sink: FieldSink, headers: FrameHeaders): void {
  const at = arpOffset(headers);
  if (at < 0 || !sink.wants(arpFields.self)) return;
  const f = arpFields;
  const frame = headers.frame;
  const bytes = frame.bytes;
  const opcode = uint16At(bytes, at + 6);
  sink.enter(f.self, frame, at, at + arpLength);
  if (sink.wantsText) sink.setText(`${f.self.label} (${opcodeTitles[opcode] ?? `opcode ${opcode}`})`);
  sink.add(f.hardwareType, frame, at, at + 2, uint16At(bytes, at));
  sink.add(f.protocolType, frame, at + 2, at + 4, uint16At(bytes, at + 2));
  sink.add(f.hardwareSize, frame, at + 4, at + 5, bytes[at + 4]!);
  sink.add(f.protocolSize, frame, at + 5, at + 6, bytes[at + 5]!);
  sink.add(f.opcode, frame, at + 6, at + 8, opcode);
  sink.addBytes(f.senderHardware, frame, at + 8, at + 14);
  sink.add(f.senderProtocol, frame, at + 14, at + 18, uint32At(bytes, at + 14));
  sink.addBytes(f.targetHardware, frame, at + 18, at + 24);
  sink.add(f.targetProtocol, frame, at + 24, at + 28, uint32At(bytes, at + 24));
  sink.leave();
}
