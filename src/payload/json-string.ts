/** JSON strings: quoting text and quoting bytes that may be no text. [RFC 8259 §7] */

const quote = 0x22;
const backslash = 0x5c;

/** The escape of each byte that may not stand in a JSON string as it is. */
const escapes = new Map<number, string>();
for (let byte = 0; byte < 0x20; byte++) escapes.set(byte, `\\u${byte.toString(16).padStart(4, '0')}`);
for (const [character, letter] of Object.entries({ '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't' })) {
  escapes.set(character.charCodeAt(0), `\\${letter}`);
}
escapes.set(quote, '\\"');
escapes.set(backslash, '\\\\');

/** Text between quotation marks; only what must be escaped is. */
export function quoteJson(text: string): string {
  let quoted = '"';
  let copied = 0;
  for (let index = 0; index < text.length; index++) {
    const escaped = escapes.get(text.charCodeAt(index));
    if (escaped === undefined) continue;
    quoted += text.slice(copied, index) + escaped;
    copied = index + 1;
  }
  return `${quoted}${text.slice(copied)}"`;
}

/**
 * Bytes between quotation marks. Bytes of 0x80 and above stay as they are, so UTF-8 stays UTF-8, and bytes that are no UTF-8 come out
 * as they went in (the result is JSON only if they were UTF-8).
 */
export function quoteJsonBytes(bytes: Uint8Array): Uint8Array {
  let length = bytes.length + 2;
  for (const byte of bytes) {
    const escaped = escapes.get(byte);
    if (escaped !== undefined) length += escaped.length - 1;
  }
  const quoted = new Uint8Array(length);
  let position = 0;
  quoted[position++] = quote;
  for (const byte of bytes) {
    const escaped = escapes.get(byte);
    if (escaped === undefined) quoted[position++] = byte;
    else for (let index = 0; index < escaped.length; index++) quoted[position++] = escaped.charCodeAt(index);
  }
  quoted[position] = quote;
  return quoted;
}
