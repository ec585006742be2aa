/** What a holder of the key may say and is not believed; and what honest nodes say and is. */
import { describe, expect, test } from "bun:test";
import { createPrng } from "../../src/protocol/prng.ts";
import type { Question, SerfAction } from "../../src/protocol/serf/action.ts";
import { NOMAD_SERF } from "../../src/protocol/serf/config.ts";
import type { PushPullState, SerfMessage } from "../../src/protocol/serf/message.ts";
import { Serf } from "../../src/protocol/serf/serf.ts";
import { WAN } from "../../src/protocol/swim/config.ts";
import type { Refusal } from "../../src/protocol/swim/membership.ts";
import type { Alive, Dead, Suspect } from "../../src/protocol/swim/message.ts";
import { encodeMessage } from "../../src/wire/gossip-message.ts";
import { serfCodec } from "../../src/wire/serf-message.ts";

const TOP = 2 ** 32 - 1;
const U64_TOP = 2n ** 64n - 1n;
const SECOND = 1000;
const DAY = 86_400 * SECOND;
const NONE = new Uint8Array(0);
const FROM = { ip: Uint8Array.of(10, 0, 0, 99), port: 4648 };

class Pool {
  readonly serf: Serf;
  readonly actions: SerfAction[] = [];
  now = 0;

  constructor() {
    this.serf = new Serf({
      name: "me",
      address: { ip: Uint8Array.of(10, 0, 0, 1), port: 4648 },
      tags: new Map(),
      swim: { ...WAN, pushPullIntervalMs: 0 },
      config: NOMAD_SERF,
      prng: createPrng(1),
      codec: serfCodec,
      keys: { install: () => "no", use: () => "no", remove: () => "no", list: () => [] },
      sizeOf: (message) => encodeMessage(message).length,
      overheadBytes: () => 0,
      refuseMember: () => undefined,
    });
    this.serf.start(0);
    this.say(alive("other", 1));
  }

  say(message: Alive | Suspect | Dead): Refusal | undefined {
    const refusal = this.serf.receive(FROM, message, this.now);
    this.actions.push(...this.serf.drain());
    return refusal;
  }

  tell(message: SerfMessage): void {
    const body = serfCodec.encode(message);
    this.serf.receive(FROM, { kind: "user", body }, this.now);
    this.actions.push(...this.serf.drain());
  }

  merge(state: Partial<PushPullState>): void {
    const empty = { lTime: 0n, statusLTimes: new Map(), leftMembers: [] };
    const none = { eventLTime: 0n, events: [], queryLTime: 0n };
    const bytes = serfCodec.encodePushPull({ ...empty, ...none, ...state });
    this.serf.merge([], bytes, { joining: true, ignoreOld: true }, this.now);
    this.actions.push(...this.serf.drain());
  }

  /** Why messages were refused, each reason once. */
  refused(): string[] {
    const reasons = new Set<string>();
    for (const action of this.actions.splice(0)) {
      if (action.kind === "note" && action.note.what === "implausible") {
        reasons.add(action.note.reason);
      }
    }
    return [...reasons];
  }

  incarnation(name: string): number | undefined {
    return this.serf.swim.member(name)?.incarnation;
  }
}

function alive(node: string, incarnation: number): Alive {
  const addr = node === "me" ? Uint8Array.of(10, 0, 0, 1) : Uint8Array.of(10, 0, 0, 2);
  const vsn = Uint8Array.of(1, 5, 2, 2, 5, 4);
  return { kind: "alive", node, incarnation, addr, port: 4648, meta: NONE, vsn };
}

describe("incarnations", () => {
  const claims = (node: string, incarnation: number): readonly (Alive | Suspect | Dead)[] => [
    alive(node, incarnation),
    { kind: "suspect", node, incarnation, from: "x" },
    { kind: "dead", node, incarnation, from: "x" },
    { kind: "dead", node, incarnation, from: node },
  ];

  for (const about of ["me", "other"]) {
    test(`the end of the range, said about ${about}, changes nothing and is counted`, () => {
      const pool = new Pool();
      const before = pool.incarnation(about);
      for (const claim of claims(about, TOP)) expect(pool.say(claim)).toBe("incarnation-jump");
      expect(pool.refused()).toEqual(["incarnation-jump"]);
      expect(pool.incarnation(about)).toBe(before);
      expect(pool.serf.swim.member(about)?.state).toBe("alive");
    });
  }

  test("a stranger is not taken in with one either", () => {
    const pool = new Pool();
    expect(pool.say(alive("new", TOP))).toBe("incarnation-jump");
    expect(pool.serf.swim.member("new")).toBeUndefined();
    expect(pool.say(alive("new", 70_000))).toBeUndefined();
  });

  test("whoever pushes for a year gets nowhere near it, and each step can be refuted", () => {
    const pool = new Pool();
    for (let day = 1; day <= 365; day++) {
      pool.now = day * DAY;
      for (let step = 2 ** 24; step >= 1; step /= 2) {
        const incarnation = (pool.incarnation("other") ?? 0) + step;
        pool.say({ kind: "suspect", node: "other", incarnation, from: "x" });
        pool.say(alive("other", (pool.incarnation("other") ?? 0) + 1));
      }
    }
    expect(pool.incarnation("other")).toBeLessThan(TOP / 2);
    expect(pool.serf.swim.member("other")?.state).toBe("alive");
  });

  test("after a restart we refute what the others remember of us, and small steps are free", () => {
    const pool = new Pool();
    expect(pool.say(alive("me", 250_000))).toBeUndefined();
    expect(pool.incarnation("me")).toBe(250_001);
    for (let i = 2; i < 10_000; i++) expect(pool.say(alive("other", i))).toBeUndefined();
  });
});

describe("names", () => {
  const bad = [
    "",
    "a\nb",
    "\u001b[2J",
    "tab\t",
    "\u007f",
    "\u0085",
    "x".repeat(256),
    "ä".repeat(128),
  ];
  const good = ["x".repeat(255), "ä".repeat(127), "with space.global", "日本", "\udcff.global"];

  test("that are empty, too long or have controls are refused, everywhere", () => {
    for (const name of bad) {
      const pool = new Pool();
      expect([name, pool.say(alive(name, 1))]).toEqual([name, "bad-name"]);
      const { addr, port, meta, vsn } = alive(name, 1);
      const state = { name, addr, port, meta, vsn, incarnation: 1, state: "alive" } as const;
      pool.serf.merge([state], NONE, { joining: false, ignoreOld: false }, 0);
      expect(pool.serf.member(name)).toBeUndefined();
    }
  });

  test("that are only unusual are fine", () => {
    const pool = new Pool();
    for (const name of good) expect([name, pool.say(alive(name, 1))]).toEqual([name, undefined]);
  });
});

describe("Lamport times", () => {
  test("at the end of their range move no clock, are not passed on, and are counted", () => {
    const pool = new Pool();
    const before = pool.serf.stats();
    const lTime = U64_TOP;
    pool.tell({ kind: "join", lTime, node: "other" });
    pool.tell({ kind: "leave", lTime, node: "other", prune: false });
    pool.tell({ kind: "userEvent", lTime, name: "e", payload: null, coalesce: false });
    pool.tell(query(lTime, 1));
    expect(pool.refused()).toEqual(["clock-jump"]);
    const slot = { lTime, events: [{ name: "e", payload: null }] };
    pool.merge({ lTime });
    pool.merge({ statusLTimes: new Map([["other", lTime]]), leftMembers: ["other"] });
    pool.merge({ eventLTime: lTime, queryLTime: lTime, events: [slot] });
    expect(pool.refused()).toEqual(["clock-jump"]);
    expect(pool.serf.stats()).toEqual(before);
    expect(pool.serf.member("other")).toMatchObject({ status: "alive", statusLTime: 0n });
  });

  test("of an old cluster are learnt at once, and its events are heard", () => {
    const pool = new Pool();
    const lTime = 2n ** 34n;
    pool.merge({ lTime, eventLTime: lTime, queryLTime: lTime });
    expect(pool.refused()).toEqual([]);
    pool.tell({ kind: "userEvent", lTime, name: "deploy", payload: null, coalesce: false });
    expect(pool.actions).toMatchObject([{ kind: "event", event: { name: "deploy" } }]);
  });
});

describe("events and queries", () => {
  const heard = (pool: Pool): number =>
    pool.actions.splice(0).filter((action) => {
      return action.kind === "event" && /^(user|query)$/.test(action.event.kind);
    }).length;

  test("of one Lamport time are limited, and those of the next are heard", () => {
    const pool = new Pool();
    for (let i = 0; i < 1000; i++) {
      const name = `e${i}`;
      pool.tell({ kind: "userEvent", lTime: 5n, name, payload: null, coalesce: false });
      pool.tell(query(5n, i));
    }
    expect(heard(pool)).toBe(256);
    pool.tell({ kind: "userEvent", lTime: 6n, name: "e", payload: null, coalesce: false });
    expect(heard(pool)).toBe(1);
  });

  test("larger than Serf sends are refused; all that is kept is a few megabytes", () => {
    const pool = new Pool();
    const event = { kind: "userEvent", name: "e", coalesce: false } as const;
    pool.tell({ ...event, lTime: 1n, payload: new Uint8Array(20_000) });
    expect(heard(pool)).toBe(0);
    for (let i = 0; i < 2000; i++) {
      const payload = new Uint8Array(9000).fill(i);
      pool.tell({ ...event, lTime: BigInt(i >> 3), payload });
    }
    expect(heard(pool)).toBe(2000);
    expect(pool.serf.pushPullState().length).toBeLessThan(3 * 1024 * 1024);
    // What had to make room is not news when it comes again.
    pool.tell({ ...event, lTime: 0n, payload: new Uint8Array(9000) });
    expect(heard(pool)).toBe(0);
  });

  test("news wait in a queue of limited length, and what fits no packet does not wait", () => {
    const pool = new Pool();
    const queued = (): number => Number(pool.serf.stats()["intent_queue"]);
    for (let i = 1; i <= 20_000; i++) pool.tell({ kind: "join", lTime: BigInt(i), node: "other" });
    expect(queued()).toBe(2 * NOMAD_SERF.queueDepthMax);
    const events = (): number => Number(pool.serf.stats()["event_queue"]);
    const event = { kind: "userEvent", lTime: 1n, coalesce: false } as const;
    pool.tell({ ...event, name: "long", payload: new Uint8Array(2000) });
    expect([heard(pool), events()]).toEqual([1, 0]);
    pool.tell({ ...event, name: "short", payload: NONE });
    expect([heard(pool), events()]).toEqual([1, 1]);
  });

  test("meta data beyond what memberlist sends is refused", () => {
    const pool = new Pool();
    expect(pool.say({ ...alive("new", 1), meta: new Uint8Array(513) })).toBe("bad-meta");
    expect(pool.say({ ...alive("new", 1), meta: new Uint8Array(512) })).toBeUndefined();
    expect(pool.refused()).toEqual(["bad-meta"]);
  });

  test("answers of names that are nobody's count for nothing", () => {
    const pool = new Pool();
    const question = { payload: NONE, filters: [], wantAcks: true, relayFactor: 0 };
    const asked: Question = { name: "q", ...question, timeoutMs: 1000 };
    const id = pool.serf.ask(asked, 0);
    if (typeof id === "string") throw new Error(id);
    const response = { kind: "queryResponse", lTime: 1n, id, payload: NONE } as const;
    for (let i = 0; i < 100; i++) {
      for (const flags of [0, 1]) pool.tell({ ...response, from: `nobody${i}`, flags });
    }
    pool.tell({ ...response, from: "other", flags: 0 });
    pool.serf.expire(2000);
    const results = pool.serf.drain().filter((action) => action.kind === "query-result");
    expect(results).toMatchObject([{ result: { acks: new Set(), silent: new Set(["me"]) } }]);
    const [result] = results;
    expect(result?.kind === "query-result" ? [...result.result.answers.keys()] : []).toEqual([
      "other",
    ]);
  });
});

function query(lTime: bigint, id: number): SerfMessage {
  const to = { addr: Uint8Array.of(10, 0, 0, 2), port: 4648, sourceNode: "other" };
  const how = { filters: null, flags: 0, relayFactor: 0, timeoutNs: 1_000_000_000n };
  return { kind: "query", lTime, id, ...to, ...how, name: "q", payload: null };
}
