/** What the agent answers, as far as the page shows it. */

interface Certificate {
  readonly subject: string;
  readonly dns_names: readonly string[];
  readonly issuer: string;
  readonly serial: string;
  readonly fingerprint_sha256: string;
  readonly key_type: string;
  readonly not_before: string;
  readonly not_after: string;
  readonly days_left: number;
}

interface InClear {
  readonly what: string;
  readonly why: string;
  readonly fix: string;
}

type Counts = Readonly<Record<string, number>>;

interface Traffic {
  readonly sent: number;
  readonly received: number;
  readonly refused: Counts;
}

interface Tls {
  readonly enabled: boolean;
  readonly certificate?: Certificate;
  readonly authorities?: readonly Certificate[];
  readonly handshakes: Readonly<Record<string, { accepted: number; refused: Counts }>>;
}

interface OwnKey {
  readonly fingerprint: string;
  readonly primary: boolean;
  /** The agent has it since then, at the latest. */
  readonly since: string | null;
}

/** GET /v1/status. */
export interface Status {
  readonly encrypted: boolean;
  readonly in_clear: readonly InClear[];
  readonly node: {
    readonly name: string;
    readonly id: string;
    readonly region: string;
    readonly datacenter: string;
    readonly server: boolean;
    readonly client: boolean;
    readonly version: string;
    readonly agent_version: string;
    readonly started_at: string;
  };
  readonly members: {
    readonly alive: number;
    readonly leaving: number;
    readonly left: number;
    readonly failed: number;
    readonly list: readonly StatusMember[];
  };
  readonly gossip: {
    readonly enabled: boolean;
    readonly encrypted?: boolean;
    readonly cipher?: string;
    readonly key?: string;
    readonly keys?: readonly OwnKey[];
    readonly packets?: Traffic;
    readonly streams?: Traffic;
  };
  readonly raft: {
    readonly enabled: boolean;
    readonly role?: string;
    readonly leader?: string;
    readonly term?: number;
    readonly commit_index?: number;
    readonly applied_index?: number;
    readonly voters?: number;
    readonly non_voters?: number;
    readonly problem?: string;
  };
  readonly client: {
    readonly enabled: boolean;
    readonly id?: string;
    readonly state?: string;
    readonly server?: string;
    readonly problem?: string;
  };
  readonly rpc: {
    readonly tls: Tls;
    readonly refused: Counts;
    readonly requests: number;
  };
  readonly http: { readonly tls: Tls };
  readonly warnings: readonly string[];
}

export interface StatusMember {
  readonly name: string;
  readonly address: string;
  readonly status: string;
  readonly region: string;
  readonly datacenter: string;
  readonly build: string;
  /** Estimated by coordinates; null: not measured. */
  readonly rtt_ms: number | null;
}

export interface InspectedPeer {
  readonly name: string;
  readonly address: string;
  readonly region: string;
  readonly reachable: boolean;
  readonly encrypted: boolean;
  readonly accepts_clear: boolean;
  readonly tls_version: string;
  readonly cipher: string;
  readonly names: readonly string[];
  readonly issuer: string;
  readonly not_after: string;
  readonly days_left: number | null;
  readonly problems: readonly string[];
}

/** GET /v1/operator/encryption: every server as this agent sees it. */
export interface Encryption {
  readonly healthy: boolean;
  readonly encrypted: boolean;
  readonly gossip: { readonly members: readonly KeyHolder[] };
  readonly peers: readonly InspectedPeer[];
  readonly todo: readonly string[];
}

export interface KeyHolder {
  readonly name: string;
  readonly primary: string;
  readonly keys: readonly string[];
}

/** GET /v1/agent/keyring/list?fingerprints=true. */
export interface KeyList {
  readonly Keys: readonly {
    readonly Fingerprint: string;
    readonly Bits: number;
    readonly Nodes: number;
    readonly PrimaryOn: number;
  }[];
  readonly Members: readonly { Name: string; Primary: string; Keys: readonly string[] }[];
  readonly NumNodes: number;
}

/** GET /v1/agent/members. */
export interface Members {
  readonly Members: readonly {
    readonly Name: string;
    readonly Addr: string;
    readonly Port: number;
    readonly Status: string;
    readonly Tags: Readonly<Record<string, string>>;
  }[];
}

/** One of GET /v1/nodes. */
export interface NodeStub {
  readonly ID: string;
  readonly Name: string;
  readonly Address: string;
  readonly Datacenter: string;
  readonly NodeClass: string;
  readonly NodePool: string;
  readonly Status: string;
  readonly SchedulingEligibility: string;
  readonly Drain: boolean;
  readonly Version: string;
}

/** GET /v1/node/ID. */
export interface Node extends NodeStub {
  readonly Attributes: Readonly<Record<string, string>>;
  readonly Meta: Readonly<Record<string, string>> | null;
  readonly HTTPAddr: string;
  readonly TLSEnabled: boolean;
  readonly StatusUpdatedAt: number;
  readonly Events:
    | readonly {
        readonly Message: string;
        readonly Subsystem: string;
        readonly Timestamp: string;
      }[]
    | null;
}

/** GET /v1/operator/autopilot/health. */
export interface Health {
  readonly Healthy: boolean;
  readonly FailureTolerance: number;
  readonly Servers: readonly {
    readonly ID: string;
    readonly Name: string;
    readonly Address: string;
    readonly SerfStatus: string;
    readonly Leader: boolean;
    readonly LastContact: string;
    readonly LastTerm: number;
    readonly LastIndex: number;
    readonly Healthy: boolean;
    readonly Voter: boolean;
    readonly StableSince: string;
  }[];
}

/** GET /v1/operator/raft/configuration. */
export interface RaftConfiguration {
  readonly Servers: readonly {
    readonly ID: string;
    readonly Node: string;
    readonly Address: string;
    readonly Leader: boolean;
    readonly Voter: boolean;
    readonly RaftProtocol: string;
  }[];
}

/** One of /v1/event/stream. */
export interface AgentEvent {
  readonly Topic: string;
  readonly Type: string;
  readonly Key: string;
  readonly Index: number;
  readonly Payload: unknown;
}
