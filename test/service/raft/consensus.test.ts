/** A running Raft server among others that are played: reads in rounds, and snapshots. */
import { expect, test } from "bun:test";
import { RaftStore } from "../../../src/host/raft-store.ts";
import { createPrng } from "../../../src/protocol/prng.ts";
import { RAFT } from "../../../src/protocol/raft/config.ts";
import type { RaftAnswer, RaftCall, RaftServer } from "../../../src/protocol/raft/message.ts";
import { Consensus } from "../../../src/service/raft/consensus.ts";
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
  readonly #held: (() => void)[] = [];
  hold = false;

  send(
    _to: RaftServer,
    _lane: string,
    call: RaftCall,
    _data: Uint8Array,
    settle: (answer: RaftAnswer | undefined) => void,
  ): void {
    if (call.kind === "append-entries" && call.entries === undefined) this.heartbeats += 1;
    if (this.silent) return;
    const answer = (): void => settle(yes(call));
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

async function leader(store = new RaftStore(undefined)) {
  const [others, clock, machine] = [new Others(), new ManualClock(), new StateMachine()];
  const consensus = new Consensus({
    self: { id: "a", address: "a:1" },
    config: { ...RAFT, trailingEntries: 2 },
    store,
    transport: others,
    machine,
    clock,
    prng: createPrng(1),
    log: silent,
    snapshotThreshold: 1e9,
    onRole: () => undefined,
    onLeader: () => undefined,
  });
  consensus.bootstrap({ servers: SERVERS });
  consensus.start();
  await clock.advance(2500);
  expect(consensus.role).toBe("leader");
  return { consensus, others, clock, machine, store };
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

test("a snapshot that cannot be written costs nothing of the log", async () => {
  const store = new RaftStore(undefined);
  const { consensus } = await leader(store);
  for (let i = 0; i < 10; i++) void consensus.apply(new Uint8Array([0xff, i]));
  const index = await consensus.barrier();
  store.saveSnapshot = () => {
    throw new Error("no space left on device");
  };
  const before = store.load().entries.length;
  expect(() => consensus.snapshot()).toThrow("raft is shutdown");
  expect(consensus.broken).toContain("no space left");
  expect(store.load().entries).toHaveLength(before);
  expect(store.load().entries.at(-1)?.index).toBe(index);
  consensus.stop();
});
