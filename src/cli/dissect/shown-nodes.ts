/** Which nodes of a tree are printed. */
import { expert } from '../../dissect/expert.ts';
import type { FieldNode } from '../../dissect/field-node.ts';

/**
 * Whether a node is printed. What Wireshark has no field for is printed on request only, so that programs that read its output read this one:
 * fields of ours, and diagnostics about such a field.
 */
export function isShown(node: FieldNode, showsMore: boolean): boolean {
  if (showsMore) return true;
  if (node.field === expert.self) return node.children?.[0]?.field.isOurs !== true;
  return node.field.isOurs !== true;
}
