/**
 * Who a query is for (wire/gossip.md §10.7). Tag expressions are Go's RE2 syntax, unanchored.
 *
 * @module
 */
import type { Filter, SerfCodec, Tags } from "./message.ts";

/** All filters must match; undefined stands for one that could not be read. */
export function allMatch(
  filters: readonly (Filter | undefined)[],
  name: string,
  tags: Tags,
  matches: SerfCodec["expressionMatches"],
): boolean {
  return filters.every((filter) => {
    if (filter === undefined) return false;
    if (filter.kind === "nodes") return filter.names.includes(name);
    return matches(filter.expr, tags.get(filter.tag) ?? "");
  });
}
