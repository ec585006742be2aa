/** Bodies of Operator.SnapshotSave and SnapshotRestore (wire/rpc-and-raft.md §7.3). */
import { int64, list, struct, text, uint64, type ValueOf } from "./codec.ts";
import { queryMeta, writeFields } from "./rpc-status.ts";

const failure = { ErrorCode: int64, ErrorMsg: text };
const how = { omitEmpty: ["ErrorCode", "ErrorMsg"] };

/** In front of the archive's bytes. */
export const snapshotSaveReply = struct({ ...queryMeta, ...failure, SnapshotChecksum: text }, how);

/** In front of frames with the archive's bytes. */
export const snapshotRestoreRequest = struct(writeFields);

const recordCount = struct({ Count: uint64, Name: text });
/**
 * Kept and LeftOut are ours, there when a snapshot of Nomad's had more than we keep; Nomad's own
 * decoder skips fields that it does not know.
 */
export const snapshotRestoreReply = struct(
  { ...queryMeta, ...failure, Kept: list(recordCount), LeftOut: list(recordCount) },
  { omitEmpty: [...how.omitEmpty, "Kept", "LeftOut"] },
);
export type SnapshotRestoreReply = ValueOf<typeof snapshotRestoreReply>;
