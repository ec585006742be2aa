/**
 * A Raft server that runs: the machine on its disk, its connections and its state machine.
 *
 * @module
 */
import { errorText } from "../../host/error-text.ts";
import type { Clock, Log } from "../../host/host.ts";
import type { RaftStore, StoredSnapshot } from "../../host/raft-store.ts";
import type { Prng } from "../../protocol/ports.ts";
import type { RaftAction, RaftRefusal, Role } from "../../protocol/raft/action.ts";
import type { RaftConfig } from "../../protocol/raft/config.ts";
import type { ConfigurationChange } from "../../protocol/raft/configurations.ts";
import {
  type Configuration,
  EntryType,
  type LogEntry,
  type RaftAnswer,
  type RaftCall,
  type RaftServer,
  type Sender,
} from "../../protocol/raft/message.ts";
import { Raft } from "../../protocol/raft/raft.ts";
import { configurationCodec } from "../../wire/raft-codec.ts";
import { Driver } from "../drive.ts";
import { applyEntry, type ReplicatedMachine, restoreStored } from "./replicated-machine.ts";
import type { RaftTransport } from "./transport.ts";

/** Commands that wait for the log. */
const QUEUE_MAX = 4096;
const NONE = new Uint8Array(0);

export interface ConsensusInit {
  readonly self: Sender;
  readonly config: RaftConfig;
  readonly store: RaftStore;
  readonly transport: Pick<RaftTransport, "send" | "close">;
  readonly machine: ReplicatedMachine;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  /** Entries since the last snapshot until the next. */
  readonly snapshotThreshold: number;
  readonly onRole: (role: Role, term: number) => void;
  readonly onLeader: (leader: Sender | undefined) => void;
}

/** The command did not get in, or nobody knows whether it did. */
export class ConsensusError extends Error {
  override readonly name = "ConsensusError";
}

interface Waiting {
  readonly term: number;
  readonly resolve: (index: number) => void;
  readonly reject: (error: Error) => void;
}

interface Queued {
  readonly type: number;
  readonly data: Uint8Array;
  readonly waiting: Omit<Waiting, "term">;
}

export interface ConsensusStats {
  readonly term: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  /** Since a leader's last word; 0 on the leader itself, undefined: never. */
  readonly lastContactMs: number | undefined;
  /** Of the last snapshot; 0: there is none. */
  readonly snapshotIndex: number;
  readonly snapshotTerm: number;
  readonly configurationIndex: number;
  /** Commands that wait to be committed. */
  readonly pending: number;
}

export class Consensus {
  readonly #init: ConsensusInit;
  readonly #raft: Raft;
  readonly #driver: Driver<RaftAction>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #answers = new Map<number, (answer: RaftAnswer) => void>();
  readonly #reads = new Map<number, Omit<Waiting, "term">>();
  /** Of snapshots that are being received: the machine decides whether they count. */
  readonly #received = new Map<number, Uint8Array>();
  #queue: Queued[] = [];
  /** The round that is under way, and the one that waits for it. */
  #verifying: Promise<number> | undefined;
  #nextVerify: Promise<number> | undefined;
  #callIds = 0;
  #tokens = 0;
  /** Why it has stopped for good. */
  #broken: string | undefined;

  /** @throws Error with one sentence for the operator when the disk cannot be trusted */
  constructor(init: ConsensusInit) {
    this.#init = init;
    const { store, machine, clock } = init;
    const { state, entries, snapshot, warning } = store.load();
    if (warning !== undefined) init.log.warn(warning);
    restoreStored(machine, snapshot);
    const stored = { state, entries, snapshot: snapshot?.meta };
    const { self, config, prng } = init;
    this.#raft = new Raft({ self, config, prng, codec: configurationCodec, stored }, clock.now());
    this.#driver = new Driver(this.#raft, clock, (action) => this.#perform(action));
  }

  start(): void {
    this.#driver.tell(() => undefined);
  }

  get role(): Role {
    return this.#raft.role;
  }

  get leader(): Sender | undefined {
    return this.#raft.leader;
  }

  get servers(): readonly RaftServer[] {
    return this.#raft.configuration.latest.servers;
  }

  /** Why Raft has stopped on this server; undefined: it runs. */
  get broken(): string | undefined {
    return this.#broken;
  }

  /** For Status.RaftStats, status and metrics. */
  stats(): ConsensusStats {
    const { term, lastIndex, lastTerm, commitIndex, lastContact, role, configuration } = this.#raft;
    const ago = this.#init.clock.now() - lastContact;
    const lastContactMs = role === "leader" ? 0 : Number.isFinite(ago) ? ago : undefined;
    const { machine, store } = this.#init;
    const { index: snapshotIndex = 0, term: snapshotTerm = 0 } = store.snapshot?.meta ?? {};
    return {
      ...{ term, lastIndex, lastTerm, commitIndex, appliedIndex: machine.index, lastContactMs },
      ...{ snapshotIndex, snapshotTerm, configurationIndex: configuration.index },
      pending: this.#waiting.size + this.#queue.length,
    };
  }

  bootstrap(configuration: Configuration): RaftRefusal | undefined {
    return this.#driver.tell(() => this.#raft.bootstrap(configuration));
  }

  /** Resolves with its index when it is applied here. @throws ConsensusError */
  apply(data: Uint8Array): Promise<number> {
    return this.#enqueue(EntryType.command, data);
  }

  /** Everything that was committed before is applied when it resolves. @throws ConsensusError */
  barrier(): Promise<number> {
    return this.#enqueue(EntryType.barrier, NONE);
  }

  /**
   * We still lead: what is applied here is the truth of now. One round of heartbeats answers
   * everybody who asked before it began.
   *
   * @throws ConsensusError
   */
  verify(): Promise<number> {
    this.#nextVerify ??= this.#afterThis();
    return this.#nextVerify;
  }

  async #afterThis(): Promise<number> {
    await this.#verifying?.catch(() => undefined);
    await Promise.resolve(); // Whoever asks in this turn comes along.
    this.#nextVerify = undefined;
    this.#verifying = this.#verify();
    return this.#verifying;
  }

  #verify(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) return reject(new ConsensusError("raft is shutdown"));
      this.#tokens += 1;
      const token = this.#tokens;
      this.#reads.set(token, { resolve, reject });
      const refused = this.#driver.tell((now) => this.#raft.verify(token, now));
      if (refused === undefined || !this.#reads.delete(token)) return;
      reject(new ConsensusError("node is not the leader"));
    });
  }

  /** Resolves when it is committed. @throws ConsensusError */
  change(change: ConfigurationChange): Promise<number> {
    return new Promise((resolve, reject) => {
      const index = this.#driver.tell((now) => this.#raft.change(change, now));
      if (typeof index !== "number") return reject(new ConsensusError(index));
      this.#await(index, { resolve, reject });
    });
  }

  /** @throws ConsensusError */
  transfer(id: string | undefined): RaftServer | undefined {
    const target = this.#driver.tell((now) => this.#raft.transfer(id, now));
    if (typeof target === "string") throw new ConsensusError(target);
    return this.servers.find((one) => one.id === target.id);
  }

  /** All that is applied here, on the disk. @throws ConsensusError */
  snapshot(): StoredSnapshot {
    if (this.#broken !== undefined) throw new ConsensusError("raft is shutdown");
    this.#driver.tell(() => this.#onDisk(() => this.#takeSnapshot()));
    const { snapshot } = this.#init.store;
    if (this.#broken !== undefined) throw new ConsensusError("raft is shutdown");
    if (snapshot === undefined) throw new ConsensusError("there is nothing to snapshot yet");
    return snapshot;
  }

  /** A call of another server; a snapshot's bytes with it. */
  receive(call: RaftCall, data: Uint8Array): Promise<RaftAnswer | string> {
    if (this.#broken !== undefined) return Promise.resolve("raft is shutdown");
    return new Promise((resolve) => {
      this.#callIds += 1;
      const id = this.#callIds;
      this.#answers.set(id, resolve);
      if (call.kind === "install-snapshot") this.#received.set(id, data);
      this.#driver.tell((now) => this.#raft.receive(call, id, now));
      this.#received.delete(id);
      // No answer: the disk failed in the middle of it.
      if (this.#answers.delete(id)) resolve("raft is shutdown");
    });
  }

  stop(): void {
    this.#driver.stop();
    this.#stopWaiting("raft is already shutdown");
    this.#init.transport.close();
    this.#broken ??= "stopped";
    this.#init.store.close();
  }

  #enqueue(type: number, data: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined || this.#raft.role !== "leader") {
        return reject(new ConsensusError("node is not the leader"));
      }
      if (this.#queue.length >= QUEUE_MAX) return reject(new ConsensusError("raft is busy"));
      // All that is asked for in one turn of the loop is one write to the disk.
      if (this.#queue.length === 0) setImmediate(() => this.#flush());
      this.#queue.push({ type, data, waiting: { resolve, reject } });
    });
  }

  #flush(): void {
    const queued = this.#queue;
    this.#queue = [];
    if (this.#broken !== undefined) {
      for (const { waiting } of queued) waiting.reject(new ConsensusError("raft is shutdown"));
      return;
    }
    const appendedAtMs = this.#init.clock.wallMs();
    const proposals = queued.map(({ type, data }) => ({ type, data, appendedAtMs }));
    this.#driver.tell((now) => {
      const first = this.#raft.propose(proposals, now);
      for (const [i, { waiting }] of queued.entries()) {
        if (typeof first === "number") this.#await(first + i, waiting);
        else waiting.reject(new ConsensusError("node is not the leader"));
      }
    });
  }

  #await(index: number, waiting: Omit<Waiting, "term">): void {
    // A group of one has applied it already.
    if (index <= this.#init.machine.index) return waiting.resolve(index);
    this.#waiting.set(index, { ...waiting, term: this.#raft.term });
  }

  #perform(action: RaftAction): void {
    if (this.#broken === undefined) this.#onDisk(() => this.#do(action));
  }

  #onDisk(work: () => void): void {
    try {
      work();
    } catch (error) {
      // The machine is ahead of its disk: nothing of what it wants may be done any more.
      this.#broken = errorText(error);
      this.#driver.stop();
      this.#init.log.error("Raft has stopped on this server: its log cannot be written", {
        error: this.#broken,
        next: "make room or mend the disk, then restart: nothing that was promised is lost",
      });
      this.#stopWaiting("raft is shutdown");
    }
  }

  #do(action: RaftAction): void {
    const { store, transport, log, onRole, onLeader } = this.#init;
    switch (action.kind) {
      case "persist":
        return store.persist(action.state, action.truncateFrom, action.entries);
      case "send": {
        const { ticket, call, to, lane } = action;
        const data = call.kind === "install-snapshot" ? (store.snapshot?.data ?? NONE) : NONE;
        return transport.send(to, lane, call, data, (answer) => {
          this.#driver.tell((now) => {
            if (answer === undefined) this.#raft.failed(ticket, now);
            else this.#raft.answered(ticket, answer, now);
          });
        });
      }
      case "answer":
        this.#answers.get(action.callId)?.(action.answer);
        this.#answers.delete(action.callId);
        return;
      case "apply":
        return this.#apply(action.entries);
      case "restore":
        return this.#restore(action);
      case "compact":
        return store.forget(action.upTo, undefined);
      case "role":
        if (action.role !== "leader") this.#stopWaiting("leadership lost while committing log");
        log.info(`entering ${action.role} state`, { term: action.term });
        return onRole(action.role, action.term);
      case "leader":
        return onLeader(action.leader);
      case "verified":
        this.#reads.get(action.token)?.resolve(action.index);
        this.#reads.delete(action.token);
        return;
      case "transfer-failed":
        log.warn("leadership transfer failed", { why: action.why });
    }
  }

  #apply(entries: readonly LogEntry[]): void {
    const { machine } = this.#init;
    for (const entry of entries) {
      const { index, term } = entry;
      applyEntry(machine, entry);
      const waiting = this.#waiting.get(index);
      if (waiting === undefined) continue;
      this.#waiting.delete(index);
      if (waiting.term === term) waiting.resolve(index);
      else waiting.reject(new ConsensusError("leadership lost while committing log"));
    }
    this.#maySnapshot();
  }

  #maySnapshot(): void {
    const { machine, store, snapshotThreshold } = this.#init;
    const since = machine.index - (store.snapshot?.meta.index ?? 0);
    if (since >= snapshotThreshold) this.#takeSnapshot();
  }

  /** What a snapshot stands for may be forgotten: the snapshot is on the disk first. */
  #takeSnapshot(): void {
    const { machine, store, log } = this.#init;
    const meta = this.#raft.snapshotTaken(machine.index);
    if (meta === undefined) return;
    store.saveSnapshot({ meta, data: machine.snapshot() });
    log.info("snapshot taken", { index: meta.index, term: meta.term });
  }

  #restore(action: Extract<RaftAction, { kind: "restore" }>): void {
    const { machine, store, log } = this.#init;
    const { meta, callId, keepsLog } = action;
    const data = this.#received.get(callId) ?? NONE;
    store.saveSnapshot({ meta, data });
    store.forget(meta.index, keepsLog ? undefined : 0);
    if (machine.restore(data, meta.index)) {
      log.info("installed a leader's snapshot", { index: meta.index, term: meta.term });
      return;
    }
    // It still votes and keeps the log; what it tells of the state is old.
    machine.advance(meta.index);
    log.error("a leader's snapshot cannot be read: was it made by a later release?", {
      index: meta.index,
      next: "bring this server to the leader's release, and let it join anew",
    });
  }

  #stopWaiting(why: string): void {
    const waiting = [...this.#waiting.values(), ...this.#reads.values()];
    this.#waiting.clear();
    this.#reads.clear();
    for (const { reject } of waiting) reject(new ConsensusError(why));
  }
}
