/** One page of a list, as the options of a query ask for it. */
import type { QueryOptions } from "../../wire/rpc-status.ts";

/** The turns of the loop that a long list takes. */
export interface Turns {
  readonly now: () => number;
  /** Waits for another one, after so many milliseconds. Rejects when nobody waits any more. */
  readonly next: (costMs: number) => Promise<void>;
}

interface Page<T> {
  readonly items: readonly T[];
  /** Where the next one begins; "" is the last. */
  readonly next: string;
}

interface Asking<T> {
  /** In the order of their keys; it does not change while it is gone through. */
  readonly all: readonly T[];
  readonly keyOf: (one: T) => string;
  readonly options: Pick<QueryOptions, "NextToken" | "PerPage" | "Prefix" | "Reverse">;
  /** Asked of no more than the page needs. */
  readonly isWanted: (one: T) => boolean;
  readonly turns: Turns;
}

/** So long at a time: a leader that is not heard for longer than its lease leads no more. */
const TURN_MS = 5;

/** Filters of thousands of items take their time, and let all else go on meanwhile. */
export async function pageOf<T>(asking: Asking<T>): Promise<Page<T>> {
  const { all, keyOf, isWanted, turns } = asking;
  const { NextToken, PerPage, Prefix, Reverse } = asking.options;
  const items: T[] = [];
  let since = turns.now();
  for (let i = 0; i < all.length; i++) {
    const spentMs = turns.now() - since;
    if (spentMs > TURN_MS) {
      await turns.next(spentMs);
      since = turns.now();
    }
    const one = all[Reverse ? all.length - 1 - i : i];
    if (one === undefined || !keyOf(one).startsWith(Prefix)) continue;
    const before = Reverse ? keyOf(one) > NextToken : keyOf(one) < NextToken;
    if ((NextToken !== "" && before) || !isWanted(one)) continue;
    if (PerPage > 0 && items.length === PerPage) return { items, next: keyOf(one) };
    items.push(one);
  }
  return { items, next: "" };
}
