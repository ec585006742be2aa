/**
 * The Raft paper's rules, one test a claim ("In Search of an Understandable Consensus Algorithm",
 * figure 2 unless another section is named), on one production machine whose peers are played here.
 */
import { describe, expect, test } from "bun:test";
import { createPrng } from "../../src/protocol/prng.ts";
import type { RaftAction } from "../../src/protocol/raft/action.ts";
import { RAFT } from "../../src/protocol/raft/config.ts";
import {
  EntryType,
  type LogEntry,
  type RaftAnswer,
  type RaftCall,
} from "../../src/protocol/raft/message.ts";
import { Raft } from "../../src/protocol/raft/raft.ts";
import { codec } from "../sim/raft-world.ts";

type Persist = Extract<RaftAction, { kind: "persist" }>;
type Send = Extract<RaftAction, { kind: "send" }>;

const sender = (id: string) => ({ id, address: `${id}:1` });
const member = (id: string) => ({ ...sender(id), suffrage: "voter" as const });
const GROUP = ["a", "b", "c"].map(member);

const entry = (index: number, term: number, text = ""): LogEntry => ({
  index,
  term,
  type: EntryType.command,
  data: new TextEncoder().encode(text),
  appendedAtMs: undefined,
});
const configurationEntry: LogEntry = {
  index: 1,
  term: 1,
  type: EntryType.configuration,
  data: codec.encode({ servers: GROUP }),
  appendedAtMs: undefined,
};

/** Server "a" of three, with this log behind the first configuration. */
class Bench {
  readonly raft: Raft;
  now = 0;
  #calls = 0;

  constructor(log: readonly LogEntry[] = [], term = 1, votedTerm = 0, votedFor = "") {
    this.raft = new Raft(
      {
        self: sender("a"),
        config: RAFT,
        prng: createPrng(1),
        codec,
        stored: {
          state: { term, votedTerm, votedFor },
          entries: [configurationEntry, ...log],
          snapshot: undefined,
        },
      },
      0,
    );
  }

  /** What it does about a call, its answer last. */
  receive(call: RaftCall): { actions: readonly RaftAction[]; answer: RaftAnswer } {
    this.#calls += 1;
    this.raft.receive(call, this.#calls, this.now);
    const actions = this.raft.drain();
    const last = actions.find((one) => one.kind === "answer");
    if (last?.kind !== "answer") throw new Error("no answer");
    return { actions, answer: last.answer };
  }

  /** Time passes, and what is due is done. */
  pass(ms: number): readonly RaftAction[] {
    const end = this.now + ms;
    const actions: RaftAction[] = [];
    for (;;) {
      const at = this.raft.deadline();
      if (at === undefined || at > end) break;
      this.now = Math.max(this.now, at);
      this.raft.expire(this.now);
      actions.push(...this.raft.drain());
    }
    this.now = end;
    return actions;
  }

  /** Both peers grant whatever it asks, until it leads. */
  lead(): readonly RaftAction[] {
    let sent = sends(this.pass(2001));
    const all: RaftAction[] = [];
    for (let round = 0; round < 3 && this.raft.role !== "leader"; round++) {
      for (const { ticket, call } of sent) {
        if (call.kind !== "request-vote" && call.kind !== "request-pre-vote") continue;
        const answer = { kind: call.kind, granted: true, term: call.term } as const;
        this.raft.answered(ticket, answer, this.now);
      }
      const actions = this.raft.drain();
      all.push(...actions);
      sent = sends(actions);
    }
    return all;
  }
}

const sends = (actions: readonly RaftAction[]): Send[] =>
  actions.filter((one): one is Send => one.kind === "send");
const persists = (actions: readonly RaftAction[]): Persist[] =>
  actions.filter((one): one is Persist => one.kind === "persist");

const append = (
  term: number,
  prev: LogEntry | undefined,
  entries: LogEntry[],
  commit = 0,
): RaftCall => ({
  kind: "append-entries",
  from: sender("b"),
  term,
  prevIndex: prev?.index ?? 0,
  prevTerm: prev?.term ?? 0,
  commitIndex: commit,
  entries,
});
const vote = (term: number, lastIndex: number, lastTerm: number, from = "b"): RaftCall => ({
  kind: "request-vote",
  from: sender(from),
  term,
  lastIndex,
  lastTerm,
  transfer: true, // Past the question whether a leader is known.
});

describe("AppendEntries, receiver", () => {
  const log = [entry(2, 1), entry(3, 2)];

  test("1: replies false if term < currentTerm", () => {
    const { answer } = new Bench(log, 5).receive(append(4, log[1], []));
    expect(answer).toMatchObject({ success: false, term: 5 });
  });

  test("2: replies false if its log has no entry at prevLogIndex with prevLogTerm", () => {
    for (const prev of [entry(3, 1), entry(9, 2)]) {
      const { answer } = new Bench(log, 2).receive(append(2, prev, []));
      expect(answer).toMatchObject({ success: false, noRetryBackoff: true, lastIndex: 3 });
    }
  });

  test("3: deletes an entry that conflicts, and all that follow it", () => {
    const bench = new Bench([...log, entry(4, 2), entry(5, 2)], 3);
    const { actions } = bench.receive(append(3, log[0], [entry(3, 3)]));
    expect(persists(actions).at(-1)).toMatchObject({
      truncateFrom: 3,
      entries: [{ index: 3, term: 3 }],
    });
    expect(bench.raft.lastIndex).toBe(3);
  });

  test("3: but not when the entries are the same: a late call takes nothing back", () => {
    const bench = new Bench([...log, entry(4, 2)], 2);
    const { actions } = bench.receive(append(2, log[0], [entry(3, 2)]));
    expect(persists(actions)).toEqual([]);
    expect(bench.raft.lastIndex).toBe(4);
  });

  test("4: appends what is not there yet, on disk before it says so", () => {
    const { actions, answer } = new Bench(log, 2).receive(
      append(2, log[1], [entry(4, 2), entry(5, 2)]),
    );
    expect(answer).toMatchObject({ success: true });
    const kinds = actions.map((one) => one.kind);
    expect(kinds.indexOf("persist")).toBeLessThan(kinds.indexOf("answer"));
    expect(persists(actions)[0]?.entries.map((one) => one.index)).toEqual([4, 5]);
  });

  test("5: commits up to leaderCommit, but never beyond the last new entry", () => {
    const bench = new Bench([...log, entry(4, 1)], 2);
    const { actions } = bench.receive(append(2, log[0], [entry(3, 2)], 4));
    expect(bench.raft.commitIndex).toBe(3);
    const applied = actions.flatMap((one) => (one.kind === "apply" ? one.entries : []));
    expect(applied.map((one) => one.index)).toEqual([1, 2, 3]);
  });

  test("a committed entry is not overwritten, whoever asks", () => {
    const bench = new Bench(log, 2);
    bench.receive(append(2, log[1], [], 3));
    const { answer } = bench.receive(append(9, log[0], [entry(3, 9)]));
    expect(answer).toMatchObject({ success: false });
    expect(bench.raft.termAt(3)).toBe(2);
  });
});

describe("RequestVote, receiver", () => {
  const log = [entry(2, 2)];

  test("1: replies false if term < currentTerm", () => {
    expect(new Bench(log, 5).receive(vote(4, 9, 9)).answer).toMatchObject({
      granted: false,
      term: 5,
    });
  });

  test("2: grants one vote a term, to whoever is up to date, on disk first", () => {
    const bench = new Bench(log, 2);
    const { actions, answer } = bench.receive(vote(3, 2, 2));
    expect(answer).toMatchObject({ granted: true, term: 3 });
    expect(persists(actions).at(-1)?.state).toEqual({ term: 3, votedTerm: 3, votedFor: "b:1" });
    expect(actions.at(-1)?.kind).toBe("answer");
    expect(bench.receive(vote(3, 2, 2)).answer).toMatchObject({ granted: true });
    expect(bench.receive(vote(3, 9, 3, "c")).answer).toMatchObject({ granted: false });
  });

  test("a vote is remembered over a restart", () => {
    const again = new Bench(log, 3, 3, "b:1");
    expect(again.receive(vote(3, 9, 3, "c")).answer).toMatchObject({ granted: false });
    expect(again.receive(vote(3, 2, 2)).answer).toMatchObject({ granted: true });
  });

  test("§5.4.1: up to date is the later last term, then the longer log", () => {
    const longer = [entry(2, 2), entry(3, 2)];
    const cases = [
      [9, 1, false],
      [2, 2, false],
      [3, 2, true],
      [1, 3, true],
    ] as const;
    for (const [lastIndex, lastTerm, granted] of cases) {
      const { answer } = new Bench(longer, 2).receive(vote(5, lastIndex, lastTerm));
      expect([lastIndex, lastTerm, Object(answer).granted]).toEqual([lastIndex, lastTerm, granted]);
    }
  });

  test("§6: whoever hears from a leader does not vote against it", () => {
    const bench = new Bench(log, 2);
    bench.receive(append(2, log[0], []));
    const { actions, answer } = bench.receive({ ...Object(vote(9, 9, 9, "c")), transfer: false });
    expect(answer).toMatchObject({ granted: false, term: 2 });
    expect(persists(actions)).toEqual([]);
  });
});

describe("all servers", () => {
  test("a newer term in a call makes a follower of it, on disk", () => {
    const bench = new Bench();
    bench.lead();
    const { actions } = bench.receive(append(9, configurationEntry, []));
    expect(bench.raft.role).toBe("follower");
    expect(persists(actions)[0]?.state?.term).toBe(9);
  });

  test("a newer term in an answer does, too", () => {
    const bench = new Bench();
    const [first] = sends(bench.lead()).filter((one) => one.lane === "replicate");
    const answer = {
      kind: "append-entries",
      term: 9,
      lastIndex: 0,
      success: false,
      noRetryBackoff: false,
    } as const;
    bench.raft.answered(first?.ticket ?? 0, answer, bench.now);
    expect([bench.raft.role, bench.raft.term]).toEqual(["follower", 9]);
  });
});

describe("followers and candidates", () => {
  test("without a leader's word it asks for votes within twice the timeout, not before one", () => {
    const bench = new Bench();
    expect(sends(bench.pass(999))).toEqual([]);
    const asked = sends(bench.pass(1002)).map((one) => one.call.kind);
    expect(asked).toEqual(["request-pre-vote", "request-pre-vote"]);
  });

  test("a leader's word moves the timeout", () => {
    const bench = new Bench();
    for (let i = 0; i < 10; i++) {
      bench.receive(append(1, configurationEntry, []));
      expect(sends(bench.pass(500))).toEqual([]);
    }
  });

  test("whom a leader has just told of itself gives no vote to others (thesis, §4.2.3)", () => {
    const asks = (kind: "request-pre-vote" | "request-vote"): RaftCall => {
      const call = { from: sender("c"), term: 5, lastIndex: 9, lastTerm: 4 };
      return kind === "request-vote" ? { ...call, kind, transfer: false } : { ...call, kind };
    };
    for (const kind of ["request-pre-vote", "request-vote"] as const) {
      const bench = new Bench();
      bench.receive(append(1, configurationEntry, []));
      bench.pass(999);
      expect(bench.receive(asks(kind)).answer).toMatchObject({ granted: false });
      expect(bench.raft.term).toBe(1);
      // Not heard for the shortest timeout: gone, whenever our own timer fires.
      bench.now += 1;
      expect(bench.receive(asks(kind)).answer).toMatchObject({ granted: true });
    }
  });

  test("a question is not an election: the term stays until a majority would vote", () => {
    const bench = new Bench();
    const actions = bench.pass(20_000);
    expect(persists(actions)).toEqual([]);
    expect(bench.raft.term).toBe(1);
  });

  test("an election: a new term, a vote for itself, on disk before anybody is asked", () => {
    const bench = new Bench();
    const actions = bench.lead();
    const kinds = actions.map((one) => (one.kind === "send" ? one.call.kind : one.kind));
    expect(kinds.indexOf("persist")).toBeLessThan(kinds.indexOf("request-vote"));
    expect(persists(actions)[0]?.state).toEqual({ term: 2, votedTerm: 2, votedFor: "a:1" });
    expect(bench.raft.role).toBe("leader");
  });

  test("a candidate follows whoever leads its term", () => {
    const bench = new Bench();
    bench.pass(2001);
    bench.receive(append(1, configurationEntry, []));
    expect([bench.raft.role, bench.raft.leader?.id]).toEqual(["follower", "b"]);
  });
});

describe("leaders", () => {
  const accept = (bench: Bench, send: Send): void => {
    const { call, ticket } = send;
    if (call.kind !== "append-entries") return;
    const answer = {
      kind: call.kind,
      term: call.term,
      lastIndex: 0,
      success: true,
      noRetryBackoff: false,
    } as const;
    bench.raft.answered(ticket, answer, bench.now);
  };
  const replicates = (actions: readonly RaftAction[], to = "b"): Send[] =>
    sends(actions).filter((one) => one.lane === "replicate" && one.to.id === to);

  test("sends heartbeats at once, and again and again", () => {
    const bench = new Bench();
    const first = sends(bench.lead()).filter((one) => one.lane === "heartbeat");
    expect(first.map((one) => one.to.id).sort()).toEqual(["b", "c"]);
    for (const one of first) accept(bench, one);
    const later = sends(bench.pass(250)).filter((one) => one.lane === "heartbeat");
    expect(later.length).toBeGreaterThan(0);
  });

  test("a command is in its own log, on disk, before it goes to others", () => {
    const bench = new Bench();
    for (const one of replicates(bench.lead())) accept(bench, one);
    bench.raft.drain();
    bench.raft.propose([{ type: 0, data: Uint8Array.of(1), appendedAtMs: 0 }], bench.now);
    const kinds = bench.raft.drain().map((one) => one.kind);
    expect(kinds.indexOf("persist")).toBe(0);
    expect(kinds).toContain("send");
  });

  test("it is committed when a majority has it, and not before", () => {
    const bench = new Bench();
    const [noop] = replicates(bench.lead());
    expect(bench.raft.commitIndex).toBe(0);
    if (noop !== undefined) accept(bench, noop);
    expect(bench.raft.commitIndex).toBe(0); // The first call was a question of where to begin.
    for (const one of replicates(bench.raft.drain())) accept(bench, one);
    expect(bench.raft.commitIndex).toBe(2);
  });

  test("§5.4.2: entries of earlier terms are committed only by one of its own behind them", () => {
    const old = [entry(2, 1), entry(3, 1)];
    const bench = new Bench(old);
    const [first] = replicates(bench.lead());
    // The follower has everything but the new leader's own entry.
    if (first?.call.kind !== "append-entries") throw new Error("no call");
    expect(first.call.prevIndex).toBe(3);
    expect(first.call.entries).toEqual([]);
    accept(bench, first);
    expect(bench.raft.commitIndex).toBe(0);
    for (const one of replicates(bench.raft.drain())) accept(bench, one);
    expect(bench.raft.commitIndex).toBe(4);
  });

  test("a follower that lacks entries gets earlier ones, until they fit", () => {
    const bench = new Bench([entry(2, 1), entry(3, 1)]);
    const [first] = replicates(bench.lead());
    const refused = {
      kind: "append-entries",
      term: 2,
      lastIndex: 1,
      success: false,
      noRetryBackoff: true,
    } as const;
    bench.raft.answered(first?.ticket ?? 0, refused, bench.now);
    const [next] = replicates(bench.raft.drain());
    if (next?.call.kind !== "append-entries") throw new Error("no call");
    expect(next.call.prevIndex).toBe(1);
    expect(next.call.entries?.map((one) => one.index)).toEqual([2, 3, 4]);
  });

  test("§6.2 of the dissertation: without a majority it steps down within its lease", () => {
    const bench = new Bench();
    bench.lead();
    bench.pass(RAFT.leaderLeaseMs + 100);
    expect(bench.raft.role).toBe("follower");
  });

  test("§4.1 of the dissertation: one change of members at a time", () => {
    const bench = new Bench();
    const early = bench.raft.change({ kind: "remove", id: "c" }, 0);
    expect(early).toBe("not-leader");
    const [first] = replicates(bench.lead());
    if (first !== undefined) accept(bench, first);
    expect(bench.raft.change({ kind: "remove", id: "c" }, bench.now)).toBe("change-in-progress");
    for (const one of replicates(bench.raft.drain())) accept(bench, one);
    expect(bench.raft.change({ kind: "remove", id: "c" }, bench.now)).toBe(3);
    expect(bench.raft.configuration.latest.servers.map((one) => one.id)).toEqual(["a", "b"]);
    const second = { kind: "add-nonvoter", id: "d", address: "d:1" } as const;
    expect(bench.raft.change(second, bench.now)).toBe("change-in-progress");
  });
});
