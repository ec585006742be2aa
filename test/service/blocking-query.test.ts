/** Blocking queries: who waits, until when, and for what. */
import { expect, test } from "bun:test";
import { createPrng } from "../../src/protocol/prng.ts";
import { whenNewer } from "../../src/service/blocking-query.ts";
import { NodeMethods } from "../../src/service/methods/node-methods.ts";
import { autopilotCommand } from "../../src/state/command.ts";
import { StateMachine } from "../../src/state/state-machine.ts";
import { decodeValue, structOf } from "../../src/wire/codec.ts";
import { encodeQueryOptions, queryOptions } from "../../src/wire/rpc-status.ts";
import { silent } from "../silent.ts";
import { goCodec } from "../wire/go-schema.ts";
import { ManualClock, settle } from "./manual-clock.ts";
import { authOf } from "./methods/node-server.ts";

function watchedAt(index: number) {
  const watchers = new Set<() => void>();
  let now = index;
  return {
    watched: {
      index: () => now,
      watch: (changed: () => void) => {
        watchers.add(changed);
        return () => void watchers.delete(changed);
      },
    },
    watchers,
    change(to: number) {
      now = to;
      for (const changed of [...watchers]) changed();
    },
  };
}

const query = (min: bigint, maxMs: number) =>
  structOf(queryOptions, { MinQueryIndex: min, MaxQueryTime: BigInt(maxMs) * 1_000_000n });

test("without an index, or behind a newer one, nobody waits", () => {
  const { watched } = watchedAt(7);
  const clock = new ManualClock();
  for (const min of [0n, 6n]) {
    expect(whenNewer(query(min, 1000), watched, clock, createPrng(1))).toBeUndefined();
  }
});

test("a newer index ends the wait, an older change does not", async () => {
  const { watched, change, watchers } = watchedAt(7);
  let done = false;
  void whenNewer(query(8n, 60_000), watched, new ManualClock(), createPrng(1))?.then(() => {
    done = true;
  });
  change(8);
  await settle();
  expect(done).toBe(false);
  change(9);
  await settle();
  expect(done).toBe(true);
  expect(watchers.size).toBe(0);
});

test("whoever has gone is not waited for: nothing is left of it", async () => {
  const { watched, watchers } = watchedAt(7);
  const clock = new ManualClock();
  const gone = new AbortController();
  const wait = whenNewer(query(8n, 60_000), watched, clock, createPrng(1), gone.signal);
  const outcome = wait?.then(
    () => "answered",
    (error: unknown) => error,
  );
  expect([watchers.size, clock.timers]).toEqual([1, 1]);
  gone.abort("gone");
  expect(await outcome).toBe("gone");
  expect([watchers.size, clock.timers]).toEqual([0, 0]);
  const late = whenNewer(query(8n, 60_000), watched, clock, createPrng(1), gone.signal);
  await expect(late).rejects.toBe("gone");
  expect([watchers.size, clock.timers]).toEqual([0, 0]);
});

test("a time below a millisecond is a time, not none", async () => {
  const { watched } = watchedAt(7);
  const clock = new ManualClock();
  let done = false;
  const options = structOf(queryOptions, { MinQueryIndex: 8n, MaxQueryTime: 1000n });
  void whenNewer(options, watched, clock, createPrng(1))?.then(() => {
    done = true;
  });
  await clock.advance(1);
  expect(done).toBe(true);
});

test("its time, and at most a sixteenth more; 0 and too much are five minutes", async () => {
  for (const [asked, least] of [
    [10_000, 10_000],
    [0, 300_000],
    [900_000, 300_000],
  ] as const) {
    const clock = new ManualClock();
    const { watched, watchers } = watchedAt(7);
    let done = false;
    void whenNewer(query(7n, asked), watched, clock, createPrng(3))?.then(() => {
      done = true;
    });
    await clock.advance(least - 1);
    expect(done).toBe(false);
    await clock.advance(least / 16 + 1);
    expect(done).toBe(true);
    expect(watchers.size).toBe(0);
  }
});

test("Node.List says that there is no node, in Nomad's own form, and holds whoever waits", async () => {
  const machine = new StateMachine();
  const clock = new ManualClock();
  const consensus = {
    leader: { id: "a", address: "127.0.0.1:4647" },
    role: "leader" as const,
    apply: () => Promise.reject(new Error("nothing is written here")),
    stats: () => ({
      term: 1,
      lastIndex: 1,
      lastTerm: 1,
      commitIndex: 1,
      appliedIndex: 1,
      lastContactMs: 0,
      snapshotIndex: 0,
      snapshotTerm: 0,
      configurationIndex: 1,
      pending: 0,
    }),
  };
  const nodes = new NodeMethods({
    config: { graceMs: 1, minTtlMs: 1, maxPerSecond: 1, failoverTtlMs: 1 },
    consensus,
    machine,
    auth: authOf(machine, clock).auth,
    clock,
    prng: createPrng(1),
    log: silent,
    servers: () => [],
  });
  const method = nodes.methods().get("Node.List");
  const at = await method?.run(query(0n, 0), encodeQueryOptions({}));
  if (!(at instanceof Uint8Array)) throw new Error("it waits");
  const reply = decodeValue(goCodec("structs.NodeListResponse"), at);
  expect(reply).toEqual({
    Index: 1n,
    KnownLeader: true,
    LastContact: 0n,
    NextToken: "",
    Nodes: [],
  });
  let done = false;
  void Promise.resolve(method?.run(query(1n, 5000), encodeQueryOptions({}))).then(() => {
    done = true;
  });
  machine.apply(2, autopilotCommand({})); // Nothing about nodes.
  await clock.advance(4999);
  expect(done).toBe(false);
  await clock.advance(400);
  expect(done).toBe(true);
});
