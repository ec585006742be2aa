/** One member under suspicion: who accuses it, and until when it may refute (Lifeguard §IV-C). */
import type { Instant } from "../ports.ts";
import { confirmedTimeoutMs } from "./formulas.ts";

interface SuspicionBounds {
  /** Confirmations wanted; fixed at the start. */
  readonly k: number;
  readonly minMs: number;
  readonly maxMs: number;
}

export class Suspicion {
  readonly #accusers: Set<string>;
  readonly #bounds: SuspicionBounds;
  readonly #start: Instant;
  #confirmations = 0;

  /** The first accuser does not count as a confirmation. */
  constructor(from: string, bounds: SuspicionBounds, now: Instant) {
    this.#accusers = new Set([from]);
    this.#bounds = bounds;
    this.#start = now;
  }

  get confirmations(): number {
    return this.#confirmations;
  }

  get deadline(): Instant {
    const { k, minMs, maxMs } = this.#bounds;
    return this.#start + confirmedTimeoutMs(this.#confirmations, k, minMs, maxMs);
  }

  /** @returns true if `from` is news and was still wanted */
  confirm(from: string): boolean {
    if (this.#confirmations >= this.#bounds.k || this.#accusers.has(from)) return false;
    this.#accusers.add(from);
    this.#confirmations += 1;
    return true;
  }
}
