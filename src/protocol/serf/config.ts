/** Timings and limits of Serf, as in Nomad (wire/gossip.md §10.12); the last two are ours. */
export interface SerfConfig {
  readonly reapIntervalMs: number;
  readonly reconnectIntervalMs: number;
  /** Failed members are forgotten after it. */
  readonly reconnectTimeoutMs: number;
  /** Left members are forgotten after it. */
  readonly tombstoneTimeoutMs: number;
  readonly recentIntentTimeoutMs: number;
  readonly broadcastTimeoutMs: number;
  readonly leavePropagateDelayMs: number;
  /** Lamport times that user events and queries are remembered for. */
  readonly eventBuffer: number;
  readonly queryBuffer: number;
  readonly querySizeMax: number;
  readonly queryResponseSizeMax: number;
  readonly userEventSizeMax: number;
  readonly queryTimeoutMult: number;
  readonly queueDepthMax: number;
  readonly queueCheckIntervalMs: number;
  /** A member that says it leaves and is still there after it has changed its mind. */
  readonly leavingTimeoutMs: number;
  /** Intents about nodes that we do not know yet. */
  readonly intentsMax: number;
}

export const NOMAD_SERF: SerfConfig = {
  reapIntervalMs: 15_000,
  reconnectIntervalMs: 30_000,
  reconnectTimeoutMs: 72 * 3_600_000,
  tombstoneTimeoutMs: 24 * 3_600_000,
  recentIntentTimeoutMs: 300_000,
  broadcastTimeoutMs: 5000,
  leavePropagateDelayMs: 1000,
  eventBuffer: 512,
  queryBuffer: 512,
  querySizeMax: 1024,
  queryResponseSizeMax: 1024,
  userEventSizeMax: 512,
  queryTimeoutMult: 16,
  queueDepthMax: 4096,
  queueCheckIntervalMs: 30_000,
  leavingTimeoutMs: 60_000,
  intentsMax: 8192,
};

/** memberlist speaks 2 of 1..5, Serf 4 of 2..5. */
export const VERSIONS = Uint8Array.of(1, 5, 2, 2, 5, 4);
