/** Times of a client node; what Nomad's client has is named where it differs. */
export const NODE = {
  /**
   * For an answer to a heartbeat or a registration: a server that stands still is left behind. One
   * that waits for a leader says so after 5 s.
   */
  callTimeoutMs: 6000,
  /** Of a node whose time to live is short it is this part of that, but never less than so much. */
  callTimeoutPart: 0.5,
  callTimeoutMinMs: 1000,
  /** Until the next try when no server has answered: doubled, and up to as much again. */
  retryMinMs: 1000,
  /** Nomad's client waits 15 to 30 s between registrations. */
  retryMaxMs: 15_000,
  /** Of its time to live, when a node says that it lives: at least, and at most. */
  heartbeatPartMin: 0.5,
  heartbeatPartMax: 0.8,
  /** Where a server names no time to live: it has just begun to lead, say. */
  ttlDefaultMs: 10_000,
  /** Servers that are remembered. */
  serversMax: 64,
} as const;

export type NodeConfig = { readonly [Key in keyof typeof NODE]: number };
