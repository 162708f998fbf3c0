/** Bytes as `-x` shows them: `0010  00 83 b1 28 40 00 40 06 8b 4a 7f 00 00 01 7f 00   ...(@.@..J......` */

const perLine = 16;

/** A line for each 16 bytes, each ending in a line feed. Offsets have four digits, or as many as the largest needs. */
export function hexDump(bytes: Uint8Array): string {
  const offsetDigits = Math.max(4, (bytes.length - 1).toString(16).length);
  let text = '';
  for (let line = 0; line < bytes.length; line += perLine) {
    let digits = '';
    let characters = '';
    for (let at = line; at < Math.min(line + perLine, bytes.length); at++) {
      const byte = bytes[at] as number;
      digits += ` ${byte < 16 ? '0' : ''}${byte.toString(16)}`;
      characters += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
    }
    const offset = line.toString(16).padStart(offsetDigits, '0');
    text += `${offset} ${digits.padEnd(perLine * 3)}   ${characters}\n`;
  }
  return text;
}
