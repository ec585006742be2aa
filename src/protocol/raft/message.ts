/** What Raft servers keep and tell each other (Raft, figure 2; hashicorp/raft v1.7.3). */

export const EntryType = { command: 0, noop: 1, barrier: 4, configuration: 5 } as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

export interface LogEntry {
  readonly index: number;
  readonly term: number;
  /** One of EntryType, or a number of an older release's that is kept as it is. */
  readonly type: number;
  readonly data: Uint8Array;
  /** Milliseconds since 1970 when the leader appended it; undefined: not told. */
  readonly appendedAtMs: number | undefined;
}

export interface RaftServer {
  readonly id: string;
  /** ip:port */
  readonly address: string;
  readonly suffrage: "voter" | "nonvoter";
}

export interface Configuration {
  readonly servers: readonly RaftServer[];
}

/** Who sends a request. */
export interface Sender {
  readonly id: string;
  readonly address: string;
}

export interface SnapshotMeta {
  readonly index: number;
  readonly term: number;
  readonly configuration: Configuration;
  readonly configurationIndex: number;
}

export interface AppendEntries {
  readonly kind: "append-entries";
  readonly from: Sender;
  readonly term: number;
  /** All 0 in a heartbeat. */
  readonly prevIndex: number;
  readonly prevTerm: number;
  readonly commitIndex: number;
  /** undefined in a heartbeat. */
  readonly entries: readonly LogEntry[] | undefined;
}

export interface RequestVote {
  readonly kind: "request-vote";
  readonly from: Sender;
  readonly term: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly transfer: boolean;
}

export interface RequestPreVote {
  readonly kind: "request-pre-vote";
  readonly from: Sender;
  /** The term that the candidate would have. */
  readonly term: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
}

/** The snapshot's bytes travel behind it, and are kept by whoever reads them. */
export interface InstallSnapshot {
  readonly kind: "install-snapshot";
  readonly from: Sender;
  readonly term: number;
  readonly meta: SnapshotMeta;
}

interface TimeoutNow {
  readonly kind: "timeout-now";
  readonly from: Sender;
}

export type RaftCall = AppendEntries | RequestVote | RequestPreVote | InstallSnapshot | TimeoutNow;

export interface AppendAnswer {
  readonly kind: "append-entries";
  readonly term: number;
  /** The last index before the request was applied. */
  readonly lastIndex: number;
  readonly success: boolean;
  /** The log simply differs: no reason to wait before the next try. */
  readonly noRetryBackoff: boolean;
}

export interface VoteAnswer {
  readonly kind: "request-vote" | "request-pre-vote";
  readonly term: number;
  readonly granted: boolean;
}

interface SnapshotAnswer {
  readonly kind: "install-snapshot";
  readonly term: number;
  readonly success: boolean;
}

interface TimeoutNowAnswer {
  readonly kind: "timeout-now";
}

export type RaftAnswer = AppendAnswer | VoteAnswer | SnapshotAnswer | TimeoutNowAnswer;

/** Configurations as bytes of a log entry; the wire layer has the real one. */
export interface ConfigurationCodec {
  encode(configuration: Configuration): Uint8Array;
  /** undefined: unreadable. */
  decode(data: Uint8Array): Configuration | undefined;
}
