/**
 * What a leader does: brings every follower's log up to its own, commits what a majority has, and
 * steps down when a majority is out of reach (Raft, §5.3, §5.4; hashicorp/raft replication.go).
 *
 * @module
 */
import type { Instant } from "../ports.ts";
import type { RaftRefusal } from "./action.ts";
import type { ConfigurationChange } from "./configurations.ts";
import type { Core } from "./core.ts";
import {
  type Configuration,
  EntryType,
  type LogEntry,
  type RaftAnswer,
  type RaftCall,
  type RaftServer,
} from "./message.ts";
import { Progress } from "./progress.ts";

const LEASE = "lease";
const TRANSFER = "transfer";
/** Of one follower each: its id comes behind. */
const HEARTBEAT = "heartbeat:";
const COMMIT = "commit:";
const RETRY = "retry:";

interface Sent {
  readonly to: string;
  readonly at: Instant;
  readonly lane: "heartbeat" | "replicate" | "snapshot";
  readonly prevIndex: number;
  readonly count: number;
  /** Of the progress: an answer to what was sent before a failure does not move it. */
  readonly epoch: number;
}

/** A command for the log. */
export interface Proposal {
  readonly type: number;
  readonly data: Uint8Array;
  readonly appendedAtMs: number | undefined;
}

export class Leader {
  readonly #core: Core;
  readonly #stepDown: (term: number, now: Instant) => void;
  readonly #progress = new Map<string, Progress>();
  readonly #sent = new Map<number, Sent>();
  readonly #reads: { readonly token: number; readonly at: Instant }[] = [];
  /** The first index of our term: only from here on are copies counted (Raft, §5.4.2). */
  #startIndex = 0;
  #target: string | undefined;
  #targetTold = false;

  constructor(core: Core, stepDown: (term: number, now: Instant) => void) {
    this.#core = core;
    this.#stepDown = stepDown;
  }

  start(now: Instant): void {
    const core = this.#core;
    this.stop();
    this.#startIndex = core.log.lastIndex + 1;
    core.setRole("leader");
    core.setLeader(core.self);
    this.#followConfiguration(now);
    core.deadlines.set(LEASE, now + core.config.leaderLeaseMs);
    this.#append([{ type: EntryType.noop, data: new Uint8Array(0), appendedAtMs: undefined }], now);
  }

  stop(): void {
    const { deadlines } = this.#core;
    for (const id of this.#progress.keys()) this.#forget(id);
    deadlines.clear(LEASE);
    deadlines.clear(TRANSFER);
    this.#sent.clear();
    this.#reads.length = 0;
    this.#target = undefined;
  }

  /** @returns the index of the first */
  propose(proposals: readonly Proposal[], now: Instant): number | RaftRefusal {
    if (this.#target !== undefined) return "transfer-in-progress";
    return this.#append(proposals, now);
  }

  change(
    change: ConfigurationChange,
    encode: (configuration: Configuration) => Uint8Array,
    now: Instant,
  ): number | RaftRefusal {
    const { configurations, commitIndex } = this.#core;
    if (this.#target !== undefined) return "transfer-in-progress";
    const settled = configurations.latestIndex === configurations.committedIndex;
    if (!settled || commitIndex < this.#startIndex) return "change-in-progress";
    const next = configurations.next(change);
    if (typeof next === "string") return next;
    const entry = { type: EntryType.configuration, data: encode(next), appendedAtMs: undefined };
    return this.#append([entry], now);
  }

  /** @param id undefined: whoever has most of the log */
  transfer(id: string | undefined, now: Instant): { readonly id: string } | RaftRefusal {
    const core = this.#core;
    if (this.#target !== undefined) return "transfer-in-progress";
    const voters = core.others("voter").filter((one) => id === undefined || one.id === id);
    const [best] = voters.sort((a, b) => this.#match(b.id) - this.#match(a.id));
    if (best === undefined) return "no-such-target";
    this.#target = best.id;
    this.#targetTold = false;
    core.deadlines.set(TRANSFER, now + core.config.electionTimeoutMs);
    this.#handOver(now);
    return { id: best.id };
  }

  /** Do we still lead, at this moment? `verified` follows with this token, or never. */
  verify(token: number, now: Instant): void {
    this.#reads.push({ token, at: now });
    for (const progress of this.#progress.values()) this.#heartbeat(progress, now);
    this.#answerReads(now);
  }

  answered(ticket: number, answer: RaftAnswer, now: Instant): void {
    const sent = this.#sent.get(ticket);
    if (sent === undefined) return;
    this.#sent.delete(ticket);
    const progress = this.#progress.get(sent.to);
    if (answer.kind !== "timeout-now" && answer.term > this.#core.term) {
      return this.#stepDown(answer.term, now);
    }
    if (progress === undefined) return;
    progress.heard(sent.at, now);
    this.#heartbeatLater(progress, now);
    if (sent.lane === "heartbeat") progress.heartbeats -= 1;
    else if (answer.kind === "append-entries") this.#appended(progress, sent, answer, now);
    else if (answer.kind === "install-snapshot")
      this.#installed(progress, sent, answer.success, now);
    this.#answerReads(now);
  }

  failed(ticket: number, now: Instant): void {
    const sent = this.#sent.get(ticket);
    if (sent === undefined) return;
    this.#sent.delete(ticket);
    const progress = this.#progress.get(sent.to);
    if (progress === undefined) return;
    if (sent.lane === "heartbeat") {
      progress.heartbeats -= 1;
      return;
    }
    if (sent.epoch === progress.epoch) this.#retryLater(progress, now);
  }

  expire(key: string, now: Instant): void {
    if (key === LEASE) return this.#checkLease(now);
    if (key === TRANSFER) return this.#giveUpTransfer("it took too long");
    const progress = this.#progress.get(key.slice(key.indexOf(":") + 1));
    if (progress === undefined) return;
    if (key.startsWith(HEARTBEAT)) this.#heartbeat(progress, now);
    else this.#replicate(progress, true, now);
  }

  #append(proposals: readonly Proposal[], now: Instant): number {
    const core = this.#core;
    const first = core.log.lastIndex + 1;
    const entries: LogEntry[] = proposals.map((one, i) => ({
      index: first + i,
      term: core.term,
      ...one,
    }));
    core.append(entries);
    if (entries.some((one) => one.type === EntryType.configuration)) this.#followConfiguration(now);
    this.#advanceCommit(now);
    for (const progress of this.#progress.values()) this.#replicate(progress, false, now);
    return first;
  }

  /** Whoever is new is followed, whoever is gone is not. */
  #followConfiguration(now: Instant): void {
    const core = this.#core;
    const others = new Map(core.others().map((one) => [one.id, one]));
    for (const id of [...this.#progress.keys()]) if (!others.has(id)) this.#forget(id);
    for (const [id, server] of others) {
      const known = this.#progress.get(id);
      if (known !== undefined) {
        known.server = server;
        continue;
      }
      const progress = new Progress(server, core.log.lastIndex + 1, now);
      this.#progress.set(id, progress);
      this.#heartbeat(progress, now);
      this.#replicate(progress, true, now);
    }
  }

  #forget(id: string): void {
    this.#progress.delete(id);
    for (const kind of [HEARTBEAT, COMMIT, RETRY]) this.#core.deadlines.clear(kind + id);
  }

  /** Nothing but "I lead": no log, no waiting for a disk. */
  #heartbeat(progress: Progress, now: Instant): void {
    const core = this.#core;
    this.#heartbeatLater(progress, now);
    if (progress.heartbeats > 0 && this.#reads.length === 0) return; // One at a time.
    progress.heartbeats += 1;
    this.#send(progress, "heartbeat", 0, [], now, {
      kind: "append-entries",
      from: core.self,
      term: core.term,
      prevIndex: 0,
      prevTerm: 0,
      commitIndex: 0,
      entries: undefined,
    });
  }

  /** Whoever has just answered anything need not be asked whether it hears us. */
  #heartbeatLater(progress: Progress, now: Instant): void {
    const { deadlines, config } = this.#core;
    const wait = this.#core.random(config.heartbeatTimeoutMs / 10);
    deadlines.set(HEARTBEAT + progress.server.id, now + wait);
  }

  /** What the follower lacks, or with `always` at least our commit index. */
  #replicate(progress: Progress, always: boolean, now: Instant): void {
    const core = this.#core;
    const { id } = progress.server;
    core.deadlines.set(COMMIT + id, roundUp(now, core.config.commitTimeoutMs));
    if (core.deadlines.has(RETRY + id)) return;
    let must = always;
    const { entriesMax, bytesMax, inflightMax } = core.config;
    while (progress.mayAppend(inflightMax)) {
      if (progress.next > core.log.lastIndex && !must) return;
      const prevIndex = progress.next - 1;
      const prevTerm = core.log.term(prevIndex);
      const entries = core.log.batch(progress.next, entriesMax, bytesMax);
      const missing = progress.next <= core.log.lastIndex && entries.length === 0;
      if (prevTerm === undefined || missing) return this.#sendSnapshot(progress, now);
      must = false;
      progress.sentEntries(entries.length);
      const { commitIndex, self: from, term } = core;
      const call = { from, term, prevIndex, prevTerm, commitIndex, entries };
      this.#send(progress, "replicate", prevIndex, entries, now, {
        kind: "append-entries",
        ...call,
      });
    }
  }

  #sendSnapshot(progress: Progress, now: Instant): void {
    const core = this.#core;
    const meta = core.log.snapshot;
    if (meta === undefined || !progress.isIdle) return;
    progress.sentSnapshot();
    const call = { kind: "install-snapshot", from: core.self, term: core.term, meta } as const;
    this.#send(progress, "snapshot", meta.index, [], now, call);
  }

  #send(
    progress: Progress,
    lane: Sent["lane"],
    prevIndex: number,
    entries: readonly LogEntry[],
    now: Instant,
    call: RaftCall,
  ): void {
    const core = this.#core;
    const ticket = core.ticket();
    const { server, epoch } = progress;
    const sent = { to: server.id, at: now, lane, prevIndex, count: entries.length, epoch };
    this.#sent.set(ticket, sent);
    core.act({ kind: "send", ticket, to: server, lane, call });
  }

  #appended(
    progress: Progress,
    sent: Sent,
    answer: Extract<RaftAnswer, { kind: "append-entries" }>,
    now: Instant,
  ): void {
    if (sent.epoch !== progress.epoch) return;
    if (!answer.success) {
      progress.rejected(Math.max(Math.min(sent.prevIndex, answer.lastIndex + 1), 1));
      if (answer.noRetryBackoff) this.#replicate(progress, true, now);
      else this.#retryLater(progress, now);
      return;
    }
    progress.accepted(sent.prevIndex + sent.count);
    this.#advanceCommit(now);
    this.#handOver(now);
    this.#replicate(progress, false, now);
  }

  #installed(progress: Progress, sent: Sent, success: boolean, now: Instant): void {
    if (sent.epoch !== progress.epoch) return;
    if (!success) return this.#retryLater(progress, now);
    progress.accepted(sent.prevIndex);
    this.#advanceCommit(now);
    this.#replicate(progress, false, now);
  }

  #retryLater(progress: Progress, now: Instant): void {
    const { retryMinMs, retryMaxMs } = this.#core.config;
    const failures = progress.failed();
    const wait = Math.min(retryMinMs * 2 ** Math.min(failures - 1, 20), retryMaxMs);
    this.#core.deadlines.set(RETRY + progress.server.id, now + wait);
  }

  /** The highest index that a majority of voters has, if it is of our term (Raft, §5.4.2). */
  #advanceCommit(now: Instant): void {
    const core = this.#core;
    const { voters, quorum } = core.configurations;
    if (voters.length === 0) return;
    const matches = voters.map((one) => this.#match(one.id)).sort((a, b) => b - a);
    const majority = matches[quorum - 1] ?? 0;
    if (majority < this.#startIndex || majority <= core.commitIndex) return;
    core.commitTo(majority);
    this.#answerReads(now);
    const { committed, committedIndex } = core.configurations;
    const gone = !committed.servers.some((one) => one.id === core.self.id && isVoter(one));
    // Taken out of the group: somebody else leads from here on.
    if (gone && committedIndex >= this.#startIndex) this.#stepDown(core.term, now);
  }

  #match(id: string): number {
    const core = this.#core;
    return id === core.self.id ? core.log.lastIndex : (this.#progress.get(id)?.match ?? 0);
  }

  /** The moment up to which a majority of voters can say this of themselves. */
  #majority(of: "lastContact" | "lastHeard", now: Instant): Instant {
    const core = this.#core;
    const { voters, quorum } = core.configurations;
    const times = voters.map((one) => {
      return one.id === core.self.id ? now : (this.#progress.get(one.id)?.[of] ?? 0);
    });
    return times.sort((a, b) => b - a)[quorum - 1] ?? now;
  }

  #checkLease(now: Instant): void {
    const core = this.#core;
    const age = now - this.#majority("lastHeard", now);
    if (age > core.config.leaderLeaseMs) return this.#stepDown(core.term, now);
    core.deadlines.set(LEASE, now + Math.max(10, core.config.leaderLeaseMs - age));
  }

  #answerReads(now: Instant): void {
    const core = this.#core;
    if (this.#reads.length === 0) return;
    // What leaders before us committed is known once an entry of our own is (Raft, §8).
    if (core.commitIndex < this.#startIndex) return;
    const heard = this.#majority("lastContact", now);
    while (this.#reads[0] !== undefined && this.#reads[0].at <= heard) {
      const { token } = this.#reads[0];
      this.#reads.shift();
      core.act({ kind: "verified", token, index: core.commitIndex });
    }
  }

  /** The target has everything: it may begin at once. */
  #handOver(now: Instant): void {
    const core = this.#core;
    const id = this.#target;
    if (id === undefined || this.#targetTold) return;
    const progress = this.#progress.get(id);
    if (progress === undefined) return this.#giveUpTransfer("the target is gone");
    if (progress.match < core.log.lastIndex) return;
    this.#targetTold = true;
    const call = { kind: "timeout-now", from: core.self } as const;
    this.#send(progress, "heartbeat", 0, [], now, call);
    progress.heartbeats += 1;
  }

  #giveUpTransfer(why: string): void {
    if (this.#target === undefined) return;
    this.#target = undefined;
    this.#core.deadlines.clear(TRANSFER);
    this.#core.act({ kind: "transfer-failed", why });
  }
}

function isVoter(server: RaftServer): boolean {
  return server.suffrage === "voter";
}

/** In `ms` to twice as many, at a time that all followers share: one wake-up for all of them. */
function roundUp(now: Instant, ms: number): Instant {
  return (Math.floor(now / ms) + 2) * ms;
}
