/** The pool: one session a server, kept while it is used, replaced when it must be. */
import { describe, expect, test } from "bun:test";
import { streamPair } from "../../../src/host/stream-pair.ts";
import { createPrng } from "../../../src/protocol/prng.ts";
import type { Dialled } from "../../../src/service/rpc/client/dial.ts";
import { type PoolTarget, RpcPool } from "../../../src/service/rpc/client/pool.ts";
import { createRpcCounters } from "../../../src/service/rpc/counters.ts";
import { Mux } from "../../../src/service/rpc/mux.ts";
import { ByteBudget, serveCalls } from "../../../src/service/rpc/server/serve.ts";
import { encodeEmpty } from "../../../src/wire/rpc-status.ts";
import { silent } from "../../silent.ts";
import { ManualClock, settle } from "../manual-clock.ts";

const target: PoolTarget = {
  address: { ip: Uint8Array.of(10, 0, 0, 1), port: 4647 },
  region: "global",
};

/** A server in this process, and a pool that dials it. */
class Bench {
  readonly clock = new ManualClock();
  readonly servers: Mux[] = [];
  /** Calls that wait for `finish`. */
  readonly slow: (() => void)[] = [];
  dials = 0;
  /** Of those calls, how many were given up by their callers. */
  aborted = 0;
  failWith: Error | undefined;
  /** Connections are taken, and ended at the first call. */
  hangsUp = false;
  readonly pool = new RpcPool({
    dialer: { connect: () => this.#connect() },
    clock: this.clock,
    prng: createPrng(1),
    log: silent,
  });

  async #connect(): Promise<Dialled> {
    this.dials += 1;
    await Promise.resolve();
    if (this.failWith !== undefined) throw this.failWith;
    const [near, far] = streamPair();
    const mux = new Mux({
      stream: far,
      dialer: false,
      clock: this.clock,
      onStream: async (stream) => {
        if (this.hangsUp) return mux.close();
        await stream.takeFirst(0);
        serveCalls(stream, {
          methods: {
            bodyBytesMax: () => 1e6,
            call: (name, _body, { signal }) => {
              if (name !== "Slow") return encodeEmpty();
              signal?.addEventListener("abort", () => {
                this.aborted += 1;
              });
              return new Promise((resolve) => this.slow.push(() => resolve(encodeEmpty())));
            },
          },
          counters: createRpcCounters(),
          clock: this.clock,
          caller: { names: undefined },
          refuse: () => stream.destroy(),
          firstMs: 0,
          idleMs: 0,
          budget: new ByteBudget(1e6),
        });
      },
      onClosed: () => undefined,
    });
    mux.start();
    this.servers.push(mux);
    return { stream: near, tls: undefined };
  }

  call(method = "Status.Ping", repeat = true, signal?: AbortSignal): Promise<Uint8Array> {
    return this.pool.call(target, method, encodeEmpty(), 1_000_000, repeat, signal);
  }
}

describe("a session", () => {
  test("is dialled once for all who want it, and used again", async () => {
    const bench = new Bench();
    await Promise.all(Array.from({ length: 10 }, () => bench.call()));
    await bench.call();
    expect(bench.dials).toBe(1);
    expect(bench.servers[0]?.streams).toBe(10);
    await bench.call();
    expect(bench.servers[0]?.streams).toBe(10);
  });

  test("ends when it was idle for two minutes, not while a call is on", async () => {
    const bench = new Bench();
    await bench.call();
    await bench.clock.advance(110_000);
    const slow = bench.call("Slow");
    await bench.clock.advance(200_000);
    expect(bench.pool.reports().length).toBe(1);
    for (const finish of bench.slow) finish();
    await slow;
    await bench.clock.advance(140_000);
    expect(bench.pool.reports()).toEqual([]);
    expect(bench.servers[0]?.open).toBe(false);
  });

  test("is replaced when the settings change, and lives until its last call is answered", async () => {
    const bench = new Bench();
    const slow = bench.call("Slow");
    await settle();
    bench.pool.retireAll();
    await bench.call();
    expect(bench.dials).toBe(2);
    expect(bench.pool.reports().map((one) => one.retiring)).toEqual([false, true]);
    for (const finish of bench.slow) finish();
    await slow;
    await bench.clock.advance(20_000);
    expect(bench.pool.reports().map((one) => one.retiring)).toEqual([false]);
  });

  test("that the server sends away is replaced, and no call fails", async () => {
    const bench = new Bench();
    await bench.call();
    bench.servers[0]?.goAway();
    await bench.call("Status.Ping", false);
    await settle();
    await bench.call("Status.Ping", false);
    expect(bench.dials).toBe(2);
  });

  test("that broke is dialled again for a call that may be repeated, once", async () => {
    const bench = new Bench();
    await bench.call();
    bench.servers[0]?.close();
    await bench.call();
    expect(bench.dials).toBe(2);
    const slow = bench.call("Slow", false);
    await settle();
    bench.servers[1]?.close();
    await expect(slow).rejects.toThrow(/EOF|session shutdown/);
    expect(bench.dials).toBe(2);
  });
});

test("a call that is given up is given up by the server too, and its session lives", async () => {
  const bench = new Bench();
  const gone = new AbortController();
  const slow = bench.call("Slow", true, gone.signal);
  await settle();
  gone.abort();
  await expect(slow).rejects.toThrow("the caller has gone");
  await settle();
  expect(bench.aborted).toBe(1);
  expect(bench.servers[0]?.streams).toBe(0);
  await bench.call();
  expect(bench.dials).toBe(1);
  await expect(bench.call("Slow", true, gone.signal)).rejects.toThrow("the caller has gone");
  expect(bench.slow.length).toBe(1);
});

describe("back-off", () => {
  test("a server that cannot be dialled is left alone for a while, longer each time", async () => {
    const bench = new Bench();
    bench.failWith = new Error("connection refused");
    const failures = async (): Promise<number> => {
      await expect(bench.call()).rejects.toThrow("connection refused");
      return bench.dials;
    };
    expect(await failures()).toBe(1);
    expect(await failures()).toBe(1);
    await bench.clock.advance(100);
    expect(await failures()).toBe(2);
    await bench.clock.advance(100);
    expect(await failures()).toBe(2);
    await bench.clock.advance(100);
    expect(await failures()).toBe(3);
    for (let i = 0; i < 10; i++) {
      await bench.clock.advance(10_000);
      await failures();
    }
    expect(bench.dials).toBe(13);
  });

  test("so is one that hangs up before it has answered, but not for doing so once", async () => {
    const bench = new Bench();
    bench.hangsUp = true;
    await expect(bench.call("Status.Ping", false)).rejects.toThrow();
    expect(bench.dials).toBe(1);
    bench.hangsUp = false;
    await bench.call();
    expect(bench.dials).toBe(2);
    bench.servers[1]?.close();
    await settle();
    bench.hangsUp = true;
    for (let i = 0; i < 600; i++) {
      await bench.call().catch(() => undefined);
      await bench.clock.advance(100);
    }
    // In a minute, each time twice as late.
    expect(bench.dials).toBeGreaterThan(8);
    expect(bench.dials).toBeLessThan(20);
    bench.hangsUp = false;
    bench.pool.forgive(target.address);
    await bench.call();
  });

  test("news of the server, or of our settings, ends it", async () => {
    const bench = new Bench();
    bench.failWith = new Error("no");
    await expect(bench.call()).rejects.toThrow("no");
    bench.pool.forgive(target.address);
    await expect(bench.call()).rejects.toThrow("no");
    expect(bench.dials).toBe(2);
    bench.failWith = undefined;
    bench.pool.retireAll();
    await bench.call();
    expect(bench.dials).toBe(3);
  });
});
