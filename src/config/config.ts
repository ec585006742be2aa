/** The configuration after parsing: everything is there and cannot be wrong any more. */
import type { LogLevel } from "../host/log.ts";
import type { LogRotation } from "../host/log-file.ts";
import type { GossipKey } from "../secret/key.ts";
import type { Position } from "./problem.ts";

export interface JoinConfig {
  readonly startJoin: readonly string[];
  readonly retryJoin: readonly string[];
  readonly retryIntervalMs: number;
  /** 0: for ever. */
  readonly retryMax: number;
}

/** Of searches by a part of a name. */
export interface SearchConfig {
  readonly fuzzyEnabled: boolean;
  /** Matches of one context. */
  readonly limitResults: number;
  readonly minTermLength: number;
}

/** What client nodes are held to. */
export interface HeartbeatConfig {
  /** A node is down so long after its time is over. */
  readonly graceMs: number;
  /** The shortest time that a node gets for its next heartbeat. */
  readonly minTtlMs: number;
  /** Of all nodes together: above it each gets more time. */
  readonly maxPerSecond: number;
  /** What each node gets when a leader is new. */
  readonly failoverTtlMs: number;
}

export const ENFORCEMENTS = ["none", "warn", "strict"] as const;

/** How client nodes come that no server knows yet. */
export interface ClientIntroductionConfig {
  /** A node without an introduction token comes, comes and is logged, or does not come. */
  readonly enforcement: (typeof ENFORCEMENTS)[number];
  /** Of such a token. */
  readonly defaultLifetimeMs: number;
  readonly maxLifetimeMs: number;
}

/** The keys by which servers sign who a node is. */
export interface SigningKeysConfig {
  /** The age at which one is replaced. */
  readonly rotationMs: number;
  /** So long after the last that it has signed is over, it goes. */
  readonly graceMs: number;
  /** Between two looks at them. */
  readonly intervalMs: number;
}

/** Autopilot's settings of a new cluster. */
export interface AutopilotSettings {
  readonly cleanupDeadServers: boolean;
  readonly lastContactThresholdMs: number;
  readonly maxTrailingLogs: number;
  readonly minQuorum: number;
  readonly serverStabilizationTimeMs: number;
  readonly enableRedundancyZones: boolean;
  readonly disableUpgradeMigration: boolean;
  readonly enableCustomUpgrades: boolean;
}

export interface AclConfig {
  readonly enabled: boolean;
  /** How long a client agent believes what a server has said of a token, a policy, a role. */
  readonly tokenTtlMs: number;
  readonly policyTtlMs: number;
  readonly roleTtlMs: number;
  /** What a token may be given that expires. */
  readonly tokenMinExpirationMs: number;
  readonly tokenMaxExpirationMs: number;
  /** A management token of the authoritative region; empty: none. */
  readonly replicationToken: string;
}

export interface ServerConfig {
  readonly enabled: boolean;
  readonly bootstrapExpect: number;
  /** The gossip key of the file or the flag; a keyring on disk wins over it. */
  readonly encrypt: GossipKey | undefined;
  readonly encryptAt: Position | undefined;
  /** False while a pool in clear takes a key: plaintext is taken, or sent. */
  readonly encryptVerifyIncoming: boolean;
  readonly encryptVerifyOutgoing: boolean;
  /** Agents with another label, or none, are strangers. Empty: none. */
  readonly gossipLabel: string;
  readonly join: JoinConfig;
  readonly rejoinAfterLeave: boolean;
  readonly nonVoting: boolean;
  readonly redundancyZone: string;
  readonly upgradeVersion: string;
  /** Servers that are not ours may be in our Raft group: for tests of the protocol only. */
  readonly unsafeRaftWithOtherServers: boolean;
  /** Raft's timings, times this: 1 to 10. */
  readonly raftMultiplier: number;
  /** Entries from one Raft snapshot to the next, and kept behind it. */
  readonly raftSnapshotThreshold: number;
  readonly raftTrailingLogs: number;
  /** So many of the newest events are kept; undefined: there is no event stream. */
  readonly eventBufferSize: number | undefined;
  readonly search: SearchConfig;
  readonly heartbeat: HeartbeatConfig;
  readonly introduction: ClientIntroductionConfig;
  readonly signingKeys: SigningKeysConfig;
  /** Where global tokens, policies and roles are kept; empty: in this region. */
  readonly authoritativeRegion: string;
  /** So long after its end a token is deleted. */
  readonly aclTokenGcMs: number;
  /** Undefined: `<data_dir>/server`. */
  readonly dataDir: string | undefined;
}

/** What a client node keeps for itself; 0 and empty: nothing. */
export interface ReservedConfig {
  readonly cpuMhz: number;
  readonly memoryMb: number;
  readonly diskMb: number;
  /** Ports and ranges, as they are written. */
  readonly ports: string;
}

/** A folder that a client node tells of; nobody mounts it here. */
export interface HostVolumeConfig {
  readonly name: string;
  readonly path: string;
  readonly readOnly: boolean;
}

export const ADDRESS_FAMILIES = ["ipv4", "ipv6"] as const;
type AddressFamily = (typeof ADDRESS_FAMILIES)[number];

export interface ClientConfig {
  readonly enabled: boolean;
  readonly servers: readonly string[];
  readonly join: JoinConfig;
  readonly nodeClass: string;
  readonly nodePool: string;
  readonly meta: Readonly<Record<string, string>>;
  /** Its addresses are the node's; a template may choose it. Empty: the default route's. */
  readonly networkInterface: string;
  readonly preferredAddressFamily: AddressFamily | undefined;
  /** What is told instead of what the machine says; 0: what it says. */
  readonly networkSpeed: number;
  readonly cpuTotalCompute: number;
  readonly memoryTotalMb: number;
  readonly diskTotalMb: number;
  readonly reserved: ReservedConfig;
  readonly hostVolumes: readonly HostVolumeConfig[];
  readonly defaultIneligible: boolean;
  /** It says that it is down whenever it is stopped, and not only when it leaves. */
  readonly drainOnShutdown: boolean;
  /** Its id is one by chance, and not one that follows from the machine's. */
  readonly noHostUuid: boolean;
  /** Undefined: `<data_dir>/client`. */
  readonly stateDir: string | undefined;
}

export const TLS_VERSIONS = ["tls10", "tls11", "tls12", "tls13"] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

export interface TlsConfig {
  readonly http: boolean;
  readonly rpc: boolean;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly verifyServerHostname: boolean;
  readonly verifyHttpsClient: boolean;
  readonly rpcUpgradeMode: boolean;
  readonly minVersion: TlsVersion;
  /** Go's names, TLS 1.2 and below; empty: the defaults. */
  readonly cipherSuites: readonly string[];
  readonly at: {
    readonly block: Position | undefined;
    readonly caFile: Position;
    readonly certFile: Position;
    readonly keyFile: Position;
    readonly cipherSuites: Position;
  };
}

export interface LimitsConfig {
  readonly httpsHandshakeTimeoutMs: number;
  /** 0: no limit. */
  readonly httpMaxConnsPerClient: number;
  readonly rpcHandshakeTimeoutMs: number;
  readonly rpcMaxConnsPerClient: number;
}

export interface PortsConfig {
  readonly http: number;
  readonly rpc: number;
  readonly serf: number;
}

/** Texts as configured: templates and names are resolved at start. */
export interface AddressTexts {
  readonly http: string | undefined;
  readonly rpc: string | undefined;
  readonly serf: string | undefined;
}

export interface TelemetryConfig {
  /** From one sending of metrics to the next. */
  readonly collectionIntervalMs: number;
  /** The intervals that /v1/metrics counts by. */
  readonly inMemoryCollectionIntervalMs: number;
  readonly prometheusMetrics: boolean;
  readonly disableHostname: boolean;
  /** The node's name instead of the machine's. */
  readonly useNodeName: boolean;
  /** A client tells of its machine's processors, memory and disks, too. */
  readonly publishNodeMetrics: boolean;
  /** What becomes of metrics that no rule of `prefixFilter` speaks of. */
  readonly filterDefault: boolean;
  /** "+prefix" lets through, "-prefix" holds back; the longest prefix decides. */
  readonly prefixFilter: readonly string[];
  /** host:port; undefined: nobody is sent anything. */
  readonly statsdAddress: string | undefined;
  readonly statsiteAddress: string | undefined;
  /** host:port, or unix:// and a path. */
  readonly datadogAddress: string | undefined;
  readonly datadogTags: readonly string[];
}

/** A file that changes are written down in. */
export interface AuditSink {
  /** Undefined: `<data_dir>/audit/audit.log`. */
  readonly path: string | undefined;
  /** What cannot be written down is not done. */
  readonly isEnforced: boolean;
  readonly rotation: LogRotation;
  /** Permissions of a new file. */
  readonly mode: number;
}

/** What of the changes is not written down: all four have to fit. */
export interface AuditFilter {
  readonly type: "HTTPEvent" | "RPCEvent";
  /** Paths or methods; a star at the end stands for whatever follows. */
  readonly endpoints: readonly string[];
  readonly stages: readonly string[];
  readonly operations: readonly string[];
}

export interface AuditConfig {
  readonly enabled: boolean;
  readonly sinks: readonly AuditSink[];
  readonly filters: readonly AuditFilter[];
}

export interface Config {
  readonly region: string;
  readonly datacenter: string;
  readonly name: string;
  /** "" in dev mode. */
  readonly dataDir: string;
  readonly bindAddr: string;
  readonly addresses: AddressTexts;
  readonly advertise: AddressTexts;
  readonly ports: PortsConfig;
  readonly logLevel: LogLevel;
  readonly logJson: boolean;
  readonly logFile: string | undefined;
  readonly logRotation: LogRotation;
  /** The facility under which the system's log gets it, too; undefined: it does not. */
  readonly syslog: string | undefined;
  readonly leaveOnInterrupt: boolean;
  readonly leaveOnTerminate: boolean;
  readonly enableDebug: boolean;
  readonly httpApiResponseHeaders: Readonly<Record<string, string>>;
  readonly acl: AclConfig;
  readonly server: ServerConfig;
  readonly client: ClientConfig;
  readonly autopilot: AutopilotSettings;
  readonly tls: TlsConfig;
  readonly limits: LimitsConfig;
  readonly telemetry: TelemetryConfig;
  readonly audit: AuditConfig;
  readonly devMode: boolean;
  /** Where settings stand that only the machine can judge, by the operator's names. */
  readonly at: Readonly<Record<string, Position>>;
  /** Files that it came from, in order. */
  readonly files: readonly string[];
}
