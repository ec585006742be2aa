/** Queries while members are freshly dead, left or unreachable: a failing seed names the query. */
import { expect, test } from "bun:test";
import { runQueries } from "./queries.ts";

const SEEDS = 100;

for (const loss of [0, 0.02]) {
  test(`${SEEDS} seeds, ${loss * 100} % loss: every living member answers every query`, () => {
    const missing: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const result = runQueries(seed, loss);
      expect(result.asked).toBeGreaterThan(20);
      missing.push(...result.missing);
    }
    expect(missing).toEqual([]);
  }, 240_000);
}
