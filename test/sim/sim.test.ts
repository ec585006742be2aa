/** The production machines under random faults: a failing seed prints how to replay it. */
import { describe, expect, test } from "bun:test";
import { LAN } from "../../src/protocol/swim/config.ts";
import { runLarge } from "./large.ts";
import { runSmall } from "./small.ts";

/** `npm run ok` tries some of them, `npm test` all. */
const SEEDS = process.env.TEST_SEEDS === "few" ? 50 : 200;
const BATCH = 25;

describe(`${SEEDS} seeds of 30 nodes`, () => {
  for (let first = 1; first <= SEEDS; first += BATCH) {
    test(`seeds ${first} to ${first + BATCH - 1}: every invariant, and all views converge`, () => {
      const failures: string[] = [];
      for (let seed = first; seed < first + BATCH; seed++) {
        const { violations, convergedMs } = runSmall(seed);
        if (violations.length === 0 && convergedMs !== undefined) continue;
        failures.push(`bun test/sim/replay.ts ${seed}: ${violations.join("; ")}`);
      }
      expect(failures).toEqual([]);
    }, 600_000);
  }
});

test("the same seed is the same run, another seed another", () => {
  const [one, again, other] = [7, 7, 8].map((seed) => runSmall(seed, 15));
  expect(one?.trace).toBe(again?.trace ?? "");
  expect(one?.faults).toEqual(again?.faults ?? []);
  expect(one?.trace).not.toBe(other?.trace ?? "");
});

test("1,000 nodes: a death is known everywhere, and nobody living is buried", () => {
  const result = runLarge({ nodes: 1000, seed: 42, virtualMs: 60_000 });
  expect(result.wronglyDead).toBe(0);
  // SWIM §4.1: some member probes it within a few periods.
  expect(result.suspectedMs).toBeLessThan(6 * LAN.probeIntervalMs);
  // Lifeguard §IV: with many confirmations the suspicion runs close to its minimum, 12 s here.
  expect(result.declaredMs).toBeGreaterThanOrEqual(12_000);
  expect(result.declaredMs).toBeLessThan(20_000);
  expect((result.convergedMs ?? 0) - (result.declaredMs ?? 0)).toBeLessThan(3000);
  // One ping and one ack a period each way, and little else.
  expect(result.messagesPerNodeSecond).toBeLessThan(4);
}, 600_000);

test("a large run is repeatable too", () => {
  const [one, again] = [1, 2].map(() => runLarge({ nodes: 200, seed: 5, virtualMs: 20_000 }));
  expect(one?.trace).toBe(again?.trace ?? "");
});
