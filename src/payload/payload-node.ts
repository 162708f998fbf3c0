/** What a payload consists of: values in values, each with its bytes. What every format that has structure is decoded to. */

/** Values may stand inside each other this often. */
export const payloadDepthMax = 256;
/** And there may be so many of them; what comes after is not decoded. */
export const payloadNodesMax = 100_000;

export class PayloadNode {
  /** Of a member: its key, as it is written in text. undefined for elements of an array and for the outermost value. */
  readonly name: string | undefined;
  /** First byte of the payload that belongs to it, its key not included, and the one after the last. */
  readonly start: number;
  readonly end: number;
  /** Plain JavaScript: see `decodePayload`. */
  readonly value: unknown;
  /** The whole line of it, or what stands before its children: `{`, `[_ `, `1(`. */
  readonly opening: string;
  /** What stands behind its children. */
  readonly closing: string;
  readonly children: readonly PayloadNode[];
  /** Whether the children are written between `opening` and `closing`; else `opening` says it all. */
  readonly showsChildren: boolean;

  constructor(
    name: string | undefined,
    start: number,
    end: number,
    value: unknown,
    opening: string,
    closing = '',
    children: readonly PayloadNode[] = noNodes,
    showsChildren = closing !== '',
  ) {
    this.name = name;
    this.start = start;
    this.end = end;
    this.value = value;
    this.opening = opening;
    this.closing = closing;
    this.children = children;
    this.showsChildren = showsChildren;
  }
}

const noNodes: readonly PayloadNode[] = [];

/** What stands between members, and between a key and its value. */
export interface NodeStyle {
  readonly comma: string;
  readonly colon: string;
}
export const compactStyle: NodeStyle = { comma: ',', colon: ':' };
export const spacedStyle: NodeStyle = { comma: ', ', colon: ': ' };

/** One line for a value and all in it; it ends somewhat after `charactersMax` characters, whatever is left. */
export function printNode(node: PayloadNode, style: NodeStyle, charactersMax: number): string {
  return appendNode('', node, style, charactersMax);
}

function appendNode(before: string, node: PayloadNode, style: NodeStyle, charactersMax: number): string {
  let text = before + node.opening;
  if (!node.showsChildren) return text;
  let isFirst = true;
  for (const child of node.children) {
    if (text.length > charactersMax) return text;
    if (!isFirst) text += style.comma;
    isFirst = false;
    if (child.name !== undefined) text += child.name + style.colon;
    text = appendNode(text, child, style, charactersMax);
  }
  return text + node.closing;
}

/**
 * Why a payload is not what it was taken for. Thrown by the readers of the formats, and caught by `decodePayload`. No Error: finding out what bytes
 * are not should not cost a stack trace (10 µs on Node 20).
 */
export class PayloadFault {
  readonly message: string;
  /** Where, in bytes from the beginning of the payload. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    this.message = message;
    this.offset = offset;
  }
}

/** Counts what is decoded, so that there is an end to it. */
export class NodeBudget {
  private left = payloadNodesMax;

  /** To be asked before each value. @throws {PayloadFault} */
  take(depth: number, offset: number): void {
    if (depth > payloadDepthMax)
      throw new PayloadFault(`values in values, ${depth} deep; at most ${payloadDepthMax}`, offset);
    this.left -= 1;
    if (this.left < 0) throw new PayloadFault(`more than ${payloadNodesMax} values`, offset);
  }
}

/** An object if all keys are texts, else a Map. Of a key that comes again, the last value holds. */
export function plainMap(entries: readonly (readonly [key: unknown, value: unknown])[]): unknown {
  return entries.every(([key]) => typeof key === 'string') ? Object.fromEntries(entries) : new Map(entries);
}
