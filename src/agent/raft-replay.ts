/** The state that a log and its snapshot stand for, without a Raft that runs. */
import type { StoredRaft } from "../host/raft-store.ts";
import { EntryType } from "../protocol/raft/message.ts";
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
  if (snapshot !== undefined && !machine.restore(snapshot.data, snapshot.meta.index)) {
    throw new Error("the Raft snapshot cannot be read: was it made by a later release?");
  }
  for (const { index, type, data } of entries) {
    if (index <= machine.index || index > upTo) continue;
    if (type === EntryType.command) machine.apply(index, data);
    else machine.advance(index);
  }
  return machine;
}
