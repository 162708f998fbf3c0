/** What a packet is followed by in a tree if its fields do not fit in it: Wireshark's pseudo-protocol. */
import { defineFields } from '../field.ts';

export const malformed = defineFields('_ws.malformed', 'Malformed Packet', {
  expert: { name: '_ws.malformed.expert', label: 'Malformed Packet (Exception occurred)', type: 'none' },
});
