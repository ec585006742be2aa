/** net-rpc on one stream: order, pauses, and what a peer that does not keep to it costs. */
import { describe, expect, spyOn, test } from "bun:test";
import type { ByteStream } from "../../../src/host/host.ts";
import { streamPair } from "../../../src/host/stream-pair.ts";
import type { RpcMethods } from "../../../src/service/methods/methods.ts";
import { createRpcCounters, type RpcCounters } from "../../../src/service/rpc/counters.ts";
import { RpcMethodError } from "../../../src/service/rpc/method-error.ts";
import { ByteBudget, serveCalls } from "../../../src/service/rpc/server/serve.ts";
import type { Budget } from "../../../src/service/rpc/value-stream.ts";
import { MsgpackReader } from "../../../src/wire/msgpack-reader.ts";
import { decodeResponse, encodeRequest } from "../../../src/wire/rpc-frame.ts";
import { encodeEmpty, encodeText } from "../../../src/wire/rpc-status.ts";
import { hex } from "../../vectors.ts";
import { ManualClock, settle } from "../manual-clock.ts";

interface Served {
  readonly clock: ManualClock;
  readonly near: ByteStream;
  readonly refused: string[];
  readonly counters: RpcCounters;
  readonly answers: () => { seq: number; error: string }[];
  readonly release: (name: string) => void;
  /** Calls whose callers have gone. */
  readonly aborted: string[];
  ended: boolean;
}

interface How extends Partial<Record<"unanswered" | "untaken", Budget>> {
  readonly firstMs: number;
  readonly idleMs: number;
}

function serve(budget = new ByteBudget(1e9), how: How = { firstMs: 0, idleMs: 0 }): Served {
  const clock = new ManualClock();
  const [near, far] = streamPair();
  const refused: string[] = [];
  const counters = createRpcCounters();
  const waiting = new Map<string, () => void>();
  const aborted: string[] = [];
  const methods: Pick<RpcMethods, "call" | "bodyBytesMax"> = {
    bodyBytesMax: (name) => (name === "Small" ? 1000 : 1024 * 1024),
    call(name, _body, { signal }) {
      signal?.addEventListener("abort", () => aborted.push(name));
      if (name === "Now") return encodeEmpty();
      if (name === "Fail") throw new RpcMethodError("it failed", false);
      if (name === "Unknown") throw new RpcMethodError("rpc: can't find it", true);
      return new Promise((resolve) => waiting.set(name, () => resolve(encodeText(name))));
    },
  };
  serveCalls(far, {
    methods,
    counters,
    clock,
    caller: { names: undefined },
    refuse: (reason) => {
      refused.push(reason);
      far.destroy();
    },
    ...how,
    budget,
  });
  const heard: Uint8Array[] = [];
  const served: Served = {
    clock,
    near,
    refused,
    counters,
    aborted,
    ended: false,
    release: (name) => waiting.get(name)?.(),
    answers() {
      const found: { seq: number; error: string }[] = [];
      for (let rest: Uint8Array = Buffer.concat(heard); rest.length > 0; ) {
        const read = decodeResponse(rest);
        if (read.kind !== "frame") throw new Error(read.kind);
        found.push({ seq: Number(read.frame.seq), error: read.frame.error });
        rest = rest.subarray(read.bytes);
      }
      return found;
    },
  };
  near.listen({
    data: (bytes) => {
      heard.push(bytes);
    },
    ended: () => {
      served.ended = true;
    },
    closed: () => {
      served.ended = true;
    },
  });
  return served;
}

/** Headers that are decoded, and bytes that are copied, from now on. */
function countWork(): { done: () => { structs: number; moved: number } } {
  let moved = 0;
  const struct = spyOn(MsgpackReader.prototype, "struct");
  const { set, copyWithin } = Uint8Array.prototype;
  Uint8Array.prototype.set = function (from, at) {
    moved += from.length;
    set.call(this, from, at);
  };
  Uint8Array.prototype.copyWithin = function (to, start, end) {
    moved += (end ?? this.length) - start;
    return copyWithin.call(this, to, start, end);
  };
  return {
    done() {
      Object.assign(Uint8Array.prototype, { set, copyWithin });
      const structs = struct.mock.calls.length;
      struct.mockRestore();
      return { structs, moved };
    },
  };
}

const request = (method: string, seq: number, body = encodeEmpty()): Uint8Array =>
  encodeRequest({ seq: BigInt(seq), method, body });

describe("serveCalls()", () => {
  test("answers in order, also when one takes its time", async () => {
    const served = serve();
    served.near.write(Buffer.concat([request("Now", 1), request("Slow", 2), request("Now", 3)]));
    await settle();
    expect(served.answers().map((one) => one.seq)).toEqual([1]);
    served.release("Slow");
    await settle();
    expect(served.answers().map((one) => one.seq)).toEqual([1, 2, 3]);
  });

  test("a method's error leaves the stream, an unknown method ends it", async () => {
    const served = serve();
    served.near.write(Buffer.concat([request("Fail", 1), request("Now", 2)]));
    await settle();
    expect(served.answers()).toEqual([
      { seq: 1, error: "it failed" },
      { seq: 2, error: "" },
    ]);
    expect(served.ended).toBe(false);
    served.near.write(Buffer.concat([request("Unknown", 3), request("Now", 4)]));
    await settle();
    expect(served.answers().map((one) => one.seq)).toEqual([1, 2, 3]);
    expect(served.ended).toBe(true);
  });

  test("a peer that ends its side still hears the answer", async () => {
    const served = serve();
    served.near.write(request("Slow", 1));
    served.near.end();
    await settle();
    served.release("Slow");
    await settle();
    expect(served.answers()).toEqual([{ seq: 1, error: "" }]);
    expect(served.ended).toBe(true);
  });

  test("a call ends with its stream, however that ends", async () => {
    const cut = serve();
    cut.near.write(request("Slow", 1));
    await settle();
    expect(cut.aborted).toEqual([]);
    cut.near.destroy();
    await settle();
    expect(cut.aborted).toEqual(["Slow"]);

    const behind = serve();
    behind.near.write(Buffer.concat([request("Slow", 1), request("Now", 2)]));
    await settle();
    behind.near.destroy();
    await settle();
    expect(behind.aborted).toEqual(["Slow"]);

    const half = serve();
    half.near.write(request("Slow", 1));
    half.near.end();
    await half.clock.advance(9999);
    expect(half.aborted).toEqual([]);
    await half.clock.advance(1);
    expect(half.aborted).toEqual(["Slow"]);
    expect(half.ended).toBe(true);
  });

  test("requests that come while one is answered wait with their sender in the end", async () => {
    const served = serve();
    served.near.write(request("Slow", 1));
    const many = Buffer.concat(Array.from({ length: 20_000 }, (_, i) => request("Now", i + 2)));
    let taken = 0;
    for (; taken < many.length; taken += 20_000) {
      if (!served.near.write(many.subarray(taken, taken + 20_000))) break;
      await settle();
    }
    expect(taken).toBeLessThan(400_000);
    served.near.destroy();
    await settle();
    expect(served.aborted).toEqual(["Slow"]);
  });

  test("no first request, no next one, half a request: each has its time", async () => {
    const times = { firstMs: 1000, idleMs: 5000 };
    const silent = serve(undefined, times);
    await silent.clock.advance(999);
    expect(silent.refused).toEqual([]);
    await silent.clock.advance(1);
    expect(silent.refused).toEqual(["idle"]);

    const once = serve(undefined, times);
    once.near.write(request("Now", 1));
    await once.clock.advance(4999);
    expect(once.refused).toEqual([]);
    await once.clock.advance(1);
    expect(once.refused).toEqual(["idle"]);

    const half = serve();
    half.near.write(request("Now", 1).subarray(0, 7));
    await half.clock.advance(29_999);
    expect(half.refused).toEqual([]);
    await half.clock.advance(1);
    expect(half.refused).toEqual(["idle"]);
  });

  test("a call that takes long is not idle", async () => {
    const served = serve(undefined, { firstMs: 1000, idleMs: 1000 });
    served.near.write(request("Slow", 1));
    await served.clock.advance(300_000);
    expect(served.refused).toEqual([]);
  });

  test("more than a mebibyte is no request", async () => {
    const served = serve();
    served.near.write(
      request("Now", 1, encodeText("x".repeat(2 * 1024 * 1024))).subarray(0, 1.5e6),
    );
    await settle();
    expect(served.refused).toEqual(["too-much"]);
  });

  test("what is larger than its method's requests is refused before it has come", async () => {
    const small = serve();
    const body = encodeText("x".repeat(2000));
    small.near.write(request("Small", 1, body).subarray(0, 100));
    await settle();
    expect(small.refused).toEqual(["too-much"]);
    const large = serve();
    large.near.write(request("Now", 1, body));
    await settle();
    expect(large.answers().length).toBe(1);
    const named = serve();
    named.near.write(request("N".repeat(5000), 1).subarray(0, 100));
    await settle();
    expect(named.refused).toEqual(["too-much"]);
    const promised = serve(); // A list of four thousand million.
    promised.near.write(Buffer.concat([request("Now", 1).subarray(0, -1), hex("ddffffffff")]));
    await settle();
    expect(promised.refused).toEqual(["too-much"]);
  });

  test("a request byte by byte is looked at once, and decoded once", async () => {
    const served = serve();
    const bytes = request("Now", 1, encodeText("x".repeat(20_000)));
    const work = countWork();
    for (const byte of bytes) {
      served.near.write(Uint8Array.of(byte));
      await Promise.resolve();
    }
    await settle();
    const { structs, moved } = work.done();
    expect(served.answers()).toEqual([{ seq: 1, error: "" }]);
    // Its head: once for the method's name, once for the call.
    expect(structs).toBeLessThan(5);
    expect(moved).toBeLessThan(6 * bytes.length);
  });

  test("streams of one connection share a budget of what is not whole, and give it back", async () => {
    const budget = new ByteBudget(1000);
    const part = request("Now", 1, encodeText("x".repeat(900))).subarray(0, 600);
    const first = serve(budget);
    first.near.write(part);
    await settle();
    const second = serve(budget);
    second.near.write(part);
    await settle();
    expect([first.refused, second.refused]).toEqual([[], ["too-much"]]);
    first.near.destroy();
    await settle();
    const third = serve(budget);
    third.near.write(part);
    await settle();
    expect(third.refused).toEqual([]);
  });

  test("a request counts until it is answered, and an answer until it is taken", async () => {
    const kept = { bytes: 0 };
    const count = (bytes: number) => {
      kept.bytes += bytes;
      return kept.bytes < 10_000;
    };
    const budgets = { unanswered: { take: count }, untaken: { take: count } };
    const first = serve(new ByteBudget(1e9), { ...budgets, firstMs: 0, idleMs: 0 });
    first.near.write(request("Wait", 1, encodeText("x".repeat(900))));
    await settle();
    expect(kept.bytes).toBeGreaterThan(900);
    first.release("Wait");
    await settle();
    expect([kept.bytes, first.answers().length]).toEqual([0, 1]);
    const second = serve(new ByteBudget(1e9), { ...budgets, firstMs: 0, idleMs: 0 });
    second.near.write(request("Wait", 1, encodeText("x".repeat(10_000))));
    await settle();
    expect([second.refused, second.aborted, kept.bytes]).toEqual([["too-much"], ["Wait"], 0]);
  });

  test("... and all connections share another one", async () => {
    const all = new ByteBudget(1000);
    const part = request("Now", 1, encodeText("x".repeat(900))).subarray(0, 600);
    const first = serve(new ByteBudget(1e6, all));
    first.near.write(part);
    await settle();
    const second = serve(new ByteBudget(1e6, all));
    second.near.write(part);
    await settle();
    expect([first.refused, second.refused]).toEqual([[], ["too-much"]]);
    first.near.destroy();
    await settle();
    expect(all.take(1000)).toBe(true);
  });

  test("nonsense ends it", async () => {
    const served = serve();
    served.near.write(Uint8Array.of(0xc1, 0xc1));
    await settle();
    expect(served.refused).toEqual(["malformed"]);
  });

  test("a peer that does not read is not served further", async () => {
    const served = serve();
    served.near.pause();
    const many = Buffer.concat(
      Array.from({ length: 20_000 }, (_, i) => request("Now", i + 1)),
    ).subarray();
    for (let at = 0; at < many.length; at += 60_000) {
      served.near.write(many.subarray(at, at + 60_000));
      await settle();
    }
    expect(served.refused).toEqual([]);
    // Not more than fits into the buffers before somebody reads.
    expect(served.counters.requests).toBeLessThan(10_000);
    served.near.resume();
    for (let i = 0; i < 100; i++) await settle();
    expect(served.answers().length).toBe(20_000);
  });

  test("... and not waited for without end", async () => {
    const served = serve();
    served.near.pause();
    for (let i = 0; i < 20; i++) {
      served.near.write(Buffer.concat(Array.from({ length: 1000 }, () => request("Now", 1))));
      await settle();
    }
    await served.clock.advance(59_999);
    expect(served.refused).toEqual([]);
    await served.clock.advance(1);
    expect(served.refused).toEqual(["unread"]);
  });
});
