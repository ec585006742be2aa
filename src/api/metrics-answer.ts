/**
 * GET /v1/metrics: Nomad's JSON, and the text that Prometheus reads, both with the names, labels
 * and filters that the telemetry block asks for.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import { machineName } from "../host/machine.ts";
import type { Growth } from "../service/telemetry/intervals.ts";
import type { Metric } from "../service/telemetry/metric.ts";
import { type MetricNaming, type MetricPoint, namedPoint } from "../wire/metric-line.ts";
import type { AgentFacts, ApiContext } from "./context.ts";
import { ApiError } from "./errors.ts";
import { askedMetrics } from "./metrics.ts";

/** Nomad's: the host is a label, unless it is not wanted; use_node_name wants it nevertheless. */
export function namingOf({ telemetry, name }: Config): MetricNaming {
  const { disableHostname, useNodeName, prefixFilter, filterDefault } = telemetry;
  const host = useNodeName ? name : machineName();
  const isWanted = useNodeName || !disableHostname;
  return { host: isWanted ? host : "", hostAsLabel: !disableHostname, prefixFilter, filterDefault };
}

/** Gauges as they are now; counters of the last whole interval, or of the present as the first. */
export async function metricsAsJson(context: ApiContext): Promise<unknown> {
  const naming = namingOf(context.config);
  const all = await askedMetrics(context);
  const { intervals } = context.metrics;
  if (intervals.latest().isPresent) intervals.observe(all, context.nowMs());
  const { startMs, lengthMs, growths } = intervals.latest();
  const gauges = all.flatMap((metric) => {
    const point = metric.kind === "gauge" ? named(metric, naming) : undefined;
    return point === undefined ? [] : [shown(point, { Value: point.value })];
  });
  const counters = growths.flatMap((growth) => {
    const point = named(growth.metric, naming);
    return point === undefined ? [] : [shown(point, counted(growth, lengthMs))];
  });
  const timestamp = new Date(Math.round(startMs / 1000) * 1000).toISOString();
  return {
    Counters: counters.sort(byName),
    Gauges: gauges.sort(byName),
    Points: [],
    PrecisionGauges: [],
    Samples: [],
    Timestamp: timestamp.replace("T", " ").replace(/\..*/, " +0000 UTC"),
  };
}

interface Shown {
  readonly Name: string;
  readonly Labels: Readonly<Record<string, string>>;
}

function shown<More extends object>({ parts, labels }: MetricPoint, more: More): Shown & More {
  const pairs = labels.map(({ name, value }) => [name, value] as const);
  return { Name: parts.join(".").replaceAll(" ", "_"), Labels: Object.fromEntries(pairs), ...more };
}

/** As go-metrics adds it up: what is added to by one was said that often, bytes were once. */
function counted({ metric, sum }: Growth, lengthMs: number): object {
  const isOnce = metric.unit === "bytes";
  const each = isOnce ? sum : 1;
  const count = isOnce ? 1 : sum;
  const rate = sum / (lengthMs / 1000);
  return { Count: count, Max: each, Mean: each, Min: each, Rate: rate, Stddev: 0, Sum: sum };
}

function byName(one: Shown, other: Shown): number {
  const [a, b] = [one, other].map(({ Name, Labels }) => `${Name};${JSON.stringify(Labels)}`);
  return (a ?? "") < (b ?? "") ? -1 : 1;
}

function named(metric: Metric, naming: MetricNaming): MetricPoint | undefined {
  const { name, kind, value } = metric;
  const labels = Object.entries(metric.labels).map(([label, text]) => ({
    ...{ name: label, value: text },
  }));
  return namedPoint({ parts: name.split("."), kind, value, labels }, naming);
}

/** The text exposition format, version 0.0.4. @throws ApiError when it is switched off */
export async function metricsAsText(context: ApiContext): Promise<string> {
  const { config }: AgentFacts = context;
  if (!config.telemetry.prometheusMetrics) throw new ApiError(415, "Prometheus is not enabled");
  const naming = namingOf(config);
  const families = new Map<string, string[]>();
  for (const metric of await askedMetrics(context)) {
    const point = named(metric, naming);
    if (point === undefined) continue;
    const name = point.parts.join("_").replaceAll(/[^a-zA-Z0-9_:]/g, "_");
    const lines = families.get(name) ?? [`# HELP ${name} ${name}`, `# TYPE ${name} ${point.kind}`];
    families.set(name, lines);
    lines.push(`${name}${labelsOf(point)} ${point.value}`);
  }
  const sorted = [...families].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.flatMap(([, lines]) => lines.map((line) => `${line}\n`)).join("");
}

function labelsOf({ labels }: MetricPoint): string {
  if (labels.length === 0) return "";
  const pairs = labels.map(({ name, value }) => {
    const escaped = value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
    return `${name.replaceAll(/[^a-zA-Z0-9_]/g, "_")}="${escaped}"`;
  });
  return `{${pairs.join(",")}}`;
}
