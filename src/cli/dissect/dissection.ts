/** From a request to what does the work: a dissector, a filter, and what is done with the frames that match. */
import type { CaptureDecoder } from '../../capture/capture-decoder.ts';
import type { FlowDivision } from '../../capture/flow-division.ts';
import { DecodeAsError, type DecodeAsRule, parseDecodeAs } from '../../dissect/decode-as.ts';
import { Dissector } from '../../dissect/dissector.ts';
import { compileFilter } from '../../dissect/filter/display-filter.ts';
import type { DisplayFilter } from '../../dissect/filter/field-values.ts';
import { registry } from '../../dissect/registry.ts';
import { FilterSyntaxError } from '../../protocol/errors.ts';
import { DissectArgumentError, type DissectRequest } from './arguments.ts';
import { EkPrinter } from './ek-printer.ts';
import { FieldsPrinter } from './fields-printer.ts';
import { FilterError } from './filter-error.ts';
import type { FramePrinter } from './frame-printer.ts';
import { type ReaderPlace, shareOf } from './frame-shares.ts';
import { JsonPrinter } from './json-printer.ts';
import { OutputColumns } from './output-columns.ts';
import { readPreferences } from './preferences.ts';
import { QuietPrinter } from './quiet-printer.ts';
import { openReport } from './report.ts';
import { rowColors } from './row-colors.ts';
import { TextPrinter } from './text-printer.ts';
import { openTlsDecryption } from './tls-decryption.ts';

export interface Dissection {
  readonly dissector: Dissector;
  readonly filter: DisplayFilter | undefined;
  readonly consumer: FramePrinter;
  /** Whether `_ws.expert` is about what Wireshark remarks, too, and about nothing else. */
  readonly omitsOurRemarks: boolean;
  /** Of one of several readers; undefined: all frames are shown here. */
  readonly share: FlowDivision | undefined;
}

const everythingIsMqtt: DecodeAsRule = { firstPort: 0, lastPort: 65_535, application: 'mqtt' };

/**
 * @param place - among several readers, if what is asked can be divided
 * @throws {DissectArgumentError | FilterError}
 */
export function openDissection(request: DissectRequest, decoder: CaptureDecoder, place?: ReaderPlace): Dissection {
  const isLive = request.file === undefined || request.file === '-';
  const filter = request.filter === undefined ? undefined : readFilter(request.filter);
  const consumer = openPrinter(request);
  const share = place === undefined ? undefined : shareOf(request, filter, consumer, decoder, place);
  return {
    dissector: new Dissector({
      // A tap has MQTT alone, whatever its port, and from the middle of connections as well.
      decodeAs: [...(request.brokerUrl === undefined ? [] : [everythingIsMqtt]), ...request.decodeAs.map(readDecodeAs)],
      recognise: request.recognizes,
      tls: openTlsDecryption(request.preferences.get('tls.keylog_file'), decoder, isLive),
      ...readPreferences(request.preferences),
      division: share,
    }),
    filter,
    consumer,
    omitsOurRemarks: !request.showsMore,
    share,
  };
}

export function readFilter(text: string): DisplayFilter {
  try {
    return compileFilter(text, registry);
  } catch (error) {
    if (error instanceof FilterSyntaxError) throw new FilterError(text, error);
    throw error;
  }
}

function readDecodeAs(text: string) {
  try {
    return parseDecodeAs(text);
  } catch (error) {
    if (error instanceof DecodeAsError) throw new DissectArgumentError(`-d ${error.message}`);
    throw error;
  }
}

function openPrinter(request: DissectRequest): FramePrinter {
  const report = openReport(request);
  if (report !== undefined) return report;
  const { format, fields, timeForm, columns, isQuiet, outputFile } = request;
  const outputColumns = fields.length === 0 ? undefined : new OutputColumns(fields, timeForm);
  if (isQuiet || (outputFile !== undefined && !request.showsSummary)) return new QuietPrinter();
  switch (format) {
    case 'json':
    case 'jsonraw':
      return new JsonPrinter(request, outputColumns);
    case 'ek':
      return new EkPrinter(request, outputColumns);
    case 'fields':
      return new FieldsPrinter(outputColumns as OutputColumns, columns);
    default:
      return new TextPrinter(request, rowColors(request.color));
  }
}
