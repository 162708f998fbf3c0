/**
 * What a broker's tap sends, put together: every message is a pcapng file of its own, with a section, an interface, packets, and at the end how many
 * chunks are missing. Read one after the other they would be thousands of sections; here they are one, and what is missing is counted.
 */
import { blockTypes, optionCodes, sectionHeaderType } from '../../capture/pcapng-blocks.ts';

const blockHeaderBytes = 8;
/** Type, length, content, length again. */
const blockBytesMin = 12;
/** Interface and time before the options of statistics. */
const statisticsBytes = 12;

export class TapPieces {
  /** Chunks that the broker had to leave out so far. */
  lost = 0;
  #isFirst = true;

  /** The blocks of the next message, without those that only the first needs. What is no such message is given as it is. */
  next(piece: Uint8Array): Uint8Array {
    const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength);
    let begin = -1;
    let end = 0;
    if (piece.length < blockBytesMin) return piece;
    for (let at = 0; at + blockBytesMin <= piece.length; ) {
      const type = view.getUint32(at, true);
      const length = view.getUint32(at + 4, true);
      if (length < blockBytesMin || at + length > piece.length) return piece;
      const isHeader = type === sectionHeaderType || type === blockTypes.interfaceDescription;
      if (type === blockTypes.interfaceStatistics) this.lost += droppedOf(view, at, at + length - 4);
      else if (!isHeader || this.#isFirst) {
        if (begin < 0) begin = at;
        end = at + length;
      }
      at += length;
    }
    this.#isFirst = false;
    return begin < 0 ? piece.subarray(0, 0) : piece.subarray(begin, end);
  }
}

/** isb_ifdrop of an Interface Statistics Block; 0 if it is not said. */
function droppedOf(view: DataView, start: number, end: number): number {
  for (let at = start + blockHeaderBytes + statisticsBytes; at + 4 <= end; ) {
    const code = view.getUint16(at, true);
    const length = view.getUint16(at + 2, true);
    if (code === optionCodes.end) return 0;
    if (code === optionCodes.statisticsDropped && length === 8 && at + 12 <= end) {
      return Number(view.getBigUint64(at + 4, true));
    }
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return 0;
}
