/** The `telemetry` block: where metrics are sent, and which of them. */
import { splitHostPort } from "../host/ip.ts";
import type { TelemetryConfig } from "./config.ts";
import { IGNORED_TELEMETRY } from "./ignored.ts";
import { valueToShow } from "./redact.ts";
import type { Section } from "./section.ts";

/** More often than this would be work for its own sake. */
const INTERVAL_MIN_MS = 100;
const UNIX = "unix://";

export function readTelemetry(section: Section): TelemetryConfig {
  const memory = readMemory(section);
  const telemetry = {
    collectionIntervalMs: readInterval(section),
    inMemoryCollectionIntervalMs: memory,
    prometheusMetrics: section.ownBool("prometheus_metrics") ?? true,
    disableHostname: section.bool("disable_hostname") ?? false,
    useNodeName: section.bool("use_node_name") ?? false,
    publishNodeMetrics: section.bool("publish_node_metrics") ?? false,
    filterDefault: section.ownBool("filter_default") ?? true,
    prefixFilter: readFilter(section),
    statsdAddress: readAddress(section, "statsd_address"),
    statsiteAddress: readAddress(section, "statsite_address"),
    datadogAddress: readDatadog(section),
    datadogTags: section.texts("datadog_tags", "replace") ?? [],
  };
  section.ignore(IGNORED_TELEMETRY);
  section.finish();
  return telemetry;
}

function readInterval(section: Section): number {
  const ms = section.durationMs("collection_interval") ?? 1000;
  return Math.max(ms, INTERVAL_MIN_MS);
}

/** The intervals that /v1/metrics counts by; how many are kept is checked as Nomad does. */
function readMemory(section: Section): number {
  const [collection, retention] = ["in_memory_collection_interval", "in_memory_retention_period"];
  const intervalMs = section.durationMs(collection ?? "") ?? 10_000;
  const periodMs = section.durationMs(retention ?? "") ?? 60_000;
  const invalid = (key: string | undefined, text: string): void =>
    section.fail(key ?? "", `telemetry block invalid: telemetry in-memory ${text}`);
  if (intervalMs <= 0) invalid(collection, "collection interval must be greater than zero");
  else if (periodMs <= 0) invalid(retention, "retention period must be greater than zero");
  else if (intervalMs > periodMs) {
    invalid(collection, "collection interval cannot be greater than retention period");
  }
  return Math.max(intervalMs, INTERVAL_MIN_MS);
}

function readFilter(section: Section): readonly string[] {
  const rules = (section.texts("prefix_filter", "replace") ?? []).filter((rule) => rule !== "");
  for (const rule of rules) {
    if (/^[+-]/.test(rule)) continue;
    const found = valueToShow(rule);
    section.fail("prefix_filter", `Filter rule must begin with either '+' or '-': ${found}`);
  }
  return rules;
}

/** One that cannot be dialled starts Nomad's agent nevertheless: nothing is sent. */
function readAddress(section: Section, key: string): string | undefined {
  const text = section.text(key);
  if (text === undefined || splitHostPort(text).port !== undefined) return text;
  section.warn(key, `${valueToShow(text)} has no port: nothing is sent there`);
  return undefined;
}

function readDatadog(section: Section): string | undefined {
  const text = section.text("datadog_address");
  if (text === undefined || text.startsWith(UNIX)) return text;
  if (splitHostPort(text).port === undefined) {
    section.mistake("datadog_address", "must be host:port, or unix:// and a path");
  }
  return text;
}
