/** A running Raft server among others that are played: reads in rounds, and snapshots. */
import { expect, test } from "bun:test";
import type { Log } from "../../../src/host/host.ts";
import { RaftStore, type StoredRaft } from "../../../src/host/raft-store.ts";
import { createPrng } from "../../../src/protocol/prng.ts";
import { RAFT } from "../../../src/protocol/raft/config.ts";
import {
  EntryType,
  type LogEntry,
  type RaftAnswer,
  type RaftCall,
  type RaftServer,
  type Sender,
} from "../../../src/protocol/raft/message.ts";
import { Consensus } from "../../../src/service/raft/consensus.ts";
import type { Applied } from "../../../src/service/raft/proposals.ts";
import type { RunnerInit } from "../../../src/service/raft/runner.ts";
import {
  AUTOPILOT_DEFAULTS,
  autopilotCommand,
  restoreCommand,
} from "../../../src/state/command.ts";
import { STATE_FORMAT } from "../../../src/state/format.ts";
import { StateMachine } from "../../../src/state/state-machine.ts";
import { silent } from "../../silent.ts";
import { ManualClock, settle } from "../manual-clock.ts";

const SERVERS = ["a", "b", "c"].map((id): RaftServer => {
  return { id, address: `${id}:1`, suffrage: "voter" };
});

/** The others say yes to everything, unless they are silent. */
class Others {
  heartbeats = 0;
  silent = false;
  /** What they say their term is; undefined: the caller's. */
  term: number | undefined;
  readonly #held: (() => void)[] = [];
  hold = false;
  /** Lanes that are not answered. */
  readonly stuck = new Set<string>();
  readonly calls: { readonly to: string; readonly lane: string; readonly at: number }[] = [];
  now = (): number => 0;

  send(
    to: RaftServer,
    lane: string,
    call: RaftCall,
    _data: Uint8Array,
    settle: (answer: RaftAnswer | undefined) => void,
  ): void {
    if (call.kind === "append-entries" && call.entries === undefined) this.heartbeats += 1;
    this.calls.push({ to: to.id, lane, at: this.now() });
    if (this.silent || this.stuck.has(lane)) return;
    const said = yes(call);
    const { term } = this;
    const lied = term !== undefined && "term" in said ? { ...said, term } : said;
    const answer = (): void => settle(lied);
    if (this.hold) this.#held.push(answer);
    else queueMicrotask(answer);
  }

  close(): void {}

  releaseFirst(count: number): void {
    for (const answer of this.#held.splice(0, count)) answer();
  }

  release(): void {
    this.hold = false;
    for (const answer of this.#held.splice(0)) answer();
  }
}

function yes(call: RaftCall): RaftAnswer {
  switch (call.kind) {
    case "append-entries": {
      const lastIndex = call.prevIndex;
      return { kind: call.kind, term: call.term, lastIndex, success: true, noRetryBackoff: false };
    }
    case "request-vote":
    case "request-pre-vote":
      return { kind: call.kind, term: call.term, granted: true };
    case "install-snapshot":
      return { kind: call.kind, term: call.term, success: true };
    case "timeout-now":
      return { kind: call.kind };
  }
}

function partsOf(store = new RaftStore(undefined)): RunnerInit {
  return {
    self: { id: "a", address: "a:1" },
    config: { ...RAFT, trailingEntries: 2 },
    store,
    transport: new Others(),
    machine: new StateMachine(),
    clock: new ManualClock(),
    prng: createPrng(1),
    log: silent,
    snapshotThreshold: 1e9,
    onRole: () => undefined,
    onLeader: () => undefined,
  };
}

async function leader(changes: Partial<RunnerInit> = {}) {
  const [others, clock, machine] = [new Others(), new ManualClock(), new StateMachine()];
  const { store = new RaftStore(undefined) } = changes;
  others.now = () => clock.now();
  const roles: string[] = [];
  const leaders: (string | undefined)[] = [];
  const consensus = new Consensus({
    ...partsOf(store),
    transport: others,
    machine,
    clock,
    onRole: (role) => roles.push(role),
    onLeader: (one) => leaders.push(one?.id),
    ...changes,
  });
  consensus.bootstrap({ servers: SERVERS });
  consensus.start();
  await clock.advance(2510); // At no time at which the leader speaks by itself.
  expect(consensus.role).toBe("leader");
  return { consensus, others, clock, machine, store, roles, leaders };
}

const command = (i: number): Uint8Array => new Uint8Array([0xff, i]);

function failing(message: string): () => never {
  return () => {
    throw new Error(message);
  };
}

/** A log that keeps what is said at ERROR. */
function errorLog(): { log: Log; errors: string[] } {
  const errors: string[] = [];
  const log: Log = {
    ...silent,
    error: (message, fields) => errors.push(`${message} ${JSON.stringify(fields)}`),
  };
  return { log, errors };
}

test("all who ask at once share one round of heartbeats, later ones the next", async () => {
  const { consensus, others } = await leader();
  others.hold = true;
  const before = others.heartbeats;
  const first = Array.from({ length: 100 }, () => consensus.verify());
  await settle();
  expect(others.heartbeats - before).toBe(2); // One to each of the others.
  const second = Array.from({ length: 50 }, () => consensus.verify());
  await settle();
  // What is under way may have been sent before they asked: it does not count for them.
  expect(others.heartbeats - before).toBe(2);
  others.release();
  const indexes = await Promise.all([...first, ...second]);
  expect(others.heartbeats - before).toBe(4);
  expect(new Set(indexes).size).toBe(1);
  consensus.stop();
});

test("nobody is told that we lead once a majority is silent", async () => {
  const { consensus, others, clock } = await leader();
  others.silent = true;
  const asked = [consensus.verify(), consensus.verify()].map((one) =>
    one.then(
      () => "we lead",
      (error: Error) => error.message,
    ),
  );
  await clock.advance(RAFT.leaderLeaseMs * 2 + 100);
  expect(await Promise.all(asked)).toEqual([
    "leadership lost while committing log",
    "leadership lost while committing log",
  ]);
  await expect(consensus.verify()).rejects.toThrow("node is not the leader");
  consensus.stop();
});

test("held up for longer than its lease, it hears the answers that wait before it judges", async () => {
  const { consensus, others, clock } = await leader();
  others.hold = true;
  await clock.advance(250);
  clock.stall(RAFT.leaderLeaseMs + 200);
  // Timers come first, as in any event loop; what has come in meanwhile comes after them.
  await clock.advance(0);
  expect(consensus.role).toBe("leader");
  others.release();
  await clock.advance(2000);
  expect(consensus.role).toBe("leader");
  consensus.stop();
});

/** What is proposed in one turn of the loop is written at its end. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

test("what a leader had in its log when another one came is told by that one", async () => {
  const { consensus, others, clock } = await leader();
  const { term, lastIndex, lastTerm } = consensus.stats();
  others.hold = true;
  const told = [1, 2].map((i) =>
    consensus.apply(command(i)).then(
      ({ index }) => index - lastIndex,
      (error: Error) => error.message,
    ),
  );
  await turn();
  expect(consensus.stats().lastIndex).toBe(lastIndex + 2);
  // The next one has the first of the two, commits it, and writes something else after it.
  const from = { id: "b", address: "b:1" };
  const entry = (index: number, itsTerm: number): LogEntry => {
    const data = command(index - lastIndex);
    return { index, term: itsTerm, type: EntryType.command, data, appendedAtMs: undefined };
  };
  const call: RaftCall = {
    ...{ kind: "append-entries", from, term: term + 1, prevIndex: lastIndex, prevTerm: lastTerm },
    commitIndex: lastIndex + 2,
    entries: [entry(lastIndex + 1, term), entry(lastIndex + 2, term + 1)],
  };
  expect(await consensus.receive(call, new Uint8Array(0))).toMatchObject({ success: true });
  expect(await Promise.all(told)).toEqual([1, "leadership lost while committing log"]);
  await clock.advance(1);
  consensus.stop();
});

test("... and what nobody tells of is lost after two seconds", async () => {
  const { consensus, others, clock } = await leader();
  others.silent = true;
  let told = "";
  void consensus.apply(command(1)).catch((error: Error) => {
    told = error.message;
  });
  await turn();
  await clock.advance(RAFT.leaderLeaseMs * 2 + 100);
  expect([consensus.role === "leader", told]).toEqual([false, ""]);
  await clock.advance(2000);
  expect(told).toBe("leadership lost while committing log");
  expect(consensus.stats().pending).toBe(0);
  consensus.stop();
});

test("... and steps down when there are none", async () => {
  const { consensus, others, clock } = await leader();
  others.hold = true;
  await clock.advance(250);
  clock.stall(RAFT.leaderLeaseMs + 200);
  await clock.advance(5);
  expect(consensus.role).toBe("follower");
  consensus.stop();
});

test("an answer to what was sent before a read proves nothing to it, however late it comes", async () => {
  const { consensus, others, clock } = await leader();
  others.hold = true;
  await clock.advance(250);
  let verified = false;
  void consensus.verify().then(
    () => {
      verified = true;
    },
    () => undefined,
  );
  await settle();
  const sent = others.heartbeats;
  expect(sent).toBeGreaterThan(2);
  others.releaseFirst(2);
  await settle();
  expect(verified).toBe(false);
  others.release();
  await settle();
  expect(verified).toBe(true);
  consensus.stop();
});

test("a snapshot for an operator is of all that is applied, and the log forgets behind it", async () => {
  const { consensus, store, machine } = await leader();
  for (let i = 0; i < 10; i++) void consensus.apply(new Uint8Array([0xff, i]));
  const index = await consensus.barrier();
  const { meta } = consensus.snapshot();
  expect(meta.index).toBe(index);
  expect(meta.configuration.servers).toEqual(SERVERS);
  expect(store.load().entries.map((one) => one.index)).toEqual([index - 1, index]);
  expect(machine.index).toBe(index);
  // Nothing new: the same one again.
  expect(consensus.snapshot().meta).toEqual(meta);
  consensus.stop();
});

test("a snapshot that cannot be written costs nothing of the log, and Raft goes on", async () => {
  const { consensus, store } = await leader();
  for (let i = 0; i < 10; i++) void consensus.apply(command(i));
  const index = await consensus.barrier();
  store.saveSnapshot = failing("no space left on device");
  const before = store.load().entries.length;
  expect(() => consensus.snapshot()).toThrow("cannot write a snapshot: no space left on device");
  expect(consensus.broken).toBeUndefined();
  expect(consensus.role).toBe("leader");
  expect(store.load().entries).toHaveLength(before);
  expect((await consensus.apply(command(1))).index).toBe(index + 1);
  consensus.stop();
});

test("a snapshot that failed is tried again, ever more seldom, until it can be written", async () => {
  const { log, errors } = errorLog();
  const store = new RaftStore(undefined);
  const save = store.saveSnapshot.bind(store);
  let tries = 0;
  store.saveSnapshot = () => {
    tries += 1;
    throw new Error("EMFILE: too many open files");
  };
  const { consensus, clock } = await leader({ store, log, snapshotThreshold: 5 });
  for (let i = 0; i < 20; i++) {
    await consensus.apply(command(i));
    await settle();
  }
  expect(tries).toBe(1);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toContain("EMFILE");
  await clock.advance(10_000);
  expect(tries).toBe(2);
  await clock.advance(15_000);
  expect(tries).toBe(2);
  await clock.advance(5000);
  expect(tries).toBe(3);
  store.saveSnapshot = save;
  await clock.advance(40_000);
  expect(store.snapshot?.meta.index).toBe(consensus.stats().appliedIndex);
  expect(consensus.broken).toBeUndefined();
  expect(consensus.role).toBe("leader");
  consensus.stop();
});

test("a log that cannot forget yet behind a snapshot is no reason to stop", async () => {
  const { consensus, store } = await leader();
  for (let i = 0; i < 10; i++) await consensus.apply(command(i));
  const forget = store.forget.bind(store);
  store.forget = failing("no space left on device");
  expect(consensus.snapshot().meta.index).toBe(consensus.stats().appliedIndex);
  expect(consensus.broken).toBeUndefined();
  store.forget = forget;
  await consensus.apply(command(1));
  consensus.snapshot();
  expect(store.load().entries.length).toBeLessThan(4);
  consensus.stop();
});

test("a leader whose disk fails is a follower to everybody, and knows who leads next", async () => {
  const { consensus, store, clock, roles, leaders } = await leader();
  store.persist = failing("no space left on device");
  const waiting = [consensus.apply(command(1)), consensus.change({ kind: "remove", id: "c" })];
  const heard = await Promise.allSettled([...waiting, consensus.verify()]);
  expect(heard.map((one) => one.status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(consensus.broken).toBe("no space left on device");
  expect([consensus.role, consensus.leader]).toEqual(["follower", undefined]);
  expect([roles.at(-1), leaders.at(-1)]).toEqual(["follower", undefined]);
  // Refused at once, not when a timer runs out.
  await expect(consensus.change({ kind: "remove", id: "c" })).rejects.toThrow("raft is shutdown");
  await expect(consensus.verify()).rejects.toThrow("raft is shutdown");
  await expect(consensus.apply(command(1))).rejects.toThrow("node is not the leader");
  expect(() => consensus.transfer("b")).toThrow("raft is shutdown");
  expect(() => consensus.snapshot()).toThrow("raft is shutdown");
  // The next leader's heartbeats are not answered, but heard.
  const from = { id: "b", address: "b:1" };
  const { term } = consensus.stats();
  const heartbeat = (term: number, from: Sender): RaftCall => ({
    ...{ kind: "append-entries", from, term, prevIndex: 0, prevTerm: 0, commitIndex: 0 },
    entries: undefined,
  });
  expect(await consensus.receive(heartbeat(term + 1, from), command(0))).toBe("raft is shutdown");
  expect(consensus.leader).toEqual(from);
  expect(leaders.at(-1)).toBe("b");
  await consensus.receive(heartbeat(term, { id: "c", address: "c:1" }), command(0));
  expect(consensus.leader).toEqual(from);
  await clock.advance(1000);
  expect(consensus.leader).toEqual(from);
  // It does not keep up, and says so; a leader that is silent is none.
  expect(consensus.stats().lastContactMs).toBeGreaterThanOrEqual(1000);
  await clock.advance(60_000);
  expect(consensus.leader).toBeUndefined();
  expect(consensus.role).toBe("follower");
  consensus.stop();
});

test("a follower whose disk fails answers no call any more, and keeps its leader", async () => {
  const { consensus, store } = await leader();
  const { term, lastIndex } = consensus.stats();
  const from = { id: "b", address: "b:1" };
  const call: RaftCall = {
    ...{ kind: "append-entries", from, term: term + 1, prevIndex: lastIndex, prevTerm: term },
    ...{ commitIndex: lastIndex, entries: [] },
  };
  expect(await consensus.receive(call, command(0))).toMatchObject({ success: true });
  store.persist = failing("disk I/O error");
  const data = command(1);
  const entry = { index: lastIndex + 1, term: term + 1, type: 0, data, appendedAtMs: undefined };
  expect(await consensus.receive({ ...call, entries: [entry] }, data)).toBe("raft is shutdown");
  expect(consensus.broken).toBe("disk I/O error");
  expect(consensus.leader).toEqual(from);
  consensus.stop();
});

test("a leader's snapshot that cannot be saved ends Raft here: the log behind it is gone", async () => {
  const { consensus, store, machine } = await leader();
  const { term, lastIndex } = consensus.stats();
  const before = machine.index;
  store.saveSnapshot = failing("no space left on device");
  const meta = { index: lastIndex + 50, term: term + 1, configurationIndex: 1 };
  const from = { id: "b", address: "b:1" };
  const configuration = { servers: SERVERS };
  const call: RaftCall = {
    ...{ kind: "install-snapshot", from, term: term + 1 },
    meta: { ...meta, configuration },
  };
  expect(await consensus.receive(call, new StateMachine().snapshot())).toBe("raft is shutdown");
  expect(consensus.broken).toBe("no space left on device");
  expect(machine.index).toBe(before);
  consensus.stop();
});

/** As a later release of ours writes them: a record that we do not know, a type that we do not. */
function ofLaterRelease() {
  const image = new StateMachine().snapshot();
  const at = new TextDecoder("latin1").decode(image).indexOf("Version") + "Version".length;
  return { image: image.with(at, STATE_FORMAT + 1), command: new Uint8Array([111, 0x80]) };
}

test("a leader's snapshot of a later release ends Raft here, and replaces nothing", async () => {
  const { log, errors } = errorLog();
  const { consensus, store, machine } = await leader({ log });
  const kept = consensus.snapshot();
  const { term, lastIndex } = consensus.stats();
  const from = { id: "b", address: "b:1" };
  const meta = { index: lastIndex + 50, term: term + 1, configurationIndex: 1 };
  const call: RaftCall = {
    ...{ kind: "install-snapshot", from, term: term + 1 },
    meta: { ...meta, configuration: { servers: SERVERS } },
  };
  expect(await consensus.receive(call, ofLaterRelease().image)).toBe("raft is shutdown");
  expect(consensus.broken).toContain(
    "a leader's snapshot cannot be read: it was written by a later",
  );
  expect(errors.join()).toContain("it is too old for its group");
  expect(machine.index).toBe(kept.meta.index);
  expect(store.snapshot).toEqual(kept);
  consensus.stop();
});

test("an entry of a later release stops Raft before it, here and at the next start", async () => {
  const { log, errors } = errorLog();
  const older = (format: number): string | undefined => (format > STATE_FORMAT ? "us" : undefined);
  const init = { ...partsOf(), log, olderThan: older };
  const consensus = new Consensus(init);
  const from = { id: "b", address: "b:1" };
  const entry = { index: 1, term: 1, type: EntryType.command, appendedAtMs: undefined };
  const entries = [{ ...entry, data: ofLaterRelease().command }];
  const call: RaftCall = {
    ...{ kind: "append-entries", from, term: 1, prevIndex: 0, prevTerm: 0, commitIndex: 1 },
    entries,
  };
  await consensus.receive(call, new Uint8Array(0));
  expect(consensus.broken).toContain("entry 1 (message type 111) was written by a later release");
  expect(errors.join()).toContain("upgrade this server, then restart it");
  expect(consensus.stats().snapshotIndex).toBe(0);
  expect(() => consensus.snapshot()).toThrow("raft is shutdown");

  const again = { ...partsOf(), olderThan: older };
  again.store.load = () => ({ ...partsOf().store.load(), entries });
  expect(() => new Consensus(again)).toThrow(
    "the Raft log cannot be read: entry 1 (message type 111)",
  );
  // Beside servers of other kinds what only they know is passed over.
  expect(() => new Consensus({ ...partsOf(), store: again.store })).not.toThrow();
});

test("a leader writes nothing that a server of its group would lose", async () => {
  const asked: number[] = [];
  const { consensus } = await leader({
    olderThan: (format) => {
      asked.push(format);
      return format > 1 ? "s2.global" : undefined;
    },
  });
  await consensus.apply(autopilotCommand({ Config: AUTOPILOT_DEFAULTS }));
  const restore = consensus.apply(restoreCommand(ofLaterRelease().image));
  await expect(restore).rejects.toThrow(
    "server s2.global runs a release that cannot keep this yet: upgrade every server of the region",
  );
  expect(asked).toEqual([1, STATE_FORMAT + 1]);
  consensus.stop();
});

test("a bug in what is done for Raft is no failure of the disk, and ends the process", async () => {
  const { log, errors } = errorLog();
  const broken = (): never => {
    throw new TypeError("undefined is not a function");
  };
  const { consensus, clock, store } = await leader({ log });
  store.persist = broken;
  // Whoever asked may catch it: it comes up again where nobody can.
  const asked = consensus.change({ kind: "remove", id: "c" });
  await expect(asked).rejects.toThrow("undefined is not a function");
  await expect(clock.advance(1)).rejects.toThrow("undefined is not a function");
  expect(consensus.broken).toBeUndefined();
  expect(errors).toEqual([]);
  await expect(leader({ log, onRole: broken })).rejects.toThrow("undefined is not a function");
  expect(errors).toEqual([]);
});

test("each caller hears what became of its own entry, however many are one batch", async () => {
  const { consensus, machine } = await leader();
  const before = { ...AUTOPILOT_DEFAULTS };
  const { index } = await consensus.apply(autopilotCommand({ Config: before }));
  const ModifyIndex = BigInt(index);
  const swap = (MinQuorum: number): Promise<Applied> => {
    return consensus.apply(
      autopilotCommand({ CAS: true, Config: { ...before, MinQuorum, ModifyIndex } }),
    );
  };
  const set = (MinQuorum: number): Promise<Applied> => {
    return consensus.apply(autopilotCommand({ Config: { ...before, MinQuorum } }));
  };
  const answers = await Promise.all([
    swap(3),
    swap(5),
    set(7),
    set(9),
    consensus.apply(command(0)),
  ]);
  expect(answers.map((one) => one.outcome)).toEqual([
    ...(["applied", "refused", "applied", "applied", "skipped"] as const),
  ]);
  expect(answers.map((one) => one.index - index)).toEqual([1, 2, 3, 4, 5]);
  expect(machine.autopilot?.MinQuorum).toBe(9);
  consensus.stop();
});

test("a term that no honest server can have reached moves nobody, asked or answered", async () => {
  const { consensus, others, clock } = await leader();
  const { term } = consensus.stats();
  const from = { id: "b", address: "b:1" };
  const vote = (high: number): RaftCall => {
    return { kind: "request-vote", from, term: high, lastIndex: 99, lastTerm: 9, transfer: true };
  };
  const far = term + 2 ** 33;
  expect(await consensus.receive(vote(far), command(0))).toBeUndefined();
  others.term = far;
  await clock.advance(3000);
  expect([consensus.role, consensus.stats().term]).toEqual(["candidate", term]);
  others.term = undefined;
  await clock.advance(5000);
  expect(consensus.role).toBe("leader");
  const { term: next } = consensus.stats();
  expect(await consensus.receive(vote(next + 7), command(0))).toMatchObject({ term: next + 7 });
  consensus.stop();
});

test("a server that knows nothing yet believes the group that takes it in", async () => {
  const high = 2 ** 40;
  const consensus = new Consensus(partsOf());
  const from = { id: "b", address: "b:1" };
  const call: RaftCall = {
    ...{ kind: "append-entries", from, term: high, prevIndex: 0, prevTerm: 0, commitIndex: 0 },
    entries: [],
  };
  expect(await consensus.receive(call, command(0))).toMatchObject({ term: high, success: true });
  consensus.stop();
});

test("a disk that names impossible terms or indexes is refused at start", async () => {
  const entry = { index: 1, term: 1, type: 0, data: command(0), appendedAtMs: undefined };
  const state = { term: 1, votedTerm: 1, votedFor: "a:1" };
  const stored = { state, entries: [entry], snapshot: undefined, warning: undefined };
  const bad: readonly StoredRaft[] = [
    { ...stored, state: { ...state, term: 2 ** 63 } },
    { ...stored, state: { ...state, votedTerm: -1 } },
    { ...stored, entries: [{ ...entry, term: 2 ** 53 }] },
    { ...stored, entries: [{ ...entry, index: 2 ** 60 }] },
    { ...stored, entries: [{ ...entry, term: 1.5 }] },
  ];
  for (const one of bad) {
    const store = new RaftStore(undefined);
    store.load = () => one;
    expect(() => new Consensus(partsOf(store))).toThrow(/the Raft log is damaged: it has /);
  }
});

test("an idle leader speaks to all at once, ten times a second, and heartbeats need not be", async () => {
  const { consensus, others, clock } = await leader();
  await clock.advance(1000);
  others.calls.length = 0;
  await clock.advance(10_000);
  expect(new Set(others.calls.map((one) => one.lane))).toEqual(new Set(["replicate"]));
  const times = (id: string): number[] =>
    others.calls.filter((one) => one.to === id).map((one) => one.at);
  expect(times("b")).toEqual(times("c"));
  // A clock of a test is never late, so that it is more often here than with a real one.
  const gaps = times("b").map((at, i, all) => at - (all[i - 1] ?? at));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(100);
  expect(consensus.role).toBe("leader");
  consensus.stop();
});

test("where entries are not answered, since a disk is slow, heartbeats keep the leader", async () => {
  const { consensus, others, clock } = await leader();
  others.stuck.add("replicate");
  await clock.advance(1000);
  others.calls.length = 0;
  await clock.advance(10_000);
  const heartbeats = others.calls.filter((one) => one.lane === "heartbeat" && one.to === "b");
  expect(heartbeats.length).toBeGreaterThanOrEqual(50);
  expect(consensus.role).toBe("leader");
  others.stuck.add("heartbeat");
  await clock.advance(1000);
  expect(consensus.role).not.toBe("leader");
  consensus.stop();
});
