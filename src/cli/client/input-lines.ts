/** Cuts a byte stream into lines without keeping more of it than the line at hand. */

/**
 * The lines without their end, and what follows the last end of line if there is anything. A carriage return belongs to the line.
 * Each call of the returned function takes a chunk and gives the lines it completes; `undefined` ends the input.
 * @param lengthMax a line of more bytes makes it throw a RangeError
 */
export function lineSplitter(lengthMax: number): (chunk: Uint8Array | undefined) => Uint8Array[] {
  let begun: Uint8Array[] = [];
  let begunLength = 0;
  const complete = (end: Uint8Array): Uint8Array => {
    if (begunLength === 0) return end;
    const line = Buffer.concat([...begun, end], begunLength + end.length);
    begun = [];
    begunLength = 0;
    return line;
  };
  return (chunk) => {
    if (chunk === undefined) return begunLength === 0 ? [] : [complete(new Uint8Array())];
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      lines.push(complete(chunk.subarray(start, end)));
      start = end + 1;
    }
    if (start < chunk.length) {
      begun.push(chunk.subarray(start));
      begunLength += chunk.length - start;
      if (begunLength > lengthMax) throw new RangeError(`a line of more than ${lengthMax} bytes`);
    }
    return lines;
  };
}
