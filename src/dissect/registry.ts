/** All fields there are, by name: what filters, printers and the reference know. */

import { expert } from './expert.ts';
import type { FieldDescriptor } from './field.ts';
import type { FieldRegistry } from './filter/field-values.ts';
import { arpFields } from './layers/arp.ts';
import { dataFields } from './layers/data.ts';
import { ethernetFields } from './layers/ethernet.ts';
import { commentFields, frameFields } from './layers/frame.ts';
import { httpFields } from './layers/http-fields.ts';
import { ipv4Fields } from './layers/ipv4.ts';
import { ipv6Tables } from './layers/ipv6.ts';
import { cookedFields, loopbackFields, rawFields } from './layers/link-layers.ts';
import { tcpFields } from './layers/tcp-fields.ts';
import { tlsFields } from './layers/tls-fields.ts';
import { shortFields } from './layers/trouble.ts';
import { udpFields } from './layers/udp.ts';
import { backboneFields, providerFields, vlanFields } from './layers/vlan.ts';
import { webSocketFields } from './layers/web-socket-fields.ts';
import { jsonFields, textLinesFields } from './mqtt/describe-media.ts';
import { fields as mqttFields } from './mqtt/fields.ts';
import { malformed as malformedFields } from './mqtt/malformed.ts';

/** Tables in the order in which the reference shows them. */
const tables: readonly Readonly<Record<string, FieldDescriptor>>[] = [
  mqttFields,
  frameFields,
  commentFields,
  ethernetFields,
  vlanFields,
  providerFields,
  backboneFields,
  cookedFields,
  loopbackFields,
  rawFields,
  arpFields,
  ipv4Fields,
  ...ipv6Tables,
  udpFields,
  tcpFields,
  tlsFields,
  httpFields,
  webSocketFields,
  dataFields,
  jsonFields,
  textLinesFields,
  expert,
  malformedFields,
  shortFields,
];

/** Every field, protocols first of their own. */
export const allFields: readonly FieldDescriptor[] = tables.flatMap((table) => Object.values(table));

const byName = new Map<string, FieldDescriptor[]>();
for (const field of allFields) {
  const known = byName.get(field.name);
  if (known === undefined) byName.set(field.name, [field]);
  else known.push(field);
}

export const registry: FieldRegistry = {
  find: (name) => byName.get(name),
  names: () => byName.keys(),
};
