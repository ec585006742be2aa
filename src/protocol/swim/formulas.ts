/** The arithmetic of memberlist (wire/gossip.md §8.9), where a rounding is part of the protocol. */

/** Smallest suspicion timeout in ms for a table of `nodes`. */
export function suspicionTimeoutMs(mult: number, nodes: number, probeIntervalMs: number): number {
  const scale = Math.max(1, Math.log10(Math.max(1, nodes)));
  return (mult * Math.floor(scale * 1000) * probeIntervalMs) / 1000;
}

/** How often a broadcast is sent at most. */
export function retransmitLimit(mult: number, nodes: number): number {
  return mult * Math.ceil(Math.log10(nodes + 1));
}

/** Wait between periodic push/pulls in ms: above 32 nodes one interval more for each doubling. */
export function pushPullWaitMs(intervalMs: number, nodes: number): number {
  if (nodes <= 32) return intervalMs;
  return intervalMs * (Math.ceil(Math.log2(nodes) - Math.log2(32)) + 1);
}

/** Suspicion timeout from its start, after `confirmations` of `k` (Lifeguard §IV-C). */
export function confirmedTimeoutMs(
  confirmations: number,
  k: number,
  minMs: number,
  maxMs: number,
): number {
  if (k < 1) return minMs;
  const fraction = Math.log(confirmations + 1) / Math.log(k + 1);
  return Math.max(minMs, Math.floor(maxMs - fraction * (maxMs - minMs)));
}

/** Confirmations wanted before the shortest timeout applies: 0 if too few nodes could give them. */
export function confirmationsWanted(suspicionMult: number, nodes: number): number {
  const k = suspicionMult - 2;
  return nodes - 2 < k ? 0 : k;
}
