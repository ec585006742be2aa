/** The state that a log and its snapshot stand for, without a Raft that runs. */
import type { StoredRaft } from "../host/raft-store.ts";
import { applyEntry, restoreStored } from "../service/raft/replicated-machine.ts";
import { StateMachine } from "../state/state-machine.ts";

/**
 * Committed or not: the log alone does not tell.
 *
 * @param upTo the last index that counts
 * @throws Error for the operator
 */
export function replay(
  { entries, snapshot }: StoredRaft,
  upTo = Number.MAX_SAFE_INTEGER,
): StateMachine {
  const machine = new StateMachine();
  restoreStored(machine, snapshot);
  for (const entry of entries) {
    if (entry.index > machine.index && entry.index <= upTo) applyEntry(machine, entry);
  }
  return machine;
}
