/** PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT and AUTH: a Reason Code and properties, both of which may be left out. [MQTT 5.0 §3.4–3.7, §3.14, §3.15] */
import { PacketType, type PacketTypeName } from '../../protocol/packet-types.ts';
import { isReasonCodeOf } from '../../protocol/reason-codes.ts';
import type { FieldDescriptor } from '../field.ts';
import { hex } from './describe-connect.ts';
import { describeProperties } from './describe-properties.ts';
import { fields } from './fields.ts';
import type { PacketWalk } from './packet-walk.ts';

type Scope = PacketTypeName & ('PUBACK' | 'PUBREC' | 'PUBREL' | 'PUBCOMP' | 'DISCONNECT' | 'AUTH');

interface Form {
  readonly scope: Scope;
  readonly reasonCode: FieldDescriptor;
  /** Statement about its Reason Codes. */
  readonly rule: string;
}

const forms: Readonly<Record<number, Form>> = {
  [PacketType.PUBACK]: { scope: 'PUBACK', reasonCode: fields.pubackReasonCode, rule: 'MQTT-3.4.2-1' },
  [PacketType.PUBREC]: { scope: 'PUBREC', reasonCode: fields.pubrecReasonCode, rule: 'MQTT-3.5.2-1' },
  [PacketType.PUBREL]: { scope: 'PUBREL', reasonCode: fields.pubrelReasonCode, rule: 'MQTT-3.6.2-1' },
  [PacketType.PUBCOMP]: { scope: 'PUBCOMP', reasonCode: fields.pubcompReasonCode, rule: 'MQTT-3.7.2-1' },
  [PacketType.DISCONNECT]: { scope: 'DISCONNECT', reasonCode: fields.disconnectReasonCode, rule: 'MQTT-3.14.2-1' },
  [PacketType.AUTH]: { scope: 'AUTH', reasonCode: fields.authReasonCode, rule: 'MQTT-3.15.2-1' },
};

export function describeAcknowledgement(walk: PacketWalk): void {
  const identifier = walk.number(fields.packetIdentifier, 2);
  if (identifier < 0) return;
  if (walk.checks && identifier === 0) {
    walk.fault(walk.at - 2, walk.at, 'Packet Identifier is 0', 'MQTT-2.2.1-5', 'MQTT311-2.3.1-6');
  }
  describeReason(walk);
}

/** Reason Code and properties, as far as there are any: left out they mean success and nothing. */
export function describeReason(walk: PacketWalk): void {
  const form = forms[walk.packet.packetType]!;
  if (walk.version !== 5 || walk.at === walk.end) return;
  const code = walk.number(form.reasonCode, 1);
  if (walk.checks && !isReasonCodeOf(form.scope, code)) {
    walk.fault(walk.at - 1, walk.at, `${form.scope} cannot have the Reason Code ${hex(code)}`, form.rule);
  }
  if (walk.at < walk.end) describeProperties(walk, fields.properties, form.scope);
  else if (walk.checks && form.scope === 'AUTH' && walk.packet.absentBytes === 0) {
    walk.fault(walk.at, walk.at, 'AUTH with a Reason Code and without Properties');
  }
}
