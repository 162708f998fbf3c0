/** What the commands print about packets as they go by: `-d` lines, and warnings about messages that the server refused. */
import type { Packet } from '../../codec/packets.ts';
import { PacketType } from '../../protocol/packet-types.ts';
import { isFailure, reasonCodeName } from '../../protocol/reason-codes.ts';
import type { ByteSink } from './byte-sink.ts';
import { DebugLines } from './debug-lines.ts';
import type { ClientSettings } from './settings.ts';

export type PacketObserver = (direction: 'sent' | 'received', packet: Packet) => void;

/** Prints the `-d` lines; undefined without `-d`, so that nothing is spent on it. */
export function debugReporter(settings: ClientSettings, output: ByteSink): PacketObserver | undefined {
  if (!settings.isDebug) return undefined;
  const lines = new DebugLines(settings.protocolVersion);
  return (direction, packet) => output.text(lines.describe(direction, packet));
}

/** Warns of each message the server did not want. Nothing else tells which one it was. */
export function refusalReporter(settings: ClientSettings): PacketObserver {
  return (direction, packet) => {
    if (direction === 'sent' || settings.isQuiet) return;
    if (packet.type !== PacketType.PUBACK && packet.type !== PacketType.PUBREC) return;
    if (!isFailure(packet.reasonCode)) return;
    process.stderr.write(`Warning: Publish ${packet.packetIdentifier} failed: ${reasonCodeName(packet.reasonCode)}.\n`);
    const reason = packet.properties?.reasonString;
    if (reason !== undefined) process.stderr.write(`${reason}\n`);
  };
}

/** One observer of several. */
export function allObservers(...observers: readonly (PacketObserver | undefined)[]): PacketObserver {
  const present = observers.filter((observer) => observer !== undefined);
  return (direction, packet) => {
    for (const observer of present) observer(direction, packet);
  };
}
