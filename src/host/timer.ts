/** Timers for what has no clock of its own to be told by: one dialogue, one wait. */

/** Runs `work` once, later. @returns takes it back */
export function after(waitMs: number, work: () => void): () => void {
  const timer = setTimeout(work, waitMs);
  return () => clearTimeout(timer);
}

/** Runs `work` when this turn of the loop is over, and what came with it has been heard. */
export function afterThisTurn(work: () => void): void {
  setImmediate(work);
}
