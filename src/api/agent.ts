/**
 * What Nomad's /v1/agent endpoints say, with its field names in its order (alphabetical).
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { parseGoBool } from "../config/go-bool.ts";
import { formatAddress, formatIp } from "../host/ip.ts";
import { afterThisTurn } from "../host/timer.ts";
import { formatDurationMs } from "../wire/duration.ts";
import type { ServerMember, ServerMembers } from "../wire/rpc-status.ts";
import { printable } from "../wire/text.ts";
import type { AgentFacts, ApiContext, ClientView, RaftView, Servers } from "./context.ts";
import { ApiError } from "./errors.ts";
import { Json, type JsonObject, JsonText } from "./json.ts";
import { auditAsJson, telemetryAsJson } from "./watching-json.ts";

export async function agentMembers(context: Servers): Promise<JsonObject> {
  const members = await context.members();
  return membersAsJson(members);
}

function membersAsJson(members: ServerMembers): JsonObject {
  return {
    Members: members.members.map(memberAsJson),
    ServerDC: members.serverDc,
    ServerName: members.serverName,
    ServerRegion: members.serverRegion,
  };
}

/** Who asks within one turn of the loop is told the same. */
const selfOfTurn = new WeakMap<Config, Promise<JsonText>>();

export function agentSelf(context: ApiContext): Promise<JsonText> {
  const { config } = context;
  const known = selfOfTurn.get(config);
  if (known !== undefined) return known;
  const answer = describeSelf(context);
  selfOfTurn.set(config, answer);
  afterThisTurn(() => selfOfTurn.delete(config));
  return answer;
}

async function describeSelf(context: ApiContext): Promise<JsonText> {
  // A client is no member, and tells of itself also when no server answers it.
  const seen = context.gossip === undefined ? undefined : await context.members();
  const own = `${seen?.serverName}.${seen?.serverRegion}`;
  const members = seen?.members ?? [];
  const member = memberAsJson(members.find(({ name }) => name === own) ?? NO_MEMBER);
  const stats = JSON.stringify(agentStats(context, members));
  const parts = `"config":${configText(context)},"member":${JSON.stringify(member)}`;
  return new JsonText(new Json(`{${parts},"stats":${stats}}`));
}

/** Of each configuration; a reload makes another one. */
const configTexts = new WeakMap<Config, string>();

function configText(context: AgentFacts): string {
  const known = configTexts.get(context.config);
  if (known !== undefined) return known;
  const text = JSON.stringify(configAsJson(context));
  configTexts.set(context.config, text);
  return text;
}

interface PartHealth {
  readonly message: string;
  readonly ok: boolean;
}

/** A client is well while a server answers it. */
function clientHealth({ client }: ApiContext): PartHealth {
  if (client === undefined) return { ok: false, message: "client not enabled" };
  const { state, problem } = client.report();
  if (state === "ready" && problem === "") return { message: "ok", ok: true };
  return { ok: false, message: problem || `the node is ${state}` };
}

/** Health of the parts that run: a server's Raft has not stopped; that it has a leader is more. */
export function agentHealth(context: ApiContext, type: string | undefined) {
  const health: { client?: PartHealth; server?: PartHealth } = {};
  const ok = { message: "ok", ok: true };
  const { server } = context.config;
  if (type !== "server" && (context.client !== undefined || type === "client")) {
    health.client = clientHealth(context);
  }
  if (type !== "client" && (server.enabled || type === "server")) {
    const stopped = context.raft?.problem() ?? "";
    const why = server.enabled ? `Raft has stopped: ${stopped}` : "server not enabled";
    health.server = server.enabled && stopped === "" ? ok : { ok: false, message: why };
  }
  if (type !== undefined && type !== "client" && type !== "server") return {};
  const failing = Object.values(health).some((one) => !one.ok);
  if (failing) throw new ApiError(500, JSON.stringify(health));
  return health;
}

export async function agentJoin(context: ApiContext, addresses: readonly string[]) {
  if (context.gossip === undefined) throw new ApiError(501, "Invalid method");
  if (addresses.length === 0) throw new ApiError(400, "missing address to join");
  const { joined, errors } = await context.gossip.join(addresses);
  return { error: joined === 0 ? multiError(errors) : "", num_joined: joined, warning: "" };
}

export function agentForceLeave(
  context: ApiContext,
  node: string | undefined,
  prune: string | undefined,
): void {
  if (context.gossip === undefined) throw new ApiError(501, "Invalid method");
  if (node === undefined || node === "") throw new ApiError(400, "missing node to force leave");
  // Absent or empty is false, as in Nomad.
  const wanted = parseGoBool(prune || "false");
  if (wanted === undefined) throw new ApiError(400, "invalid prune value");
  context.gossip.forceLeave(node, wanted);
}

/** Sorted names of all regions that gossip knows. */
export async function regions(context: Servers): Promise<readonly string[]> {
  const { members, serverRegion } = await context.members();
  const found = members.map((member) => member.tags.get("region") ?? "");
  return [...new Set([serverRegion, ...found])].filter((region) => region !== "").sort();
}

/** go-multierror's layout, which tools match on. */
function multiError(errors: readonly string[]): string {
  const plural = errors.length === 1 ? "error" : "errors";
  const lines = errors.map((error) => `\t* ${error}`).join("\n");
  return `${errors.length} ${plural} occurred:\n${lines}\n\n`;
}

const NO_MEMBER: ServerMember = {
  name: "",
  addr: new Uint8Array(0),
  port: 0,
  tags: new Map(),
  status: "",
  versions: new Uint8Array(6),
};

function memberAsJson(member: ServerMember): JsonObject {
  const [pmin = 0, pmax = 0, pcur = 0, dmin = 0, dmax = 0, dcur = 0] = member.versions;
  const tags = [...member.tags].map(([key, value]) => [printable(key), printable(value)]);
  return {
    Addr: member.addr.length === 0 ? "" : formatIp(member.addr),
    DelegateCur: dcur,
    DelegateMax: dmax,
    DelegateMin: dmin,
    Name: printable(member.name),
    Port: member.port,
    ProtocolCur: pcur,
    ProtocolMax: pmax,
    ProtocolMin: pmin,
    Status: member.status,
    Tags: Object.fromEntries(tags),
  };
}

/** Groups of name = value, as `agent-info` prints them. */
function agentStats(context: ApiContext, members: readonly ServerMember[]): JsonObject {
  const { config, gossip } = context;
  const stats: Record<string, JsonObject> = {
    runtime: {
      arch: process.arch === "x64" ? "amd64" : process.arch,
      cpu_count: String(navigator.hardwareConcurrency),
      "kernel.name": process.platform,
      max_procs: String(navigator.hardwareConcurrency),
      version: `bun${Bun.version}`,
    },
  };
  if (gossip !== undefined) {
    const known = new Set(members.map((member) => member.tags.get("region")));
    stats["nomad"] = {
      bootstrap: String(config.server.bootstrapExpect === 1),
      known_regions: String(known.size),
      leader: String(context.raft?.role() === "leader"),
      leader_addr: leaderAddress(context),
      server: "true",
    };
    if (context.raft !== undefined) stats["raft"] = raftStats(context.raft);
    const numbers = Object.entries(gossip.stats()).map(([name, value]) => [name, String(value)]);
    const encrypted = String(gossip.keyring.primary !== undefined);
    stats["serf"] = { ...Object.fromEntries(numbers), encrypted };
  }
  if (context.client !== undefined) stats["client"] = clientStats(context.client, context.nowMs());
  return stats;
}

/** Nomad's names. */
function clientStats({ id, report }: ClientView, nowMs: number): JsonObject {
  const { servers, heartbeatAtMs, ttlMs } = report();
  return {
    heartbeat_ttl: formatDurationMs(Math.round(ttlMs)),
    known_servers: servers.join(","),
    last_heartbeat: heartbeatAtMs === undefined ? "never" : formatDurationMs(nowMs - heartbeatAtMs),
    node_id: id,
    num_allocations: "0",
  };
}

/** hashicorp/raft's names, and texts as Go prints them. */
function raftStats(raft: RaftView): JsonObject {
  const stats = raft.stats();
  const servers = raft.servers();
  const role = raft.role();
  const listed = servers.map(({ suffrage, id, address }) => {
    const name = suffrage === "voter" ? "Voter" : "Nonvoter";
    return `{Suffrage:${name} ID:${id} Address:${address}}`;
  });
  const contact = stats.lastContactMs;
  const texts = {
    applied_index: stats.appliedIndex,
    commit_index: stats.commitIndex,
    fsm_pending: stats.pending,
    last_contact: contact === undefined ? "never" : contact === 0 ? "0" : formatDurationMs(contact),
    last_log_index: stats.lastIndex,
    last_log_term: stats.lastTerm,
    last_snapshot_index: stats.snapshotIndex,
    last_snapshot_term: stats.snapshotTerm,
    latest_configuration: `[${listed.join(" ")}]`,
    latest_configuration_index: stats.configurationIndex,
    logstore_backend: "sqlite",
    num_peers: Math.max(0, servers.filter((one) => one.suffrage === "voter").length - 1),
    protocol_version: 3,
    protocol_version_max: 3,
    protocol_version_min: 0,
    snapshot_version_max: 1,
    snapshot_version_min: 0,
    state: role.charAt(0).toUpperCase() + role.slice(1),
    term: stats.term,
  };
  return Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, String(value)]));
}

function leaderAddress(context: ApiContext): string {
  const { raft } = context;
  return raft?.servers().find((one) => one.id === raft.leaderId())?.address ?? "";
}

function aclAsJson({ acl }: Config): JsonObject {
  return {
    Enabled: acl.enabled,
    PolicyTTL: acl.policyTtlMs * 1e6,
    ReplicationToken: acl.replicationToken === "" ? "" : "<redacted>",
    RoleTTL: acl.roleTtlMs * 1e6,
    TokenMaxExpirationTTL: acl.tokenMaxExpirationMs * 1e6,
    TokenMinExpirationTTL: acl.tokenMinExpirationMs * 1e6,
    TokenTTL: acl.tokenTtlMs * 1e6,
  };
}

/** The configuration as Nomad shows it: Go's field names, no secret at all. */
function configAsJson(context: AgentFacts): JsonObject {
  const { config, endpoints, version } = context;
  return {
    ACL: aclAsJson(config),
    AdvertiseAddrs: addressesAsJson(endpoints.advertise),
    Audit: auditAsJson(config),
    BindAddr: config.bindAddr,
    Client: {
      Enabled: config.client.enabled,
      HostVolumes: config.client.hostVolumes.map(({ name, path, readOnly }) => {
        return { Name: name, Path: path, ReadOnly: readOnly };
      }),
      Meta: config.client.meta,
      NodeClass: config.client.nodeClass,
      NetworkInterface: config.client.networkInterface,
      NoHostUUID: config.client.noHostUuid,
      NodePool: config.client.nodePool,
      Servers: config.client.servers,
    },
    DataDir: config.dataDir,
    Datacenter: config.datacenter,
    DevMode: config.devMode,
    EnableDebug: config.enableDebug,
    Files: config.files,
    HTTPAPIResponseHeaders: config.httpApiResponseHeaders,
    LeaveOnInt: config.leaveOnInterrupt,
    LeaveOnTerm: config.leaveOnTerminate,
    Limits: {
      HTTPMaxConnsPerClient: config.limits.httpMaxConnsPerClient,
      HTTPSHandshakeTimeout: `${config.limits.httpsHandshakeTimeoutMs}ms`,
      RPCHandshakeTimeout: `${config.limits.rpcHandshakeTimeoutMs}ms`,
      RPCMaxConnsPerClient: config.limits.rpcMaxConnsPerClient,
    },
    LogFile: config.logFile ?? "",
    LogJson: config.logJson,
    LogLevel: config.logLevel,
    NodeName: config.name,
    Ports: { HTTP: config.ports.http, RPC: config.ports.rpc, Serf: config.ports.serf },
    Region: config.region,
    Server: serverAsJson(config),
    TLSConfig: tlsAsJson(config),
    Telemetry: telemetryAsJson(config),
    Version: {
      BuildDate: version.buildDate,
      Revision: version.revision,
      Version: version.nomad,
      VersionMetadata: "",
      VersionPrerelease: "",
    },
  };
}

function serverAsJson(config: Config): JsonObject {
  const { server } = config;
  return {
    BootstrapExpect: server.bootstrapExpect,
    DataDir: server.dataDir ?? "",
    Enabled: server.enabled,
    NonVotingServer: server.nonVoting,
    RedundancyZone: server.redundancyZone,
    RejoinAfterLeave: server.rejoinAfterLeave,
    ServerJoin: {
      RetryInterval: server.join.retryIntervalMs * 1_000_000,
      RetryJoin: server.join.retryJoin,
      RetryMaxAttempts: server.join.retryMax,
      StartJoin: server.join.startJoin,
    },
    UpgradeVersion: server.upgradeVersion,
  };
}

function tlsAsJson(config: Config): JsonObject {
  const { tls } = config;
  return {
    CAFile: tls.caFile,
    CertFile: tls.certFile,
    EnableHTTP: tls.http,
    EnableRPC: tls.rpc,
    KeyFile: tls.keyFile,
    RPCUpgradeMode: tls.rpcUpgradeMode,
    TLSCipherSuites: tls.cipherSuites.join(","),
    TLSMinVersion: tls.minVersion,
    VerifyHTTPSClient: tls.verifyHttpsClient,
    VerifyServerHostname: tls.verifyServerHostname,
  };
}

function addressesAsJson(addresses: ApiContext["endpoints"]["advertise"]): JsonObject {
  const { http, rpc, serf } = addresses;
  return { HTTP: formatAddress(http), RPC: formatAddress(rpc), Serf: formatAddress(serf) };
}
