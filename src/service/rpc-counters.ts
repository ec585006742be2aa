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
  readonly refused: Map<string, number>;
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
    refused: new Map(),
  };
}
