/** What a change takes while it waits for whoever wants to hear of it. */
import { expect, test } from "bun:test";
import { sizeOf } from "../../src/state/change.ts";
import { node, nodeEventNow } from "../../src/state/node.ts";
import { structOf } from "../../src/wire/codec.ts";

test("texts of a node's events and metadata count, however deep they are", () => {
  const long = "x".repeat(60_000);
  const Events = Array.from({ length: 10 }, () => nodeEventNow("Cluster", long, 0n));
  expect(sizeOf(structOf(node, { ID: "n1", Events }))).toBeGreaterThan(600_000);
  expect(sizeOf({ Meta: new Map([["a", long]]), Policies: [long, long] })).toBeGreaterThan(180_000);
});

test("a small one is small", () => {
  expect(sizeOf(structOf(node, { ID: "n1" }))).toBeLessThan(2000);
  for (const nothing of [null, undefined, 1, 2n, true, "", [], {}, new Map()]) {
    expect(sizeOf(nothing)).toBe(0);
  }
});
