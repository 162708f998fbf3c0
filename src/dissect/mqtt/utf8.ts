/** What is wrong with text on the wire. The rules of RFC 3629, and U+0000. [MQTT 5.0 §1.5.4] */

/** `'ill-formed'`, `'null'` for U+0000, `'control'` for other characters that should not be there, or undefined if nothing is wrong. */
export type TextFault = 'ill-formed' | 'null' | 'control' | undefined;

export function findTextFault(bytes: Uint8Array, start: number, end: number): TextFault {
  let fault: TextFault;
  let at = start;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte < 0x80) {
      if (byte === 0) fault = 'null';
      else if ((byte < 0x20 || byte === 0x7f) && fault === undefined) fault = 'control';
      at++;
      continue;
    }
    const size =
      byte >= 0xc2 && byte < 0xe0 ? 2 : byte >= 0xe0 && byte < 0xf0 ? 3 : byte >= 0xf0 && byte < 0xf5 ? 4 : 0;
    if (size === 0 || at + size > end) return 'ill-formed';
    const second = bytes[at + 1]!;
    // Overlong forms, surrogates, and what is beyond U+10FFFF.
    const lowest = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    const highest = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    if (second < lowest || second > highest) return 'ill-formed';
    for (let index = 2; index < size; index++) if ((bytes[at + index]! & 0xc0) !== 0x80) return 'ill-formed';
    if (byte === 0xc2 && second < 0xa0 && fault === undefined) fault = 'control';
    at += size;
  }
  return fault;
}
