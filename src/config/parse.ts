/**
 * A tree to a Config, or every mistake in it at once.
 *
 * @module
 */
import { LOG_LEVELS } from "../host/log.ts";
import { type GossipKey, isKeyFault, parseKey } from "../secret/key.ts";
import { SUITE_NAMES } from "./cipher-suites.ts";
import {
  type AddressTexts,
  type ClientConfig,
  type Config,
  type JoinConfig,
  type LimitsConfig,
  type PortsConfig,
  type ServerConfig,
  type TelemetryConfig,
  TLS_VERSIONS,
  type TlsConfig,
} from "./config.ts";
import { IGNORED_CLIENT, IGNORED_SERVER, IGNORED_TELEMETRY, IGNORED_TOP } from "./ignored.ts";
import { readAutopilot, readHeartbeat } from "./parse-raft.ts";
import { ConfigError, type Problem } from "./problem.ts";
import { Section } from "./section.ts";
import { nearest } from "./suggest.ts";
import type { Tree } from "./tree.ts";

/** What only the machine knows. */
export interface ParseHost {
  readonly hostname: string;
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
}

export interface ParseOptions {
  readonly devMode: boolean;
  readonly files: readonly string[];
  readonly host: ParseHost;
  /** What the readers of the files had to say; errors among them end it here. */
  readonly problems: readonly Problem[];
}

const COUNT_MAX = 0x7fff_ffff;
const PORT_MAX = 65_535;
/** One byte gives its length in every packet. */
const LABEL_BYTES_MAX = 255;
const EXPECT_MAX = 1000;
const RETRY_INTERVAL_MS = 30_000;
/** Connections that streaming calls always keep, plus the least that is useful. */
const RPC_CONNS_MIN = 26;

/** @throws ConfigError with every mistake */
export function parseConfig(
  tree: Tree,
  options: ParseOptions,
): { readonly config: Config; readonly warnings: readonly Problem[] } {
  const problems: Problem[] = [...options.problems];
  const top = new Section(tree, "", problems);
  const { devMode } = options;
  const ignored: string[] = [];
  const server = readServer(top.block("server"), options, problems, ignored);
  const client = readClient(top.block("client"), ignored);
  const config: Config = {
    region: cleanName(top, "region", "global", /\0/),
    datacenter: cleanName(top, "datacenter", "dc1", /[\0*]/),
    name: top.text("name") ?? options.host.hostname,
    dataDir: top.text("data_dir") ?? "",
    bindAddr: top.text("bind_addr") ?? (devMode ? "127.0.0.1" : "0.0.0.0"),
    addresses: readAddresses(top.block("addresses")),
    advertise: readAddresses(top.block("advertise")),
    ports: readPorts(top.block("ports")),
    logLevel: top.word("log_level", LOG_LEVELS) ?? (devMode ? "DEBUG" : "INFO"),
    logJson: top.bool("log_json") ?? false,
    logFile: top.text("log_file"),
    leaveOnInterrupt: top.bool("leave_on_interrupt") ?? false,
    leaveOnTerminate: top.bool("leave_on_terminate") ?? false,
    enableDebug: top.bool("enable_debug") ?? devMode,
    httpApiResponseHeaders: top.textMap("http_api_response_headers") ?? {},
    server: devMode ? { ...server, enabled: true } : server,
    client,
    autopilot: readAutopilot(top.block("autopilot")),
    tls: readTls(top.block("tls"), problems),
    limits: readLimits(top.block("limits")),
    telemetry: readTelemetry(top.block("telemetry"), ignored),
    devMode,
    files: options.files,
  };
  ignored.push(...top.ignore(IGNORED_TOP));
  top.finish();
  checkWhole(config, top, problems);
  if (problems.some((problem) => problem.severity === "error")) throw new ConfigError(problems);
  return { config, warnings: [...problems, ...ignoredWarning(ignored)] };
}

function ignoredWarning(ignored: readonly string[]): Problem[] {
  if (ignored.length === 0) return [];
  const message = `these keys of Nomad's have no effect in this agent: ${ignored.join(", ")}`;
  return [{ severity: "warning", message, at: undefined }];
}

function cleanName(section: Section, key: string, fallback: string, forbidden: RegExp): string {
  const text = section.text(key) || fallback;
  if (forbidden.test(text)) section.mistake(key, "contains invalid characters (null or '*')");
  return text;
}

function readAddresses(section: Section): AddressTexts {
  const texts = {
    http: section.text("http"),
    rpc: section.text("rpc"),
    serf: section.text("serf"),
  };
  section.finish();
  return texts;
}

function readPorts(section: Section): PortsConfig {
  const ports = {
    http: section.int("http", 0, PORT_MAX) ?? 4646,
    rpc: section.int("rpc", 0, PORT_MAX) ?? 4647,
    serf: section.int("serf", 0, PORT_MAX) ?? 4648,
  };
  for (const [one, other] of [
    ["rpc", "http"],
    ["serf", "http"],
    ["serf", "rpc"],
  ] as const) {
    if (ports[one] !== 0 && ports[one] === ports[other]) {
      section.mistake(one, `port ${ports[one]} is also ports.${other}: each needs one of its own`);
    }
  }
  section.finish();
  return ports;
}

function readServer(
  section: Section,
  options: ParseOptions,
  problems: Problem[],
  ignored: string[],
): ServerConfig {
  const server: ServerConfig = {
    enabled: section.bool("enabled") ?? false,
    bootstrapExpect: section.int("bootstrap_expect", 0, EXPECT_MAX) ?? (options.devMode ? 1 : 0),
    encrypt: readKey(section, options.host),
    encryptAt: section.has("encrypt") ? section.position("encrypt") : undefined,
    encryptVerifyIncoming: section.bool("encrypt_verify_incoming") ?? true,
    encryptVerifyOutgoing: section.bool("encrypt_verify_outgoing") ?? true,
    gossipLabel: readLabel(section),
    join: readJoin(section, problems),
    rejoinAfterLeave: section.bool("rejoin_after_leave") ?? false,
    nonVoting: section.bool("non_voting_server") ?? false,
    redundancyZone: section.text("redundancy_zone") ?? "",
    upgradeVersion: section.text("upgrade_version") ?? "",
    raftMultiplier: section.int("raft_multiplier", 1, 10) ?? 1,
    raftSnapshotThreshold: section.int("raft_snapshot_threshold", 1, COUNT_MAX) ?? 8192,
    raftTrailingLogs: section.int("raft_trailing_logs", 1, COUNT_MAX) ?? 10_240,
    heartbeat: readHeartbeat(section),
    dataDir: section.text("data_dir"),
  };
  if (server.encryptVerifyIncoming && !server.encryptVerifyOutgoing) {
    const message =
      "encrypt_verify_outgoing cannot be off while encrypt_verify_incoming is on: " +
      "agents with these settings refuse each other";
    section.mistake("encrypt_verify_outgoing", message, "set encrypt_verify_incoming = false too");
  }
  ignored.push(...section.ignore(IGNORED_SERVER));
  section.finish();
  return server;
}

function readKey(section: Section, host: ParseHost): GossipKey | undefined {
  const text = section.text("encrypt");
  if (text === undefined || text === "") return undefined;
  const key = parseKey(text, host.sha256);
  if (!isKeyFault(key)) return key;
  const help = "make a good one with `nomad keygen` (or `nomad keygen -bytes=32` for AES-256)";
  const found =
    key.kind === "not-base64"
      ? `${text.length} characters that are not base64`
      : `base64 of ${key.bytes} ${key.bytes === 1 ? "byte" : "bytes"}`;
  section.mistake(
    "encrypt",
    `the gossip key must be base64 of 16, 24 or 32 bytes, found ${found}`,
    help,
  );
  return undefined;
}

function readLabel(section: Section): string {
  const label = section.text("gossip_label") ?? "";
  const bytes = Buffer.byteLength(label);
  if (bytes <= LABEL_BYTES_MAX) return label;
  const message = `a gossip label has at most ${LABEL_BYTES_MAX} bytes, found ${bytes}`;
  section.mistake("gossip_label", message);
  return "";
}

/** `server_join { }`, or the older keys beside it; not both. */
function readJoin(section: Section, problems: Problem[]): JoinConfig {
  const block = section.block("server_join");
  const read = (from: Section): { [Key in keyof JoinConfig]: JoinConfig[Key] | undefined } => ({
    startJoin: from.texts("start_join"),
    retryJoin: from.texts("retry_join"),
    retryIntervalMs: from.durationMs("retry_interval"),
    retryMax: from.int("retry_max", 0, Number.MAX_SAFE_INTEGER),
  });
  const [inner, outer] = [read(block), read(section)];
  block.finish();
  for (const key of ["start_join", "retry_join", "retry_interval", "retry_max"]) {
    if (block.at === undefined || !section.has(key)) continue;
    const message = `server_join and ${key} cannot both be defined; prefer setting the server_join block`;
    problems.push({ severity: "error", message, at: section.position(key) });
  }
  if (block.has("start_join") && block.has("retry_join")) {
    const message = "retry_join and start_join cannot both be defined";
    problems.push({ severity: "error", message, at: block.position("retry_join") });
  }
  return {
    startJoin: inner.startJoin ?? outer.startJoin ?? [],
    retryJoin: inner.retryJoin ?? outer.retryJoin ?? [],
    retryIntervalMs: inner.retryIntervalMs ?? outer.retryIntervalMs ?? RETRY_INTERVAL_MS,
    retryMax: inner.retryMax ?? outer.retryMax ?? 0,
  };
}

function readClient(section: Section, ignored: string[]): ClientConfig {
  const block = section.block("server_join");
  if (block.has("start_join")) {
    block.mistake("start_join", "is not supported for Nomad clients", "use retry_join");
  }
  const client: ClientConfig = {
    enabled: section.bool("enabled") ?? false,
    servers: section.texts("servers") ?? [],
    join: {
      startJoin: [],
      retryJoin: block.texts("retry_join") ?? [],
      retryIntervalMs: block.durationMs("retry_interval") ?? RETRY_INTERVAL_MS,
      retryMax: block.int("retry_max", 0, Number.MAX_SAFE_INTEGER) ?? 0,
    },
    nodeClass: section.text("node_class") ?? "",
    nodePool: section.text("node_pool") ?? "default",
    meta: section.textMap("meta") ?? {},
  };
  block.finish();
  ignored.push(...section.ignore(IGNORED_CLIENT));
  section.finish();
  return client;
}

function readTls(section: Section, problems: Problem[]): TlsConfig {
  const suites = (section.text("tls_cipher_suites") ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  for (const name of suites) {
    if (SUITE_NAMES.includes(name)) continue;
    const guess = nearest(name, SUITE_NAMES);
    const help =
      guess === undefined ? `known: ${SUITE_NAMES.join(", ")}` : `did you mean ${guess}?`;
    section.mistake("tls_cipher_suites", `unsupported TLS cipher "${name}"`, help);
  }
  if (section.has("tls_prefer_server_cipher_suites")) {
    const message =
      "tls.tls_prefer_server_cipher_suites was removed in Nomad 1.9: it has no effect";
    const at = section.position("tls_prefer_server_cipher_suites");
    problems.push({ severity: "warning", message, at });
  }
  const tls: TlsConfig = {
    http: section.bool("http") ?? false,
    rpc: section.bool("rpc") ?? false,
    caFile: section.text("ca_file") ?? "",
    certFile: section.text("cert_file") ?? "",
    keyFile: section.text("key_file") ?? "",
    verifyServerHostname: section.bool("verify_server_hostname") ?? false,
    verifyHttpsClient: section.bool("verify_https_client") ?? false,
    rpcUpgradeMode: section.bool("rpc_upgrade_mode") ?? false,
    minVersion: section.word("tls_min_version", TLS_VERSIONS) ?? "tls12",
    cipherSuites: suites,
    at: {
      block: section.at,
      caFile: section.position("ca_file"),
      certFile: section.position("cert_file"),
      keyFile: section.position("key_file"),
      cipherSuites: section.position("tls_cipher_suites"),
    },
  };
  section.finish();
  return tls;
}

function readLimits(section: Section): LimitsConfig {
  const timeout = (key: string): number => {
    const ms = section.durationMs(key);
    if (ms !== undefined && ms < 0) section.mistake(key, "must be >= 0");
    return ms ?? 5000;
  };
  const rpcConns = section.int("rpc_max_conns_per_client", 0, 1_000_000) ?? 100;
  if (rpcConns !== 0 && rpcConns < RPC_CONNS_MIN) {
    section.mistake("rpc_max_conns_per_client", `must be 0 (no limit) or > 25, found ${rpcConns}`);
  }
  const limits = {
    httpsHandshakeTimeoutMs: timeout("https_handshake_timeout"),
    httpMaxConnsPerClient: section.int("http_max_conns_per_client", 0, 1_000_000) ?? 100,
    rpcHandshakeTimeoutMs: timeout("rpc_handshake_timeout"),
    rpcMaxConnsPerClient: rpcConns,
  };
  section.finish();
  return limits;
}

function readTelemetry(section: Section, ignored: string[]): TelemetryConfig {
  const telemetry = {
    collectionIntervalMs: section.durationMs("collection_interval") ?? 1000,
    prometheusMetrics: section.bool("prometheus_metrics") ?? true,
    disableHostname: section.bool("disable_hostname") ?? false,
  };
  ignored.push(...section.ignore(IGNORED_TELEMETRY));
  section.finish();
  return telemetry;
}

/** Rules that look at several keys. */
function checkWhole(config: Config, top: Section, problems: Problem[]): void {
  const add = (message: string, help?: string): void => {
    problems.push({ severity: "error", message, at: undefined, help });
  };
  if (!config.server.enabled && !config.client.enabled) {
    add(
      "Must specify either server, client or dev mode for the agent",
      "try `nomad agent -dev`, or `nomad agent -config=FILE` with server { enabled = true }",
    );
  }
  if (config.server.bootstrapExpect > 0 && !config.server.enabled) {
    add("Bootstrap requires server mode to be enabled", "set server { enabled = true }");
  }
  if (config.server.enabled && config.dataDir === "" && !config.devMode) {
    add(
      'Must specify "data_dir" config option or "data-dir" CLI flag',
      'for example data_dir = "/opt/nomad"',
    );
  }
  if (config.dataDir !== "" && !config.dataDir.startsWith("/")) {
    top.mistake("data_dir", `must be an absolute path, found "${config.dataDir}"`);
  }
}
