/** What follower, candidate and leader share: term, vote, log, configuration, and the way out. */
import { Deadlines } from "../deadlines.ts";
import type { Instant, Prng } from "../ports.ts";
import type { HardState, RaftAction, Role } from "./action.ts";
import type { RaftConfig } from "./config.ts";
import { Configurations } from "./configurations.ts";
import {
  type ConfigurationCodec,
  EntryType,
  type LogEntry,
  type RaftServer,
  type Sender,
  type SnapshotMeta,
} from "./message.ts";
import { RaftLog } from "./raft-log.ts";

/** What a server finds on its disk; nothing at its first start. */
interface Stored {
  readonly state: HardState;
  readonly entries: readonly LogEntry[];
  readonly snapshot: SnapshotMeta | undefined;
}

export interface RaftInit {
  readonly self: Sender;
  readonly config: RaftConfig;
  readonly prng: Prng;
  readonly codec: ConfigurationCodec;
  readonly stored: Stored;
}

export const ELECTION = "election";

export class Core {
  readonly self: Sender;
  readonly config: RaftConfig;
  readonly prng: Prng;
  readonly codec: ConfigurationCodec;
  readonly log: RaftLog;
  readonly configurations = new Configurations();
  readonly deadlines = new Deadlines();
  role: Role = "follower";
  leader: Sender | undefined;
  /** Of anything valid that a leader said. */
  lastContact: Instant = Number.NEGATIVE_INFINITY;
  commitIndex: number;
  lastApplied: number;
  #state: HardState;
  #actions: RaftAction[] = [];
  #tickets = 0;

  constructor(init: RaftInit, now: Instant) {
    const { stored } = init;
    this.self = init.self;
    this.config = init.config;
    this.prng = init.prng;
    this.codec = init.codec;
    this.log = new RaftLog(stored.entries, stored.snapshot);
    this.#state = stored.state;
    this.commitIndex = stored.snapshot?.index ?? 0;
    this.lastApplied = this.commitIndex;
    this.#readConfigurations();
    this.armElection(now, init.config.heartbeatTimeoutMs);
  }

  get term(): number {
    return this.#state.term;
  }

  get state(): HardState {
    return this.#state;
  }

  act(action: RaftAction): void {
    this.#actions.push(action);
  }

  drain(): readonly RaftAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  ticket(): number {
    this.#tickets += 1;
    return this.#tickets;
  }

  /** Between `ms` and twice as much, as hashicorp/raft's randomTimeout. */
  random(ms: number): number {
    return ms + this.prng.next() * ms;
  }

  armElection(now: Instant, ms: number): void {
    this.deadlines.set(ELECTION, now + this.random(ms));
  }

  /** Written before anything that depends on it is said. */
  persistState(change: Partial<HardState>): void {
    this.#state = { ...this.#state, ...change };
    this.#persist({ state: this.#state, truncateFrom: undefined, entries: [] });
  }

  /** Onto the log and the disk; a configuration is in force at once. */
  append(entries: readonly LogEntry[], truncateFrom?: number): void {
    if (truncateFrom !== undefined) {
      this.log.truncate(truncateFrom);
      this.configurations.truncated(truncateFrom);
    }
    this.log.append(entries);
    this.#persist({ state: undefined, truncateFrom, entries });
    for (const entry of entries) this.#noteConfiguration(entry);
  }

  /** Everything up to here is committed: applied once, in order. */
  commitTo(index: number): void {
    if (index <= this.commitIndex) return;
    this.commitIndex = index;
    this.configurations.commit(index);
    const entries = this.log.slice(this.lastApplied + 1, index - this.lastApplied);
    this.lastApplied = index;
    this.act({ kind: "apply", entries });
  }

  setLeader(leader: Sender | undefined): void {
    const same = leader?.id === this.leader?.id && leader?.address === this.leader?.address;
    if (same) return;
    this.leader = leader;
    this.act({ kind: "leader", leader });
  }

  setRole(role: Role): void {
    if (this.role === role) return;
    this.role = role;
    this.act({ kind: "role", role, term: this.term });
  }

  /** Other members, whose votes or logs count. */
  others(suffrage?: RaftServer["suffrage"]): readonly RaftServer[] {
    return this.configurations.latest.servers.filter(
      (one) => one.id !== this.self.id && (suffrage === undefined || one.suffrage === suffrage),
    );
  }

  /** Raft, §5.4.1: the later last term wins, then the longer log. */
  isUpToDate(lastTerm: number, lastIndex: number): boolean {
    if (lastTerm !== this.log.lastTerm) return lastTerm > this.log.lastTerm;
    return lastIndex >= this.log.lastIndex;
  }

  #persist(what: Omit<Extract<RaftAction, { kind: "persist" }>, "kind">): void {
    this.act({ kind: "persist", ...what });
  }

  #noteConfiguration(entry: LogEntry): void {
    if (entry.type !== EntryType.configuration) return;
    const configuration = this.codec.decode(entry.data);
    if (configuration !== undefined) this.configurations.appended(configuration, entry.index);
  }

  /** The latest in the log is in force; the one before it stands for the committed one. */
  #readConfigurations(): void {
    const { snapshot } = this.log;
    if (snapshot !== undefined) {
      this.configurations.restored(snapshot.configuration, snapshot.configurationIndex);
    }
    const from = Math.max(this.log.firstIndex, this.configurations.latestIndex + 1);
    for (let index = from; index <= this.log.lastIndex; index++) {
      const entry = this.log.entry(index);
      if (entry?.type !== EntryType.configuration) continue;
      // One change at a time: whoever appended this one had committed the one before.
      const { latest, latestIndex } = this.configurations;
      this.configurations.restored(latest, latestIndex);
      this.#noteConfiguration(entry);
    }
  }
}
