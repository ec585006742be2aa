/** Times and limits of Raft: Nomad's, for `raft_multiplier = 1` (wire/rpc-and-raft.md §8). */
export interface RaftConfig {
  /** A follower that hears nothing for so long, up to twice as long, stands for election. */
  readonly heartbeatTimeoutMs: number;
  /** A candidate that has no majority by then tries again. */
  readonly electionTimeoutMs: number;
  /** A leader that a majority has not answered for so long steps down. */
  readonly leaderLeaseMs: number;
  /** A leader tells each follower its commit index so often, up to twice as seldom. */
  readonly commitTimeoutMs: number;

  /** Entries of one AppendEntries. */
  readonly entriesMax: number;
  /** Bytes of commands of one AppendEntries, if it has more than one entry. */
  readonly bytesMax: number;
  /** AppendEntries under way to one follower. */
  readonly inflightMax: number;
  /** Between tries to reach a follower: doubled each time, from one to the other. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** Entries kept behind a snapshot, so that a slow follower needs no snapshot. */
  readonly trailingEntries: number;
}

export const RAFT: RaftConfig = {
  heartbeatTimeoutMs: 1000,
  electionTimeoutMs: 1000,
  leaderLeaseMs: 500,
  commitTimeoutMs: 50,
  entriesMax: 64,
  bytesMax: 1024 * 1024,
  inflightMax: 2,
  retryMinMs: 10,
  retryMaxMs: 1000,
  trailingEntries: 10_240,
};

/**
 * The time in which followers are told of a commit stays: an idle group has no other contact, and
 * autopilot's `last_contact_threshold` is 200 ms whatever the multiplier.
 *
 * @param multiplier 1 to 10 (Nomad's `raft_multiplier`)
 */
export function scaled(config: RaftConfig, multiplier: number): RaftConfig {
  return {
    ...config,
    heartbeatTimeoutMs: config.heartbeatTimeoutMs * multiplier,
    electionTimeoutMs: config.electionTimeoutMs * multiplier,
    leaderLeaseMs: config.leaderLeaseMs * multiplier,
  };
}
