/** What the API needs to know and may do; the agent fills it in. Nothing here knows a transport. */
import type { Config } from "../config/config.ts";
import type { Endpoints } from "../config/endpoints.ts";
import type { CoreMeter } from "../host/usage.ts";
import type { Address } from "../protocol/ports.ts";
import type { RaftServer } from "../protocol/raft/message.ts";
import type { KeyQueryResult } from "../protocol/serf/action.ts";
import type { KeyOperation } from "../protocol/serf/key-queries.ts";
import type { Keyring } from "../secret/keyring.ts";
import type { Identity } from "../service/acl/resolver.ts";
import type { AuditLog } from "../service/audit/audit-log.ts";
import type { GossipCounters } from "../service/gossip/counters.ts";
import type { StreamMethods } from "../service/methods/stream-methods.ts";
import type { NodeReport } from "../service/node/client.ts";
import type { ServerState } from "../service/raft/autopilot-health.ts";
import type { Consensus } from "../service/raft/consensus.ts";
import type { RpcInspection } from "../service/rpc/client/inspect.ts";
import type { PeerReport } from "../service/rpc/client/peer-health.ts";
import type { PoolReport } from "../service/rpc/client/pool.ts";
import type { HandshakeCounters, RpcCounters } from "../service/rpc/counters.ts";
import type { MetricIntervals } from "../service/telemetry/intervals.ts";
import type { TlsMaterial } from "../tls/material.ts";
import type { ServerMembers } from "../wire/rpc-status.ts";

/** What came of reading the configuration again. */
export interface ReloadReport {
  /** What is in force now, a line each; nothing: it is all as before. */
  readonly changes: readonly string[];
  /** Settings that have changed, too, and take a restart. */
  readonly restart_needed: readonly string[];
}

/** All of it, for whoever answers everything; a function names the parts that it needs. */
export interface ApiContext extends AgentFacts, Connections, Servers {
  readonly acl: AclAccess;
  /** Undefined on an agent that is a client only. */
  readonly gossip: GossipView | undefined;
  /** Undefined on an agent that is a client only. */
  readonly raft: RaftView | undefined;
  /** Undefined on an agent that is a server only. */
  readonly client: ClientView | undefined;
  readonly metrics: MetricsView;
}

/** Who this agent is, and by which settings. */
export interface AgentFacts {
  readonly config: Config;
  readonly endpoints: Endpoints;
  readonly version: VersionInfo;
  readonly nodeId: string;
  readonly startedAtMs: number;
  readonly nowMs: () => number;
  /** Warnings of the start that still hold. */
  readonly warnings: readonly string[];
  /** Reads the configuration again. @throws Error with the operator's mistakes: nothing changed */
  readonly reload: () => Promise<ReloadReport>;
}

/** What goes over this agent's connections, and how well it is protected. */
export interface Connections {
  readonly rpc: RpcCounters;
  readonly http: HandshakeCounters;
  readonly tls: () => TlsMaterial | undefined;
  readonly peers: () => readonly PeerReport[];
  /** Multiplexed connections to other servers. */
  readonly sessions: () => readonly PoolReport[];
  /** Looks at a server's RPC port from here. */
  readonly inspect: (address: Address, region: string) => Promise<RpcInspection>;
}

/** Servers to ask, this agent among them if it is one. */
export interface Servers {
  /** The members as this agent sees them; a client asks a server. */
  readonly members: () => Promise<ServerMembers>;
  /**
   * An RPC as if it had come to our port: answered here or passed on.
   *
   * @param signal aborted when nobody waits for the answer any more
   * @throws Error
   */
  readonly call: (method: string, body: Uint8Array, signal?: AbortSignal) => Promise<Uint8Array>;
  /** Streaming calls, answered here or by another server. */
  readonly streams: Pick<StreamMethods, "open">;
}

/** What /v1/metrics remembers from one look to the next. */
export interface MetricsView {
  readonly intervals: MetricIntervals;
  /** Packets of metrics that went nowhere, by whom they were for. */
  readonly dropped: ReadonlyMap<string, number>;
  /** Processors since it was last asked. */
  readonly cores: CoreMeter["usage"];
  /** Undefined: changes are not written down. */
  readonly audit: Pick<AuditLog, "written" | "failed" | "problem"> | undefined;
}

export interface ClientView {
  readonly id: string;
  readonly report: () => NodeReport;
  /** Those that answer replace the configured ones. @throws Error when none does */
  readonly setServers: (servers: readonly string[]) => Promise<void>;
}

export interface VersionInfo {
  /** The release of Nomad that is spoken. */
  readonly nomad: string;
  /** Ours. */
  readonly agent: string;
  readonly revision: string;
  readonly buildDate: string;
}

/** The keys that sign who a node is, as this server sees them. */
export interface IdentityView {
  /** The one that signs; "": there is none yet. */
  readonly keyId: string;
  /** Can this server sign by it? It looks at its disk. */
  readonly opens: () => boolean;
  /** When another is to take over, Unix time. */
  readonly replacedAtMs: number | undefined;
  readonly keys: number;
  /** How many nodes have an identity; it looks at all of them. */
  readonly nodes: () => number;
  /** Of client_introduction. */
  readonly enforcement: string;
}

export interface RaftView {
  /** Client nodes that a leader waits to hear from again. */
  readonly heartbeats: () => number;
  readonly role: () => string;
  readonly leaderId: () => string | undefined;
  readonly servers: () => readonly RaftServer[];
  readonly stats: Consensus["stats"];
  readonly clusterId: () => string;
  /** Why Raft has stopped on this server; "" if it has not. */
  readonly problem: () => string;
  readonly identities: () => IdentityView;
  /** The group's servers as a leader sees them; empty where we do not lead. */
  readonly health: () => readonly ServerState[];
}

export interface GossipView {
  readonly keyring: Keyring;
  readonly keyringPath: string | undefined;
  readonly counters: GossipCounters;
  readonly stats: () => Readonly<Record<string, number | bigint>>;
  /** To a member, estimated; undefined: not measured. */
  readonly roundTripSeconds: (name: string) => number | undefined;
  readonly joinState: () => {
    readonly phase: string;
    readonly targets: readonly string[];
    readonly attempts: number;
    readonly joined: number;
    readonly lastErrors: readonly string[];
  };
  readonly join: (addresses: readonly string[]) => Promise<{
    readonly joined: number;
    readonly errors: readonly string[];
  }>;
  readonly forceLeave: (node: string, prune: boolean) => void;
  /** A text is why it was not asked. */
  readonly askKeys: (operation: KeyOperation, key: Uint8Array) => Promise<KeyQueryResult> | string;
}

/** Who has which token. */
export interface AclAccess {
  readonly enabled: boolean;
  /** @throws Error, now or later, with Nomad's text: there is no such token, or it has expired */
  readonly resolve: (token: string) => Identity | Promise<Identity>;
}
