/** Metrics over time: the intervals that /v1/metrics shows, and those whom metrics are sent to. */
import type { ApiContext, MetricsView } from "../api/context.ts";
import type { Config } from "../config/config.ts";
import { systemClock } from "../host/clock.ts";
import type { Log } from "../host/host.ts";
import { CoreMeter } from "../host/usage.ts";
import type { AuditLog } from "../service/audit/audit-log.ts";
import { MetricIntervals } from "../service/telemetry/intervals.ts";
import type { Dialect, MetricSender, OpenOutlet } from "../service/telemetry/sender.ts";
import type { Telemetry } from "../service/telemetry/telemetry.ts";

export class MetricsKeeper {
  readonly #config: Config;
  readonly #dropped = new Map<string, number>();
  #meter: CoreMeter | undefined;
  #telemetry: Telemetry | undefined;
  readonly view: MetricsView;

  constructor(config: Config, audit: AuditLog | undefined) {
    this.#config = config;
    const { inMemoryCollectionIntervalMs } = config.telemetry;
    this.view = {
      intervals: new MetricIntervals(inMemoryCollectionIntervalMs, systemClock.wallMs()),
      dropped: this.#dropped,
      cores: () => {
        this.#meter ??= new CoreMeter();
        return this.#meter.usage();
      },
      audit,
    };
  }

  async start(context: ApiContext, log: Log): Promise<void> {
    const [{ Telemetry }, { collectMetrics }, { namingOf }] = await Promise.all([
      import("../service/telemetry/telemetry.ts"),
      import("../api/metrics.ts"),
      import("../api/metrics-answer.ts"),
    ]);
    this.#telemetry = new Telemetry({
      collect: () => collectMetrics(context),
      intervals: this.view.intervals,
      senders: await this.#senders(log.named("telemetry")),
      everyMs: this.#config.telemetry.collectionIntervalMs,
      naming: namingOf(this.#config),
      clock: systemClock,
    });
  }

  stop(): void {
    this.#telemetry?.stop();
  }

  async #senders(log: Log): Promise<readonly MetricSender[]> {
    const { name: node, telemetry } = this.#config;
    const { statsdAddress, statsiteAddress, datadogAddress, datadogTags: tags } = telemetry;
    const all = { statsite: statsiteAddress, statsd: statsdAddress, datadog: datadogAddress };
    if (Object.values(all).every((address) => address === undefined)) return [];
    const { MetricSender } = await import("../service/telemetry/sender.ts");
    const { openDatagramOutlet, openStreamOutlet } = await import("../host/outlet.ts");
    const sender = (dialect: Dialect, address: string | undefined): MetricSender[] => {
      if (address === undefined) return [];
      const open: OpenOutlet = (lost) => {
        return (dialect === "statsite" ? openStreamOutlet : openDatagramOutlet)(address, lost);
      };
      const common = { tags, node, clock: systemClock, log, dropped: this.#dropped };
      return [new MetricSender({ dialect, address, open, ...common })];
    };
    return [
      ...sender("statsite", all.statsite),
      ...sender("statsd", all.statsd),
      ...sender("datadog", all.datadog),
    ];
  }
}
