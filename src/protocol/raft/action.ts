/** What a Raft server wants done, strictly in order. */
import type {
  LogEntry,
  RaftAnswer,
  RaftCall,
  RaftServer,
  Sender,
  SnapshotMeta,
} from "./message.ts";

export type Role = "follower" | "candidate" | "leader";

/** Calls of one lane to one server are answered in order; lanes do not wait for each other. */
export type Lane = "vote" | "heartbeat" | "replicate" | "snapshot";

/** Term and vote, always written together (Raft, figure 2: persistent state). */
export interface HardState {
  readonly term: number;
  readonly votedTerm: number;
  /** The candidate's address, as hashicorp/raft stores it; "" for none. */
  readonly votedFor: string;
}

export type RaftAction =
  /**
   * A barrier: durable before anything behind it is done. If it fails nothing behind it may be
   * done, and this machine is over: its state is ahead of the disk's.
   */
  | {
      readonly kind: "persist";
      readonly state: HardState | undefined;
      /** Entries from here on go first; undefined: none do. */
      readonly truncateFrom: number | undefined;
      readonly entries: readonly LogEntry[];
    }
  | {
      readonly kind: "send";
      readonly ticket: number;
      readonly to: RaftServer;
      readonly lane: Lane;
      readonly call: RaftCall;
    }
  /** To a call that came by `receive`. */
  | { readonly kind: "answer"; readonly callId: number; readonly answer: RaftAnswer }
  /** Committed: each index once, in order, without a gap. */
  | { readonly kind: "apply"; readonly entries: readonly LogEntry[] }
  /**
   * A barrier: the received snapshot replaces the state machine, and the log up to its index; the
   * rest of the log too, unless it is kept.
   */
  | {
      readonly kind: "restore";
      readonly callId: number;
      readonly meta: SnapshotMeta;
      readonly keepsLog: boolean;
    }
  /** The log up to this index may go: a snapshot stands for it. */
  | { readonly kind: "compact"; readonly upTo: number }
  | { readonly kind: "role"; readonly role: Role; readonly term: number }
  | { readonly kind: "leader"; readonly leader: Sender | undefined }
  /** We still lead, as of the `verify` with this token: reads up to `index` are linearizable. */
  | { readonly kind: "verified"; readonly token: number; readonly index: number }
  /** A transfer of leadership came to nothing. */
  | { readonly kind: "transfer-failed"; readonly why: string };

/** Why a command was not taken; the state is unchanged. */
export type RaftRefusal =
  | "not-leader"
  | "transfer-in-progress"
  | "change-in-progress"
  | "already-bootstrapped"
  | "unknown-server"
  | "no-voter-left"
  | "no-such-target";
