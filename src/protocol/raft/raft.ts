/**
 * One server of a Raft group as a pure state machine, as hashicorp/raft v1.7.3 behaves; where it
 * does not, wire/rpc-and-raft.md §8 and §8.1 say so.
 *
 *   commands  bootstrap, propose, change, transfer, verify, snapshotTaken
 *   events    receive, answered, failed, expire
 *   outputs   deadline, drain
 *   queries   role, term, leader, commitIndex, configuration, …
 *
 * Actions are done strictly in order; `persist` and `restore` are barriers.
 *
 * @module
 */
import type { Instant } from "../ports.ts";
import type { RaftAction, RaftRefusal, Role } from "./action.ts";
import { Candidate } from "./candidate.ts";
import type { ConfigurationChange } from "./configurations.ts";
import { Core, ELECTION, type RaftInit } from "./core.ts";
import { acceptSnapshot, answerAppend, answerPreVote, answerVote } from "./follower.ts";
import { Leader, type Proposal } from "./leader.ts";
import {
  type Configuration,
  EntryType,
  type InstallSnapshot,
  type RaftAnswer,
  type RaftCall,
  type Sender,
  type SnapshotMeta,
} from "./message.ts";

export class Raft {
  readonly #core: Core;
  readonly #candidate: Candidate;
  readonly #leader: Leader;

  constructor(init: RaftInit, now: Instant) {
    this.#core = new Core(init, now);
    const stepDown = (term: number, at: Instant): void => this.#stepDown(term, at);
    this.#leader = new Leader(this.#core, stepDown);
    this.#candidate = new Candidate(this.#core, (at) => this.#leader.start(at), stepDown);
  }

  get role(): Role {
    return this.#core.role;
  }

  get term(): number {
    return this.#core.term;
  }

  get leader(): Sender | undefined {
    return this.#core.leader;
  }

  get commitIndex(): number {
    return this.#core.commitIndex;
  }

  get lastIndex(): number {
    return this.#core.log.lastIndex;
  }

  get lastTerm(): number {
    return this.#core.log.lastTerm;
  }

  /** The one in force, and the index of its entry. */
  get configuration(): { readonly latest: Configuration; readonly index: number } {
    const { latest, latestIndex } = this.#core.configurations;
    return { latest, index: latestIndex };
  }

  /** undefined: compacted away, or not there. */
  termAt(index: number): number | undefined {
    return this.#core.log.term(index);
  }

  /** Of a leader's word; -Infinity: never. */
  get lastContact(): Instant {
    return this.#core.lastContact;
  }

  /** The first configuration of a new group, written by each of its servers for itself. */
  bootstrap(configuration: Configuration): RaftRefusal | undefined {
    const core = this.#core;
    if (core.log.lastIndex > 0 || core.term > 0) return "already-bootstrapped";
    core.persistState({ term: 1 });
    const data = core.codec.encode(configuration);
    const type = EntryType.configuration;
    core.append([{ index: 1, term: 1, type, data, appendedAtMs: undefined }]);
    return undefined;
  }

  /** @returns the index of the first; they are committed when `apply` has it with our term */
  propose(proposals: readonly Proposal[], now: Instant): number | RaftRefusal {
    return this.role === "leader" ? this.#leader.propose(proposals, now) : "not-leader";
  }

  change(change: ConfigurationChange, now: Instant): number | RaftRefusal {
    if (this.role !== "leader") return "not-leader";
    return this.#leader.change(change, (next) => this.#core.codec.encode(next), now);
  }

  /** @returns the id of whom it goes to; `transfer-failed` follows if it does not */
  transfer(id: string | undefined, now: Instant): { readonly id: string } | RaftRefusal {
    if (this.role !== "leader") return "not-leader";
    return this.#leader.transfer(id, now);
  }

  /** A linearizable read: `verified` comes with this token while we lead, or never. */
  verify(token: number, now: Instant): RaftRefusal | undefined {
    if (this.role !== "leader") return "not-leader";
    this.#leader.verify(token, now);
    return undefined;
  }

  /** What a snapshot of all that is applied up to `index` stands for; undefined: nothing new. */
  snapshotMeta(index: number): SnapshotMeta | undefined {
    const core = this.#core;
    const term = core.log.term(index);
    const before = core.log.snapshot?.index ?? 0;
    if (term === undefined || index > core.lastApplied || index <= before) return undefined;
    return { index, term, ...this.#committedConfiguration(index) };
  }

  /** The snapshot that this describes is durable: the log may forget. */
  snapshotTaken(meta: SnapshotMeta): void {
    const core = this.#core;
    const upTo = core.log.compact(meta, core.config.trailingEntries);
    core.act({ kind: "compact", upTo });
  }

  /** A call of another server; `answer` follows with this id. A snapshot's bytes are here already. */
  receive(call: RaftCall, callId: number, now: Instant): void {
    const core = this.#core;
    const answer = (value: RaftAnswer): void => core.act({ kind: "answer", callId, answer: value });
    const stepDown = (term: number, at: Instant): void => this.#stepDown(term, at);
    switch (call.kind) {
      case "append-entries":
        return answer(answerAppend(core, call, stepDown, now));
      case "request-pre-vote":
        return answer(answerPreVote(core, call, now));
      case "request-vote":
        return answer(answerVote(core, call, stepDown, now));
      case "install-snapshot":
        return this.#install(call, callId, now);
      case "timeout-now":
        answer({ kind: "timeout-now" });
        if (core.configurations.isVoter(core.self.id) && this.role !== "leader") {
          this.#candidate.stand(true, now);
        }
    }
  }

  /** What came back for a `send` with this ticket. */
  answered(ticket: number, answer: RaftAnswer, now: Instant): void {
    if (answer.kind === "request-vote" || answer.kind === "request-pre-vote") {
      if (this.role === "candidate") this.#candidate.answered(ticket, answer, now);
    } else if (this.role === "leader") this.#leader.answered(ticket, answer, now);
  }

  /** Nothing will come back for it. */
  failed(ticket: number, now: Instant): void {
    if (this.role === "leader") this.#leader.failed(ticket, now);
    else this.#candidate.failed(ticket);
  }

  expire(now: Instant): void {
    const { deadlines } = this.#core;
    for (let key = deadlines.due(now); key !== undefined; key = deadlines.due(now)) {
      if (key === ELECTION) this.#electionTimeout(now);
      else if (this.role === "leader") this.#leader.expire(key, now);
    }
  }

  deadline(): Instant | undefined {
    return this.#core.deadlines.next();
  }

  drain(): readonly RaftAction[] {
    return this.#core.drain();
  }

  #electionTimeout(now: Instant): void {
    const core = this.#core;
    const { heartbeatTimeoutMs } = core.config;
    core.armElection(now, heartbeatTimeoutMs);
    if (this.role === "leader") return;
    if (this.role === "follower" && now - core.lastContact < heartbeatTimeoutMs) return;
    core.setLeader(undefined);
    if (core.configurations.isVoter(core.self.id)) this.#candidate.stand(false, now);
  }

  #stepDown(term: number, now: Instant): void {
    const core = this.#core;
    if (term > core.term) core.persistState({ term });
    if (this.role === "leader") {
      this.#leader.stop();
      core.setLeader(undefined);
    }
    this.#candidate.stop();
    core.setRole("follower");
    core.armElection(now, core.config.heartbeatTimeoutMs);
  }

  #install(call: InstallSnapshot, callId: number, now: Instant): void {
    const core = this.#core;
    const stepDown = (term: number, at: Instant): void => this.#stepDown(term, at);
    const accepted = acceptSnapshot(core, call, stepDown, now);
    // What it stands for is here already: nothing to restore, and nothing to lose.
    const { meta } = call;
    if (accepted && meta.index > core.commitIndex) {
      // What follows it in our log may have been promised to the leader: it stays if it fits.
      const keepsLog = core.log.term(meta.index) === meta.term;
      core.act({ kind: "restore", callId, meta, keepsLog });
      core.log.restore(meta, keepsLog);
      core.configurations.restored(meta.configuration, meta.configurationIndex, keepsLog);
      core.commitIndex = meta.index;
      core.lastApplied = meta.index;
    }
    const { term } = core;
    const answer = { kind: "install-snapshot", term, success: accepted } as const;
    core.act({ kind: "answer", callId, answer });
  }

  #committedConfiguration(
    index: number,
  ): Pick<SnapshotMeta, "configuration" | "configurationIndex"> {
    const { committed, committedIndex } = this.#core.configurations;
    if (committedIndex > index) {
      throw new Error(`snapshot at ${index} before the configuration at ${committedIndex}`);
    }
    return { configuration: committed, configurationIndex: committedIndex };
  }
}
