/**
 * How far a number that peers name may run ahead of ours: incarnations and Lamport times. An honest
 * one grows by small steps, and by a large one where somebody was away for long; a hostile one
 * jumps to the end of its range, where it cannot be outdone any more. So a large step is taken from
 * a store that fills again slowly: the end is years away, whoever pushes.
 *
 * @module
 */
import type { Instant } from "./ports.ts";

export interface HeadroomLimits {
  /** What may be used at once. */
  readonly max: number;
  readonly perSecond: number;
}

export class Headroom {
  readonly #limits: HeadroomLimits;
  #left: number;
  #at: Instant;

  constructor(limits: HeadroomLimits, now: Instant) {
    this.#limits = limits;
    this.#left = limits.max;
    this.#at = now;
  }

  /** @returns false: no honest node is so far ahead; nothing is used then */
  take(step: number, now: Instant): boolean {
    const { max, perSecond } = this.#limits;
    const passedMs = Math.max(0, now - this.#at);
    this.#left = Math.min(max, this.#left + (passedMs * perSecond) / 1000);
    this.#at = now;
    if (step > this.#left) return false;
    this.#left -= step;
    return true;
  }

  /** Nothing to remember: a new one would be the same. */
  isFull(now: Instant): boolean {
    const { max, perSecond } = this.#limits;
    return this.#left + (Math.max(0, now - this.#at) * perSecond) / 1000 >= max;
  }
}
