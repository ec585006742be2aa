/**
 * Says why strangers are turned away without letting them fill the disk: the first of a reason at
 * once, then one summary a second while it goes on.
 *
 * @module
 */
import type { Clock, Log, LogFields } from "../host/host.ts";
import type { Instant } from "../protocol/ports.ts";

const SUMMARY_MS = 1000;
/** Silence after which a reason counts as new again. */
const FORGET_MS = 60_000;

interface Reason {
  lastAt: Instant;
  loggedAt: Instant;
  unlogged: number;
}

export class RefusalLog {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #summaryMs: number;
  readonly #reasons = new Map<string, Reason>();

  /** @param summaryMs between two lines about the same, while it goes on */
  constructor(clock: Clock, log: Log, summaryMs = SUMMARY_MS) {
    this.#clock = clock;
    this.#log = log;
    this.#summaryMs = summaryMs;
  }

  /** @param reason one of a fixed set, never what a peer sent: it is the key of a map */
  note(reason: string, message: string, fields: () => LogFields): void {
    const now = this.#clock.now();
    const known = this.#reasons.get(reason);
    if (known === undefined || now - known.lastAt > FORGET_MS) {
      this.#reasons.set(reason, { lastAt: now, loggedAt: now, unlogged: 0 });
      this.#log.error(message, fields());
      return;
    }
    known.lastAt = now;
    known.unlogged += 1;
    if (now - known.loggedAt < this.#summaryMs) return;
    this.#log.error(message, { ...fields(), repeated: known.unlogged });
    known.loggedAt = now;
    known.unlogged = 0;
  }
}

/** One more of `reason`, for status and metrics. */
export function countRefusal(counts: Map<string, number>, reason: string): void {
  counts.set(reason, (counts.get(reason) ?? 0) + 1);
}
