/**
 * What is written to the log by whoever asks: all of one turn of the event loop at once, and each
 * caller hears what became of its own entry. A leader that is none any more often hears that from
 * the next one: an entry that is committed is committed, whoever leads.
 *
 * @module
 */

import type { Clock } from "../../host/host.ts";
import { afterThisTurn } from "../../host/timer.ts";
import type { ConfigurationChange } from "../../protocol/raft/configurations.ts";
import type { LogEntry } from "../../protocol/raft/message.ts";
import type { Outcome } from "../../state/state-machine.ts";
import { ConsensusError, LEADERSHIP_LOST, NOT_LEADER } from "./consensus-error.ts";
import type { Runner } from "./runner.ts";

/** Commands that are not applied yet, and their bytes. */
const PENDING_MAX = 4096;
const PENDING_BYTES_MAX = 128 * 1024 * 1024;
/** For the next leader to commit what we had in the log: a few heartbeats, or an election. */
const LOST_AFTER_MS = 2000;

/** An entry of ours that is applied here. */
export interface Applied {
  readonly index: number;
  /** The state machine's answer to this very entry. */
  readonly outcome: Outcome;
}

interface Waiting {
  readonly bytes: number;
  readonly resolve: (applied: Applied) => void;
  readonly reject: (error: Error) => void;
}

type Logged = Waiting & { readonly term: number };

interface Queued {
  readonly type: number;
  readonly data: Uint8Array;
  readonly waiting: Waiting;
}

export class Proposals {
  readonly #runner: Pick<Runner, "tell" | "role">;
  readonly #clock: Clock;
  /** In the log, by index, with the term in which they must be committed. */
  readonly #waiting = new Map<number, Logged>();
  readonly #cancels = new Set<() => void>();
  #queue: Queued[] = [];
  #bytes = 0;

  constructor(runner: Pick<Runner, "tell" | "role">, clock: Clock) {
    this.#runner = runner;
    this.#clock = clock;
  }

  /** Commands that wait to be committed. */
  get pending(): number {
    return this.#waiting.size + this.#queue.length;
  }

  /** @throws ConsensusError, later */
  enqueue(type: number, data: Uint8Array): Promise<Applied> {
    return new Promise((resolve, reject) => {
      if (this.#runner.role !== "leader") return reject(new ConsensusError(NOT_LEADER));
      const bytes = this.#bytes + data.length;
      if (this.pending >= PENDING_MAX || bytes > PENDING_BYTES_MAX) {
        return reject(new ConsensusError("raft is busy"));
      }
      this.#bytes = bytes;
      // All that is asked for in one turn of the loop is one write to the disk.
      if (this.#queue.length === 0) afterThisTurn(() => this.#flush());
      this.#queue.push({ type, data, waiting: { bytes: data.length, resolve, reject } });
    });
  }

  /** Resolves when it is applied. @throws ConsensusError, later */
  change(change: ConfigurationChange): Promise<Applied> {
    return new Promise((resolve, reject) => {
      this.#runner.tell((raft, now) => {
        const index = raft.change(change, now);
        if (typeof index !== "number") return reject(new ConsensusError(index));
        this.#wait(index, { term: raft.term, bytes: 0, resolve, reject });
      });
    });
  }

  applied({ index, term }: LogEntry, outcome: Outcome): void {
    const waiting = this.#waiting.get(index);
    if (waiting === undefined) return;
    this.#waiting.delete(index);
    if (waiting.term !== term) return this.#reject(waiting, LEADERSHIP_LOST);
    this.#bytes -= waiting.bytes;
    waiting.resolve({ index, outcome });
  }

  /** Others lead. What never was in the log is not done; the rest is up to them, for a while. */
  followed(): void {
    for (const { waiting } of this.#queue.splice(0)) this.#reject(waiting, NOT_LEADER);
    const logged = [...this.#waiting];
    if (logged.length === 0) return;
    const cancel = this.#clock.schedule(this.#clock.now() + LOST_AFTER_MS, () => {
      this.#cancels.delete(cancel);
      for (const [index, one] of logged) {
        if (this.#waiting.get(index) !== one) continue;
        this.#waiting.delete(index);
        this.#reject(one, LEADERSHIP_LOST);
      }
    });
    this.#cancels.add(cancel);
  }

  /** Nobody here will see what becomes of them. */
  lost(why: string): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    const waiting = [...this.#waiting.values(), ...this.#queue.map((one) => one.waiting)];
    this.#waiting.clear();
    this.#queue = [];
    for (const one of waiting) this.#reject(one, why);
  }

  #wait(index: number, logged: Logged): void {
    const before = this.#waiting.get(index);
    // Another leader has cut it off our log.
    if (before !== undefined) this.#reject(before, LEADERSHIP_LOST);
    this.#waiting.set(index, logged);
  }

  #reject({ bytes, reject }: Waiting, why: string): void {
    this.#bytes -= bytes;
    reject(new ConsensusError(why));
  }

  #flush(): void {
    const queued = this.#queue;
    this.#queue = [];
    if (queued.length === 0) return;
    const appendedAtMs = this.#clock.wallMs();
    const proposals = queued.map(({ type, data }) => ({ type, data, appendedAtMs }));
    this.#runner.tell((raft, now) => {
      const first = raft.propose(proposals, now);
      for (const [i, { waiting }] of queued.entries()) {
        if (typeof first === "number") {
          this.#wait(first + i, { ...waiting, term: raft.term });
          continue;
        }
        this.#reject(waiting, NOT_LEADER);
      }
    });
  }
}
