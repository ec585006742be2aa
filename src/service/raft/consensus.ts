/**
 * A Raft server as the rest of the agent sees it: what it may ask of its group, and what it knows.
 *
 * @module
 */
import type { StoredSnapshot } from "../../host/raft-snapshot.ts";
import type { RaftRefusal, Role } from "../../protocol/raft/action.ts";
import type { ConfigurationChange } from "../../protocol/raft/configurations.ts";
import {
  type Configuration,
  EntryType,
  type RaftAnswer,
  type RaftCall,
  type RaftServer,
  type Sender,
} from "../../protocol/raft/message.ts";
import { commandFormat } from "../../state/command-format.ts";
import { FIRST_FORMAT } from "../../state/format.ts";
import { ConsensusError, LEADERSHIP_LOST, SHUTDOWN, tooOldFor } from "./consensus-error.ts";
import { type Applied, Proposals } from "./proposals.ts";
import { Reads } from "./reads.ts";
import { Runner, type RunnerInit } from "./runner.ts";

const NONE = new Uint8Array(0);

interface ConsensusStats {
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
  readonly #init: RunnerInit;
  readonly #runner: Runner;
  readonly #proposals: Proposals;
  readonly #reads: Reads;

  /** @throws Error with one sentence for the operator when the disk cannot be trusted */
  constructor(init: RunnerInit) {
    this.#init = init;
    this.#runner = new Runner(init, {
      applied: (entry, outcome) => this.#proposals.applied(entry, outcome),
      verified: (token, index) => this.#reads.verified(token, index),
      followed: () => {
        this.#proposals.followed();
        this.#reads.lost(LEADERSHIP_LOST);
      },
      lost: (why) => {
        this.#proposals.lost(why);
        this.#reads.lost(why);
      },
    });
    this.#proposals = new Proposals(this.#runner, init.clock);
    this.#reads = new Reads(this.#runner);
  }

  start(): void {
    this.#runner.tell(() => undefined);
  }

  get role(): Role {
    return this.#runner.role;
  }

  get leader(): Sender | undefined {
    return this.#runner.leader;
  }

  get servers(): readonly RaftServer[] {
    return this.#runner.raft.configuration.latest.servers;
  }

  /** Why Raft has stopped on this server; undefined: it runs. */
  get broken(): string | undefined {
    return this.#runner.broken;
  }

  /** For Status.RaftStats, status and metrics. */
  stats(): ConsensusStats {
    const { raft, lastContactMs } = this.#runner;
    const { term, lastIndex, lastTerm, commitIndex, configuration } = raft;
    const { machine, store } = this.#init;
    const { index: snapshotIndex = 0, term: snapshotTerm = 0 } = store.snapshot?.meta ?? {};
    return {
      ...{ term, lastIndex, lastTerm, commitIndex, appliedIndex: machine.index },
      ...{ lastContactMs, snapshotIndex, snapshotTerm, configurationIndex: configuration.index },
      pending: this.#proposals.pending,
    };
  }

  /** @returns why it comes to nothing */
  bootstrap(configuration: Configuration): RaftRefusal | typeof SHUTDOWN | undefined {
    if (this.broken !== undefined) return SHUTDOWN;
    return this.#runner.tell((raft) => raft.bootstrap(configuration));
  }

  /** Resolves when it is applied here, with the state machine's answer. @throws ConsensusError */
  async apply(data: Uint8Array): Promise<Applied> {
    const older = this.#init.olderThan?.(commandFormat(data) ?? FIRST_FORMAT);
    if (older !== undefined) throw new ConsensusError(tooOldFor(older));
    return this.#proposals.enqueue(EntryType.command, data);
  }

  /** Everything that was committed before is applied when it resolves. @throws ConsensusError */
  async barrier(): Promise<number> {
    const { index } = await this.#proposals.enqueue(EntryType.barrier, NONE);
    return index;
  }

  /**
   * We still lead: what is applied here is the truth of now. One round of heartbeats answers
   * everybody who asked before it began.
   *
   * @throws ConsensusError
   */
  verify(): Promise<number> {
    return this.#reads.verify();
  }

  /** Resolves with its index when it is committed. @throws ConsensusError */
  async change(change: ConfigurationChange): Promise<number> {
    const { index } = await this.#proposals.change(change);
    return index;
  }

  /** @throws ConsensusError */
  transfer(id: string | undefined): RaftServer | undefined {
    const target = this.#runner.tell((raft, now) => raft.transfer(id, now));
    if (typeof target === "string") throw new ConsensusError(target);
    return this.servers.find((one) => one.id === target.id);
  }

  /** All that is applied here, on the disk. @throws ConsensusError */
  snapshot(): StoredSnapshot {
    return this.#runner.snapshot();
  }

  /**
   * A call of another server; a snapshot's bytes with it.
   *
   * @returns undefined: no honest server sends it
   */
  receive(call: RaftCall, data: Uint8Array): Promise<RaftAnswer | string | undefined> {
    return this.#runner.receive(call, data);
  }

  stop(): void {
    this.#runner.stop();
  }
}
