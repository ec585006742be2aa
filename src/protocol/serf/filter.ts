/**
 * Who a query is for (wire/gossip.md §10.7). Tag expressions are Go's RE2 syntax, unanchored.
 *
 * @module
 */
import type { Filter, Tags } from "./message.ts";

const EXPRESSION_MAX = 256;
/** What RE2 does not have, or what could make a backtracking engine run away. */
const UNSUPPORTED = /\\[1-9]|\(\?(?:[=!]|<[=!])|[*+}]\s*[*+{]|\([^()]*[*+}][^()]*\)\s*[*+{]/;

/** All filters must match; undefined stands for one that could not be read. */
export function allMatch(
  filters: readonly (Filter | undefined)[],
  name: string,
  tags: Tags,
): boolean {
  return filters.every((filter) => {
    if (filter === undefined) return false;
    if (filter.kind === "nodes") return filter.names.includes(name);
    return expressionMatches(filter.expr, tags.get(filter.tag) ?? "");
  });
}

function expressionMatches(expr: string, value: string): boolean {
  if (expr.length > EXPRESSION_MAX || UNSUPPORTED.test(expr)) return false;
  const { source, flags } = toEcmaScript(expr);
  try {
    return new RegExp(source, flags).test(value);
  } catch {
    return false;
  }
}

/** The spellings in which RE2 differs: leading flags, named groups, text anchors. */
function toEcmaScript(expr: string): { source: string; flags: string } {
  const leading = /^\(\?([ims]+)\)/.exec(expr);
  const flags = `u${leading?.[1] ?? ""}`;
  const source = expr
    .slice(leading?.[0].length ?? 0)
    .replaceAll("(?P<", "(?<")
    .replaceAll("\\A", "^")
    .replaceAll("\\z", "$");
  return { source, flags: [...new Set(flags)].join("") };
}
