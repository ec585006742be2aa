/** What many ask for at once is done a little in each turn of the loop. */
import { expect, test } from "bun:test";
import type { StreamHandler } from "../../src/host/host.ts";
import { streamPair } from "../../src/host/stream-pair.ts";
import { afterThisTurn } from "../../src/host/timer.ts";
import { Pace } from "../../src/service/pace.ts";
import { PacedStream } from "../../src/service/paced-stream.ts";
import { ManualClock } from "./manual-clock.ts";

const nextTurn = (): Promise<void> => new Promise((resolve) => afterThisTurn(resolve));

test("what fits is done at once; the rest in later turns, in order, some of it in each", async () => {
  const clock = new ManualClock();
  const pace = new Pace(clock);
  const done: number[] = [];
  const results = Array.from({ length: 20 }, (_, i) =>
    pace.run(() => {
      clock.stall(2);
      done.push(i);
      return i;
    }),
  );
  expect(done).toEqual([0, 1, 2]);
  expect(results.slice(0, 3)).toEqual([0, 1, 2]);
  let turns = 0;
  for (; done.length < 20; turns++) {
    const before = done.length;
    await nextTurn();
    expect(done.length - before).toBeLessThanOrEqual(3);
  }
  expect(turns).toBeGreaterThanOrEqual(6);
  expect(await Promise.all(results)).toEqual(Array.from({ length: 20 }, (_, i) => i));
});

test("what fails, fails for whoever asked; whom nobody waits for is not worked for", async () => {
  const clock = new ManualClock();
  const pace = new Pace(clock);
  pace.spend(() => clock.stall(100));
  const gone = new AbortController();
  const failing = pace.run(() => {
    throw new Error("no");
  });
  const aborted = pace.run(() => "never", gone.signal);
  const good = pace.run(() => "yes");
  gone.abort(new Error("hung up"));
  const results = await Promise.allSettled([failing, aborted, good]);
  const told = results.map((one) => ("value" in one ? one.value : String(one.reason)));
  expect(told).toEqual(["Error: no", "Error: hung up", "yes"]);
});

test("announced work takes its turn, too", async () => {
  const pace = new Pace(new ManualClock());
  const order: string[] = [];
  const first = pace.turn(10).then(() => order.push("first"));
  const second = pace.turn(10).then(() => order.push("second"));
  afterThisTurn(() => order.push("the next turn"));
  await Promise.all([first, second]);
  await nextTurn();
  expect(order).toEqual(["first", "second", "the next turn"]);
  expect(pace.isOver).toBe(false);
});

interface Heard extends StreamHandler {
  readonly what: string[];
  bytes: number;
}

function listener(clock: ManualClock): Heard {
  const heard: Heard = {
    what: [],
    bytes: 0,
    data: (slice) => {
      heard.bytes += slice.length;
      clock.stall(4);
    },
    ended: () => void heard.what.push("ended"),
    closed: () => void heard.what.push("closed"),
  };
  return heard;
}

test("two streams with much to say take turns, and then end in order", async () => {
  const clock = new ManualClock();
  const pace = new Pace(clock);
  const both = [0, 1].map(() => {
    const [near, far] = streamPair();
    const heard = listener(clock);
    new PacedStream(far, pace).listen(heard);
    near.write(new Uint8Array(200_000));
    near.end();
    return heard;
  });
  const seen: number[][] = [];
  while (both.some(({ what }) => !what.includes("ended"))) {
    seen.push(both.map(({ bytes }) => bytes));
    await nextTurn();
    if (seen.length > 200) break;
  }
  expect(both.map(({ bytes }) => bytes)).toEqual([200_000, 200_000]);
  expect(both.map(({ what }) => what[0])).toEqual(["ended", "ended"]);
  expect(seen.length).toBeGreaterThan(10);
  for (const [one = 0, other = 0] of seen) expect(Math.abs(one - other)).toBeLessThan(70_000);
});

test("whoever pauses hears nothing until it resumes, whatever turn it is", async () => {
  const clock = new ManualClock();
  const pace = new Pace(clock);
  const [near, far] = streamPair();
  const stream = new PacedStream(far, pace);
  const heard = listener(clock);
  stream.listen(heard);
  near.write(new Uint8Array(100_000));
  await Promise.resolve();
  stream.pause();
  const before = heard.bytes;
  for (let i = 0; i < 10; i++) await nextTurn();
  expect(heard.bytes).toBe(before);
  stream.resume();
  for (let i = 0; i < 20; i++) await nextTurn();
  expect(heard.bytes).toBe(100_000);
});
