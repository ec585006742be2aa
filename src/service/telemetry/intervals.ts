/**
 * What has been counted in the last whole interval, as go-metrics' sink in memory has it: totals
 * are looked at now and then, and what they have grown by belongs to the interval of that look.
 *
 * @module
 */
import { keyOf, type Metric } from "./metric.ts";

/** What a counter has grown by. */
export interface Growth {
  readonly metric: Metric;
  readonly sum: number;
}

interface Interval {
  readonly startMs: number;
  readonly lengthMs: number;
  /** It goes on: none is over yet. */
  readonly isPresent: boolean;
  readonly growths: readonly Growth[];
}

export class MetricIntervals {
  readonly #lengthMs: number;
  /** Totals when they were last looked at; all begin with 0. */
  #totals = new Map<string, number>();
  #slot: number;
  #grown = new Map<string, Growth>();
  #last: Interval | undefined;

  /** @param nowMs since 1970; intervals begin at multiples of their length, as Nomad's */
  constructor(lengthMs: number, nowMs: number) {
    this.#lengthMs = lengthMs;
    this.#slot = Math.floor(nowMs / lengthMs);
  }

  /** When the present interval is over, milliseconds since 1970. */
  get endMs(): number {
    return (this.#slot + 1) * this.#lengthMs;
  }

  /** @param metrics all that there are, gauges among them; at the end of an interval or before */
  observe(metrics: readonly Metric[], nowMs: number): void {
    for (const metric of metrics) {
      if (metric.kind !== "counter") continue;
      const key = keyOf(metric);
      const sum = metric.value - (this.#totals.get(key) ?? 0);
      this.#totals.set(key, metric.value);
      if (sum <= 0) continue;
      this.#grown.set(key, { metric, sum: sum + (this.#grown.get(key)?.sum ?? 0) });
    }
    const slot = Math.floor(nowMs / this.#lengthMs);
    if (slot === this.#slot) return;
    this.#last = { ...this.#present(), isPresent: false };
    this.#grown = new Map();
    this.#slot = slot;
  }

  /** The last that is over; the present one while none is. */
  latest(): Interval {
    return this.#last ?? this.#present();
  }

  #present(): Interval {
    const startMs = this.#slot * this.#lengthMs;
    const growths = [...this.#grown.values()];
    return { startMs, lengthMs: this.#lengthMs, isPresent: true, growths };
  }
}
