/**
 * GET /v1/metrics: Nomad's JSON, and the text that Prometheus reads. Everything is taken from the
 * counters when it is asked for; nothing is sampled in between.
 *
 * @module
 */
import { armedTimers } from "../host/clock.ts";
import { descriptors } from "../host/descriptors.ts";
import type { TrafficCounters } from "../service/gossip/counters.ts";
import { healthOf } from "../service/raft/autopilot-health.ts";
import type { HandshakeCounters } from "../service/rpc/counters.ts";
import type { AgentFacts, ApiContext, Connections } from "./context.ts";
import { ApiError } from "./errors.ts";
import { stillInClear } from "./status.ts";

interface Metric {
  /** Nomad's form: dots. */
  readonly name: string;
  readonly kind: "counter" | "gauge";
  readonly value: number;
  readonly labels: Readonly<Record<string, string>>;
}

export async function collectMetrics(context: ApiContext): Promise<readonly Metric[]> {
  const metrics = [...rpcMetrics(context), ...tlsMetrics(context), ...raftMetrics(context)];
  const { members } = await context.members();
  for (const state of ["alive", "leaving", "left", "failed"]) {
    const count = members.filter((one) => one.status === state).length;
    metrics.push(gauge("nomad.serf.members", count, { state }));
  }
  for (const what of ["gossip", "rpc", "http"] as const) {
    const clear = stillInClear(context).some((one) => one.what === what);
    metrics.push(gauge("nomad.agent.encrypted", clear ? 0 : 1, { traffic: what }));
  }
  if (context.gossip !== undefined) {
    const { packets, streams, messagesRefused } = context.gossip.counters;
    metrics.push(...trafficMetrics("packets", packets), ...trafficMetrics("streams", streams));
    metrics.push(...byLabel("nomad.memberlist.messages.refused", "reason", messagesRefused));
  }
  metrics.push(...runtimeMetrics());
  return metrics;
}

function runtimeMetrics(): Metric[] {
  const metrics = [
    gauge("nomad.runtime.rss_bytes", process.memoryUsage.rss(), {}),
    gauge("nomad.runtime.timers", armedTimers(), {}),
    gauge("nomad.runtime.open_conns", descriptors.connections, {}),
    counter("nomad.runtime.refused_conns", descriptors.refused),
  ];
  const { limit } = descriptors;
  if (Number.isFinite(limit)) metrics.push(gauge("nomad.runtime.descriptors_max", limit, {}));
  return metrics;
}

function rpcMetrics(context: Connections): Metric[] {
  const { rpc, http } = context;
  return [
    counter("nomad.rpc.request", rpc.requests),
    counter("nomad.rpc.request_error", rpc.requestErrors),
    counter("nomad.rpc.forwarded", rpc.forwarded),
    counter("nomad.rpc.accept_conn_plain", rpc.plainConnections),
    gauge("nomad.rpc.open_conns", rpc.open, {}),
    gauge("nomad.rpc.open_conns_plain", rpc.openPlain, {}),
    gauge("nomad.rpc.streaming", rpc.streaming, {}),
    gauge("nomad.rpc.pool_sessions", context.sessions().length, {}),
    ...byLabel("nomad.rpc.accept_conn", "protocol", rpc.connections),
    ...byLabel("nomad.rpc.refused", "reason", rpc.refused),
    ...byLabel("nomad.rpc.session_failure", "reason", rpc.sessionFailures),
    ...handshakes("nomad.rpc", "inbound", rpc.inbound),
    ...handshakes("nomad.rpc", "outbound", rpc.outbound),
    ...handshakes("nomad.http", "inbound", http),
  ];
}

/** hashicorp/raft's names where it has them, and autopilot's of Nomad on the leader. */
function raftMetrics({ raft }: ApiContext): Metric[] {
  if (raft === undefined) return [];
  const stats = raft.stats();
  const servers = raft.servers();
  const metrics = [
    gauge("nomad.raft.appliedIndex", stats.appliedIndex, {}),
    gauge("nomad.raft.commitIndex", stats.commitIndex, {}),
    gauge("nomad.raft.lastIndex", stats.lastIndex, {}),
    gauge("nomad.raft.lastSnapshotIndex", stats.snapshotIndex, {}),
    gauge("nomad.raft.term", stats.term, {}),
    gauge("nomad.raft.peers", servers.length, {}),
    gauge("nomad.raft.pending", stats.pending, {}),
    gauge("nomad.raft.is_leader", raft.role() === "leader" ? 1 : 0, {}),
    gauge("nomad.raft.stopped", raft.problem() === "" ? 0 : 1, {}),
  ];
  if (stats.lastContactMs !== undefined) {
    metrics.push(gauge("nomad.raft.last_contact_ms", Math.round(stats.lastContactMs), {}));
  }
  const states = raft.health();
  if (states.length === 0) return metrics;
  const { Healthy, FailureTolerance } = healthOf(states);
  metrics.push(
    gauge("nomad.nomad.autopilot.healthy", Healthy ? 1 : 0, {}),
    gauge("nomad.nomad.autopilot.failure_tolerance", FailureTolerance, {}),
  );
  return metrics;
}

function handshakes(prefix: string, direction: string, counts: HandshakeCounters): Metric[] {
  return [
    counter(`${prefix}.tls_handshake`, counts.accepted, { direction }),
    ...byLabel(`${prefix}.tls_handshake_refused`, "reason", counts.refused, { direction }),
  ];
}

/** Nomad's two names: whole seconds, negative when it is over. */
function tlsMetrics(context: AgentFacts & Connections): Metric[] {
  const material = context.tls();
  if (material === undefined) return [];
  const seconds = (notAfterMs: number): number => Math.floor((notAfterMs - context.nowMs()) / 1000);
  const { certificate, authorities } = material;
  const found = [
    gauge("nomad.agent.tls.cert.expiration_seconds", seconds(certificate.notAfterMs), {}),
  ];
  // Nomad looks at the first only, and the one that ends first is what matters.
  const soonest = Math.min(...authorities.map((one) => one.notAfterMs));
  if (authorities.length > 0) {
    found.push(gauge("nomad.agent.tls.ca.expiration_seconds", seconds(soonest), {}));
  }
  return found;
}

function trafficMetrics(kind: string, traffic: TrafficCounters): Metric[] {
  const prefix = `nomad.memberlist.${kind}`;
  return [
    counter(`${prefix}.sent`, traffic.sent),
    counter(`${prefix}.sent_bytes`, traffic.sentBytes),
    counter(`${prefix}.sent_in_clear`, traffic.sentPlain),
    counter(`${prefix}.received`, traffic.received),
    counter(`${prefix}.received_bytes`, traffic.receivedBytes),
    counter(`${prefix}.received_in_clear`, traffic.receivedPlain),
    ...byLabel(`${prefix}.refused`, "reason", traffic.refused),
  ];
}

type Labels = Metric["labels"];

function counter(name: string, value: number, labels: Labels = {}): Metric {
  return { name, kind: "counter", value, labels };
}

function gauge(name: string, value: number, labels: Labels): Metric {
  return { name, kind: "gauge", value, labels };
}

function byLabel(
  name: string,
  label: string,
  counts: ReadonlyMap<string, number>,
  more: Labels = {},
): Metric[] {
  return [...counts].map(([key, value]) => counter(name, value, { ...more, [label]: key }));
}

/** Nomad's in-memory sink, as far as it has something to say here. */
export function metricsAsJson(metrics: readonly Metric[], nowMs: number): unknown {
  const timestamp = new Date(nowMs).toISOString().replace("T", " ").replace(/\..*/, " +0000 UTC");
  const of = (kind: Metric["kind"]): readonly Metric[] =>
    metrics.filter((one) => one.kind === kind);
  return {
    Counters: of("counter").map(({ name, value, labels }) => ({
      Count: value,
      Labels: labels,
      Max: value,
      Mean: value,
      Min: value,
      Name: name,
      Rate: 0,
      Stddev: 0,
      Sum: value,
    })),
    Gauges: of("gauge").map(({ name, value, labels }) => ({
      Labels: labels,
      Name: name,
      Value: value,
    })),
    Points: [],
    PrecisionGauges: [],
    Samples: [],
    Timestamp: timestamp,
  };
}

/** The text exposition format, version 0.0.4. @throws ApiError when it is switched off */
export function metricsAsText(context: AgentFacts, metrics: readonly Metric[]): string {
  if (!context.config.telemetry.prometheusMetrics) {
    throw new ApiError(415, "Prometheus is not enabled");
  }
  const lines: string[] = [];
  const names = [...new Set(metrics.map((one) => one.name))].sort();
  for (const name of names) {
    const some = metrics.filter((one) => one.name === name);
    const flat = name.replaceAll(/[^a-zA-Z0-9_]/g, "_");
    lines.push(`# TYPE ${flat} ${some[0]?.kind ?? "gauge"}`);
    for (const { labels, value } of some) {
      const pairs = Object.entries(labels).map(([key, text]) => `${key}=${JSON.stringify(text)}`);
      lines.push(`${flat}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`);
    }
  }
  return `${lines.join("\n")}\n`;
}
