/** The page about tables, from the tables themselves. */
import { openTable, type TableName, tableNames } from './tables.ts';

const about: Readonly<Record<TableName, string>> = {
  clients: 'Who connected. One row per client and broker, over all its connections.',
  connections: 'One row per CONNECT, and per TCP connection to port 1883 or 8883 without one.',
  subscriptions: 'Who subscribed to what. One row per Topic Filter of each SUBSCRIBE.',
  wills: 'Which wills were announced, and what became of them. One row per CONNECT with a will.',
  topics: 'One row per Topic Name and broker.',
  deliveries:
    'Which PUBLISH into a broker, or which will, led to which PUBLISH out of it. One row per pair; what has no partner has a row alone.',
  handshakes: 'One row per delivery at QoS 1 or 2 between a client and a broker, in either direction.',
};

const introduction = `# Tables of a capture

\`clearwing dissect -r FILE --table NAME\` makes a table of a whole capture. Its columns are listed here; those in **bold** are shown as text when nothing
else is asked for, CSV and JSON have them all, and \`--columns a,b,c\` (or \`--columns all\`) chooses. How to ask with them is told in
[Asking captures](../guides/asking-captures.md).

- Times are seconds since the first frame of the capture, or what \`-t\` asks for; durations are seconds.
- A *list* has several values in one cell. A condition on it (\`--where\`) holds if it does for one of them, as in display filters; a column that is empty
  in a row does not match anything but its absence, \`!receiver\`.
- \`in\` is towards the broker, \`out\` away from it.
- Connections to the same address and port belong to one broker; all addresses of the loopback (127.0.0.0/8, ::1) are one. Several ports of one broker
  count as several brokers.
- With \`-Y\`, a row is there if one of the packets that it is made of matches; what came before is known all the same.
- Memory is bounded: 250,000 rows, 100,000 messages among which deliveries are looked for. What does not fit is counted and said on the standard
  error.

How deliveries are matched, since nothing in MQTT says which PUBLISH is a copy of which: by topic and payload, in the order of each client's messages, by
what the client was subscribed to at that time, by RETAIN, and for shared subscriptions each message once. Equal payloads that come close together,
and messages lost between, can make a pair that is not one; a broker that changes topics or payloads (as bridges do) has none.
`;

const typeNames = {
  text: 'text',
  integer: 'integer',
  flag: 'true or false',
  time: 'time',
  duration: 'duration',
} as const;

/** docs/reference/dissect-tables.md. */
export function tableReference(): string {
  let page = introduction;
  for (const name of tableNames) {
    page += `\n## ${name}\n\n${about[name]}\n\n| column | type | meaning |\n|---|---|---|\n`;
    for (const column of openTable(name).columns) {
      const shown = column.isMain ? `**${column.name}**` : column.name;
      page += `| ${shown} | ${typeNames[column.type]} | ${column.about} |\n`;
    }
  }
  return page;
}
