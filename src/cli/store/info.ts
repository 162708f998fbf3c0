/** `clearwing store info`: how much of what is inside. */
import { StoreFile } from '../../broker/persistence/inspection/store-file.ts';
import { type StoreSummary, summarizeStore } from '../../broker/persistence/inspection/summarize-store.ts';
import { counted, grouped, printable } from './printable.ts';

/** Rows of the table of queues. */
const queuesMax = 10;

/** Resolves with the exit status. */
export async function showInfo(directory: string, isJson: boolean): Promise<number> {
  const file = await StoreFile.open(directory);
  let summary: StoreSummary;
  try {
    summary = summarizeStore(file, Date.now(), queuesMax);
  } finally {
    await file.close();
  }
  process.stdout.write(isJson ? `${JSON.stringify(inJson(summary), undefined, 2)}\n` : inText(summary));
  return summary.damageCount === 0 ? 0 : 2;
}

function inJson(summary: StoreSummary): object {
  return {
    ...summary,
    createdAt: new Date(summary.createdAt).toISOString(),
    writtenAt: new Date(summary.writtenAt).toISOString(),
  };
}

function inText(summary: StoreSummary): string {
  const { counts, payloadBytes, expired } = summary;
  const rows: (readonly [string, string])[] = [
    ['Directory', printable(summary.directory)],
    ['Format', String(summary.formatVersion)],
    ['Created', new Date(summary.createdAt).toISOString()],
    ['Last written', new Date(summary.writtenAt).toISOString()],
    ['Data file', `${grouped(summary.fileBytes)} bytes, ${grouped(summary.freeBytes)} of them free for reuse`],
    ['Sessions', `${grouped(counts.sessions)}, ${counted(counts.wills, 'will')}`],
    ['Subscriptions', grouped(counts.subscriptions)],
    ['Messages', `${grouped(counts.messages)}, ${counted(payloadBytes.messages, 'byte')} of payload`],
    ['Deliveries', `${grouped(counts.queued)} queued, ${grouped(counts.inFlight)} in flight`],
    ['QoS 2 inbound', grouped(counts.inbound)],
    ['Retained', `${grouped(counts.retained)}, ${counted(payloadBytes.retained, 'byte')} of payload`],
    [
      'Expired',
      `${counted(expired.messages, 'message')}, ${counted(expired.retained, 'retained message')}, ${counted(expired.sessions, 'session')}`,
    ],
  ];
  let text = rows.map(([name, value]) => `${name.padEnd(15)}${value}\n`).join('');
  if (summary.damageCount > 0) {
    text += `${'Damaged'.padEnd(15)}${counted(summary.damageCount, 'record')}; 'clearwing store check' says which\n`;
  }
  if (summary.biggestQueues.length === 0) return text;
  text += `\n${row('queued', 'in flight', 'bytes', 'Biggest queues')}`;
  for (const { queued, inFlight, bytes, clientIdentifier } of summary.biggestQueues) {
    text += row(grouped(queued), grouped(inFlight), grouped(bytes), printable(clientIdentifier));
  }
  return text;
}

function row(queued: string, inFlight: string, bytes: string, name: string): string {
  return `${queued.padStart(9)} ${inFlight.padStart(9)} ${bytes.padStart(14)}  ${name}\n`;
}
