/** Bodies of Operator.SnapshotSave and SnapshotRestore (wire/rpc-and-raft.md §7.3). */
import { int64, struct, text, type ValueOf } from "./codec.ts";
import { queryMeta, writeFields } from "./rpc-status.ts";

const failure = { ErrorCode: int64, ErrorMsg: text };
const how = { omitEmpty: ["ErrorCode", "ErrorMsg"] };

/** In front of the archive's bytes. */
export const snapshotSaveReply = struct({ ...queryMeta, ...failure, SnapshotChecksum: text }, how);
export type SnapshotSaveReply = ValueOf<typeof snapshotSaveReply>;

/** In front of frames with the archive's bytes. */
export const snapshotRestoreRequest = struct(writeFields);
export const snapshotRestoreReply = struct({ ...queryMeta, ...failure }, how);
