/** Whether several readers may share the frames of a capture for what is asked, and how. */

import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { CaptureDecoder } from '../../capture/capture-decoder.ts';
import { FlowDivision } from '../../capture/flow-division.ts';
import { expert } from '../../dissect/expert.ts';
import type { FieldDescriptor } from '../../dissect/field.ts';
import type { DisplayFilter } from '../../dissect/filter/field-values.ts';
import { frameFields } from '../../dissect/layers/frame.ts';
import { conversationFields } from '../../dissect/mqtt/describe-packet.ts';
import type { DissectRequest } from './arguments.ts';
import type { FramePrinter } from './frame-printer.ts';

/** Smaller captures are printed before another thread has warmed up: measured with rows of small packets, and with their trees, which take ten times as long. */
const rowsMin = { bytes: 32 * 1_048_576, frames: 250_000 };
const treesMin = { bytes: 2 * 1_048_576, frames: 15_000 };
/** Everybody decodes the headers of all frames: from there on one more reader gains little. */
const usefulReadersMax = 4;

/** Which of several readers of a capture this is. */
export interface ReaderPlace {
  readonly readers: number;
  /** From 0. */
  readonly reader: number;
}

/** How many threads should read a file, if what is asked can be divided at all. */
export function readersFor(request: DissectRequest): number {
  const { file, threads, frameCountMax } = request;
  if (file === undefined || file === '-') return 1;
  const stats = statSync(file, { throwIfNoEntry: false });
  // What is no file cannot be read by several.
  if (stats?.isFile() !== true || stats.size === 0) return 1;
  if (threads !== undefined) return threads;
  const least = describesAll(request) ? treesMin : rowsMin;
  if (stats.size < least.bytes || (frameCountMax ?? least.frames) < least.frames) return 1;
  return Math.min(availableParallelism(), usefulReadersMax);
}

/**
 * The share of one reader.
 * @returns undefined if what is printed of a frame, or that it is, depends on what was printed of others
 */
export function shareOf(
  request: DissectRequest,
  filter: DisplayFilter | undefined,
  printer: FramePrinter,
  decoder: CaptureDecoder,
  { readers, reader }: ReaderPlace,
): FlowDivision | undefined {
  if (
    readers < 2 ||
    printer.isOfFramesAlone !== true ||
    request.outputFile !== undefined ||
    request.timeForm === 'dd'
  ) {
    return undefined;
  }
  const fields = [...(filter?.fields ?? []), ...printer.fields];
  if (filter !== undefined && (describesAll(request) || fields.includes(frameFields.timeDeltaDisplayed)))
    return undefined;
  const isShared = describesAll(request) || fields.some(isOfConversation) || request.preferences.has('tls.keylog_file');
  // Sessions of TLS may be resumed on other connections.
  return new FlowDivision({ readers, reader, isShared: () => isShared || decoder.secrets.length > 0 });
}

/** Whether every field of a frame is printed. */
function describesAll({ format, fields, showsTree, showsHexadecimal }: DissectRequest): boolean {
  if (format === 'json' || format === 'jsonraw' || format === 'ek') return fields.length === 0;
  return format !== 'fields' && (showsTree || showsHexadecimal);
}

/** What packets of other connections have to do with: a Session goes on with the next connection of its client. */
function isOfConversation(field: FieldDescriptor): boolean {
  return field.protocol === expert.self || conversationFields.fields.includes(field);
}
