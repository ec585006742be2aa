/** `nomad operator raft info|logs|state`: what is on the disk of a server that does not run. */
import { dumpLog, dumpState, summariseLog } from "../agent/offline.ts";
import { errorText } from "../host/error-text.ts";
import { formatTable } from "./columns.ts";
import { CommandError, print } from "./output.ts";

export function raftInfo(path: string): void {
  const {
    path: file,
    length,
    firstIndex,
    lastIndex,
    snapshotIndex,
  } = opened(() => {
    return summariseLog(path);
  });
  print(
    formatTable([
      ["path:", file],
      ["length:", String(length)],
      ["first index:", String(firstIndex)],
      ["last index:", String(lastIndex)],
      ["snapshot index:", String(snapshotIndex)],
    ]),
  );
}

export function raftLogs(path: string, flags: { readonly pretty?: boolean }): void {
  const entries = opened(() => dumpLog(path));
  print(JSON.stringify(entries, null, flags.pretty === true ? 2 : undefined));
}

export function raftState(path: string, flags: { readonly lastIndex?: string }): void {
  const { lastIndex = "0" } = flags;
  if (!/^-?\d+$/.test(lastIndex)) {
    throw new CommandError(`-last-index must be a whole number, found '${lastIndex}'`);
  }
  const state = opened(() => dumpState(path, Number(lastIndex)));
  print(JSON.stringify(state, null, 2));
}

/** @throws CommandError */
function opened<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new CommandError(`failed to open raft logs: ${errorText(error)}`);
  }
}
