/**
 * A tree to a Config, or every mistake in it at once.
 *
 * @module
 */

import { LOG_LEVELS } from "../host/log.ts";
import { type GossipKey, isKeyFault, parseKey } from "../secret/key.ts";
import type { Block } from "./block.ts";
import { SUITE_NAMES } from "./cipher-suites.ts";
import {
  type AddressTexts,
  type Config,
  type LimitsConfig,
  type PortsConfig,
  type ServerConfig,
  TLS_VERSIONS,
  type TlsConfig,
} from "./config.ts";
import { IGNORED_SERVER, IGNORED_TOP } from "./ignored.ts";
import { readAcl } from "./parse-acl.ts";
import { readAudit } from "./parse-audit.ts";
import { readClient, readDirectory, readJoin } from "./parse-client.ts";
import { readEvents, readSearch } from "./parse-events.ts";
import { readIntroduction, readSigningKeys } from "./parse-identity.ts";
import { readLogRotation, readSyslog } from "./parse-log.ts";
import { readAutopilot, readHeartbeat } from "./parse-raft.ts";
import { readTelemetry } from "./parse-telemetry.ts";
import { DEFAULT_PORTS } from "./ports.ts";
import { ConfigError, type Position, type Problem } from "./problem.ts";
import { valueToShow } from "./redact.ts";
import { Report } from "./report.ts";
import { Section } from "./section.ts";
import { nearest } from "./suggest.ts";

/** What only the machine knows. */
interface ParseHost {
  readonly hostname: string;
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
}

interface ParseOptions {
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
/** Connections that streaming calls always keep, plus the least that is useful. */
const RPC_CONNS_MIN = 26;

/** Blocks of which a file may have several: they count as one. */
const REPEATABLE = [
  ...["client", "server", "telemetry", "http_api_response_headers"],
  ...["plugin", "keyring", "consul", "vault"],
];
/** Keys that Nomad drops silently where they do not belong, and where that is. */
const MISPLACED_TOP = {
  options: "client",
  meta: "client",
  chroot_env: "client",
  servers: "client",
  template: "client",
  server_join: "server",
  enabled_schedulers: "server",
  start_join: "server",
  retry_join: "server",
  datadog_tags: "telemetry",
  license: "reporting",
  service_identity: "consul",
  task_identity: "consul",
  default_identity: "vault",
};
const MISPLACED_SERVER = { preemption_config: "server.default_scheduler_config" };

interface ParsedConfig {
  readonly config: Config;
  readonly warnings: readonly Problem[];
}

/**
 * @param files what every file has, in order; the flags are the last one
 * @throws ConfigError with every mistake
 */
export function parseConfig(files: readonly Block[], options: ParseOptions): ParsedConfig {
  const report = new Report(options.problems);
  const layers = files.map((file) => [file]);
  const rules = { once: true, repeatable: REPEATABLE, misplaced: MISPLACED_TOP };
  const top = new Section(layers, "", report, rules);
  const { devMode } = options;
  const inServer = { once: true, misplaced: MISPLACED_SERVER };
  const server = readServer(top.block("server", inServer), options);
  const { client, hasPaths } = readClient(top, devMode);
  const config: Config = {
    region: cleanName(top, "region", "global", /\0/),
    datacenter: cleanName(top, "datacenter", "dc1", /[\0*]/),
    name: readName(top, options.host.hostname),
    dataDir: readDirectory(top, "data_dir") ?? "",
    bindAddr: top.text("bind_addr") ?? (devMode ? "127.0.0.1" : "0.0.0.0"),
    addresses: readAddresses(top.block("addresses")),
    advertise: readAdvertise(top.block("advertise")),
    ports: readPorts(top.block("ports")),
    logLevel: top.word("log_level", LOG_LEVELS) ?? (devMode ? "DEBUG" : "INFO"),
    logJson: top.bool("log_json") ?? false,
    logFile: top.text("log_file"),
    logRotation: readLogRotation(top),
    syslog: readSyslog(top),
    leaveOnInterrupt: top.bool("leave_on_interrupt") ?? false,
    leaveOnTerminate: top.bool("leave_on_terminate") ?? false,
    enableDebug: top.bool("enable_debug") ?? devMode,
    httpApiResponseHeaders: readHeaders(top),
    acl: readAcl(top.block("acl")),
    server: devMode ? { ...server, enabled: true } : server,
    client,
    autopilot: readAutopilot(top.block("autopilot")),
    tls: readTls(top.block("tls")),
    limits: readLimits(top.block("limits", { once: false, unknown: "warning" })),
    telemetry: readTelemetry(top.block("telemetry")),
    audit: readAudit(top),
    devMode,
    at: placesOf(top),
    files: options.files,
  };
  const pluginDir = readDirectory(top, "plugin_dir");
  checkWhole(config, top, hasPaths && pluginDir !== undefined, report);
  top.ignore(IGNORED_TOP);
  top.finish();
  report.finish();
  const { problems } = report;
  if (problems.some((problem) => problem.severity === "error")) throw new ConfigError(problems);
  return { config, warnings: problems };
}

/** As Go sends them: lines are joined, and what is no header is left out, here with a warning. */
function readHeaders(top: Section): Readonly<Record<string, string>> {
  const key = "http_api_response_headers";
  const all = Object.entries(top.textMap(key) ?? {});
  const joined = all.map(([name, value]) => [name, value.replaceAll(/[\r\n]+/g, " ")] as const);
  const fit = joined.filter(([name, value]) => {
    return /^[\w!#$%&*+.^|~'\x60-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
  });
  if (fit.length < joined.length) {
    top.warn(key, "has names or values that cannot be sent in a header, and are not");
  }
  return Object.fromEntries(fit);
}

const JUDGED_BY_MACHINE = {
  "": ["data_dir", "log_file", "bind_addr", "enable_syslog"],
  server: ["data_dir"],
  addresses: ["http", "rpc", "serf"],
  advertise: ["http", "rpc", "serf"],
};

function placesOf(top: Section): Readonly<Record<string, Position>> {
  const places = Object.entries(JUDGED_BY_MACHINE).flatMap(([block, keys]) => {
    const section = block === "" ? top : top.block(block);
    const set = keys.filter((key) => section.has(key));
    return set.map(
      (key) => [block === "" ? key : `${block}.${key}`, section.position(key)] as const,
    );
  });
  return Object.fromEntries(places);
}

function cleanName(section: Section, key: string, fallback: string, forbidden: RegExp): string {
  const text = section.text(key) ?? fallback;
  if (forbidden.test(text)) section.mistake(key, "contains invalid characters (null or '*')");
  return text;
}

/** With the region behind it, it is our name in gossip: peers refuse what no log should show. */
function readName(section: Section, hostname: string): string {
  const text = section.text("name") ?? hostname;
  const region = section.text("region") ?? "global";
  for (const [key, value] of Object.entries({ name: text, region })) {
    if (/\p{Cc}/u.test(value)) section.mistake(key, "contains control characters");
  }
  const bytes = Buffer.byteLength(`${text}.${region}`);
  if (bytes > 255) {
    section.mistake("name", `must be at most 255 bytes with the region, found ${bytes}`);
  }
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

/** An empty text is kept: somebody meant to advertise something there. */
function readAdvertise(section: Section): AddressTexts {
  const { http, rpc, serf } = readAddresses(section);
  const empty = (key: string): string | undefined => (section.has(key) ? "" : undefined);
  return { http: http ?? empty("http"), rpc: rpc ?? empty("rpc"), serf: serf ?? empty("serf") };
}

function readPorts(section: Section): PortsConfig {
  const ports = {
    http: section.int("http", 1, PORT_MAX) ?? DEFAULT_PORTS.http,
    rpc: section.int("rpc", 1, PORT_MAX) ?? DEFAULT_PORTS.rpc,
    serf: section.int("serf", 1, PORT_MAX) ?? DEFAULT_PORTS.serf,
  };
  for (const [one, other] of [
    ["rpc", "http"],
    ["serf", "http"],
    ["serf", "rpc"],
  ] as const) {
    if (ports[one] === ports[other]) {
      section.mistake(one, `port ${ports[one]} is also ports.${other}: each needs one of its own`);
    }
  }
  section.finish();
  return ports;
}

function readServer(section: Section, options: ParseOptions): ServerConfig {
  const encrypt = readKey(section, options.host);
  const expect = section.int("bootstrap_expect", Number.MIN_SAFE_INTEGER, COUNT_MAX);
  const server: ServerConfig = {
    enabled: section.bool("enabled") ?? false,
    bootstrapExpect: expect === undefined ? (options.devMode ? 1 : 0) : Math.max(0, expect),
    encrypt,
    encryptAt: encrypt === undefined ? undefined : section.position("encrypt"),
    encryptVerifyIncoming: section.ownBool("encrypt_verify_incoming") ?? true,
    encryptVerifyOutgoing: section.ownBool("encrypt_verify_outgoing") ?? true,
    gossipLabel: readLabel(section),
    join: readJoin(section),
    rejoinAfterLeave: section.bool("rejoin_after_leave") ?? false,
    nonVoting: section.bool("non_voting_server") ?? false,
    redundancyZone: section.text("redundancy_zone") ?? "",
    upgradeVersion: section.text("upgrade_version") ?? "",
    unsafeRaftWithOtherServers: section.bool("unsafe_raft_with_other_servers") ?? false,
    raftMultiplier: section.int("raft_multiplier", 1, 10) ?? 1,
    raftSnapshotThreshold: section.ownInt("raft_snapshot_threshold", 1, COUNT_MAX) ?? 8192,
    raftTrailingLogs: section.ownInt("raft_trailing_logs", 1, COUNT_MAX) ?? 10_240,
    eventBufferSize: readEvents(section),
    search: readSearch(section.block("search")),
    heartbeat: readHeartbeat(section),
    introduction: readIntroduction(section.block("client_introduction")),
    signingKeys: readSigningKeys(section),
    authoritativeRegion: section.text("authoritative_region") ?? "",
    aclTokenGcMs: section.durationMs("acl_token_gc_threshold") ?? 3_600_000,
    dataDir: section.text("data_dir"),
  };
  if (server.encryptVerifyIncoming && !server.encryptVerifyOutgoing) {
    const message =
      "encrypt_verify_outgoing cannot be off while encrypt_verify_incoming is on: " +
      "agents with these settings refuse each other";
    section.mistake("encrypt_verify_outgoing", message, "set encrypt_verify_incoming = false too");
  }
  const raftProtocol = section.int("raft_protocol", Number.MIN_SAFE_INTEGER, COUNT_MAX) ?? 3;
  if (raftProtocol !== 3) {
    section.mistake(
      "raft_protocol",
      `must be 3, as in Nomad v1.4 and later, found ${raftProtocol}`,
    );
  }
  section.ignore(IGNORED_SERVER);
  section.finish();
  return server;
}

function readKey(section: Section, host: ParseHost): GossipKey | undefined {
  // Go's base64 passes over the ends of lines.
  const text = section.text("encrypt")?.replaceAll(/[\r\n]/g, "");
  if (text === undefined) return undefined;
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

function readTls(section: Section): TlsConfig {
  const suites = (section.text("tls_cipher_suites") ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  for (const name of suites) {
    if (SUITE_NAMES.includes(name)) continue;
    const guess = nearest(name, SUITE_NAMES);
    const help =
      guess === undefined ? `known: ${SUITE_NAMES.join(", ")}` : `did you mean ${guess}?`;
    section.mistake("tls_cipher_suites", `unsupported TLS cipher ${valueToShow(name)}`, help);
  }
  if (section.has("tls_prefer_server_cipher_suites")) {
    const key = "tls_prefer_server_cipher_suites";
    section.mistake(key, "was removed in Nomad 1.9, which refuses it", "take it out");
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
    const ms = section.durationMs(key, true);
    if (ms !== undefined && ms < 0) section.mistake(key, "must be >= 0");
    return ms ?? 5000;
  };
  const rpcConns = section.ownInt("rpc_max_conns_per_client", 0, COUNT_MAX) ?? 100;
  if (rpcConns !== 0 && rpcConns < RPC_CONNS_MIN) {
    section.mistake("rpc_max_conns_per_client", `must be 0 (no limit) or > 25, found ${rpcConns}`);
  }
  const limits = {
    httpsHandshakeTimeoutMs: timeout("https_handshake_timeout"),
    httpMaxConnsPerClient: section.ownInt("http_max_conns_per_client", 0, COUNT_MAX) ?? 100,
    rpcHandshakeTimeoutMs: timeout("rpc_handshake_timeout"),
    rpcMaxConnsPerClient: rpcConns,
  };
  section.finish();
  return limits;
}

/** Rules that look at several keys. */
function checkWhole(config: Config, top: Section, hasPaths: boolean, report: Report): void {
  const { client, server } = config;
  if (!server.enabled && !client.enabled) {
    report.fail(
      "Must specify either server, client or dev mode for the agent",
      undefined,
      "try `nomad agent -dev`, or `nomad agent -config=FILE` with server { enabled = true }",
    );
  }
  const expect = top.block("server").position("bootstrap_expect");
  if (server.bootstrapExpect > 0 && !server.enabled && expect.line === 0) {
    const help = "set server { enabled = true }";
    report.fail("Bootstrap requires server mode to be enabled", expect, help);
  }
  if (config.dataDir === "" && !config.devMode) {
    const help = 'for example data_dir = "/opt/nomad"';
    if (server.enabled) {
      const message = 'Must specify "data_dir" config option or "data-dir" CLI flag';
      report.fail(message, undefined, help);
    } else if (client.enabled && !hasPaths) {
      const message =
        "Must specify the state, alloc-dir, alloc-mounts-dir and plugin-dir if data-dir is omitted.";
      report.fail(message, undefined, help);
    }
  }
}
