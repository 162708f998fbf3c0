/**
 * What a TCP segment turned out to be, and the bytes that it put in order. Made by `TcpFlows` in `tcp-flows.ts`:
 *
 *     const flows = new TcpFlows();
 *     const result = flows.next(headers);               // every frame, in order; undefined: no TCP segment
 *     const direction = result.analysis.direction;
 *     for (const chunk of result.released) application.receive(direction === 0 ? 1 : 0, chunk, …);
 *     for (const chunk of result.chunks) application.receive(direction, chunk, …);
 *     if (result.ended & 1) application.end(0, …);      // the client's direction
 *     if (result.ended & 2) application.end(1, …);      // the server's
 *
 * `analysis` may be kept, as may the chunks. The result itself and its two arrays are the next call's to use again.
 */
import type { SegmentAnalysis } from './flow.ts';
import type { StreamChunk } from './stream-chunk.ts';

export interface TcpResult {
  readonly analysis: SegmentAnalysis;
  /** Bytes of the segment's own direction that are now in order. Empty as a rule if it has no payload. */
  readonly chunks: readonly StreamChunk[];
  /**
   * Bytes of the opposite direction that waited for others, which this segment acknowledged though they never came. Empty but for captures with
   * holes; they come before `chunks`.
   */
  readonly released: readonly StreamChunk[];
  /**
   * Bits 1 (client) and 2 (server): directions that this segment ended, by FIN or RST, after all chunks. Each ends once; should a reset not have
   * been accepted, chunks may follow still.
   */
  readonly ended: number;
}
