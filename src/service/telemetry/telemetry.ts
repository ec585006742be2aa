/**
 * The clock of the metrics: at every interval they are collected, counted into the intervals that
 * /v1/metrics shows, and sent to those who want them.
 *
 * @module
 */
import type { Clock } from "../../host/host.ts";
import { type MetricNaming, type MetricPoint, namedPoint } from "../../wire/metric-line.ts";
import type { MetricIntervals } from "./intervals.ts";
import { keyOf, type Metric } from "./metric.ts";
import type { MetricSender } from "./sender.ts";

interface TelemetryInit {
  readonly collect: () => Promise<readonly Metric[]>;
  readonly intervals: MetricIntervals;
  readonly senders: readonly MetricSender[];
  /** From one sending to the next. */
  readonly everyMs: number;
  readonly naming: MetricNaming;
  readonly clock: Clock;
}

export class Telemetry {
  readonly #init: TelemetryInit;
  /** Totals that have been sent. */
  readonly #sent = new Map<string, number>();
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(init: TelemetryInit) {
    this.#init = init;
    this.#wait();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    for (const sender of this.#init.senders) sender.close();
  }

  /** Where nobody is sent anything, only the ends of intervals count. */
  #wait(): void {
    const { clock, intervals, senders, everyMs } = this.#init;
    const toEndMs = Math.max(1, intervals.endMs - clock.wallMs());
    const waitMs = senders.length === 0 ? toEndMs : Math.min(everyMs, toEndMs);
    this.#cancel = clock.schedule(clock.now() + waitMs, () => void this.#tick());
  }

  async #tick(): Promise<void> {
    const { collect, intervals, senders, naming, clock } = this.#init;
    const metrics = await collect();
    if (this.#stopped) return;
    intervals.observe(metrics, clock.wallMs());
    if (senders.length > 0) {
      const points = metrics.flatMap((metric) => this.#point(metric, naming) ?? []);
      for (const sender of senders) sender.send(points);
    }
    this.#wait();
  }

  /** A counter that has not grown is not sent. */
  #point(metric: Metric, naming: MetricNaming): MetricPoint | undefined {
    const { kind, name, value: total } = metric;
    const key = keyOf(metric);
    const value = kind === "counter" ? total - (this.#sent.get(key) ?? 0) : total;
    if (kind === "counter") {
      if (value <= 0) return undefined;
      this.#sent.set(key, total);
    }
    const labels = Object.entries(metric.labels).map(([label, text]) => ({
      ...{ name: label, value: text },
    }));
    return namedPoint({ parts: name.split("."), kind, value, labels }, naming);
  }
}
