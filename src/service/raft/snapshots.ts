/**
 * Snapshots of the state machine: our own, after which the log may forget, and those of a leader.
 * One of our own that cannot be written costs nothing but room: it is tried again later.
 *
 * @module
 */
import { errorText, isBug } from "../../host/error-text.ts";
import type { Clock, Log } from "../../host/host.ts";
import type { StoredSnapshot } from "../../host/raft-snapshot.ts";
import type { RaftStore } from "../../host/raft-store.ts";
import type { RaftAction } from "../../protocol/raft/action.ts";
import type { Raft } from "../../protocol/raft/raft.ts";
import { ConsensusError } from "./consensus-error.ts";
import type { ReplicatedMachine } from "./replicated-machine.ts";

/** Between tries to write one, doubled each time. */
const RETRY_MIN_MS = 10_000;
const RETRY_MAX_MS = 600_000;

export interface SnapshotsInit {
  readonly store: RaftStore;
  readonly machine: ReplicatedMachine;
  readonly clock: Clock;
  readonly log: Log;
  /** Entries since the last snapshot until the next. */
  readonly snapshotThreshold: number;
}

/** Says something to Raft, and does what comes of it. */
type Tell = (tell: (raft: Raft) => void) => void;

export class Snapshots {
  readonly #init: SnapshotsInit;
  readonly #tell: Tell;
  #failures = 0;
  #cancelRetry: (() => void) | undefined;

  constructor(init: SnapshotsInit, tell: Tell) {
    this.#init = init;
    this.#tell = tell;
  }

  stop(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  /** Takes one if enough was applied since the last, unless a failed one waits for its next try. */
  takeIfDue(): void {
    const { machine, store, snapshotThreshold } = this.#init;
    const since = machine.index - (store.snapshot?.meta.index ?? 0);
    if (since < snapshotThreshold || this.#cancelRetry !== undefined) return;
    const failure = this.#take();
    if (failure !== undefined) this.#retryLater(failure);
  }

  /** All that is applied here, on the disk. @throws ConsensusError */
  takeNow(): StoredSnapshot {
    const failure = this.#take();
    if (failure !== undefined) throw new ConsensusError(`cannot write a snapshot: ${failure}`);
    const { snapshot } = this.#init.store;
    if (snapshot === undefined) throw new ConsensusError("there is nothing to snapshot yet");
    return snapshot;
  }

  /** A leader's, in place of all that is here. @throws what the disk says */
  save({ meta, keepsLog }: Extract<RaftAction, { kind: "restore" }>, data: Uint8Array): void {
    const { store, log } = this.#init;
    store.saveSnapshot({ meta, data });
    store.forget(meta.index, keepsLog ? undefined : 0);
    log.info("installed a leader's snapshot", { index: meta.index, term: meta.term });
  }

  /** The log may forget up to here. What cannot be deleted now goes with the next snapshot. */
  forget(upTo: number): void {
    const { store, log } = this.#init;
    const failure = attempt(() => store.forget(upTo, undefined));
    if (failure === undefined) return;
    log.warn("the log behind a snapshot cannot be deleted yet", { error: failure });
  }

  /** Nothing is forgotten before the snapshot is on the disk. @returns why it is not */
  #take(): string | undefined {
    const { machine, store, log } = this.#init;
    let failure: string | undefined;
    this.#tell((raft) => {
      const meta = raft.snapshotMeta(machine.index);
      if (meta === undefined) return;
      const data = machine.snapshot();
      failure = attempt(() => store.saveSnapshot({ meta, data }));
      if (failure !== undefined) return;
      raft.snapshotTaken(meta);
      this.#failures = 0;
      log.info("snapshot taken", { index: meta.index, term: meta.term });
    });
    return failure;
  }

  #retryLater(failure: string): void {
    const { clock, log } = this.#init;
    const waitMs = Math.min(RETRY_MIN_MS * 2 ** this.#failures, RETRY_MAX_MS);
    this.#failures += 1;
    log.error("a snapshot cannot be written: the log grows until one can", {
      error: failure,
      next: `make room or mend the disk; the next try is in ${waitMs / 1000} s`,
    });
    this.#cancelRetry = clock.schedule(clock.now() + waitMs, () => {
      this.#cancelRetry = undefined;
      this.takeIfDue();
    });
  }
}

/** @returns what the disk says; a bug of ours is thrown on */
function attempt(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (isBug(error)) throw error;
    return errorText(error);
  }
}
