/** A client node towards servers that answer, stand still, forget it, and come back. */
import { describe, expect, test } from "bun:test";
import type { NodeAction, NodeFailure, NodeReply } from "../../src/protocol/node/action.ts";
import { ClientNode } from "../../src/protocol/node/client-node.ts";
import { NODE } from "../../src/protocol/node/config.ts";
import { createPrng } from "../../src/protocol/prng.ts";

const SERVERS = ["a:1", "b:1", "c:1"];
const TTL_MS = 12_000;

type Answer = NodeReply | NodeFailure | "silence";
type Call = Extract<NodeAction, { call: number; server: string }>;

/** Drives one node; `answer` says what a server does. */
class Bench {
  readonly node: ClientNode;
  readonly calls: (Call & { readonly at: number })[] = [];
  readonly states: string[] = [];
  now = 0;
  answer: (call: Call) => Answer = () => ({ ttlMs: TTL_MS, servers: SERVERS });

  constructor(seed = 1, servers: readonly string[] = SERVERS) {
    this.node = new ClientNode({ config: NODE, prng: createPrng(seed), servers });
  }

  start(): this {
    this.node.start(this.now);
    this.#perform();
    return this;
  }

  leave(): void {
    this.node.leave(this.now);
    this.#perform();
  }

  changed(): void {
    this.node.changed(this.now);
    this.#perform();
  }

  run(ms: number): this {
    const end = this.now + ms;
    for (;;) {
      const next = this.node.deadline();
      if (next === undefined || next > end) break;
      this.now = Math.max(this.now, next);
      this.node.expire(this.now);
      this.#perform();
    }
    this.now = end;
    return this;
  }

  /** Kinds of the calls since the last time. */
  heard(): string[] {
    return this.calls.splice(0).map((one) => (one.kind === "heartbeat" ? one.status : one.kind));
  }

  #perform(): void {
    for (const action of this.node.drain()) {
      if (action.kind === "state") this.states.push(action.state);
      if (action.kind !== "register" && action.kind !== "heartbeat") continue;
      this.calls.push({ ...action, at: this.now });
      const answer = this.answer(action);
      if (answer === "silence") continue;
      if (typeof answer === "string") this.node.failed(action.call, answer, this.now);
      else this.node.answered(action.call, answer, this.now);
      this.#perform();
    }
  }
}

describe("a node whose servers answer", () => {
  test("registers, is ready at once, and says that it lives within its time", () => {
    const bench = new Bench().start().run(0);
    expect(bench.heard()).toEqual(["register", "ready"]);
    expect(bench.states).toEqual(["registered", "ready"]);
    bench.run(600_000);
    const times = bench.calls.map((one) => one.at);
    const gaps = times.slice(1).map((at, i) => at - (times[i] ?? 0));
    expect(new Set(bench.heard())).toEqual(new Set(["ready"]));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(TTL_MS * NODE.heartbeatPartMin);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(TTL_MS * NODE.heartbeatPartMax);
    // Not in step: others began in the same moment.
    expect(new Set(gaps).size).toBeGreaterThan(gaps.length / 2);
  });

  test("stays with its server, and nodes spread over all of them", () => {
    const first = Array.from({ length: 60 }, (_, seed) => {
      const bench = new Bench(seed).start().run(120_000);
      const used = new Set(bench.calls.map((one) => one.server));
      expect(used.size).toBe(1);
      return [...used][0];
    });
    for (const server of SERVERS) {
      expect(first.filter((one) => one === server).length).toBeGreaterThan(8);
    }
  });

  test("follows the list that it is given, and forgets servers that are gone", () => {
    const bench = new Bench(1, ["seed:1"]);
    let servers = ["x:1", "y:1"];
    bench.answer = () => ({ ttlMs: TTL_MS, servers });
    bench.start().run(1000);
    expect([...bench.node.servers].sort()).toEqual(["seed:1", "x:1", "y:1"]);
    servers = ["y:1", "z:1"];
    bench.run(60_000);
    expect([...bench.node.servers].sort()).toEqual(["seed:1", "y:1", "z:1"]);
    servers = [];
    bench.run(60_000);
    expect(bench.node.servers).toHaveLength(3);
  });

  test("registers again when what it tells of itself has changed", () => {
    const bench = new Bench().start().run(1000);
    bench.heard();
    bench.changed();
    expect(bench.heard()).toEqual(["register"]);
    bench.run(0);
    expect(bench.heard()).toEqual(["ready"]);
    expect(bench.states).toEqual(["registered", "ready"]);
  });

  test("a list of a thousand servers is cut", () => {
    const bench = new Bench();
    const servers = Array.from({ length: 1000 }, (_, i) => `s${i}:1`);
    bench.answer = () => ({ ttlMs: TTL_MS, servers });
    bench.start().run(1000);
    expect(bench.node.servers.length).toBe(NODE.serversMax + SERVERS.length);
  });
});

describe("servers that fail", () => {
  test("the shorter its time is, the sooner it leaves one that stands still", () => {
    const ttlMs = 2000;
    const bench = new Bench();
    bench.answer = () => ({ ttlMs, servers: SERVERS });
    bench.start().run(20 * ttlMs);
    const { server } = bench.node;
    bench.answer = (call) => (call.server === server ? "silence" : { ttlMs, servers: SERVERS });
    bench.calls.splice(0);
    bench.run(2 * ttlMs);
    const [first, second] = bench.calls;
    expect([first?.server, second?.server === server]).toEqual([server, false]);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeCloseTo(NODE.callTimeoutMinMs, 3);
    expect(bench.states).not.toContain("lost");
  });

  test("one that stands still is left within one heartbeat, for the next", () => {
    const bench = new Bench().start().run(1000);
    const frozen = bench.node.server;
    bench.answer = (call) =>
      call.server === frozen ? "silence" : { ttlMs: TTL_MS, servers: SERVERS };
    bench.calls.length = 0;
    bench.run(TTL_MS * NODE.heartbeatPartMax + NODE.callTimeoutMs);
    const [first, second] = bench.calls;
    expect([first?.server, second?.server === frozen]).toEqual([frozen, false]);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeCloseTo(NODE.callTimeoutMs, 3);
    expect(bench.states.at(-1)).toBe("ready");
    // It does not go back.
    bench.calls.length = 0;
    bench.run(300_000);
    expect(bench.calls.some((one) => one.server === frozen)).toBe(false);
  });

  test("an answer that comes too late changes nothing", () => {
    const bench = new Bench();
    bench.answer = () => "silence";
    bench.start().run(1000);
    const [late] = bench.calls;
    bench.run(NODE.callTimeoutMs);
    bench.node.answered(late?.call ?? 0, { ttlMs: 1, servers: ["evil:1"] }, bench.now);
    expect(bench.node.state).toBe("unregistered");
    expect(bench.node.servers).not.toContain("evil:1");
  });

  test("all gone for an hour: tried with patience, and back within half a minute", () => {
    const bench = new Bench().start().run(1000);
    bench.answer = () => "unreachable";
    bench.run(3_600_000);
    expect(bench.node.state).toBe("lost");
    // Each round asks all three; a round takes 15 to 30 s once it has been in vain for long.
    expect(bench.calls.length).toBeLessThan(3 * (3600 / 15 + 10));
    bench.answer = () => ({ ttlMs: TTL_MS, servers: SERVERS });
    bench.heard();
    bench.run(2 * NODE.retryMaxMs);
    expect(bench.heard()[0]).toBe("ready");
    expect(bench.node.state).toBe("ready");
  });

  test("a thousand nodes whose servers all start anew do not come back at once", () => {
    const all = Array.from({ length: 1000 }, (_, seed) => {
      const bench = new Bench(seed).start().run(30_000);
      bench.answer = () => "unreachable";
      bench.run(60_000);
      bench.answer = () => ({ ttlMs: TTL_MS, servers: SERVERS });
      bench.calls.length = 0;
      bench.run(40_000);
      expect(bench.node.state).toBe("ready");
      return bench.calls[0]?.at ?? 0;
    });
    const second = (at: number): number => Math.floor(at / 1000);
    const counts = new Map<number, number>();
    for (const at of all) counts.set(second(at), (counts.get(second(at)) ?? 0) + 1);
    expect(Math.max(...counts.values())).toBeLessThan(250);
  });

  test("they have forgotten it: it registers again, at once", () => {
    const bench = new Bench().start().run(1000);
    let forgotten = true;
    bench.answer = (call) => {
      if (call.kind === "register") forgotten = false;
      return forgotten ? "not-found" : { ttlMs: TTL_MS, servers: SERVERS };
    };
    bench.heard();
    bench.run(TTL_MS);
    expect(bench.heard().slice(0, 3)).toEqual(["ready", "register", "ready"]);
    expect(bench.states.slice(-3)).toEqual(["unregistered", "registered", "ready"]);
  });

  test("they never believe it: it asks on, but not in a loop", () => {
    const bench = new Bench();
    bench.answer = () => "denied";
    bench.start().run(600_000);
    expect(bench.calls.length).toBeGreaterThan(20);
    expect(bench.calls.length).toBeLessThan(60);
  });

  test("registered and denied in turn: still no loop without a pause", () => {
    const bench = new Bench();
    bench.answer = (call) =>
      call.kind === "register" ? { ttlMs: TTL_MS, servers: SERVERS } : "denied";
    bench.start().run(60_000);
    expect(bench.calls.length).toBeLessThan(100);
  });

  test("none is known yet: it waits for one", () => {
    const bench = new Bench(1, []);
    bench.start().run(60_000);
    expect(bench.calls).toEqual([]);
    bench.node.configure(["late:1"], bench.now);
    bench.run(2 * NODE.retryMaxMs);
    expect(bench.node.state).toBe("ready");
  });
});

describe("leaving", () => {
  test("is said once, and then it is silent", () => {
    const bench = new Bench().start().run(1000);
    bench.heard();
    bench.leave();
    bench.leave();
    bench.run(600_000);
    expect(bench.heard()).toEqual(["down"]);
    expect(bench.node.state).toBe("left");
    expect(bench.node.deadline()).toBeUndefined();
  });

  test("a server that does not answer is not waited for longer than a call", () => {
    const bench = new Bench().start().run(1000);
    bench.answer = () => "silence";
    bench.leave();
    expect(bench.node.state).toBe("ready");
    bench.run(NODE.callTimeoutMs);
    expect(bench.node.state).toBe("left");
  });

  test("before it has registered there is nothing to say", () => {
    const bench = new Bench();
    bench.answer = () => "silence";
    bench.start();
    bench.leave();
    bench.run(60_000);
    expect(bench.heard()).toEqual(["register"]);
    expect(bench.node.state).toBe("left");
  });
});
