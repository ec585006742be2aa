/**
 * Leaving, step by step (wire/gossip.md §10.12): the leave intent is told, then memberlist's
 * farewell, then a moment for both to spread. Each step ends when enough have been told, or with
 * its timeout.
 *
 * @module
 */
import type { Deadlines } from "../deadlines.ts";
import type { Instant } from "../ports.ts";
import type { BroadcastHandle } from "../swim/broadcasts.ts";
import type { SerfConfig } from "./config.ts";

interface DepartureInit {
  readonly config: SerfConfig;
  readonly deadlines: Deadlines;
  /** Starts memberlist's farewell. */
  readonly sayFarewell: (now: Instant) => void;
  readonly farewellSent: () => boolean;
}

const INTENT = "leave:intent";
const FAREWELL = "leave:farewell";
const PROPAGATED = "leave:propagated";

export class Departure {
  readonly #init: DepartureInit;
  #phase: "staying" | "intent" | "farewell" | "propagating" | "left" = "staying";
  #intent: BroadcastHandle | undefined;

  constructor(init: DepartureInit) {
    this.#init = init;
  }

  get staying(): boolean {
    return this.#phase === "staying";
  }

  /** @param intent our leave intent in the queue; undefined: nobody is there to hear it */
  start(intent: BroadcastHandle | undefined, now: Instant): void {
    this.#phase = "intent";
    this.#intent = intent;
    this.#init.deadlines.set(INTENT, now + this.#init.config.broadcastTimeoutMs);
  }

  /** Goes on if it can; a step whose deadline has fired is over. @returns true once, at the end */
  progress(now: Instant): boolean {
    const { config, deadlines, sayFarewell, farewellSent } = this.#init;
    if (this.#phase === "intent") {
      if (this.#intent?.finished === false && deadlines.has(INTENT)) return false;
      deadlines.clear(INTENT);
      this.#phase = "farewell";
      sayFarewell(now);
      deadlines.set(FAREWELL, now + config.broadcastTimeoutMs);
    }
    if (this.#phase === "farewell") {
      if (!farewellSent() && deadlines.has(FAREWELL)) return false;
      deadlines.clear(FAREWELL);
      this.#phase = "propagating";
      deadlines.set(PROPAGATED, now + config.leavePropagateDelayMs);
    }
    if (this.#phase !== "propagating" || deadlines.has(PROPAGATED)) return false;
    this.#phase = "left";
    return true;
  }
}
