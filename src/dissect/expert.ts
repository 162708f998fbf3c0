/** Diagnostics as fields: what filters ask for as `_ws.expert`, and what trees show as `[Expert Info (Note/Sequence): …]`. */
import type { Diagnostic } from './diagnostic.ts';
import { defineFields } from './field.ts';

/** Numbers that filters compare with: `_ws.expert.severity == 4194304` or `"Note"`. */
export const severities: Readonly<Record<Diagnostic['severity'], number>> = {
  comment: 0x100000,
  chat: 0x200000,
  note: 0x400000,
  warning: 0x600000,
  error: 0x800000,
};

export const groups: Readonly<Record<Diagnostic['group'], number>> = {
  Sequence: 0x2000000,
  'Response Code': 0x3000000,
  Undecoded: 0x5000000,
  Reassemble: 0x6000000,
  Malformed: 0x7000000,
  Protocol: 0x9000000,
  Comment: 0xb000000,
  Assumption: 0xd000000,
};

const severityNames: Record<number, string> = {};
for (const [name, value] of Object.entries(severities)) severityNames[value] = name[0]!.toUpperCase() + name.slice(1);
const groupNames: Record<number, string> = {};
for (const [name, value] of Object.entries(groups)) groupNames[value] = name;

export const expert = defineFields('_ws.expert', 'Expert Info', {
  message: { name: '_ws.expert.message', label: 'Message', type: 'string', about: 'What is to be said' },
  severity: {
    name: '_ws.expert.severity',
    label: 'Severity level',
    type: 'uint32',
    values: severityNames,
    about: 'How much it matters',
  },
  group: { name: '_ws.expert.group', label: 'Group', type: 'uint32', values: groupNames, about: 'What it is about' },
  rule: {
    name: '_ws.expert.rule',
    label: 'Rule',
    type: 'string',
    isOurs: true,
    about: 'Number of the statement that it is against, as MQTT-3.3.1-4',
  },
});

/** `Warning`: a severity as lines of trees name it. */
export function severityName(severity: Diagnostic['severity']): string {
  return severityNames[severities[severity]]!;
}

/** `Expert Info (Warning/Protocol): …`. */
export function expertLine({ severity, group, message }: Diagnostic): string {
  return `Expert Info (${severityName(severity)}/${group}): ${message}`;
}
