/** One page of a list, as the options of a query ask for it. */
import type { QueryOptions } from "../../wire/rpc-status.ts";

interface Page<T> {
  readonly items: readonly T[];
  /** Where the next one begins; "" is the last. */
  readonly next: string;
}

/**
 * @param all in the order of their keys
 * @param isWanted asked of no more than the page needs
 */
export function pageOf<T>(
  all: readonly T[],
  keyOf: (one: T) => string,
  options: Pick<QueryOptions, "NextToken" | "PerPage" | "Prefix" | "Reverse">,
  isWanted: (one: T) => boolean,
): Page<T> {
  const { NextToken, PerPage, Prefix, Reverse } = options;
  const items: T[] = [];
  for (let i = 0; i < all.length; i++) {
    const one = all[Reverse ? all.length - 1 - i : i];
    if (one === undefined || !keyOf(one).startsWith(Prefix)) continue;
    const before = Reverse ? keyOf(one) > NextToken : keyOf(one) < NextToken;
    if ((NextToken !== "" && before) || !isWanted(one)) continue;
    if (PerPage > 0 && items.length === PerPage) return { items, next: keyOf(one) };
    items.push(one);
  }
  return { items, next: "" };
}
