/** How a state machine is brought to where a log says, whether Raft runs or not. */
import type { StoredSnapshot } from "../../host/raft-snapshot.ts";
import { EntryType, type LogEntry } from "../../protocol/raft/message.ts";
import { IGNORABLE } from "../../state/command.ts";
import { isLaterCommand } from "../../state/command-format.ts";
import { whyUnreadable } from "../../state/image.ts";
import type { Outcome, StateMachine } from "../../state/state-machine.ts";

/** What a log needs of a state machine. */
export type ReplicatedMachine = Pick<
  StateMachine,
  "index" | "advance" | "apply" | "snapshot" | "canRestore" | "restore"
>;

/** Before the log's first entry. @throws Error for the operator */
export function restoreStored(
  machine: Pick<ReplicatedMachine, "restore">,
  snapshot: StoredSnapshot | undefined,
): void {
  if (snapshot === undefined || machine.restore(snapshot.data, snapshot.meta.index)) return;
  throw new Error(`the Raft snapshot cannot be read: ${whyUnreadable(snapshot.data)}`);
}

/** What the log holds can be done by this release. @throws Error for the operator */
export function checkCommands(entries: readonly LogEntry[]): void {
  const later = entries.find((one) => one.type === EntryType.command && isLaterCommand(one.data));
  if (later !== undefined) throw new Error(`the Raft log cannot be read: ${laterEntry(later)}`);
}

/** For an operator. */
export function laterEntry({ index, data }: LogEntry): string {
  const kind = `message type ${(data[0] ?? 0) & ~IGNORABLE}`;
  return `entry ${index} (${kind}) was written by a later release: use that one`;
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
