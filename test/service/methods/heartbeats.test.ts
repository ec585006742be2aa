/** Whose time is over, with a clock that is turned by hand. */
import { expect, test } from "bun:test";
import { createPrng } from "../../../src/protocol/prng.ts";
import { Heartbeats } from "../../../src/service/methods/heartbeats.ts";
import { ManualClock } from "../manual-clock.ts";

const CONFIG = { minTtlMs: 10_000, graceMs: 10_000, maxPerSecond: 50, failoverTtlMs: 300_000 };
const NODES = Array.from({ length: 3000 }, (_, i) => `node-${i}`);

function start() {
  const clock = new ManualClock();
  const missed: string[] = [];
  const init = { config: CONFIG, clock, prng: createPrng(1) };
  const heartbeats = new Heartbeats({ ...init, missed: (id) => void missed.push(id) });
  return { clock, missed, heartbeats };
}

test("thousands of nodes have one timer, and more time each, spread over as much again", () => {
  const { clock, heartbeats } = start();
  for (const id of NODES) heartbeats.heard(id);
  expect([clock.timers, heartbeats.active]).toEqual([1, NODES.length]);
  const given = NODES.map((id) => heartbeats.heard(id));
  const least = (NODES.length * 1000) / CONFIG.maxPerSecond;
  expect(Math.min(...given)).toBeWithin(least, least * 1.01);
  expect(Math.max(...given)).toBeWithin(least * 1.99, least * 2);
  heartbeats.stop();
  expect([clock.timers, heartbeats.active]).toEqual([0, 0]);
});

test("those that are silent are missed, each in its time, and nobody else", async () => {
  const { clock, missed, heartbeats } = start();
  const [one = "", other = "", gone = ""] = NODES;
  const firstMs = heartbeats.heard(one) + CONFIG.graceMs;
  heartbeats.heard(other);
  heartbeats.heard(gone);
  heartbeats.forget(gone);
  await clock.advance(firstMs - 1);
  expect(missed.filter((id) => id === one)).toEqual([]);
  heartbeats.heard(other);
  await clock.advance(1);
  expect(missed).toEqual([one]);
  await clock.advance(2 * CONFIG.minTtlMs + CONFIG.graceMs);
  expect(missed).toEqual([one, other]);
  expect(heartbeats.active).toBe(0);
});

test("after a machine stood still, what waits to be heard is heard first", async () => {
  const { clock, missed, heartbeats } = start();
  heartbeats.heard("here");
  heartbeats.heard("gone");
  clock.stall(60_000);
  const turn = clock.advance(0);
  heartbeats.heard("here");
  await turn;
  await clock.advance(1);
  expect(missed).toEqual(["gone"]);
});

test("a new leader gives all of them the same time", async () => {
  const { clock, missed, heartbeats } = start();
  heartbeats.takeOver(NODES);
  await clock.advance(CONFIG.failoverTtlMs - 1);
  expect(missed).toEqual([]);
  await clock.advance(1);
  expect(missed).toHaveLength(NODES.length);
});
