/**
 * How soon an address that failed may be dialled again: later each time, not by all at once, and at
 * once when there is news of it.
 *
 * @module
 */
import type { Clock } from "../../../host/host.ts";
import type { Instant, Prng } from "../../../protocol/ports.ts";

const MAX_MS = 10_000;
/** So much of a delay is left to chance. */
const JITTER_PART = 4;
/** Longer than any delay: an address of which nothing was heard since is forgotten. */
const FORGET_MS = 60_000;
/** Before it is looked for some that can be forgotten. */
const MANY = 64;

interface Failure {
  readonly until: Instant;
  readonly delayMs: number;
  readonly error: unknown;
}

export class Backoff {
  readonly #clock: Clock;
  readonly #prng: Prng;
  readonly #minMs: number;
  readonly #failures = new Map<string, Failure>();

  constructor(clock: Clock, prng: Prng, minMs: number) {
    this.#clock = clock;
    this.#prng = prng;
    this.#minMs = minMs;
  }

  /** What the last dial met, while it is too early for another one. */
  refusal(address: string): { readonly error: unknown } | undefined {
    const failure = this.#failures.get(address);
    return failure !== undefined && this.#clock.now() < failure.until ? failure : undefined;
  }

  /** Failures of dials that began together count once. */
  failed(address: string, error: unknown): void {
    if (this.refusal(address) !== undefined) return;
    const now = this.#clock.now();
    const before = this.#failures.get(address)?.delayMs ?? this.#minMs / 2;
    const delayMs = Math.min(before * 2, MAX_MS);
    const until = now + delayMs - (this.#prng.next() * delayMs) / JITTER_PART;
    this.#failures.set(address, { until, delayMs, error });
    if (this.#failures.size < MANY) return;
    for (const [one, { until }] of this.#failures) {
      if (now > until + FORGET_MS) this.#failures.delete(one);
    }
  }

  /** It was reached, or something has changed there. */
  forgive(address: string): void {
    this.#failures.delete(address);
  }

  /** Something has changed here. */
  clear(): void {
    this.#failures.clear();
  }
}
