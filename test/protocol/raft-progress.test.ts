/** How far a follower is: what may be sent in each state, and where a call leads. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Progress } from "../../src/protocol/raft/progress.ts";

const SERVER = { id: "b", address: "b:1", suffrage: "voter" } as const;
const MOST = 3;
const start = (next = 11): Progress => new Progress(SERVER, next, 0);

describe("a follower", () => {
  test("gets one call, and several once it has accepted one", () => {
    const progress = start();
    progress.sentEntries(5);
    expect(progress.mayAppend(MOST)).toBe(false);
    // Until then nobody knows whether they fit: they are sent again if they do not.
    expect(progress.next).toBe(11);
    progress.accepted(15);
    expect([progress.match, progress.next]).toEqual([15, 16]);
    for (let i = 0; i < MOST; i++) progress.sentEntries(2);
    expect([progress.next, progress.mayAppend(MOST)]).toEqual([22, false]);
    progress.accepted(17);
    expect([progress.match, progress.next, progress.mayAppend(MOST)]).toEqual([17, 22, true]);
  });

  test("that rejects or is lost gets one call again, and earlier ones do not count", () => {
    const progress = start();
    progress.sentEntries(0);
    const { epoch } = progress;
    progress.rejected(7);
    expect(progress.epoch).not.toBe(epoch);
    expect([progress.next, progress.isIdle]).toEqual([7, true]);
    progress.sentEntries(3);
    progress.accepted(9);
    progress.sentEntries(4);
    progress.sentEntries(4);
    expect([progress.failed(), progress.failed()]).toEqual([1, 2]);
    expect([progress.next, progress.match]).toEqual([10, 9]);
    progress.sentEntries(1);
    expect(progress.mayAppend(MOST)).toBe(false);
    progress.accepted(10);
    expect(progress.failed()).toBe(1);
  });

  test("that needs a snapshot gets nothing else until it has it", () => {
    const progress = start();
    progress.sentSnapshot();
    expect(progress.mayAppend(MOST)).toBe(false);
    progress.accepted(30);
    expect([progress.match, progress.next, progress.mayAppend(MOST)]).toEqual([30, 31, true]);
  });

  test("that has lost what it had is believed: it does not count for a majority any more", () => {
    const progress = start();
    progress.sentEntries(9);
    progress.accepted(19);
    progress.sentEntries(1);
    progress.rejected(1);
    expect([progress.match, progress.next]).toEqual([0, 1]);
    progress.sentEntries(5);
    progress.accepted(5);
    expect([progress.match, progress.next]).toEqual([5, 6]);
  });
});

test("a call that the state does not allow is a bug, and says so", () => {
  const progress = start();
  progress.sentEntries(1);
  expect(() => progress.sentEntries(1)).toThrow("progress of b: probe, match 0, next 11, 2 calls");
  expect(() => start().accepted(4)).toThrow("-1 calls");
  expect(() => start().rejected(0)).toThrow("next 0");
});

test("whatever a follower answers, the next entry is behind the last that it has", () => {
  const step = fc.record({ kind: fc.nat(3), index: fc.nat(40) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const progress = start();
      for (const { kind, index } of steps) {
        if (progress.isIdle && kind === 0) progress.sentSnapshot();
        else if (progress.mayAppend(MOST)) progress.sentEntries(index);
        else if (kind === 1) progress.failed();
        else if (kind === 2) progress.rejected(index + 1);
        else progress.accepted(index);
        expect(progress.match).toBeLessThan(progress.next);
      }
    }),
  );
});
