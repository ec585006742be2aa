/** A server with a good certificate that says anything at all: no call and no answer is a crash. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createPrng } from "../../src/protocol/prng.ts";
import type { RaftAction } from "../../src/protocol/raft/action.ts";
import { RAFT } from "../../src/protocol/raft/config.ts";
import {
  EntryType,
  type LogEntry,
  type RaftAnswer,
  type RaftCall,
  type RaftServer,
} from "../../src/protocol/raft/message.ts";
import { Raft } from "../../src/protocol/raft/raft.ts";
import { configurationCodec, encodeCall, toCall } from "../../src/wire/raft-codec.ts";
import { decodeRaftRequest } from "../../src/wire/raft-message.ts";

const SERVERS = ["a", "b", "c"].map((id): RaftServer => {
  return { id, address: `${id}:1`, suffrage: "voter" };
});
const number = fc.oneof(
  { weight: 9, arbitrary: fc.nat(12) },
  { weight: 1, arbitrary: fc.constantFrom(2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER) },
);
const from = fc.constantFrom("b", "c", "d").map((id) => ({ id, address: `${id}:1` }));
const group = fc
  .subarray([...SERVERS, { id: "d", address: "d:1", suffrage: "nonvoter" } as const])
  .map((servers) => ({ servers }));
const data = fc.oneof(
  group.map((one) => configurationCodec.encode(one)),
  fc.uint8Array({ maxLength: 4 }),
);
const type = fc.constantFrom(...Object.values(EntryType), 9);

/** Entries mostly go on from where the call begins, as they have to. */
const append = fc
  .record({
    ...{ from, term: number, prevIndex: number, prevTerm: number, commitIndex: number },
    heartbeat: fc.boolean(),
    made: fc.array(fc.record({ type, data, gap: fc.nat(20), rise: fc.nat(2) }), { maxLength: 4 }),
  })
  .map(({ heartbeat, made, ...call }): RaftCall => {
    let term = call.prevTerm;
    const entries = made.map(({ gap, rise, ...one }, i): LogEntry => {
      term += rise;
      const index = call.prevIndex + 1 + i + (gap === 20 ? 1 : 0);
      return { ...one, index, term, appendedAtMs: undefined };
    });
    const { term: said } = call;
    const high = Math.max(said, term);
    return {
      kind: "append-entries",
      ...call,
      term: high,
      entries: heartbeat ? undefined : entries,
    };
  });
const vote = fc.record({ from, term: number, lastIndex: number, lastTerm: number });
const meta = fc.record({
  ...{ index: number, term: number, configurationIndex: number },
  configuration: group,
});
const call: fc.Arbitrary<RaftCall> = fc.oneof(
  { weight: 5, arbitrary: append },
  vote.map((one) => ({ kind: "request-pre-vote", ...one }) as const),
  fc
    .record({ vote, transfer: fc.boolean() })
    .map((one) => ({ kind: "request-vote", ...one.vote, transfer: one.transfer }) as const),
  fc
    .record({ from, term: number, meta })
    .map((one) => ({ kind: "install-snapshot", ...one }) as const),
  from.map((one) => ({ kind: "timeout-now", from: one }) as const),
);

const COMMAND = { type: EntryType.command, data: new Uint8Array(1), appendedAtMs: 1 };

type Step =
  | { readonly kind: "call"; readonly call: RaftCall }
  | {
      readonly kind: "answer";
      readonly which: number;
      readonly term: number;
      readonly index: number;
      readonly yes: boolean;
    }
  | { readonly kind: "fail"; readonly which: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "propose" | "snapshot" | "verify" };

/** -1: the term that was asked with; a group is led only if most say what honest ones say. */
const answered = fc.oneof({ weight: 6, arbitrary: fc.constant(-1) }, number);
const mostly = fc.nat(4).map((one) => one > 0);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: call.map((one) => ({ kind: "call", call: one }) as const) },
  {
    weight: 6,
    arbitrary: fc
      .record({ which: fc.nat(3), term: answered, index: number, yes: mostly })
      .map((one) => ({ kind: "answer", ...one }) as const),
  },
  fc.nat(3).map((which) => ({ kind: "fail", which }) as const),
  { weight: 3, arbitrary: fc.nat(1500).map((ms) => ({ kind: "wait", ms }) as const) },
  fc.constantFrom("propose", "snapshot", "verify").map((kind) => ({ kind }) as const),
);

/** What our decoder lets through of it. */
function heard(said: RaftCall): RaftCall | undefined {
  const read = decodeRaftRequest(encodeCall(said, 0));
  if (read.kind !== "request") return undefined;
  const made = toCall(read.request);
  return typeof made === "object" ? made.call : undefined;
}

class Victim {
  readonly raft: Raft;
  readonly #sent: Extract<RaftAction, { kind: "send" }>[] = [];
  #now = 0;
  #calls = 0;
  #applied = 0;

  constructor() {
    const stored = { state: { term: 0, votedTerm: 0, votedFor: "" }, entries: [] };
    const self = { id: "a", address: "a:1" };
    const config = { ...RAFT, trailingEntries: 2 };
    const parts = { self, config, prng: createPrng(1), codec: configurationCodec };
    this.raft = new Raft({ ...parts, stored: { ...stored, snapshot: undefined } }, 0);
    this.raft.bootstrap({ servers: SERVERS });
    this.#drain();
  }

  take(one: Step): void {
    this.#now += 1;
    this.#tell(one);
    this.#drain();
  }

  #tell(one: Step): void {
    const { raft } = this;
    switch (one.kind) {
      case "call": {
        const said = heard(one.call);
        this.#calls += 1;
        if (said !== undefined) raft.receive(said, this.#calls, this.#now);
        return;
      }
      case "answer": {
        const [sent] = this.#sent.splice(one.which % Math.max(1, this.#sent.length), 1);
        if (sent !== undefined) raft.answered(sent.ticket, answerTo(sent.call, one), this.#now);
        return;
      }
      case "fail": {
        const [sent] = this.#sent.splice(one.which % Math.max(1, this.#sent.length), 1);
        if (sent !== undefined) raft.failed(sent.ticket, this.#now);
        return;
      }
      case "wait":
        this.#now += one.ms;
        return raft.expire(this.#now);
      case "propose":
        raft.propose([COMMAND], this.#now);
        return;
      case "snapshot": {
        const found = raft.snapshotMeta(this.#applied);
        if (found !== undefined) raft.snapshotTaken(found);
        return;
      }
      case "verify":
        raft.verify(this.#now, this.#now);
    }
  }

  #drain(): void {
    for (let actions = this.raft.drain(); actions.length > 0; actions = this.raft.drain()) {
      for (const action of actions) {
        if (action.kind === "send") this.#sent.push(action);
        if (action.kind === "restore") this.#applied = action.meta.index;
        if (action.kind !== "apply") continue;
        for (const { index } of action.entries) {
          expect(index).toBe(this.#applied + 1);
          this.#applied = index;
        }
      }
    }
  }
}

function answerTo(
  asked: RaftCall,
  { term, index, yes }: Extract<Step, { kind: "answer" }>,
): RaftAnswer {
  const said = term >= 0 || !("term" in asked) ? Math.max(term, 0) : asked.term;
  switch (asked.kind) {
    case "append-entries": {
      const { kind } = asked;
      return { kind, term: said, lastIndex: index, success: yes, noRetryBackoff: !yes };
    }
    case "request-vote":
    case "request-pre-vote":
      return { kind: asked.kind, term: said, granted: yes };
    case "install-snapshot":
      return { kind: asked.kind, term: said, success: yes };
    case "timeout-now":
      return { kind: asked.kind };
  }
}

const YES = { kind: "answer", which: 0, term: -1, index: 1, yes: true } as const;
/** A pre-vote, a vote, and the first entry. */
const ELECTION: readonly Step[] = [{ kind: "wait", ms: 2500 }, ...Array(9).fill(YES)];

test("whatever comes, in whatever order, is taken or refused", () => {
  let led = 0;
  fc.assert(
    fc.property(fc.boolean(), fc.array(step, { maxLength: 60 }), (elected, steps) => {
      const victim = new Victim();
      if (elected) for (const one of ELECTION) victim.take(one);
      for (const one of steps) {
        victim.take(one);
        if (victim.raft.role === "leader") led += 1;
      }
    }),
    { numRuns: 3000 },
  );
  expect(led).toBeGreaterThan(1000);
}, 240_000);
