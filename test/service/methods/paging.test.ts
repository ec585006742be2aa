/** Long lists are gone through in turns, so that a leader is heard meanwhile. */
import { expect, test } from "bun:test";
import { pageOf } from "../../../src/service/methods/paging.ts";

/** Time passes by looking at it. */
class BusyTurns {
  count = 0;
  isGone = false;
  #at = 0;

  readonly now = (): number => {
    this.#at += 1;
    return this.#at;
  };

  readonly next = async (): Promise<void> => {
    if (this.isGone) throw new Error("gone");
    this.count += 1;
  };
}

const all = Array.from({ length: 1000 }, (_, i) => String(i).padStart(4, "0"));
const options = { NextToken: "", PerPage: 0, Prefix: "", Reverse: false };
const keyOf = (one: string): string => one;

test("a page is the same, however many turns it takes", async () => {
  const turns = new BusyTurns();
  const isWanted = (one: string): boolean => one.endsWith("7");
  const asking = { all, keyOf, isWanted, turns };
  const { items, next } = await pageOf({ ...asking, options: { ...options, PerPage: 3 } });
  expect([items, next]).toEqual([["0007", "0017", "0027"], "0037"]);
  expect((await pageOf({ ...asking, options })).items).toHaveLength(100);
  expect(turns.count).toBeGreaterThan(20);
});

test("nobody goes on for a caller who has gone", async () => {
  const turns = new BusyTurns();
  let asked = 0;
  const isWanted = (): boolean => {
    asked += 1;
    turns.isGone ||= asked === 100;
    return true;
  };
  await expect(pageOf({ all, keyOf, isWanted, turns, options })).rejects.toThrow("gone");
  expect(asked).toBeLessThan(200);
});
