/** How a state machine is brought to where a log says, whether Raft runs or not. */
import type { StoredSnapshot } from "../../host/raft-snapshot.ts";
import { EntryType, type LogEntry } from "../../protocol/raft/message.ts";
import type { Outcome, StateMachine } from "../../state/state-machine.ts";

/** What a log needs of a state machine. */
export type ReplicatedMachine = Pick<
  StateMachine,
  "index" | "advance" | "apply" | "snapshot" | "restore"
>;

/** Before the log's first entry. @throws Error for the operator */
export function restoreStored(
  machine: Pick<ReplicatedMachine, "restore">,
  snapshot: StoredSnapshot | undefined,
): void {
  if (snapshot === undefined || machine.restore(snapshot.data, snapshot.meta.index)) return;
  throw new Error("the Raft snapshot cannot be read: was it made by a later release?");
}

/** @returns what the machine says to this entry; the others are for Raft itself */
export function applyEntry(
  machine: Pick<ReplicatedMachine, "apply" | "advance">,
  { index, type, data }: LogEntry,
): Outcome {
  if (type === EntryType.command) return machine.apply(index, data);
  machine.advance(index);
  return "applied";
}
