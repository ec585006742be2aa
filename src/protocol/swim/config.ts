/** Timings and limits of SWIM; names and defaults are memberlist's (wire/gossip.md §8.14). */

export interface SwimConfig {
  /** Other members asked to ping for us. */
  readonly indirectChecks: number;
  readonly retransmitMult: number;
  readonly suspicionMult: number;
  readonly suspicionMaxTimeoutMult: number;
  /** 0: no periodic push/pull. */
  readonly pushPullIntervalMs: number;
  readonly probeTimeoutMs: number;
  readonly probeIntervalMs: number;
  readonly awarenessMaxMultiplier: number;
  readonly gossipNodes: number;
  readonly gossipIntervalMs: number;
  readonly gossipToTheDeadMs: number;
  /** 0: a dead node's name is never taken over by another address. */
  readonly deadNodeReclaimMs: number;
  /** Ping over TCP too when a UDP probe got no ack. */
  readonly tcpPings: boolean;
  /** What a sender packs; it has to accept much more. */
  readonly datagramBytesMax: number;
  /** What the table may hold: whoever has the key can make up nodes. */
  readonly membersMax: number;
}

const COMMON = {
  retransmitMult: 4,
  suspicionMaxTimeoutMult: 6,
  awarenessMaxMultiplier: 8,
  deadNodeReclaimMs: 0,
  tcpPings: true,
  datagramBytesMax: 1400,
  membersMax: 100_000,
} as const;

export const LAN: SwimConfig = {
  ...COMMON,
  indirectChecks: 3,
  suspicionMult: 4,
  pushPullIntervalMs: 30_000,
  probeTimeoutMs: 500,
  probeIntervalMs: 1000,
  gossipNodes: 3,
  gossipIntervalMs: 200,
  gossipToTheDeadMs: 30_000,
};

/** What Nomad's servers use. */
export const WAN: SwimConfig = {
  ...COMMON,
  indirectChecks: 3,
  suspicionMult: 6,
  pushPullIntervalMs: 60_000,
  probeTimeoutMs: 3000,
  probeIntervalMs: 5000,
  gossipNodes: 4,
  gossipIntervalMs: 500,
  gossipToTheDeadMs: 60_000,
};
