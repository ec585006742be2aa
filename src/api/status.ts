/**
 * GET /v1/status: the one page that an operator curls. Is everything encrypted, with which key and
 * certificate, until when, and who was turned away. Ours; field names in snake case.
 *
 * @module
 */

import type { TelemetryConfig } from "../config/config.ts";
import { formatAddress, formatIp, isLoopback, parseIp, splitHostPort } from "../host/ip.ts";
import { cipherName } from "../secret/key.ts";
import type { TrafficCounters } from "../service/gossip/counters.ts";
import type { PeerReport } from "../service/rpc/client/peer-health.ts";
import type { PoolReport } from "../service/rpc/client/pool.ts";
import type { HandshakeCounters } from "../service/rpc/counters.ts";
import { type CertificateInfo, daysLeft } from "../tls/certificate.ts";
import type { ServerMember } from "../wire/rpc-status.ts";
import { printable } from "../wire/text.ts";
import type { AgentFacts, ApiContext, Connections } from "./context.ts";
import type { JsonObject } from "./json.ts";
import { raftReport } from "./raft.ts";

/** Warn about certificates that end within so many days. */
export const EXPIRY_WARNING_DAYS = 30;

export async function statusReport(context: ApiContext): Promise<JsonObject> {
  const clear = stillInClear(context);
  const members = await membersOrNone(context);
  return {
    encrypted: clear.length === 0,
    in_clear: clear,
    node: nodeReport(context),
    members: membersReport(context, members),
    gossip: gossipReport(context),
    raft: raftReport(context),
    identities: identitiesReport(context),
    client: clientReport(context),
    rpc: rpcReport(context),
    http: httpReport(context),
    warnings: warnings(context),
  };
}

/** A client that no server answers has a status nevertheless: that is what it is for. */
async function membersOrNone(context: ApiContext): Promise<readonly ServerMember[]> {
  if (context.gossip !== undefined) return (await context.members()).members;
  return context.members().then(
    ({ members }) => members,
    () => [],
  );
}

export interface InClear {
  readonly what: "gossip" | "rpc" | "http" | "telemetry";
  readonly why: string;
  readonly fix: string;
}

/** What of this agent's traffic is not encrypted, or need not be. */
export function stillInClear(context: ApiContext): readonly InClear[] {
  const { server, tls } = context.config;
  const clear: InClear[] = [];
  if (context.gossip !== undefined && context.gossip.keyring.primary === undefined) {
    const fix = "set server.encrypt to the output of `nomad keygen`, on every server";
    clear.push({ what: "gossip", why: "no gossip key is configured", fix });
  } else if (context.gossip !== undefined && !server.encryptVerifyOutgoing) {
    const fix = "take out encrypt_verify_outgoing = false once every server has the key";
    clear.push({ what: "gossip", why: "encrypt_verify_outgoing is off: we send in clear", fix });
  } else if (context.gossip !== undefined && !server.encryptVerifyIncoming) {
    const fix = "take out encrypt_verify_incoming = false once every server encrypts";
    clear.push({ what: "gossip", why: "encrypt_verify_incoming is off: plaintext is taken", fix });
  }
  if (!tls.rpc) {
    const fix = "set tls { rpc = true } with ca_file, cert_file and key_file";
    clear.push({ what: "rpc", why: "tls.rpc is off", fix });
  } else if (tls.rpcUpgradeMode) {
    const fix = "set rpc_upgrade_mode = false once every agent has tls.rpc on";
    clear.push({ what: "rpc", why: "rpc_upgrade_mode still accepts plain connections", fix });
  }
  if (!tls.http) {
    const fix = "set tls { http = true } with ca_file, cert_file and key_file";
    clear.push({ what: "http", why: "tls.http is off", fix });
  }
  return [...clear, ...metricsInClear(context.config.telemetry)];
}

/** These protocols have no encryption: what leaves the machine can be read on its way. */
function metricsInClear(telemetry: TelemetryConfig): readonly InClear[] {
  const { statsdAddress, statsiteAddress, datadogAddress } = telemetry;
  const all = { statsd: statsdAddress, statsite: statsiteAddress, datadog: datadogAddress };
  return Object.entries(all).flatMap(([name, address]): readonly InClear[] => {
    if (address === undefined || staysHere(address)) return [];
    const fix = "send to a collector on this machine (127.0.0.1), or through a tunnel";
    const why = `telemetry.${name}_address: metrics go to ${address} in the clear`;
    return [{ what: "telemetry", why, fix }];
  });
}

function staysHere(address: string): boolean {
  if (address.startsWith("unix://")) return true;
  const { host } = splitHostPort(address);
  const ip = parseIp(host);
  return host === "" || host === "localhost" || (ip !== undefined && isLoopback(ip));
}

function nodeReport(context: AgentFacts): JsonObject {
  const { config, version, endpoints } = context;
  return {
    name: config.name,
    id: context.nodeId,
    region: config.region,
    datacenter: config.datacenter,
    server: config.server.enabled,
    client: config.client.enabled,
    version: version.nomad,
    agent_version: version.agent,
    started_at: new Date(context.startedAtMs).toISOString(),
    uptime_seconds: Math.floor((context.nowMs() - context.startedAtMs) / 1000),
    advertise: {
      http: formatAddress(endpoints.advertise.http),
      rpc: formatAddress(endpoints.advertise.rpc),
      serf: formatAddress(endpoints.advertise.serf),
    },
  };
}

/** By which key servers sign who a node is, and until when. */
function identitiesReport({ raft }: ApiContext): JsonObject {
  if (raft === undefined) return { enabled: false };
  const { keyId, opens, replacedAtMs, keys, nodes, enforcement } = raft.identities();
  return {
    enabled: true,
    signing_key: keyId,
    this_server_signs: opens(),
    replaced_at: timeOf(replacedAtMs),
    keys,
    nodes_with_identity: nodes(),
    client_introduction: enforcement,
  };
}

/** Where the node stands with its servers. */
function clientReport({ client }: ApiContext): JsonObject {
  if (client === undefined) return { enabled: false };
  const report = client.report();
  return {
    enabled: true,
    id: client.id,
    state: report.state,
    server: report.server,
    servers: report.servers,
    registered_at: timeOf(report.registeredAtMs),
    last_heartbeat: timeOf(report.heartbeatAtMs),
    heartbeat_ttl_seconds: Math.round(report.ttlMs / 100) / 10,
    identity_until: timeOf(report.identityUntilMs),
    problem: report.problem,
  };
}

function membersReport(
  { gossip }: Pick<ApiContext, "gossip">,
  members: readonly ServerMember[],
): JsonObject {
  const states: Record<string, number> = { alive: 0, leaving: 0, left: 0, failed: 0 };
  for (const { status } of members) states[status] = (states[status] ?? 0) + 1;
  const list = members.map((member) => ({
    name: printable(member.name),
    address: `${formatIp(member.addr)}:${member.port}`,
    status: member.status,
    region: member.tags.get("region") ?? "",
    datacenter: member.tags.get("dc") ?? "",
    build: member.tags.get("build") ?? "",
    rtt_ms: milliseconds(gossip?.roundTripSeconds(member.name)),
  }));
  return { ...states, list: list.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

function timeOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}

/** To a hundredth; null: nobody has measured it. */
function milliseconds(seconds: number | undefined): number | null {
  return seconds === undefined ? null : Math.round(seconds * 100_000) / 100;
}

function gossipReport(context: ApiContext): JsonObject {
  const { gossip, config } = context;
  if (gossip === undefined) return { enabled: false };
  const { keyring, counters } = gossip;
  const join = gossip.joinState();
  return {
    enabled: true,
    ...gossipEncryption(context),
    label: config.server.gossipLabel,
    keys: keyring.keys.map((key) => ({
      fingerprint: key.fingerprint,
      bits: key.bytes.length * 8,
      primary: key === keyring.primary,
      since: timeOf(keyring.sinceMs(key)),
    })),
    keyring_file: gossip.keyringPath ?? "",
    packets: trafficReport(counters.packets),
    streams: trafficReport(counters.streams),
    messages: { refused: sorted(counters.messagesRefused) },
    join: {
      state: join.phase,
      targets: join.targets,
      attempts: join.attempts,
      joined: join.joined,
      last_errors: join.lastErrors,
    },
    health_score: Number(gossip.stats()["health_score"] ?? 0),
  };
}

/** Is gossip encrypted, and how; nothing on an agent that takes no part in it. */
export function gossipEncryption(context: ApiContext): JsonObject {
  const { gossip, config } = context;
  const primary = gossip?.keyring.primary;
  const { encryptVerifyIncoming, encryptVerifyOutgoing } = config.server;
  return {
    encrypted: primary !== undefined && encryptVerifyIncoming && encryptVerifyOutgoing,
    verify_incoming: primary !== undefined && encryptVerifyIncoming,
    verify_outgoing: primary !== undefined && encryptVerifyOutgoing,
    cipher: primary === undefined ? "none" : cipherName(primary),
    key: primary?.fingerprint ?? "",
  };
}

function trafficReport(traffic: TrafficCounters): JsonObject {
  return {
    sent: traffic.sent,
    sent_bytes: traffic.sentBytes,
    sealed: traffic.sealed,
    sent_in_clear: traffic.sentPlain,
    received: traffic.received,
    received_bytes: traffic.receivedBytes,
    opened: traffic.opened,
    received_in_clear: traffic.receivedPlain,
    refused: sorted(traffic.refused),
  };
}

function rpcReport(context: AgentFacts & Connections): JsonObject {
  const { config, rpc } = context;
  return {
    tls: {
      enabled: config.tls.rpc,
      verify_incoming: config.tls.rpc,
      verify_server_hostname: config.tls.verifyServerHostname,
      upgrade_mode: config.tls.rpcUpgradeMode,
      min_version: config.tls.minVersion,
      ...(config.tls.rpc ? materialReport(context) : {}),
      handshakes: {
        inbound: handshakeReport(rpc.inbound),
        outbound: handshakeReport(rpc.outbound),
      },
    },
    plain_connections: rpc.plainConnections,
    open_connections: rpc.open,
    open_plain_connections: rpc.openPlain,
    calls_fallen_back_to_plain: rpc.fallbacksToPlain,
    connections: sorted(rpc.connections),
    refused: sorted(rpc.refused),
    requests: rpc.requests,
    request_errors: rpc.requestErrors,
    requests_forwarded: rpc.forwarded,
    streaming: rpc.streaming,
    session_failures: sorted(rpc.sessionFailures),
    sessions: context.sessions().map(sessionReport),
    peers: context.peers().map((peer) => peerReport(peer, context.nowMs())),
  };
}

function httpReport(context: AgentFacts & Connections): JsonObject {
  const { config } = context;
  return {
    tls: {
      enabled: config.tls.http,
      verify_https_client: config.tls.verifyHttpsClient,
      min_version: config.tls.minVersion,
      ...(config.tls.http ? materialReport(context) : {}),
      handshakes: { inbound: handshakeReport(context.http) },
    },
  };
}

function materialReport(context: AgentFacts & Connections): JsonObject {
  const material = context.tls();
  if (material === undefined) return {};
  const now = context.nowMs();
  return {
    certificate: certificateReport(material.certificate, now),
    authorities: material.authorities.map((one) => certificateReport(one, now)),
  };
}

function certificateReport(info: CertificateInfo, nowMs: number): JsonObject {
  return {
    subject: info.subject,
    dns_names: info.dnsNames,
    ip_addresses: info.ipAddresses,
    issuer: info.issuer,
    serial: info.serial,
    fingerprint_sha256: info.fingerprint,
    key_type: info.keyType,
    not_before: new Date(info.notBeforeMs).toISOString(),
    not_after: new Date(info.notAfterMs).toISOString(),
    days_left: daysLeft(info, nowMs),
  };
}

function sessionReport(session: PoolReport): JsonObject {
  return {
    address: session.address,
    encrypted: session.tls !== undefined,
    tls_version: session.tls?.version ?? "",
    cipher: session.tls?.cipher ?? "",
    streams: session.streams,
    retiring: session.retiring,
    opened_at: new Date(session.openedAtMs).toISOString(),
  };
}

function peerReport(peer: PeerReport, nowMs: number): JsonObject {
  return {
    name: printable(peer.name),
    address: peer.address,
    ok: peer.ok,
    error: peer.error,
    reason: peer.reason,
    encrypted: peer.tlsVersion !== undefined,
    tls_version: peer.tlsVersion ?? "",
    cipher: peer.cipher ?? "",
    certificate_days_left:
      peer.certificate === undefined ? null : daysLeft(peer.certificate, nowMs),
    rtt_ms: peer.rttMs === undefined ? null : Math.round(peer.rttMs * 100) / 100,
    checked_at: new Date(peer.checkedAtMs).toISOString(),
  };
}

function handshakeReport(counters: HandshakeCounters): JsonObject {
  return { accepted: counters.accepted, refused: sorted(counters.refused) };
}

function sorted(counts: ReadonlyMap<string, number>): JsonObject {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function warnings(
  context: AgentFacts & Connections & Pick<ApiContext, "client" | "metrics">,
): readonly string[] {
  const found = [...context.warnings];
  const material = context.tls();
  const now = context.nowMs();
  for (const info of material === undefined
    ? []
    : [material.certificate, ...material.authorities]) {
    const days = daysLeft(info, now);
    if (days < 0) found.push(`the certificate "${info.commonName}" has expired`);
    else if (days < EXPIRY_WARNING_DAYS) {
      found.push(`the certificate "${info.commonName}" expires in ${days} days`);
    }
  }
  const problem = context.client?.report().problem ?? "";
  if (problem !== "") found.push(`no server answers this client node: ${problem}`);
  const auditProblem = context.metrics.audit?.problem ?? "";
  if (auditProblem !== "") found.push(auditProblem);
  for (const peer of context.peers()) {
    if (!peer.ok)
      found.push(`the RPC port of ${printable(peer.name)} is not usable: ${peer.error}`);
  }
  return found;
}
