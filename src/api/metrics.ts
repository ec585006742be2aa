/**
 * What is counted and measured here, under Nomad's names where it has them. Everything is taken
 * from the counters when it is asked for; nothing is sampled in between.
 *
 * @module
 */
import { armedTimers } from "../host/clock.ts";
import { descriptors } from "../host/descriptors.ts";
import type { GossipCounters, TrafficCounters } from "../service/gossip/counters.ts";
import { healthOf } from "../service/raft/autopilot-health.ts";
import type { HandshakeCounters } from "../service/rpc/counters.ts";
import type { Metric } from "../service/telemetry/metric.ts";
import type { AgentFacts, ApiContext, Connections, GossipView } from "./context.ts";
import { hostMetrics } from "./host-metrics.ts";
import { stillInClear } from "./status.ts";

/** With the members, whom a client has to ask a server for. */
export async function askedMetrics(context: ApiContext): Promise<readonly Metric[]> {
  return collectMetrics(context, true);
}

/** @param asksOthers a client asks a server for the members */
export async function collectMetrics(
  context: ApiContext,
  asksOthers = context.gossip !== undefined,
): Promise<readonly Metric[]> {
  const metrics = [...rpcMetrics(context), ...tlsMetrics(context), ...raftMetrics(context)];
  const { members } = asksOthers ? await context.members() : { members: [] };
  for (const state of asksOthers ? ["alive", "leaving", "left", "failed"] : []) {
    const count = members.filter((one) => one.status === state).length;
    metrics.push(gauge("nomad.serf.members", count, { state }));
  }
  for (const what of ["gossip", "rpc", "http"] as const) {
    const clear = stillInClear(context).some((one) => one.what === what);
    metrics.push(gauge("nomad.agent.encrypted", clear ? 0 : 1, { traffic: what }));
  }
  if (context.gossip !== undefined) metrics.push(...gossipMetrics(context.gossip));
  metrics.push(...byLabel("nomad.agent.telemetry.dropped", "sink", context.metrics.dropped));
  const { audit } = context.metrics;
  if (audit !== undefined) {
    metrics.push(counter("nomad.agent.audit.written", audit.written));
    metrics.push(counter("nomad.agent.audit.failed", audit.failed));
  }
  metrics.push(...identityMetrics(context), ...hostMetrics(context), ...runtimeMetrics());
  return metrics;
}

function gossipMetrics({ counters, stats }: GossipView): Metric[] {
  const { packets, streams, messagesRefused } = counters;
  return [
    gauge("nomad.memberlist.health.score", Number(stats()["health_score"] ?? 0), {}),
    ...eventMetrics(counters),
    bytes("nomad.memberlist.udp.sent", packets.sentBytes),
    bytes("nomad.memberlist.udp.received", packets.receivedBytes),
    bytes("nomad.memberlist.tcp.sent", streams.sentBytes),
    ...trafficMetrics("packets", packets),
    ...trafficMetrics("streams", streams),
    ...byLabel("nomad.memberlist.messages.refused", "reason", messagesRefused),
  ];
}

/** Serf counts what has become of members, and what was said to everybody. */
function eventMetrics({ events }: GossipCounters): Metric[] {
  return [...events].map(([kind, count]) => {
    const what = kind.startsWith("member-") ? `member.${kind.slice("member-".length)}` : kind;
    return counter(`nomad.serf.${SAID_TO_ALL[what] ?? what}`, count);
  });
}

const SAID_TO_ALL: Readonly<Record<string, string>> = { user: "events", query: "queries" };

function runtimeMetrics(): Metric[] {
  const { rss, heapUsed } = process.memoryUsage();
  const metrics = [
    gauge("nomad.runtime.alloc_bytes", heapUsed, {}),
    gauge("nomad.runtime.sys_bytes", rss, {}),
    gauge("nomad.runtime.rss_bytes", rss, {}),
    gauge("nomad.runtime.timers", armedTimers(), {}),
    gauge("nomad.runtime.open_conns", descriptors.connections, {}),
    counter("nomad.runtime.refused_conns", descriptors.refused),
  ];
  const { limit } = descriptors;
  if (Number.isFinite(limit)) metrics.push(gauge("nomad.runtime.descriptors_max", limit, {}));
  return metrics;
}

/** Who was let in without an introduction, or refused; and how old what signs is. */
function identityMetrics({ rpc, raft, client, nowMs }: ApiContext): Metric[] {
  const metrics = [...rpc.uninvited].map(([what, count]) => {
    const [level = "", reason = ""] = what.split(": ");
    return counter("nomad.client_introduction.violations", count, { level, reason });
  });
  const seconds = (untilMs: number): number => Math.floor((untilMs - nowMs()) / 1000);
  const { replacedAtMs } = raft?.identities() ?? {};
  if (replacedAtMs !== undefined) {
    const name = "nomad.keyring.signing_key.replaced_in_seconds";
    metrics.push(gauge(name, seconds(replacedAtMs), {}));
  }
  const until = client?.report().identityUntilMs;
  if (until !== undefined) {
    metrics.push(gauge("nomad.client.identity.expiration_seconds", seconds(until), {}));
  }
  return metrics;
}

function rpcMetrics(context: Connections): Metric[] {
  const { rpc, http } = context;
  const total = (counts: ReadonlyMap<string, number>): number =>
    [...counts.values()].reduce((sum, one) => sum + one, 0);
  return [
    counter("nomad.nomad.rpc.accept_conn", total(rpc.connections)),
    counter("nomad.nomad.rpc.raft_handoff", rpc.connections.get("raft") ?? 0),
    counter("nomad.nomad.rpc.request", rpc.requests),
    counter("nomad.nomad.rpc.request_error", rpc.requestErrors),
    counter("nomad.nomad.agent.http.exceeded", http.refused.get("too-many-connections") ?? 0),
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
    gauge("nomad.nomad.heartbeat.active", raft.heartbeats(), {}),
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
    bytes(`${prefix}.sent_bytes`, traffic.sentBytes),
    counter(`${prefix}.sent_in_clear`, traffic.sentPlain),
    counter(`${prefix}.received`, traffic.received),
    bytes(`${prefix}.received_bytes`, traffic.receivedBytes),
    counter(`${prefix}.received_in_clear`, traffic.receivedPlain),
    ...byLabel(`${prefix}.refused`, "reason", traffic.refused),
  ];
}

type Labels = Metric["labels"];

function counter(name: string, value: number, labels: Labels = {}): Metric {
  return { name, kind: "counter", value, labels };
}

function bytes(name: string, value: number): Metric {
  return { name, kind: "counter", value, labels: {}, unit: "bytes" };
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
