/** Raft under random faults, with the properties of the paper's figure 3 checked all along. */
import { describe, expect, test } from "bun:test";
import { runRaft } from "./raft-world.ts";

/** `npm run ok` tries some of them, `npm test` all. */
const SEEDS = process.env.TEST_SEEDS === "few" ? 100 : 500;
const BATCH = 50;

describe(`${SEEDS} seeds of Raft groups of three and five`, () => {
  for (let first = 1; first <= SEEDS; first += BATCH) {
    test(`seeds ${first} to ${first + BATCH - 1}: safe all along, agreed in the end`, () => {
      const failures: string[] = [];
      const sums = { elections: 0, snapshotsSent: 0, changes: 0, reads: 0, crashes: 0 };
      for (let seed = first; seed < first + BATCH; seed++) {
        const run = runRaft(seed);
        for (const [key, sum] of Object.entries(sums)) {
          Object.assign(sums, { [key]: sum + Number(Object(run)[key]) });
        }
        // A run in which nothing is promised proves nothing.
        if (run.acknowledged < 10) failures.push(`seed ${seed}: ${run.acknowledged} writes`);
        if (run.violations.length === 0) continue;
        failures.push(`bun test/sim/raft-replay.ts ${seed}: ${run.violations.join("; ")}`);
      }
      expect(failures).toEqual([]);
      for (const sum of Object.values(sums)) expect(sum).toBeGreaterThan(BATCH);
    }, 600_000);
  }
});

test("disks that lose a write which they called synced are noticed: the checkers can fail", () => {
  const found = new Set<string>();
  for (let seed = 1; seed <= 100; seed++) {
    for (const text of runRaft(seed, true).violations) {
      found.add(/leads term|votes for|lost:|applies another/.exec(text)?.[0] ?? "other");
    }
  }
  // A leader that lacks what was promised, and a second vote in one term.
  expect([...found]).toContain("leads term");
  expect([...found]).toContain("votes for");
});

test("the same seed is the same run, another seed another", () => {
  const [one, again, other] = [7, 7, 8].map((seed) => runRaft(seed).trace);
  expect(one).toBe(again ?? "");
  expect(one).not.toBe(other ?? "");
});
