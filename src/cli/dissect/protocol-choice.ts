/** `-j` and `-J`: which protocols, and fields with subtrees, the JSON forms show; of others they say `filtered`. */

import type { FieldNode } from '../../dissect/field-node.ts';
import { textField } from '../../dissect/tree-sink.ts';
import type { DissectRequest } from './arguments.ts';

export class ProtocolChoice {
  readonly #names: ReadonlySet<string> | undefined;
  readonly #includesChildren: boolean;

  constructor({ jsonProtocols, jsonIncludesChildren }: DissectRequest) {
    this.#names = jsonProtocols === undefined ? undefined : new Set(jsonProtocols);
    this.#includesChildren = jsonIncludesChildren;
  }

  /** Whether what is below a node is shown, given whether the node itself was chosen by a parent. */
  opens(name: string, isInsideChosen: boolean): boolean {
    if (this.#names === undefined || this.#names.has(name)) return true;
    return this.#includesChildren && isInsideChosen;
  }
}

/** The key of a node: its field's name, or its line for what is no field. */
export function nodeName(node: FieldNode): string {
  if (node.field !== textField) return node.field.name;
  return (node.text ?? '').replace(/^\[(.*)\]$/s, '$1');
}
