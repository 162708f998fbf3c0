/** Tags between Ethernet header and datagram: IEEE 802.1Q, and the outer ones of 802.1ad. */
import type { FrameHeaders } from '../../capture/frame-headers.ts';
import { defineFields } from '../field.ts';
import type { FieldSink } from '../field-sink.ts';
import { uint16At } from './bytes.ts';
import { etherTypes } from './ether-types.ts';

const priorities = {
  0: 'Best Effort (default)',
  1: 'Background',
  2: 'Excellent Effort',
  3: 'Critical Applications',
  4: 'Video, < 100ms latency and jitter',
  5: 'Voice, < 10ms latency and jitter',
  6: 'Internetwork Control',
  7: 'Network Control',
};

export const vlanFields = defineFields('vlan', '802.1Q Virtual LAN', {
  priority: { name: 'vlan.priority', label: 'Priority', type: 'uint16', mask: 0xe000, width: 16, values: priorities },
  dei: {
    name: 'vlan.dei',
    label: 'DEI',
    type: 'boolean',
    mask: 0x1000,
    width: 16,
    values: { 0: 'Ineligible', 1: 'Eligible' },
    about: 'Drop Eligible Indicator',
  },
  id: { name: 'vlan.id', label: 'ID', type: 'uint16', mask: 0x0fff, width: 16 },
  type: { name: 'vlan.etype', label: 'Type', type: 'uint16', display: 'hexadecimal', values: etherTypes },
  length: { name: 'vlan.len', label: 'Length', type: 'uint16' },
});

export const providerFields = defineFields('ieee8021ad', 'IEEE 802.1ad', {
  priority: { name: 'ieee8021ad.priority', label: 'Priority', type: 'uint16', mask: 0xe000, width: 16 },
  dei: { name: 'ieee8021ad.dei', label: 'DEI', type: 'uint16', mask: 0x1000, width: 16 },
  id: { name: 'ieee8021ad.id', label: 'ID', type: 'uint16', mask: 0x0fff, width: 16 },
});

/** Wireshark's field for what follows an outer tag is that of the standard after it. */
export const backboneFields = defineFields('ieee8021ah', 'IEEE 802.1ah', {
  type: { name: 'ieee8021ah.etype', label: 'Type', type: 'uint16', display: 'hexadecimal', values: etherTypes },
});

const providerType = 0x88a8;

/** Whether a tag is one of 802.1ad: what stands before it, a type, says so. */
export function isProviderTag(headers: FrameHeaders, tag: number): boolean {
  return uint16At(headers.frame.bytes, headers.vlanOffset + tag * 4 - 2) === providerType;
}

export function describeVlanTags(sink: FieldSink, headers: FrameHeaders): void {
  if (headers.vlanCount === 0) return;
  if (!sink.wants(vlanFields.self) && !sink.wants(providerFields.self) && !sink.wants(backboneFields.self)) return;
  for (let tag = 0; tag < headers.vlanCount; tag++) {
    const at = headers.vlanOffset + tag * 4;
    if (isProviderTag(headers, tag)) describeProviderTag(sink, headers, at);
    else describeTag(sink, headers, at);
  }
}

function describeTag(sink: FieldSink, headers: FrameHeaders, at: number): void {
  const f = vlanFields;
  const frame = headers.frame;
  const word = uint16At(frame.bytes, at);
  sink.enter(f.self, frame, at, at + 4);
  sink.setReach(frame, frame.bytes.length, false);
  if (sink.wantsText) {
    sink.setText(`802.1Q Virtual LAN, PRI: ${word >> 13}, DEI: ${(word >> 12) & 1}, ID: ${word & 0xfff}`);
  }
  sink.add(f.priority, frame, at, at + 2, word >> 13);
  sink.add(f.dei, frame, at, at + 2, (word & 0x1000) !== 0);
  sink.add(f.id, frame, at, at + 2, word & 0xfff);
  const type = uint16At(frame.bytes, at + 2);
  sink.add(type < 0x600 ? f.length : f.type, frame, at + 2, at + 4, type);
  sink.leave();
}

function describeProviderTag(sink: FieldSink, headers: FrameHeaders, at: number): void {
  const f = providerFields;
  const frame = headers.frame;
  const word = uint16At(frame.bytes, at);
  sink.enter(f.self, frame, at, at + 4);
  sink.setReach(frame, frame.bytes.length, false);
  if (sink.wantsText) sink.setText(`IEEE 802.1ad, ID: ${word & 0xfff}`);
  sink.add(f.priority, frame, at, at + 2, word >> 13);
  sink.add(f.dei, frame, at, at + 2, (word >> 12) & 1);
  sink.add(f.id, frame, at, at + 2, word & 0xfff);
  sink.add(backboneFields.type, frame, at + 2, at + 4, uint16At(frame.bytes, at + 2));
  sink.leave();
}
