/** What came to the RPC port and what left by it: accepted, and refused by reason. */

export interface RpcCounters {
  /** Connections by the protocol that their first byte (inside TLS, if any) chose. */
  readonly connections: Map<string, number>;
  readonly inbound: HandshakeCounters;
  readonly outbound: HandshakeCounters;
  requests: number;
  requestErrors: number;
  /** Accepted without TLS: 0 unless it is off or in upgrade mode. */
  plainConnections: number;
  /** Of those that are open now, how many are without TLS. */
  open: number;
  openPlain: number;
  /** Upgrade mode: calls of ours that went in the clear since the server has no TLS yet. */
  fallbacksToPlain: number;
  /** Multiplexed sessions that ended by a fault, by reason. */
  readonly sessionFailures: Map<string, number>;
  /** Requests passed on to another server. */
  forwarded: number;
  /** Streaming calls that are open. */
  streaming: number;
  readonly refused: Map<string, number>;
  /** Nodes that came without being introduced, or with what does not hold, by level and reason. */
  readonly uninvited: Map<string, number>;
}

export interface HandshakeCounters {
  accepted: number;
  readonly refused: Map<string, number>;
}

export function createHandshakeCounters(): HandshakeCounters {
  return { accepted: 0, refused: new Map() };
}

export function createRpcCounters(): RpcCounters {
  return {
    connections: new Map(),
    inbound: createHandshakeCounters(),
    outbound: createHandshakeCounters(),
    requests: 0,
    requestErrors: 0,
    plainConnections: 0,
    open: 0,
    openPlain: 0,
    fallbacksToPlain: 0,
    sessionFailures: new Map(),
    forwarded: 0,
    streaming: 0,
    refused: new Map(),
    uninvited: new Map(),
  };
}
