/** What went over the gossip port, and what was turned away and why: the proof of encryption. */

export interface GossipCounters {
  readonly packets: TrafficCounters;
  readonly streams: TrafficCounters;
  /** Messages that came in order, and say what is not to be believed, by reason. */
  readonly messagesRefused: Map<string, number>;
  /** What Serf has told of, by kind. */
  readonly events: Map<string, number>;
}

export interface TrafficCounters {
  sent: number;
  received: number;
  sentBytes: number;
  receivedBytes: number;
  /** Encrypted by us. */
  sealed: number;
  /** Decrypted by us. */
  opened: number;
  /** Sent in the clear: no key is configured. */
  sentPlain: number;
  /** Accepted in the clear. */
  receivedPlain: number;
  readonly refused: Map<string, number>;
}

export function createGossipCounters(): GossipCounters {
  const traffic = (): TrafficCounters => ({
    sent: 0,
    received: 0,
    sentBytes: 0,
    receivedBytes: 0,
    sealed: 0,
    opened: 0,
    sentPlain: 0,
    receivedPlain: 0,
    refused: new Map(),
  });
  return { packets: traffic(), streams: traffic(), messagesRefused: new Map(), events: new Map() };
}

export function countSent(traffic: TrafficCounters, bytes: Uint8Array, sealed: boolean): void {
  traffic.sent += 1;
  traffic.sentBytes += bytes.length;
  if (sealed) traffic.sealed += 1;
  else traffic.sentPlain += 1;
}

/** Something was accepted; its bytes are counted as they come. */
export function countAccepted(traffic: TrafficCounters, sealed: boolean): void {
  if (sealed) traffic.opened += 1;
  else traffic.receivedPlain += 1;
}
